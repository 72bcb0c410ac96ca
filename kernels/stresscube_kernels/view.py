"""Paths to look at: prices, regimes and correlations of a market, from its tape."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import replay
from .compiled import Kernels, numba_kernels
from .contract import Tick
from .draws import draw_of, groups
from .ops import NumpyOps
from .oracle import simulate
from .pack import market_shape, seed_words
from .pack_market import pack_markets, split
from .pack_replay import pack_replay, warm_bars
from .print_numba import LANES
from .rules import market_rules_of
from .spec import AnyMarket, Job, ReplaySpec, SimulationSpec
from .ticks import unpack
from .tree import names, values

STEPS_AT_ONCE = 1024


class Bars(NamedTuple):
    """Long paths seen at coarse bars. returns: log-returns [path, bar, 2]. funding: the rates
    that holders of the legs paid, in order [path, print, 2].
    """

    returns: NDArray[np.float64]
    funding: NDArray[np.float64]


def bars(
    market: AnyMarket,
    simulation: SimulationSpec,
    every: int,
    first_path: int,
    n_paths: int,
    *,
    threads: int = 1,
    kernels: Kernels | None = None,
) -> Bars:
    """Paths by compiled code, `every` steps a bar; steps beyond the last whole bar are left out.

    Memory grows with bars, not with steps.
    """
    shape = market_shape(market)
    kernels = kernels or numba_kernels(shape, simulation.precision)
    dtype = np.dtype(simulation.precision)
    markets = pack_markets(market, simulation, shape)
    drawn = [split(values(packed), dtype) for packed in markets]
    low, high = map(int, seed_words(simulation.seed))
    state_fields = len(names(market_rules_of(shape).state))
    steps = simulation.steps // every * every
    at_once = max(1, STEPS_AT_ONCE // every) * every

    def group(part: tuple[int, int]) -> Bars:
        at, size = part
        first = first_path + at
        numbers = drawn[int(draw_of(first, len(drawn)))]
        states = np.full(state_fields * LANES, np.nan, dtype)
        tape = np.full((LANES, at_once, len(Tick._fields)), np.nan, dtype)
        kernels.market_start(numbers, (low, high), first, states)
        returns: list[NDArray[np.float64]] = []
        paid: list[NDArray[np.float64]] = []
        for step in range(0, steps, at_once):
            n = min(at_once, steps - step)
            kernels.market_run(numbers, (low, high), first, step, n, states, tape)
            tick = Tick(*np.moveaxis(tape[:, :n].astype(np.float64), -1, 0))
            moves = np.log1p(np.stack([tick.return_a, tick.return_b], axis=-1))
            returns.append(moves.reshape(LANES, n // every, every, 2).sum(axis=2))
            due = unpack(tick.state[0]).due == 1  # the clock's, so of every path
            paid.append(np.stack([tick.funding_a, tick.funding_b], axis=-1)[:, due])
        return Bars(np.concatenate(returns, axis=1)[:size], np.concatenate(paid, axis=1)[:size])

    with ThreadPoolExecutor(threads) as pool:
        parts = groups(first_path, n_paths, LANES, len(drawn))
        made = list(pool.map(group, parts))
    joined = (np.concatenate([part[k] for part in made]) for k in (0, 1))
    return Bars(*joined)


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
