"""Measuring side by side: rounds A B C A B C, so that what disturbs the machine disturbs all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


def seconds(run: Callable[[], Any]) -> Callable[[], float]:
    """A function that runs once and returns how long that took."""

    def measure() -> float:
        begun = time.perf_counter()
        run()
        return time.perf_counter() - begun

    return measure


def rounds(measures: Sequence[Callable[[], float]], count: int) -> list[list[float]]:
    """Seconds [measure][round]; one unrecorded round first."""
    for measure in measures:
        measure()
    found: list[list[float]] = [[] for _ in measures]
    for _ in range(count):
        for row, measure in zip(found, measures, strict=True):
            row.append(measure())
    return found


class Spread(NamedTuple):
    """Median, least and greatest of some numbers."""

    median: float
    least: float
    greatest: float


def spread(numbers: Sequence[float]) -> Spread:
    """The median and the ends."""
    return Spread(statistics.median(numbers), min(numbers), max(numbers))
