"""NVIDIA's run-time compiler by itself: CUDA source to machine code, with no driver and no card.

Needs the packages `nvidia-cuda-nvrtc` and `nvidia-cuda-nvdisasm`, which [dev] brings on Linux.
"""

from __future__ import annotations

import ctypes
import re
import subprocess
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any


class Missing(RuntimeError):
    """The compiler or the disassembler is not installed."""


class CompileError(RuntimeError):
    """The compiler's log."""


def available() -> bool:
    """Whether source can be compiled and disassembled here."""
    try:
        _library()
        _disassembler()
    except Missing:
        return False
    return True


def version() -> str:
    """The compiler's version, as 13.1."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    _library().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    return f"{major.value}.{minor.value}"


def architectures() -> list[str]:
    """What it compiles for: sm_80, sm_90, ..."""
    count = ctypes.c_int()
    _library().nvrtcGetNumSupportedArchs(ctypes.byref(count))
    found = (ctypes.c_int * count.value)()
    _library().nvrtcGetSupportedArchs(found)
    return [f"sm_{number}" for number in found]


def compile_cubin(source: str, architecture: str, options: Sequence[str] = ()) -> bytes:
    """Machine code of one self-contained source.

    Raises CompileError with the compiler's log, Missing if there is no compiler.
    """
    library = _library()
    program = ctypes.c_void_p()
    _check(library.nvrtcCreateProgram(
        ctypes.byref(program), source.encode(), b"stresscube.cu", 0, None, None
    ))  # fmt: skip
    try:
        words = [f"-arch={architecture}".encode(), *(option.encode() for option in options)]
        asked = (ctypes.c_char_p * len(words))(*words)
        if library.nvrtcCompileProgram(program, len(words), asked):
            raise CompileError(_bytes(program, "ProgramLog").rstrip(b"\0").decode())
        return _bytes(program, "CUBIN")
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def disassemble(cubin: bytes) -> str:
    """The machine code as text, with resource usage in its comments."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        command = [str(_disassembler()), file.name]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _bytes(program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    _check(getattr(_library(), f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
    made = ctypes.create_string_buffer(size.value)
    _check(getattr(_library(), f"nvrtcGet{what}")(program, made))
    return made.raw


def _check(result: int) -> None:
    if result:
        raise CompileError(_library().nvrtcGetErrorString(result).decode())


@lru_cache(maxsize=1)
def _library() -> Any:
    found = _file_of("nvidia-cuda-nvrtc", r"libnvrtc\.so[.\d]*")
    library = ctypes.CDLL(str(found))
    library.nvrtcGetErrorString.restype = ctypes.c_char_p
    return library


@lru_cache(maxsize=1)
def _disassembler() -> Path:
    return _file_of("nvidia-cuda-nvdisasm", r"nvdisasm")


def _file_of(package: str, name: str) -> Path:
    try:
        known = files(package) or []
    except PackageNotFoundError:
        known = []
    for file in known:
        if re.fullmatch(name, file.name):
            return Path(str(file.locate()))
    raise Missing(f"{package} is not installed: pip install {package}")
