"""Quantiles with Maritz-Jarrett errors, value at risk, expected shortfall, median time.

The quantile is Hyndman and Fan's (1996) type 7: linear between order statistics, at the
position (n - 1) p counted from 0. Its error (Maritz and Jarrett 1978) is the standard
deviation of the order statistic X_(m), m = (n - 1) p + 1, under the sample's own
distribution: weights P(i/n) - P((i-1)/n), P the Beta(m, n + 1 - m) distribution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import special

from stresscube.metrics.sample import Array, Estimate, Sample, to_host

_REACH = 5.5
"""The weights' window in standard deviations of the Beta distribution."""
_BINS = 128
"""Most weights a quantile; wider windows take every k-th order statistic, which changes the
variance by less than a thousandth."""


@dataclass(frozen=True, slots=True)
class Positions:
    """Where quantiles lie among n sorted values, and the weights of their errors.

    below: index of the order statistic at or below the quantile, and fraction the distance to
    the next, both [quantile]. index, weight: order statistics and weights, [quantile, bin].
    """

    below: Array
    fraction: Array
    index: Array
    weight: Array


@lru_cache(maxsize=4096)
def positions(count: int, ranks: tuple[float, ...]) -> Positions:
    """Positions and weights for ranks counted from 0, each within [0, count - 1]."""
    below = np.array([min(math.floor(r), max(count - 2, 0)) for r in ranks], dtype=np.int64)
    fraction = np.array(ranks) - below
    index = np.zeros((len(ranks), _BINS), dtype=np.int64)
    edges = np.zeros((len(ranks), _BINS + 1))
    for row, rank in enumerate(ranks):
        mean = (rank + 1.0) / (count + 1.0)
        reach = _REACH * math.sqrt(mean * (1.0 - mean) / (count + 2.0)) * count
        low = max(math.floor(mean * count - reach), 0)
        high = min(math.ceil(mean * count + reach) + 1, count)
        stride = -(-(high - low) // _BINS)
        edge = np.minimum(low + stride * np.arange(_BINS + 1), high)
        index[row] = np.minimum((edge[:-1] + edge[1:] - 1) // 2, count - 1)
        edges[row] = edge / count
    rank_column = np.array(ranks)[:, None]
    cumulated = special.betainc(rank_column + 1.0, count - rank_column, edges)
    weight = np.diff(cumulated, axis=1)
    weight /= weight.sum(axis=1, keepdims=True)
    return Positions(below, fraction, index, weight)


def at_ranks(xp: Any, ordered: Array, ranks: tuple[float, ...]) -> Estimate:
    """Interpolated order statistics, [row, rank], of rows sorted along the last axis.

    The error is NaN for a single value.
    """
    count = int(ordered.shape[1])
    where = positions(count, ranks)
    below = xp.asarray(where.below)
    # take() and not [:, index]: its result is in C order, so that sums run the same way
    # whatever the number of rows.
    low = xp.take(ordered, below, axis=1)
    high = xp.take(ordered, xp.minimum(below + 1, count - 1), axis=1)
    value = low + (high - low) * xp.asarray(where.fraction)
    if count < 2:
        return Estimate(value, xp.full(value.shape, xp.nan))
    distance = xp.take(ordered, xp.asarray(where.index), axis=1) - value[:, :, None]
    weight = xp.asarray(where.weight)
    first = xp.sum(weight * distance, axis=-1)
    second = xp.sum(weight * distance * distance, axis=-1)
    return Estimate(value, xp.sqrt(xp.clip(second - first * first, 0.0, None)))


def quantiles(xp: Any, ordered: Array, probabilities: tuple[float, ...]) -> Estimate:
    """Type 7 quantiles, [row, quantile], of rows sorted along the last axis."""
    last = int(ordered.shape[1]) - 1
    return at_ranks(xp, ordered, tuple(last * p for p in probabilities))


def quantiles_where(
    sample: Sample, column: Array, chosen: Array, probabilities: tuple[float, ...]
) -> Estimate:
    """Quantiles over the chosen paths only; NaN where no path is chosen, error NaN for one.

    column [row, path], chosen [row, path] of bools.
    """
    xp = sample.xp
    counts = [int(c) for c in to_host(xp.sum(chosen, axis=-1))]
    value = xp.full((sample.rows, len(probabilities)), xp.nan)
    error = xp.full((sample.rows, len(probabilities)), xp.nan)
    for row, count in enumerate(counts):
        if count:
            ordered = xp.sort(column[row][chosen[row]])[None, :]
            found = quantiles(xp, ordered, probabilities)
            value[row], error[row] = found.value[0], found.error[0]
    return Estimate(value, error)


@dataclass(frozen=True, slots=True)
class Tail:
    """Value at risk and expected shortfall, [row, level], positive for a loss."""

    value_at_risk: Estimate
    expected_shortfall: Estimate


def tail(sample: Sample, returns: Array, ordered: Array, levels: tuple[float, ...]) -> Tail:
    """Loss at each level, and mean loss beyond it. ordered: `returns` sorted along paths.

    Value at risk V is minus the (1 - level) quantile. Expected shortfall is
    V + mean((loss - V)+) / (1 - level) (Rockafellar and Uryasev 2000), whose influence values
    do not involve the error of V. Those of V are (P(loss > V) - 1{loss > V}) times -1/density,
    the density read off the Maritz-Jarrett error: 1/f = error * sqrt(n / (p (1 - p))).
    """
    xp = sample.xp
    shares = tuple(round(1.0 - level, 12) for level in levels)
    found = quantiles(xp, ordered, shares)
    var_batches: list[Array] = []
    shortfalls: list[Estimate] = []
    for i, p in enumerate(shares):
        value = -found.value[:, i]
        excess = -returns - value[:, None]
        beyond = (excess > 0.0).astype(xp.float64)
        scale = found.error[:, i, None] * math.sqrt(sample.paths / (p * (1.0 - p)))
        departure = sample.batch_means(beyond) - sample.mean(beyond)[:, None]
        var_batches.append(value[:, None] + departure * scale)
        excess = xp.maximum(excess, 0.0) / p
        mean_excess = sample.mean(excess)
        shortfalls.append(sample.estimate(value + mean_excess, excess - mean_excess[:, None]))
    risk = Estimate(-found.value, found.error, xp.stack(var_batches, axis=1))
    return Tail(risk, stack(xp, shortfalls))


def stack(xp: Any, estimates: list[Estimate]) -> Estimate:
    """Estimates of one row each, side by side along a new dim after the row."""
    value = xp.stack([e.value for e in estimates], axis=1)
    error = xp.stack([e.error for e in estimates], axis=1)
    return Estimate(value, error, xp.stack([e.batch for e in estimates], axis=1))


def median_time(sample: Sample, steps: Array) -> Estimate:
    """First step by which at least half of the paths are liquidated, [row]; NaN if never.

    steps: liquidation steps, 0 for never, [row, path]. The error is Maritz and Jarrett's, with
    paths never liquidated counted at the last step that any path of the row reached.
    """
    xp, count = sample.xp, sample.paths
    gone = steps > 0
    half = -(-count // 2)
    reached = xp.sum(gone, axis=-1) >= half
    value = xp.full(sample.rows, xp.nan)
    error = xp.full(sample.rows, xp.nan)
    if bool(xp.any(reached)):
        chosen = steps[reached]
        latest = xp.max(chosen, axis=-1, keepdims=True)
        ordered = xp.sort(xp.where(chosen > 0, chosen, latest), axis=-1)
        found = at_ranks(xp, ordered, (float(half - 1),))
        value[reached], error[reached] = found.value[:, 0], found.error[:, 0]
    return Estimate(value, error)
