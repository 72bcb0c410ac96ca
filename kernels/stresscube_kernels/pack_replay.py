"""A recorded history from its description (`spec.py`) to the numbers that kernels read.

What a tick needs and history does not have is made here, always from what was known before the
bar, so that no policy can see ahead:

- variances and covariance of a step: exponentially weighted products of the returns before it;
- vol_ratio and trend: the averages of simulated markets over the returns before it, vol_ratio over
  the root mean square of all of them;
- z: the log of leg b's price over leg a's, less its weighted mean, over its weighted deviation.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from . import contract, signals
from .chain import UNIT
from .contract import BAR_STRIDE, Bar
from .ops import NumpyOps
from .replay import BATCHES, MOST_BARS
from .spec import NEVER, HistorySpec, ReplaySpec, SimulationSpec

Reals = NDArray[np.float64]
TINY = 1e-12
"""The least standard deviation of a spread: a spread that never moves has no z."""


def pack_replay(market: ReplaySpec, simulation: SimulationSpec) -> contract.Replay:
    """A replayed market point; leaves are float64 and uint32 scalars, and one table.

    Raises ValueError where the history's bars are no steps, or are too few or too many.
    """
    table = bars(
        market.history, market.variance_half_life, market.signal_half_life, market.spread_half_life
    )
    count = len(table)
    if abs(market.history.step / simulation.step - 1.0) > 1e-9:
        raise ValueError("a history is replayed at the length of its bars")
    resamples = market.method == "bootstrap"
    windows = window_count(market, simulation)
    if count > MOST_BARS or windows == 0 or count < 2:
        raise ValueError(f"{count} bars cannot be replayed")
    stride = stride_steps(market, simulation)
    return contract.Replay(
        bars=table.reshape(-1),
        count=np.uint32(count),
        last=np.float64(count - 1),
        resamples=np.float64(resamples),
        restart=np.uint32(round(UNIT * restart(market, simulation)) if resamples else 0),
        windows=np.uint32(windows // BATCHES),
        extra=np.uint32(windows % BATCHES),
        stride=np.uint32(stride),
        coincidence=np.float64(market.coincidence),
        slippage_multiplier=np.float64(market.slippage_multiplier),
    )


def restart(market: ReplaySpec, simulation: SimulationSpec) -> float:
    """The probability that a block ends with a step: blocks are geometric in length."""
    return 1.0 / max(1.0, market.block_length / simulation.step)


def stride_steps(market: ReplaySpec, simulation: SimulationSpec) -> int:
    """Bars between the starts of windows: those of a whole path where nothing else is said."""
    if market.stride == NEVER:
        return simulation.steps
    return max(1, round(market.stride / simulation.step))


def warm_bars(market: ReplaySpec) -> int:
    """Bars at the beginning that are only for the averages: a half-life of the slowest."""
    half_lives = (market.variance_half_life, market.signal_half_life, market.spread_half_life)
    longest = max(half_life for half_life in half_lives if half_life < NEVER)
    return max(1, math.ceil(longest / market.history.step * (1.0 - 1e-9)))


def window_count(market: ReplaySpec, simulation: SimulationSpec) -> int:
    """How many windows of a path's length the history holds."""
    room = len(market.history.close) - warm_bars(market) - simulation.steps
    return 0 if room < 0 else room // stride_steps(market, simulation) + 1


@lru_cache(maxsize=4)
def bars(
    history: HistorySpec, variance_half_life: float, signal_half_life: float, spread: float
) -> Reals:
    """The table of bars [bars, BAR_STRIDE], without those that only warm the averages."""
    warm = warm_bars(
        ReplaySpec(
            history, variance_half_life=variance_half_life, signal_half_life=signal_half_life,
            spread_half_life=spread,
        )
    )  # fmt: skip
    close, step = np.asarray(history.close, np.float64), history.step
    zero = np.zeros(len(close))
    back = np.concatenate([close[:1], close[:-1]])
    returns = close / back - 1.0
    low, high = ranges(history, back, returns)
    products = (returns[:, 0] ** 2, returns[:, 0] * returns[:, 1], returns[:, 1] ** 2)
    variances = [before(product, variance_half_life / step) for product in products]
    due = zero if history.due is None else history.due
    rates = np.stack([zero, zero], axis=1) if history.rates is None else history.rates
    made = Bar(
        return_a=returns[:, 0],
        return_b=returns[:, 1],
        variance_a=variances[0],
        covariance=variances[1],
        variance_b=variances[2],
        low_a=low[:, 0],
        high_a=high[:, 0],
        low_b=low[:, 1],
        high_b=high[:, 1],
        due=due,
        funding_a=rates[:, 0],
        funding_b=rates[:, 1],
        z=zero if spread == NEVER else scores(close, spread / step),
        trend=trends(returns.mean(axis=1), signal_half_life / step),
    )
    table = np.zeros((len(close) - warm, BAR_STRIDE))
    for field, column in enumerate(made):
        table[:, field] = column[warm:]
    return table


def ranges(history: HistorySpec, back: Reals, returns: Reals) -> tuple[Reals, Reals]:
    """Lows and highs as returns from the close before, [bars, 2] each; both hold 0 and the return.

    Rounding must not leave the step's own return outside.
    """
    if history.low is None or history.high is None:
        return np.minimum(returns, 0.0), np.maximum(returns, 0.0)
    low, high = (np.asarray(v, np.float64) / back - 1.0 for v in (history.low, history.high))
    return np.minimum(low, np.minimum(returns, 0.0)), np.maximum(high, np.maximum(returns, 0.0))


def before(values: Reals, half_life: float) -> Reals:
    """The exponentially weighted mean of the values before each, [n]; 0 at the first two.

    The first value is that of the first bar, which has no return. Weights sum to 1 from the start.
    """
    keep = 0.5 ** (1.0 / half_life)
    known = np.arange(len(values)) >= 1
    total = lfilter([0.0, 1.0], [1.0, -keep], np.where(known, values, 0.0))
    weight = lfilter([0.0, 1.0], [1.0, -keep], known.astype(np.float64))
    return np.divide(total, weight, out=np.zeros(len(values)), where=weight > 0.0)


def trends(returns: Reals, half_life: float) -> Reals:
    """vol_ratio with the sign of the trend before each bar, of the legs' mean returns [n]."""
    squares = returns**2
    count = np.maximum(np.arange(len(returns)) - 1.0, 1.0)
    whole = np.concatenate([[0.0], np.cumsum(squares)[:-1]]) / count
    scale = _signals(variance=np.maximum(whole, TINY**2))
    return signals.trend(NumpyOps(), scale, before(squares, half_life), before(returns, half_life))


def scores(close: Reals, half_life: float) -> Reals:
    """The z of each bar [n], from the prices before it."""
    x = np.log(close[:, 1] / close[:, 0])
    x -= x[0]
    seen = np.concatenate([x[:1], x[:-1]])  # at the bar's start
    mean = before(x, half_life)
    spread = np.sqrt(np.maximum(before(x * x, half_life) - mean * mean, TINY**2))
    return signals.spread(_signals(scale=1.0 / spread), seen - mean, 0.0)


def _signals(variance: Any = 1.0, scale: Any = 0.0) -> contract.Signals:
    return contract.Signals(0.0, variance, scale, 0.0, 0.0, 0.0)
