"""Paths to look at: prices, regimes and correlations of a market, from its tape."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import replay
from .contract import Tick
from .ops import NumpyOps
from .oracle import simulate
from .pack import market_shape
from .pack_replay import pack_replay, warm_bars
from .spec import AnyMarket, Job, ReplaySpec, SimulationSpec
from .ticks import unpack


def window_bars(
    market: ReplaySpec, simulation: SimulationSpec, first_path: int, n_paths: int
) -> NDArray[np.int64]:
    """The number of the bar, in the whole history, whose open is a path's time 0, [paths]."""
    numbers = pack_replay(market, simulation)
    path = np.arange(first_path, first_path + n_paths, dtype=np.uint32)
    window = replay.window(NumpyOps(), numbers, path)
    return window.astype(np.int64) * int(numbers.stride) + warm_bars(market)


def paths(
    market: AnyMarket, simulation: SimulationSpec, first_path: int, n_paths: int
) -> dict[str, NDArray[Any]]:
    """Arrays to look at: price [2, path, steps + 1], 1 at time 0; the others [path, steps].

    The others are regime, correlation_regime and correlation; the last is NaN in a step in
    which a leg does not move.
    """
    shape = market_shape(market)
    shape = shape._replace(features=shape.features._replace(intrabar=False))  # for variances
    tape, _ = simulate(Job(market, (), simulation), first_path, n_paths, shape=shape)
    tick = Tick(*np.moveaxis(tape, -1, 0))
    states = unpack(tick.state)
    growth = np.cumprod(1.0 + np.stack([tick.return_a, tick.return_b]), axis=-1)
    spread = np.sqrt(tick.variance_a * tick.variance_b)
    correlation = np.full(spread.shape, np.nan)
    np.divide(tick.covariance, spread, out=correlation, where=spread > 0.0)
    return {
        "price": np.concatenate([np.ones((2, n_paths, 1)), growth], axis=-1),
        "regime": states.regime,
        "correlation_regime": states.correlation_regime,
        "correlation": correlation,
    }
