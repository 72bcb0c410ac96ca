"""Any traced function of a few numbers, printed and compiled: by numba and by the C++ compiler."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from stresscube_kernels import numba_lines, print_cpp, print_numba
from stresscube_kernels.compiled import CXX_FLAGS
from stresscube_kernels.ops import NumpyOps, Ops
from stresscube_kernels.trace import Program, trace


class Table(NamedTuple):
    """An input that every call of the function reads as a whole."""

    entries: NDArray[Any]


Arrays = Sequence[NDArray[Any] | Table]
Function = Callable[..., tuple[Any, ...]]  # (ops, *inputs) -> outputs
DTYPES = {"u": np.dtype(np.uint32)}


def program_of(function: Function, kinds: str) -> Program:
    """The trace of `function(ops, *inputs)`, the inputs' kinds given as a word such as "uuf"."""

    def build(ops: Any, declare: Any) -> dict[str, Any]:
        made = function(ops, *(declare(f"in.x{k}", kind) for k, kind in enumerate(kinds)))
        return {f"out.y{k}": value for k, value in enumerate(made)}

    return trace(build)


def by_numpy(function: Function, inputs: Arrays, precision: str) -> list[NDArray[Any]]:
    ops: Ops = NumpyOps(precision)
    return [np.asarray(value) for value in function(ops, *map(array_of, inputs))]


def by_numba(function: Function, inputs: Arrays, precision: str) -> list[NDArray[Any]]:
    kinds = kinds_of(inputs)
    program = program_of(function, kinds)
    loads = [
        f"in_x{k} = inputs_{k}" + ("" if kind == "t" else "[i]") for k, kind in enumerate(kinds)
    ]
    stores = [
        f"outputs_{k}[i] = {numba_lines.operand(value)}"
        for k, (_, value) in enumerate(program.outputs)
    ]
    body = "\n".join(f"        {s}" for s in [*loads, *numba_lines.lines(program), *stores])
    names = [f"inputs_{k}" for k in range(len(inputs))]
    names += [f"outputs_{k}" for k in range(len(stores))]
    text = print_numba._HEADER.format(real=precision, lanes=1) + numba_lines.helpers([program])
    text += f"\ndef run(n, {', '.join(names)}):\n    for i in range(n):\n{body}\n"
    module: dict[str, Any] = {}
    exec(text, module)
    run = numba.njit(fastmath=module["fast"], error_model="numpy")(module["run"])
    outputs = poisoned(program, len(inputs[0]), precision)
    run(len(inputs[0]), *map(array_of, inputs), *outputs)
    return outputs


def by_cpp(function: Function, inputs: Arrays, precision: str, folder: Path) -> list[NDArray[Any]]:
    program = program_of(function, kinds_of(inputs))
    real = {"float32": "float", "float64": "double"}[precision]
    ins = [(f"x{k}", kind) for k, kind in enumerate(kinds_of(inputs))]
    outs = [(f"y{k}", value.kind) for k, (_, value) in enumerate(program.outputs)]
    loads = ", ".join(
        f"static_cast<const real *>(inputs[{k}])"
        if kind == "t"
        else f"static_cast<const {print_cpp.TYPES[kind]} *>(inputs[{k}])[i]"
        for k, (_, kind) in enumerate(ins)
    )
    stores = " ".join(
        f"static_cast<{print_cpp.TYPES[kind]} *>(outputs[{k}])[i] = out.{name};"
        for k, (name, kind) in enumerate(outs)
    )
    source = "\n".join(
        [
            f"#define REAL {real}",
            (print_cpp.NATIVE / "prelude.h").read_text().replace("#pragma once\n", ""),
            print_cpp._struct("In", ins),
            print_cpp._struct("Out", outs),
            print_cpp.helpers([program]),
            print_cpp._function("made", program, ["Out &out", "const In &in"]),
            'extern "C" void run(int64_t n, const void **inputs, void **outputs) {',
            "  for (int64_t i = 0; i < n; ++i) {",
            f"    const In in = {{{loads}}}; Out out; made(out, in); {stores}",
            "  }\n}",
        ]
    )
    compiler = shutil.which("c++")
    assert compiler is not None
    (folder / "printed.cpp").write_text(source)
    library = folder / f"printed_{precision}.so"
    command = [compiler, *CXX_FLAGS, "-o", str(library), str(folder / "printed.cpp")]
    subprocess.run(command, check=True)
    outputs = poisoned(program, len(inputs[0]), precision)
    addresses = [
        (ctypes.c_void_p * len(arrays))(*(array_of(array).ctypes.data for array in arrays))
        for arrays in (inputs, outputs)
    ]
    ctypes.CDLL(str(library)).run(ctypes.c_int64(len(inputs[0])), *addresses)
    return outputs


def array_of(given: NDArray[Any] | Table) -> NDArray[Any]:
    return given.entries if isinstance(given, Table) else given


def kinds_of(inputs: Arrays) -> str:
    return "".join(map(kind_of, inputs))


def kind_of(given: NDArray[Any] | Table) -> str:
    if isinstance(given, Table):
        return "t"
    return "u" if given.dtype == np.uint32 else "f"


def poisoned(program: Program, count: int, precision: str) -> list[NDArray[Any]]:
    """Output arrays, filled with NaN or 0xDEADBEEF."""
    return [
        np.full(
            count,
            0xDEADBEEF if value.kind == "u" else np.nan,
            DTYPES.get(value.kind, np.dtype(precision)),
        )
        for _, value in program.outputs
    ]
