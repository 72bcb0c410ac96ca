"""The memory of a card: what is free, what CuPy gives back, how to tell that it ran out."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from .cards import cupy

OUT_OF_MEMORY = 2
"""cudaErrorMemoryAllocation and CUDA_ERROR_OUT_OF_MEMORY."""


class NoRoom(MemoryError):
    """A card's memory does not hold what a block needs at the least; the message says which."""


def on_device(device: int) -> AbstractContextManager[Any]:
    """Make a card the current one of this thread."""
    return cupy().cuda.Device(device)


def release() -> None:
    """Let CuPy give back what it keeps of the current card's memory and does not use."""
    cupy().get_default_memory_pool().free_all_blocks()


def apart() -> AbstractContextManager[Any]:
    """Let what is allocated in this thread lie outside of CuPy's pool.

    The pool splits what it keeps for any array that comes, however small, and cannot give back
    what is split: small arrays that live long would pin large pieces of the card.
    """
    return cupy().cuda.using_allocator()


def free_bytes(device: int) -> int:
    """Memory of a card that can be had now."""
    xp = cupy()
    with on_device(device):
        pool = xp.get_default_memory_pool()
        free = int(xp.cuda.runtime.memGetInfo()[0]) + int(pool.free_bytes())
        limit = int(pool.get_limit())
        return min(free, limit - int(pool.used_bytes())) if limit else free


def is_full(fault: BaseException) -> bool:
    """Whether a fault says that a card's memory ran out.

    CuPy's allocator and Thrust raise a MemoryError; the driver, which takes memory itself for code,
    streams and launches, one of its own.
    """
    cuda = cupy().cuda
    ours = (cuda.runtime.CUDARuntimeError, cuda.driver.CUDADriverError)
    return isinstance(fault, MemoryError) or (
        isinstance(fault, ours) and getattr(fault, "status", None) == OUT_OF_MEMORY
    )
