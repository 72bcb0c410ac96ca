"""Probabilities, with errors that are never 0, and the survival curve."""

from __future__ import annotations

from typing import Any

from stresscube.metrics.sample import Array, Estimate, Sample, divide


def binomial_error(xp: Any, probability: Array, trials: Array) -> Array:
    """sqrt(p (1 - p) / n + 1 / (4 n^2)) / (1 + 1 / n), NaN without trials.

    Half the width of Wilson's (1927) interval at one standard deviation.
    """
    spread = xp.clip(probability * (1.0 - probability), 0.0, None)
    return _wilson(xp, divide(xp, spread, trials), trials)


def share(sample: Sample, events: Array, trials: Array | None = None) -> Estimate:
    """Share of the trials that are events, clustered by path; NaN where there is no trial.

    events, trials: numbers per path, [row, path]; trials None means one a path.
    The variance is that of the ratio's influence values, (x - p y) / mean(y), in place of
    p (1 - p) / n; with at most one trial a path the two agree to a factor 1 + O(1/n).
    """
    xp = sample.xp
    if trials is None:
        value = sample.mean(events)
        trials = xp.full(value.shape, float(sample.paths))
        if sample.draws:
            error = _wilson(xp, sample.variance(events - value[:, None]), trials)
        else:
            error = binomial_error(xp, value, trials)
        return Estimate(value, error, sample.batch_means(events))
    per_path = sample.mean(trials)
    value = divide(xp, sample.mean(events), per_path)
    influence = divide(xp, events - value[:, None] * trials, per_path[:, None])
    if sample.draws:
        variance = sample.variance(influence)
    else:
        variance = sample.mean(influence * influence) / sample.paths
    error = _wilson(xp, variance, per_path * sample.paths)
    return Estimate(value, error, value[:, None] + sample.batch_means(influence))


def survival(sample: Sample, steps: Array, last_steps: Array) -> Estimate:
    """Share of paths not liquidated up to each time, [row, time], batch [row, time, batch].

    steps: liquidation steps, 0 for never, [row, path]. last_steps: ascending; a path is gone
    at time t if its step is at most last_steps[t], [time].
    """
    xp, size, times = sample.xp, sample.draws or sample.batches, last_steps.shape[0]
    rows, paths = xp.nonzero(steps > 0)
    first_gone = xp.searchsorted(last_steps, steps[rows, paths], side="left")
    cell = (rows * (times + 1) + first_gone) * size + paths // sample.group % size
    shape = (sample.rows, times + 1, size)
    counts = xp.bincount(cell, minlength=shape[0] * shape[1] * shape[2]).reshape(shape)
    gone = xp.cumsum(counts[:, :times], axis=1)
    value = 1.0 - xp.sum(gone, axis=-1) / sample.paths
    trials = xp.full(value.shape, float(sample.paths))
    if sample.draws:
        apart = gone - (1.0 - value[..., None]) * (sample.paths / sample.draws)
        error, gone = _wilson(xp, sample.clustered(apart), trials), sample.draw_batches(gone)
    else:
        error = binomial_error(xp, value, trials)
    members = sample.batch_sizes()
    batch = 1.0 - divide(xp, gone.astype(xp.float64), members[None, None, :])
    return Estimate(value, error, batch)


def _wilson(xp: Any, variance: Array, trials: Array) -> Array:
    some = xp.where(trials > 0, trials, 1.0)
    error = xp.sqrt(variance + 0.25 / (some * some)) / (1.0 + 1.0 / some)
    return xp.where(trials > 0, error, xp.nan)
