"""The memory of a made-up card, kept as CuPy 14 keeps it (cupy/cuda/memory.pyx).

What is given back stays with CuPy, for the stream that it was got on. A smaller array takes a
piece of it, whatever its size, and only what lies in one piece again can go back to the driver.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass

UNIT = 512
OUT_OF_MEMORY = 2


class OutOfMemoryError(MemoryError):
    """The card's memory does not hold an array."""


class CUDARuntimeError(RuntimeError):
    """A fault that the runtime reports."""

    def __init__(self, status: int) -> None:
        super().__init__(f"cudaError {status}")
        self.status = status


class CUDADriverError(CUDARuntimeError):
    """A fault that the driver reports."""


@dataclass(eq=False)
class Chunk:
    """Some memory: of the driver's, or a piece of that. stream: on which it may be used again."""

    size: int
    stream: object
    before: Chunk | None = None
    after: Chunk | None = None
    pooled: bool = True

    @property
    def whole(self) -> bool:
        return self.before is None and self.after is None


class Pool:
    """One card's. memory: its size. held: what CuPy has of it. used: what arrays have."""

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self.held = self.used = self.most_held = 0
        self.limit = 0
        self._outside = 0
        self._free: list[Chunk] = []

    def take(self, size: int, stream: object) -> Chunk:
        """Raises OutOfMemoryError."""
        size = -(-size // UNIT) * UNIT
        found = self._smallest(size, stream)
        if found is None:
            if not self._fits(size):
                self.free_all_blocks()
            if not self._fits(size):
                raise OutOfMemoryError(f"Out of memory allocating {size:,} bytes")
            found = Chunk(size, stream)
            self._hold(size)
        elif found.size > size:
            rest = Chunk(found.size - size, stream, found, found.after)
            if found.after is not None:
                found.after.before = rest
            found.size, found.after = size, rest
            self._insert(rest)
        self.used += found.size
        return found

    def take_apart(self, size: int) -> Chunk:
        """Memory that the driver gives for itself.

        Raises CUDARuntimeError.
        """
        if self.held + size > self.memory:
            raise CUDARuntimeError(OUT_OF_MEMORY)
        self._hold(size)
        self._outside += size
        return Chunk(size, None, pooled=False)

    def give(self, chunk: Chunk) -> None:
        if not chunk.pooled:
            self.held -= chunk.size
            self._outside -= chunk.size
            return
        self.used -= chunk.size
        while chunk.after in self._free:
            assert chunk.after is not None
            self._merge(chunk, chunk.after)
        while chunk.before in self._free:
            assert chunk.before is not None
            self._free.remove(chunk.before)
            chunk = self._merge(chunk.before, chunk)
        self._insert(chunk)

    def free_all_blocks(self) -> None:
        for chunk in [chunk for chunk in self._free if chunk.whole]:
            self._free.remove(chunk)
            self.held -= chunk.size

    def free_bytes(self) -> int:
        return self.total_bytes() - self.used

    def used_bytes(self) -> int:
        return self.used

    def total_bytes(self) -> int:
        return self.held - self._outside

    def get_limit(self) -> int:
        return self.limit

    def set_limit(self, size: int) -> None:
        self.limit = size

    def _fits(self, size: int) -> bool:
        most = min(self.memory, self.limit + self._outside) if self.limit else self.memory
        return self.held + size <= most

    def _hold(self, size: int) -> None:
        self.held += size
        self.most_held = max(self.most_held, self.held)

    def _smallest(self, size: int, stream: object) -> Chunk | None:
        for chunk in self._free:
            if chunk.size >= size and chunk.stream is stream:
                self._free.remove(chunk)
                return chunk
        return None

    def _merge(self, first: Chunk, second: Chunk) -> Chunk:
        if second in self._free:
            self._free.remove(second)
        first.size, first.after = first.size + second.size, second.after
        if first.after is not None:
            first.after.before = first
        return first

    def _insert(self, chunk: Chunk) -> None:
        bisect.insort(self._free, chunk, key=lambda free: free.size)
