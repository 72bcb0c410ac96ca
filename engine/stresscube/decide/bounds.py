"""One-sided p-values and bounds of estimates against a limit, and Holm's allowance for many.

A p-value here belongs to the null that the true value is at the limit or beyond it. One minus it
is the confidence that the constraint holds: the highest level at which the one-sided bound of the
true value still lies within the limit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]

SHARES = ("liquidation_probability_per_trade", "survival", "win_rate")
"""Besides what ends in `_probability`: estimates of shares with errors of Wilson's kind."""


def is_share(metric: str) -> bool:
    """Tell whether a metric is a share of trials, so that exact binomial bounds apply."""
    return metric.endswith("_probability") or metric in SHARES


def effective_trials(share: Any, error: Any) -> Floats:
    """Return the trials n that give a share p this error; NaN where either is unknown.

    Solves error = sqrt(p (1 - p) / n + 1 / (4 n^2)) / (1 + 1 / n) for n. One trial a path gives
    the number of paths back; clustered trials give the effective sample size of Korn and Graubard
    (1998).
    """
    p, s = np.asarray(share, dtype=np.float64), np.asarray(error, dtype=np.float64)
    spread, square = p * (1.0 - p), s * s
    # a u^2 + b u - s^2 = 0 for u = 1 / n, with the root that does not cancel.
    a, b = 0.25 - square, spread - 2.0 * square
    root = np.sqrt(np.clip(b * b + 4.0 * a * square, 0.0, None))
    with np.errstate(divide="ignore", invalid="ignore"):
        u = np.where(b >= 0, 2.0 * square / (b + root), (root - b) / (2.0 * a))
        return np.where(u > 0, 1.0 / u, np.nan)


def share_p_value(events: Any, trials: Any, limit: float, *, below: bool) -> Floats:
    """Return the p-value of the exact binomial test, events of trials against a limit.

    Clopper and Pearson's (1934); the number of events need not be whole.
    """
    x, n = np.broadcast_arrays(
        np.asarray(events, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    )
    if not below:
        x, limit = n - x, 1.0 - limit
    rest = np.clip(n - x, 0.0, None)
    found = special.betainc(np.where(rest > 0, rest, 1.0), x + 1.0, 1.0 - limit)
    return np.where(np.isfinite(x + n), np.where(rest > 0, found, 1.0), 1.0)


def share_bound(events: Any, trials: Any, confidence: float, *, below: bool) -> Floats:
    """Return Clopper and Pearson's one-sided bound of a share: an upper one if `below`."""
    x, n = np.broadcast_arrays(
        np.asarray(events, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    )
    if not below:
        return 1.0 - share_bound(n - x, n, confidence, below=True)
    rest = n - x
    bound = special.betaincinv(x + 1.0, np.where(rest > 0, rest, 1.0), confidence)
    return np.where(np.isfinite(x + n), np.where(rest > 0, bound, 1.0), np.nan)


def average_p_value(share: Any, trials: Any, limit: float, *, below: bool) -> Floats:
    """Return a p-value for the mean over markets of shares that were met on the same paths.

    A path's mean over markets lies in [0, 1], so Hoeffding's (1963) bound holds, however its
    events hang together: exp(-n KL(share, limit)).
    """
    p, n = np.broadcast_arrays(
        np.asarray(share, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    )
    within = p < limit if below else p > limit
    divergence = special.rel_entr(p, limit) + special.rel_entr(1.0 - p, 1.0 - limit)
    return np.where(within & np.isfinite(p + n), np.exp(-n * divergence), 1.0)


def average_bound(share: Any, trials: Any, confidence: float, *, below: bool) -> Floats:
    """Return the bound that goes with `average_p_value`, found by bisection."""
    p, n = np.broadcast_arrays(
        np.asarray(share, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    )
    if not below:
        return 1.0 - average_bound(1.0 - p, n, confidence, below=True)
    low, high = p.copy(), np.ones_like(p)
    wanted = -np.log1p(-confidence) / n
    for _ in range(60):
        middle = 0.5 * (low + high)
        beyond = special.rel_entr(p, middle) + special.rel_entr(1.0 - p, 1.0 - middle) > wanted
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    return np.where(np.isfinite(p + n), high, np.nan)


def normal_p_value(value: Any, error: Any, limit: float, *, below: bool) -> Floats:
    """Return the normal p-value of an estimate with its standard error; 1 where unknown."""
    v, s = np.broadcast_arrays(
        np.asarray(value, dtype=np.float64), np.asarray(error, dtype=np.float64)
    )
    room = limit - v if below else v - limit
    some = np.where(s > 0, s, 1.0)
    found = np.where(s > 0, special.ndtr(-room / some), np.where(room > 0, 0.0, 1.0))
    return np.where(np.isfinite(v + s), found, 1.0)


def normal_bound(value: Any, error: Any, confidence: float, *, below: bool) -> Floats:
    """Return the one-sided normal bound of the true value: an upper one if `below`."""
    reach = float(special.ndtri(confidence)) * np.asarray(error, dtype=np.float64)
    return np.asarray(value, dtype=np.float64) + (reach if below else -reach)


def holm(p_values: npt.NDArray[np.float64]) -> Floats:
    """Return Holm's (1979) adjusted p-values: any number of true nulls, any dependence."""
    order = np.argsort(p_values, kind="stable")
    number = len(p_values)
    grown = p_values[order] * (number - np.arange(number))
    adjusted = np.empty(number)
    adjusted[order] = np.minimum(np.maximum.accumulate(grown), 1.0)
    return adjusted


def share_trials_needed(share: float, limit: float, risk: float, *, below: bool) -> float:
    """Return how many trials would give this share a p-value of `risk`; inf if none would."""
    if not (share < limit if below else share > limit):
        return float("inf")
    low = high = 1.0
    while share_p_value(share * high, high, limit, below=below) > risk:
        low, high = high, 2.0 * high
        if high > 1e15:
            return float("inf")
    while high - low > 0.5:
        middle = 0.5 * (low + high)
        enough = share_p_value(share * middle, middle, limit, below=below) <= risk
        low, high = (low, middle) if enough else (middle, high)
    return float(np.ceil(high))
