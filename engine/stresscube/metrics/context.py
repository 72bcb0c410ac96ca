"""What the estimators need to know about a run besides its outcomes."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
LEVELS = (0.95, 0.99)
BATCHES = 32
TIMES = 25
"""Points of the survival curve where a context names none: 0, horizon / 24, ..., horizon."""


@dataclass(frozen=True, slots=True)
class Context:
    """Lengths in years and the coordinates of the dims that metrics may have.

    horizon, step: years; steps: steps in the horizon. batches: path p is in batch p mod batches.
    quantiles, levels: probabilities in (0, 1), ascending. times: years, ascending, within
    [0, horizon]; left empty it becomes an even grid of `TIMES` points. regimes: names of those
    that metrics are kept by; none by default. overlap, batch_overlap: where paths share stretches
    of a recorded history, by what the squares of errors are too small that come from the spread of
    paths, and of batch means. draws: how many draws of the market's numbers paths have in turn,
    `group` neighbours each, a multiple of batches; 0 where the numbers are known. Path p then has
    draw p // group mod draws and is in batch p // group mod batches, so that no two batches share
    a draw, and errors are those of draws, clustered.

    Raises ValueError for coordinates that are out of range or not ascending.
    """

    horizon: float
    step: float
    steps: int
    batches: int = BATCHES
    quantiles: tuple[float, ...] = QUANTILES
    times: tuple[float, ...] = ()
    levels: tuple[float, ...] = LEVELS
    regimes: tuple[str, ...] = ()
    overlap: float = 1.0
    batch_overlap: float = 1.0
    draws: int = 0
    group: int = 1

    def __post_init__(self) -> None:
        if not self.times:
            grid = tuple(self.horizon * i / (TIMES - 1) for i in range(TIMES))
            object.__setattr__(self, "times", grid)
        if self.horizon <= 0 or self.step <= 0 or self.steps < 1 or self.batches < 1:
            raise ValueError("horizon, step, steps and batches must be positive")
        if min(self.overlap, self.batch_overlap) < 1.0:
            raise ValueError("overlaps must be at least 1")
        if self.draws % self.batches or self.group < 1:
            raise ValueError("draws must be a multiple of batches, of groups of paths")
        _check("quantiles", self.quantiles, 0.0, 1.0, open_ends=True)
        _check("levels", self.levels, 0.0, 1.0, open_ends=True)
        _check("times", self.times, 0.0, self.horizon * (1 + 1e-9), open_ends=False)

    def coordinates(self) -> dict[str, tuple[float | int | str, ...]]:
        """The labels of each dim that a metric may have; `time` in hours."""
        return {
            "quantile": self.quantiles,
            "level": self.levels,
            "time": tuple(t * HOURS for t in self.times),
            "leg": LEGS,
            "regime": self.regimes,
            "batch": tuple(range(self.batches)),
        }


HOURS = 8760.0
"""Hours in a year of 365 days."""
LEGS = ("a", "b")


def _check(
    name: str, values: tuple[float, ...], low: float, high: float, *, open_ends: bool
) -> None:
    inside = all((low < v < high) if open_ends else (low <= v <= high) for v in values)
    ascending = all(x < y for x, y in itertools.pairwise(values))
    if not values or not inside or not ascending or any(math.isnan(v) for v in values):
        raise ValueError(f"{name} = {values}: must ascend within {low} and {high:g}")
