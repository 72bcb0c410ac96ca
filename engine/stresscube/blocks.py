"""Blocks of a run: rectangles of cells that are simulated and stored as one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """A rectangle of cells at one market point, simulated and stored as one.

    index: its place in the run. grid: its place along each axis, in blocks.
    start, shape: its first cell and its cells along each axis.
    """

    index: int
    grid: tuple[int, ...]
    start: tuple[int, ...]
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        """The name of its receipt."""
        return block_name(self.index)

    @property
    def cells(self) -> int:
        """How many cells it has."""
        return math.prod(self.shape)

    @property
    def region(self) -> tuple[slice, ...]:
        """Where it stands in the cube."""
        pairs = zip(self.start, self.shape, strict=True)
        return tuple(slice(first, first + count) for first, count in pairs)


def block_name(index: int) -> str:
    """Return the name of a block, from its place in the run."""
    return f"{index:06d}"


def divide(sizes: Sequence[int], limit: int) -> tuple[int, ...]:
    """Return a chunk shape of at most `limit` cells that cuts the leading axes first.

    Trailing axes stay whole while they fit, the first that does not is cut into parts as even
    as they come, and the axes before it are cut into single values: so chunks are rectangles,
    and in C order each is one run of cells.
    """
    shape = [1] * len(sizes)
    room = limit
    for axis in reversed(range(len(sizes))):
        parts = -(-sizes[axis] // max(room, 1))
        shape[axis] = -(-sizes[axis] // parts)
        if parts > 1:
            break
        room //= sizes[axis]
    return tuple(shape)


def blocks_of(shape: Sequence[int], chunk: Sequence[int]) -> Iterator[Block]:
    """Every block of a cube of this shape, in C order; chunk: cells of a full block."""
    counts = [range(-(-size // part)) for size, part in zip(shape, chunk, strict=True)]
    for index, grid in enumerate(itertools.product(*counts)):
        start = tuple(at * part for at, part in zip(grid, chunk, strict=True))
        ends = zip(start, chunk, shape, strict=True)
        extent = tuple(min(part, size - first) for first, part, size in ends)
        yield Block(index, grid, start, extent)
