"""Means, ratios of means, Sortino ratios and betas, with their influence values."""

from __future__ import annotations

from stresscube.metrics.sample import Array, Estimate, Sample, divide


def mean(sample: Sample, column: Array, scale: float = 1.0) -> Estimate:
    """scale * mean over paths; the batch means are plain ones. column: [row, path]."""
    value = sample.mean(column)
    error = sample.error(column - value[:, None])
    return Estimate(scale * value, scale * error, scale * sample.batch_means(column))


def ratio(sample: Sample, top: Array, bottom: Array, scale: float = 1.0) -> Estimate:
    """scale * sum(top) / sum(bottom), clustered by path; NaN where sum(bottom) is 0.

    Influence (x - R y) / mean(y), the linearisation of Cochran (1977), chapter 6.
    """
    per_path = sample.mean(bottom)
    value = divide(sample.xp, sample.mean(top), per_path)
    influence = divide(sample.xp, top - value[:, None] * bottom, per_path[:, None])
    return sample.estimate(scale * value, scale * influence)


def sortino(sample: Sample, total: Array, downside: Array, horizon: float) -> Estimate:
    """Mean over the root of the mean squared loss, annualised; NaN where nothing was ever lost.

    Target return 0 (Sortino and Price 1994). total, downside: per path, the sum of returns and
    of squared negative returns, [row, path]; horizon in years.
    For t items (trades) a path the ratio (m/t) / sqrt(d/t), annualised by sqrt(t / horizon), is
    m / sqrt(d horizon) whatever t is: one formula serves whole paths and trades.
    """
    xp = sample.xp
    m, d = sample.mean(total), sample.mean(downside)
    scale = xp.sqrt(d * horizon)
    value = divide(xp, m, scale)
    influence = divide(xp, total - m[:, None], scale[:, None])
    influence -= value[:, None] * divide(xp, 0.5 * (downside - d[:, None]), d[:, None])
    return sample.estimate(value, influence)


def beta(sample: Sample, returns: Array, leg: Array) -> Estimate:
    """Slope of the return on the leg's return, cov / var; NaN if the leg does not move.

    returns: [row, path]; leg: [path]. Influence e (x - mean(x)) / var(x), e the residual: the
    error is White's (1980), valid under heteroscedasticity.
    """
    xp = sample.xp
    x = (leg - xp.sum(leg) / sample.paths)[None, :]
    variance = sample.mean(x * x)
    y = returns - sample.mean(returns)[:, None]
    value = divide(xp, sample.mean(x * y), variance)
    influence = divide(xp, x * (y - value[:, None] * x), variance[:, None])
    return sample.estimate(value, influence)
