"""Whether policies keep a constraint at every market, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from stresscube.decide import bounds
from stresscube.decide.constraints import Constraint
from stresscube.policies import (
    Booleans,
    Estimates,
    Floats,
    Indices,
    at_market,
    cut_extra_dims,
    estimates,
    worst_index,
)


@dataclass(frozen=True, slots=True)
class Held:
    """One constraint over all policies, each at its own worst market; arrays are [policy].

    values, errors, bound: of the metric there; the bound is one-sided, at the confidence asked
    for, for this policy alone. by_estimate: whether every estimate is within the limit. p_value:
    of the null that the constraint fails at some market. worst: the worst market point.
    """

    constraint: Constraint
    values: Floats
    errors: Floats
    bound: Floats
    by_estimate: Booleans
    p_value: Floats
    worst: Indices


def held(
    data: xr.Dataset,
    constraint: Constraint,
    own: list[str],
    market: list[str],
    *,
    mean: bool,
    confidence: float,
) -> Held:
    """Judge a constraint, at the worst market or of the mean over markets.

    "It fails at some market" is a union of nulls, so the largest of their p-values is a p-value
    for it without any correction (Berger 1982); likewise the worst of the one-sided bounds.
    An estimate that is not known proves nothing: p = 1.
    """
    term = constraint.term
    data, _ = cut_extra_dims(data, term.metric, term.at)
    found = estimates(data, term.metric, own, market)
    below, limit = constraint.below, constraint.limit
    if mean and found.values.shape[1] > 1:
        p_values, edges, found = _of_the_mean(found, constraint, confidence)
    elif bounds.is_share(term.metric):
        trials = bounds.effective_trials(found.values, found.errors)
        events = found.values * trials
        p_values = bounds.share_p_value(events, trials, limit, below=below)
        edges = bounds.share_bound(events, trials, confidence, below=below)
    else:
        p_values = bounds.normal_p_value(found.values, found.errors, limit, below=below)
        edges = bounds.normal_bound(found.values, found.errors, confidence, below=below)
    worst = worst_index(found.values, less=below)
    within = found.values < limit if below else found.values > limit
    by_estimate: Booleans = np.all(within, axis=1)
    return Held(
        constraint=constraint,
        values=at_market(found.values, worst),
        errors=at_market(found.errors, worst),
        bound=edges.max(axis=1) if below else edges.min(axis=1),
        by_estimate=by_estimate,
        p_value=p_values.max(axis=1),
        worst=worst,
    )


def excess(judged: Held) -> Floats:
    """Return by how much each policy is beyond the limit, in parts of it; below 0 if within."""
    limit = judged.constraint.limit
    beyond = judged.values - limit if judged.constraint.below else limit - judged.values
    return np.nan_to_num(beyond / (abs(limit) or 1.0), nan=np.inf)


def _of_the_mean(
    found: Estimates, constraint: Constraint, confidence: float
) -> tuple[Floats, Floats, Estimates]:
    """Return p-values, bounds and estimates of the mean over markets.

    Its error is at most the mean of the errors, however markets hang together.
    """
    mean = Estimates(
        found.values.mean(axis=1, keepdims=True), found.errors.mean(axis=1, keepdims=True), None
    )
    below, limit = constraint.below, constraint.limit
    if bounds.is_share(constraint.term.metric):
        trials = bounds.effective_trials(found.values, found.errors).min(axis=1, keepdims=True)
        p_values = bounds.average_p_value(mean.values, trials, limit, below=below)
        return p_values, bounds.average_bound(mean.values, trials, confidence, below=below), mean
    p_values = bounds.normal_p_value(mean.values, mean.errors, limit, below=below)
    return p_values, bounds.normal_bound(mean.values, mean.errors, confidence, below=below), mean


def factor_needed(judged: Held, row: int, risk: float) -> float:
    """Return how many times the paths would bring a policy's p-value down to `risk`.

    1 or less where it is there; infinite where the estimate itself is beyond the limit.
    """
    value, error = float(judged.values[row]), float(judged.errors[row])
    below, limit = judged.constraint.below, judged.constraint.limit
    if not judged.by_estimate[row]:
        return float("inf")
    if bounds.is_share(judged.constraint.term.metric):
        trials = float(bounds.effective_trials(value, error))
        return bounds.share_trials_needed(value, limit, risk, below=below) / trials
    reach = float(bounds.normal_bound(0.0, error, 1.0 - risk, below=True))
    return (reach / (limit - value)) ** 2
