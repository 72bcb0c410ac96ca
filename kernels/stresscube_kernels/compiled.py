"""Five compiled functions behind one Python signature: by numba, or by the host C++ compiler.

Arrays are C-contiguous in the chosen precision. W is the number of lanes. Records are stored
field by field with the lanes inside: index field * W + lane.

| array | shape |
|---|---|
| states | [len(MarketState._fields) * W] |
| tape | [W paths, steps, len(Tick._fields)] |
| policies | [tiles, policy fields * W] |
| accounts | [paths, tiles, account fields * W] |
| outcomes | [paths, tiles, outcome fields * W] |
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from . import cache, intrinsics
from .contract import Shape
from .print_cpp import host_source
from .print_numba import LANES, numba_source
from .programs import programs

Array = NDArray[Any]
Numbers = tuple[Array, Array, Array]
"""A market point: its reals, its words (uint32) and its table."""
# What -ffast-math allows, without the flag itself: with it GCC links start-up code that turns off
# subnormal numbers in every thread that loads the library.
FAST = (
    "-fno-math-errno", "-ffinite-math-only", "-fno-signed-zeros", "-fno-trapping-math",
    "-fassociative-math", "-freciprocal-math",
)  # fmt: skip
CXX_FLAGS = ("-std=c++17", "-O3", "-march=native", *FAST, "-shared", "-fPIC")


class CompilerMissing(RuntimeError):
    """There is no C++ compiler on this machine."""


class Kernels(Protocol):
    """The compiled functions; shapes as in the module's table."""

    def market_start(
        self, numbers: Numbers, key: tuple[int, int], first_path: int, states: Array
    ) -> None:
        """Fill the states of W paths at time 0."""
        ...

    def market_run(
        self,
        numbers: Numbers,
        key: tuple[int, int],
        first_path: int,
        first_step: int,
        n_steps: int,
        states: Array,
        tape: Array,
    ) -> None:
        """Advance W paths by n_steps, filling tape[:, :n_steps]."""
        ...

    def policy_open(self, policies: Array, accounts: Array) -> None:
        """Fill the accounts at time 0."""
        ...

    def policy_run(
        self, tape: Array, first_step: int, n_steps: int, policies: Array, accounts: Array
    ) -> None:
        """Advance every account through tape[:, :n_steps], which begins at first_step."""
        ...

    def policy_close(
        self, tape: Array, last: int, policies: Array, accounts: Array, outcomes: Array
    ) -> None:
        """Close every account at tick `last` of the tape."""
        ...


class NumbaKernels:
    """The functions of a generated, njit-ed module."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def market_start(
        self, numbers: Numbers, key: tuple[int, int], first_path: int, states: Array
    ) -> None:
        self._module.market_start(*numbers, key[0], key[1], first_path, states)

    def market_run(
        self,
        numbers: Numbers,
        key: tuple[int, int],
        first_path: int,
        first_step: int,
        n_steps: int,
        states: Array,
        tape: Array,
    ) -> None:
        self._module.market_run(
            *numbers, key[0], key[1], first_path, first_step, n_steps, states, tape
        )

    def policy_open(self, policies: Array, accounts: Array) -> None:
        self._module.policy_open(policies, accounts)

    def policy_run(
        self, tape: Array, first_step: int, n_steps: int, policies: Array, accounts: Array
    ) -> None:
        self._module.policy_run(tape, first_step, n_steps, policies, accounts)

    def policy_close(
        self, tape: Array, last: int, policies: Array, accounts: Array, outcomes: Array
    ) -> None:
        self._module.policy_close(tape, last, policies, accounts, outcomes)


class TwinKernels:
    """The functions of a shared library made by the host C++ compiler."""

    def __init__(self, library: Path, precision: str) -> None:
        self._library = ctypes.CDLL(str(library))
        self._dtype = np.dtype(precision)

    def _address(self, array: Array) -> ctypes.c_void_p:
        if array.dtype not in (self._dtype, np.uint32) or not array.flags.c_contiguous:
            raise TypeError(f"expected a contiguous {self._dtype} array, got {array.dtype}")
        return ctypes.c_void_p(array.ctypes.data)

    def _call(self, name: str, *args: Any) -> None:
        arrays = (self._address(cast("Array", a)) if isinstance(a, np.ndarray) else a for a in args)
        getattr(self._library, name)(*arrays)

    def market_start(
        self, numbers: Numbers, key: tuple[int, int], first_path: int, states: Array
    ) -> None:
        self._call("market_start", *numbers, *_u32(*key, first_path), states)

    def market_run(
        self,
        numbers: Numbers,
        key: tuple[int, int],
        first_path: int,
        first_step: int,
        n_steps: int,
        states: Array,
        tape: Array,
    ) -> None:
        counters = _u32(*key, first_path, first_step)
        sizes = _i64(n_steps), _i64(tape.shape[1])
        self._call("market_run", *numbers, *counters, sizes[0], states, tape, sizes[1])

    def policy_open(self, policies: Array, accounts: Array) -> None:
        self._call("policy_open", policies, accounts, *map(_i64, accounts.shape[:2]))

    def policy_run(
        self, tape: Array, first_step: int, n_steps: int, policies: Array, accounts: Array
    ) -> None:
        steps = _i64(tape.shape[1]), _i64(first_step), _i64(n_steps)
        self._call("policy_run", tape, *steps, policies, accounts, *map(_i64, accounts.shape[:2]))

    def policy_close(
        self, tape: Array, last: int, policies: Array, accounts: Array, outcomes: Array
    ) -> None:
        steps = _i64(tape.shape[1]), _i64(last)
        sizes = map(_i64, accounts.shape[:2])
        self._call("policy_close", tape, *steps, policies, accounts, outcomes, *sizes)


def _i64(value: int) -> ctypes.c_int64:
    return ctypes.c_int64(value)


def _u32(*values: Any) -> Sequence[ctypes.c_uint32]:
    return [ctypes.c_uint32(int(value)) for value in values]


@lru_cache(maxsize=32)
def numba_kernels(shape: Shape, precision: str) -> Kernels:
    """Compile, or find compiled, the numba functions of a shape of code."""
    import llvmlite
    import numba

    source = numba_source(programs(shape), precision)
    name = "cpu_" + cache.digest(
        source, Path(intrinsics.__file__).read_text(), numba.__version__, llvmlite.__version__
    )
    with cache.locked(name) as place:
        path = place / "kernels.py"
        cache.write_once(path, source)
        return NumbaKernels(cache.load_module(path, f"stresscube_{name}"))


@lru_cache(maxsize=32)
def twin_kernels(shape: Shape, precision: str, flags: tuple[str, ...] = CXX_FLAGS) -> Kernels:
    """Compile the C++ twin of a shape of code.

    Raises CompilerMissing where there is no C++ compiler.
    """
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        raise CompilerMissing("no C++ compiler (c++, g++ or clang++) was found on the PATH")
    source = host_source(programs(shape), precision, LANES)
    version = subprocess.run(
        [compiler, "--version"], capture_output=True, text=True, check=True
    ).stdout
    with cache.locked("twin_" + cache.digest(source, version, *flags)) as place:
        library = place / "kernels.so"
        if not library.exists():
            (place / "kernels.cpp").write_text(source)
            made = place / "partial.so"
            subprocess.run(
                [compiler, *flags, "-o", str(made), str(place / "kernels.cpp")], check=True
            )
            made.replace(library)
        return TwinKernels(library, precision)
