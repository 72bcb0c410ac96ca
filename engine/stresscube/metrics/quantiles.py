"""Quantiles with Maritz-Jarrett errors, value at risk, expected shortfall, median time.

The quantile is Hyndman and Fan's (1996) type 7: linear between order statistics, at the
position (n - 1) p counted from 0. Its error (Maritz and Jarrett 1978) is the standard
deviation of the order statistic X_(m), m = (n - 1) p + 1, under the sample's own
distribution: weights P(i/n) - P((i-1)/n), P the Beta(m, n + 1 - m) distribution.

Where few values lie beyond, that is too small whenever the quantile itself falls short. There
the error is at least what makes value ± 1.96 errors as wide as the 95% interval between two
order statistics that holds whatever the distribution is (Thompson 1936), with linear
interpolation between them (as Hettmansperger and Sheather 1986 do by another rule).
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import special

from stresscube.metrics.sample import Array, Estimate, Sample

_REACH = 5.5
"""The weights' window in standard deviations of the Beta distribution."""
_BINS = 128
"""Most weights a quantile; wider windows take every k-th order statistic, which changes the
variance by less than a thousandth."""

THIN = 50
"""With fewer values beyond a quantile, to either side, the interval of order statistics counts."""
_Z = float(special.ndtri(0.975))


@dataclass(frozen=True, slots=True)
class Positions:
    """Where quantiles lie among n sorted values, and the weights of their errors.

    below: index of the order statistic at or below the quantile, and fraction the distance to
    the next, both [quantile]. index, weight: order statistics and weights, [quantile, bin].
    low, high: ranks of the distribution-free 95% interval, counted from 0, and thin: whether it
    bounds the error, all [quantile].
    """

    below: Array
    fraction: Array
    index: Array
    weight: Array
    low: Array
    high: Array
    thin: Array


@lru_cache(maxsize=4096)
def positions(count: int, ranks: tuple[float, ...]) -> Positions:
    """Positions and weights for ranks counted from 0, each within [0, count - 1]."""
    return positions_of(np, special.betainc, np.float64(count), np.array(ranks))


def positions_of(xp: Any, betainc: Any, count: Array, ranks: Array) -> Positions:
    """The same for any number of rows: count broadcasts against ranks, [..., quantile].

    betainc: the regularised incomplete beta function for arrays of xp.
    """
    below = xp.minimum(xp.floor(ranks), xp.maximum(count - 2.0, 0.0))
    mean = (ranks + 1.0) / (count + 1.0)
    reach = _REACH * xp.sqrt(mean * (1.0 - mean) / (count + 2.0)) * count
    low = xp.maximum(xp.floor(mean * count - reach), 0.0)[..., None]
    high = xp.minimum(xp.ceil(mean * count + reach) + 1.0, count)[..., None]
    stride = xp.ceil((high - low) / _BINS)
    edge = xp.minimum(low + stride * xp.arange(_BINS + 1), high)
    last, ranks, fraction = (count - 1.0)[..., None], ranks[..., None], ranks - below
    index = xp.minimum(xp.floor((edge[..., :-1] + edge[..., 1:] - 1.0) / 2.0), last)
    cumulated = betainc(ranks + 1.0, last + 1.0 - ranks, edge / (last + 1.0))
    weight = cumulated[..., 1:] - cumulated[..., :-1]
    weight /= xp.sum(weight, axis=-1, keepdims=True)
    ranks = ranks[..., 0]
    low, high = interval(xp, count, ranks / xp.maximum(count - 1.0, 1.0))
    thin = xp.minimum(ranks, count - 1.0 - ranks) < THIN
    return Positions(
        below.astype(xp.int64), fraction, index.astype(xp.int64), weight, low, high, thin
    )


def interval(xp: Any, count: Array, probability: Array) -> tuple[Array, Array]:
    """Ranks, from 0, of the order statistics between which a quantile lies in 95% of samples.

    X_(k) is above the quantile if at most k of n values are below it, a binomial number: so the
    ranks are its 2.5% and 97.5% quantiles, by Cornish and Fisher's (1938) expansion with half
    a value taken off for its steps, and no further than the extremes of the sample. Those do
    not reach far enough where n p is below -ln(2.5%) = 3.7.
    """
    spread = _Z * xp.sqrt(count * probability * (1.0 - probability))
    middle = count * probability + (1.0 - 2.0 * probability) * (_Z * _Z - 1.0) / 6.0 - 0.5
    last = count - 1.0
    return xp.clip(middle - spread, 0.0, last), xp.clip(middle + spread, 0.0, last)


def at_ranks(xp: Any, ordered: Array, ranks: tuple[float, ...]) -> Estimate:
    """Interpolated order statistics, [row, rank], of rows sorted along the last axis.

    The error is NaN for a single value.
    """
    count = int(ordered.shape[1])
    made = positions(count, ranks)
    where = Positions(**{it.name: xp.asarray(getattr(made, it.name)) for it in fields(Positions)})

    # take() and not [:, index]: its result is in C order, so that sums run the same way
    # whatever the number of rows.
    def pick(index: Array) -> Array:
        return xp.take(ordered, xp.minimum(index, count - 1), axis=1)

    found = _interpolated(xp, pick, where)
    return found if count > 1 else Estimate(found.value, xp.full(found.value.shape, xp.nan))


