"""Histories that a market makes, to be calibrated as recorded ones are.

The engine's own market step makes them, at the bars' length, as the likelihood sees a bar.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stresscube.scenario import Scenario
from stresscube_kernels import view
from stresscube_kernels.spec import MarketSpec, SimulationSpec

Array = NDArray[np.float64]
HOURS_A_YEAR = 8760.0
PARTS = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60)
"""Steps that a bar may have."""


class Simulated(NamedTuple):
    """close: prices at the bars' ends and before the first, [bars + 1, 2], the first 100. funding:
    prints [prints, 2]."""

    close: Array
    funding: Array


def histories(
    market: MarketSpec, bars: int, seed: int, first: int, count: int,
    hours: float = 1.0, every: int = 1,
) -> list[Simulated]:  # fmt: skip
    """Paths `first` to `first + count` of so many bars. hours: a bar's. every: steps a bar."""
    run = SimulationSpec(bars * every, hours / every / HOURS_A_YEAR, seed, precision="float64")
    made = view.bars(market, run, every, first, count)
    return [
        Simulated(100.0 * np.exp(np.vstack([np.zeros(2), np.cumsum(path, axis=0)])), paid)
        for path, paid in zip(made.returns, made.funding, strict=True)
    ]


def stood_still(close: Array, filled: NDArray[np.bool_]) -> Array:
    """Prices as files would have them that lack these bars: each stands at the one before."""
    if not filled.any():
        return close
    at = np.where(filled, 0, np.arange(len(close))[:, None])
    return np.take_along_axis(close, np.maximum.accumulate(at, axis=0), axis=0)


def step_for(scenario: Scenario, bar: float) -> float:
    """The longest step, in hours, that divides a bar and that no mispricing is too quick for."""
    parts = (part for regime in scenario.market.regimes for part in regime.mispricing)
    shortest = min((part.half_life for part in parts if part.moves), default=bar)
    return next((bar / n for n in PARTS if bar / n <= shortest), bar / PARTS[-1])
