"""Which path has which draw of a market's numbers, where these are not known.

Paths go in groups of 64 through the draws in turn, so that what works through neighbouring paths
together (the lanes of a processor, the warps of a card) reads one set of numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

PATHS_A_DRAW = 64


def draw_of(path: Any, count: int) -> Any:
    """The number of the draw, of `count`, that a path has."""
    return (path // PATHS_A_DRAW) % count


def groups(first_path: int, n_paths: int, width: int, count: int) -> Iterator[tuple[int, int]]:
    """(paths before it, paths) of each group of at most `width` paths that share a draw."""
    at = 0
    while at < n_paths:
        room = width if count == 1 else PATHS_A_DRAW - (first_path + at) % PATHS_A_DRAW
        size = min(width, room, n_paths - at)
        yield at, size
        at += size