def _interpolated(xp: Any, pick: Callable[[Array], Array], where: Positions) -> Estimate:
    """pick: order statistics [row, *index.shape] of each row."""
    low, high = pick(where.below), pick(where.below + 1)
    value = low + (high - low) * where.fraction
    distance = pick(where.index) - value[:, :, None]
    first = xp.sum(where.weight * distance, axis=-1)
    second = xp.sum(where.weight * distance * distance, axis=-1)
    error = xp.sqrt(xp.clip(second - first * first, 0.0, None))
    width = _at(xp, pick, where.high) - _at(xp, pick, where.low)
    return Estimate(value, xp.where(where.thin, xp.maximum(error, width / (2.0 * _Z)), error))


def _at(xp: Any, pick: Callable[[Array], Array], ranks: Array) -> Array:
    below = xp.floor(ranks)
    low, high = pick(below.astype(xp.int64)), pick(below.astype(xp.int64) + 1)
    return low + (high - low) * (ranks - below)


def quantiles(xp: Any, ordered: Array, probabilities: tuple[float, ...]) -> Estimate:
    """Type 7 quantiles, [row, quantile], of rows sorted along the last axis."""
    last = int(ordered.shape[1]) - 1
    return at_ranks(xp, ordered, tuple(last * p for p in probabilities))


def clustered(
    sample: Sample, found: Estimate, column: Array, chosen: Array | None = None
) -> Estimate:
    """Quantiles [row, quantile] of a column [row, path], their errors those of clustered draws.

    A quantile's error is that of the share below it over the density there, and the clusters of
    draws widen that share's. chosen: the paths that quantiles are over, all by default.
    """
    if not sample.draws:
        return found
    each = [
        sample.widening(column <= found.value[:, k, None], chosen)
        for k in range(found.value.shape[1])
    ]
    return found._replace(error=found.error * sample.xp.stack(each, axis=1))


def quantiles_where(
    sample: Sample, column: Array, chosen: Array, probabilities: tuple[float, ...]
) -> Estimate:
    """Quantiles over the chosen paths only; NaN where no path is chosen, error NaN for one.

    column [row, path], chosen [row, path] of bools.
    """
    if sample.xp is np:
        found = _row_by_row(sample, column, chosen, probabilities)
    else:
        betainc = importlib.import_module(f"{sample.xp.__name__}x.scipy.special").betainc
        found = all_rows(sample.xp, betainc, column, chosen, probabilities)
    return clustered(sample, found, column, chosen)


def _row_by_row(
    sample: Sample, column: Array, chosen: Array, probabilities: tuple[float, ...]
) -> Estimate:
    """On a processor: few values are sorted where few are chosen."""
    value = np.full((sample.rows, len(probabilities)), np.nan)
    error = np.full((sample.rows, len(probabilities)), np.nan)
    for row, count in enumerate(np.sum(chosen, axis=-1)):
        if count:
            ordered = np.sort(column[row][chosen[row]]).astype(np.float64)[None, :]
            found = quantiles(np, ordered, probabilities)
            value[row], error[row] = found.value[0], found.error[0]
    return Estimate(value, error)


def all_rows(
    xp: Any, betainc: Any, column: Array, chosen: Array, probabilities: tuple[float, ...]
) -> Estimate:
    """The same on a device: a few launches for all rows, the weights computed there too."""
    counts = xp.sum(chosen, axis=-1)[:, None]
    # Infinities at the end are never looked at; a row of nothing else is of zeros.
    beyond = xp.where(counts > 0, xp.inf, 0.0).astype(column.dtype)
    ordered = xp.sort(xp.where(chosen, column, beyond), axis=-1).astype(xp.float64)
    last = xp.maximum(counts - 1, 0)
    count = (last + 1).astype(xp.float64)
    where = positions_of(xp, betainc, count, last * xp.asarray(probabilities))

    def pick(index: Array) -> Array:
        flat = xp.minimum(index.reshape(index.shape[0], -1), last)
        return xp.take_along_axis(ordered, flat, axis=1).reshape(index.shape)

    found = _interpolated(xp, pick, where)
    return Estimate(
        xp.where(counts > 0, found.value, xp.nan), xp.where(counts > 1, found.error, xp.nan)
    )


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
    wide = clustered(sample, found, returns)
    risk = Estimate(-found.value, wide.error, xp.stack(var_batches, axis=1))
    return Tail(risk, stack(xp, shortfalls))


def stack(xp: Any, estimates: list[Estimate]) -> Estimate:
    """Estimates side by side along a new dim after the row."""
    value = xp.stack([e.value for e in estimates], axis=1)
    error = xp.stack([e.error for e in estimates], axis=1)
    batches = [e.batch for e in estimates if e.batch is not None]
    return Estimate(value, error, xp.stack(batches, axis=1) if batches else None)


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
        if sample.draws:
            error *= sample.widening(gone & (steps <= xp.nan_to_num(value)[:, None]))
    return Estimate(value, error)
