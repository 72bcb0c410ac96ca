"""CUDA kernels compiled for the card at hand, by CuPy's compiler, which keeps them on disk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from .cards import cupy
from .contract import Shape
from .print_cpp import cuda_source
from .programs import programs

WARP = 32
THREADS = 128
PER_THREAD = (2, 1)
"""Policies a thread, best first: two share the loads of a tick where registers allow."""
OPTIONS = ("-std=c++17", "--prec-div=false", "--fmad=true")
"""A division to 2 units in the last place costs 9 instructions of some 190 less a step; only
returns of trades and drawdowns are divided, the market is not."""
MOST_REGISTERS = {"float32": 168, "float64": 255}
"""Of a thread: more would leave fewer than three warps for each scheduler (two in float64)."""
NAMES = ("market_run", "policy_run", "gather_outcomes")


@dataclass(frozen=True, slots=True)
class CudaKernels:
    """The compiled kernels of a shape of code, for one card and one number of threads."""

    market_run: Any
    policy_run: Any
    gather_outcomes: Any
    threads: int
    per_thread: int

    @property
    def group(self) -> int:
        """Policies that one thread block runs."""
        return self.threads * self.per_thread


@lru_cache(maxsize=32)
def cuda_kernels(
    shape: Shape, precision: str, threads: tuple[int, ...], device: int
) -> CudaKernels:
    """Compile for the current card; CuPy keeps the result on disk.

    Of the choices of policies a thread, the first whose kernel keeps everything in registers and
    leaves room for warps enough. threads: of a block, for each of PER_THREAD.
    """
    *wishes, last = zip(threads, PER_THREAD, strict=True)
    for count, per_thread in wishes:
        made = compiled(shape, precision, count, per_thread)
        kernel = made.policy_run
        if kernel.local_size_bytes == 0 and kernel.num_regs <= MOST_REGISTERS[precision]:
            return made
    return compiled(shape, precision, *last)


def compiled(
    shape: Shape, precision: str, threads: int, per_thread: int, *, idle: bool = True
) -> CudaKernels:
    """Compile for the current card with so many threads a block and policies a thread.

    idle: whether accounts that do not act may take the shorter step.
    """
    source = source_of(shape, precision, threads, per_thread, idle=idle)
    module = cupy().RawModule(code=source, options=OPTIONS)
    functions = (module.get_function(name) for name in NAMES)
    return CudaKernels(*functions, threads=threads, per_thread=per_thread)


@lru_cache(maxsize=16)
def source_of(
    shape: Shape, precision: str, threads: int, per_thread: int, *, idle: bool = True
) -> str:
    """What is compiled."""
    traced = programs(shape)
    traced = traced if idle else replace(traced, policy_idle=None)
    return cuda_source(traced, precision, threads, per_thread)


def threads_for(policies: int, per_thread: int = PER_THREAD[0]) -> int:
    """Threads of a block: whole warps, as few as leave no block more idle than it must be."""
    blocks = -(-policies // (THREADS * per_thread))
    return -(-policies // (blocks * per_thread * WARP)) * WARP
