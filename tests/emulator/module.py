"""CUDA source built by the host compiler, and its kernels, launched as the driver launches them."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stresscube_kernels import cache
from stresscube_kernels.compiled import CompilerMissing

HEADER = Path(__file__).with_name("cuda.h")
FLAGS = ("-std=c++17", "-O1", "-march=native", "-ffp-contract=fast", "-fno-strict-aliasing",
         "-w", "-shared", "-fPIC")  # fmt: skip
KERNEL = re.compile(r'extern "C" __global__ void\s+(?:__launch_bounds__\(\w+\)\s+)?(\w+)\(')

_one_launch = threading.Lock()
Argument = NDArray[np.generic] | np.generic


class LaunchError(RuntimeError):
    """A launch that a card would have refused, or not survived."""


class EmulatedKernel:
    """One kernel, callable on numpy arrays and scalars."""

    def __init__(self, library: ctypes.CDLL, name: str) -> None:
        self.name = name
        self._launch = getattr(library, f"launch_{name}")
        self._launch.restype = ctypes.c_bool
        sizes = getattr(library, f"sizes_{name}")
        sizes.restype = ctypes.POINTER(ctypes.c_size_t)
        self._sizes: list[int] = []
        for size in sizes():
            if size == 0:
                break
            self._sizes.append(size)

    def __call__(self, grid: Sequence[int], block: int, args: Sequence[Argument]) -> None:
        """Run every block. Arrays are passed by address, numpy scalars and records by value.

        Raises LaunchError for arguments of another number or size than the kernel's, and for
        a barrier that not all threads of a block reach.
        """
        holders: list[ctypes.Array[ctypes.c_char]] = []
        for at, arg in enumerate(args):
            if isinstance(arg, np.ndarray):
                if not arg.flags.c_contiguous:
                    raise LaunchError(f"{self.name}: argument {at} is not contiguous")
                data = np.uint64(arg.ctypes.data).tobytes()
            else:
                data = arg.tobytes()
            holders.append(ctypes.create_string_buffer(data, len(data)))
        found = [len(holder) for holder in holders]
        if found != self._sizes:
            raise LaunchError(f"{self.name}: arguments of {found} bytes, expected {self._sizes}")
        addresses = (ctypes.c_void_p * len(holders))(*map(ctypes.addressof, holders))
        extent = (ctypes.c_uint * 3)(*(*grid, 1, 1)[:3])
        with _one_launch:
            ended = self._launch(extent, ctypes.c_uint(block), addresses)
        if not ended:
            raise LaunchError(f"{self.name}: some threads of a block never reached its barrier")


@lru_cache(maxsize=64)
def build(source: str) -> dict[str, EmulatedKernel]:
    """The kernels of one self-contained CUDA source, by name.

    Raises CompilerMissing where there is no C++ compiler.
    """
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        raise CompilerMissing("no C++ compiler (c++, g++ or clang++) was found on the PATH")
    names = KERNEL.findall(source)
    assert names
    exports = "\n".join(f"EMULATE({name})" for name in names)
    text = f"{HEADER.read_text()}\n{source}\n{exports}\n"
    with cache.locked("emulated_" + cache.digest(text, *FLAGS)) as place:
        made = place / "kernels.so"
        if not made.exists():
            (place / "kernels.cpp").write_text(text)
            command = [
                compiler,
                *FLAGS,
                "-o",
                str(place / "partial.so"),
                str(place / "kernels.cpp"),
            ]
            subprocess.run(command, check=True)
            (place / "partial.so").replace(made)
        library = ctypes.CDLL(str(made))
    return {name: EmulatedKernel(library, name) for name in names}
