"""Moments and Sharpe ratios of items clustered by path, with their influence values.

An item is a whole path's return (one a path) or a trade's return (any number a path).
With z the standardised item, the influence values per item are

    mean       s z
    std        s (z^2 - 1) / 2
    skewness   z^3 - g - 3 z - 3/2 g (z^2 - 1)
    kurtosis   z^4 - k - 4 g z - 2 k (z^2 - 1)
    Sharpe     z - S/2 (z^2 - 1)

and a path's influence is the sum over its items divided by the mean number of items.
For one item a path the Sharpe ratio's variance is that of Mertens (2002), of which
Lo (2002) is the normal case. Moments divide by the number of items.
"""

from __future__ import annotations

from dataclasses import dataclass

from scipy import special

from stresscube.metrics.sample import Array, Estimate, Sample, divide, to_host

_SMALLEST_STD = 1e-12
"""Returns that differ by less than this differ by rounding only; no ratio is made of them."""
_SMALLEST_VARIANCE_SHARE = 2.0**-20
"""The same for pooled sums of squares, which arrive with float32's rounding."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Moments of the pooled items and each path's sums of powers of z.

    mean, std, skew, kurtosis: [row], the last two NaN without variance.
    items: number of items of each path, [row, path], or 1.0. items_mean: [row, 1] or 1.0.
    z1 .. z4: per path, the sum of z^k - (pooled mean of z^k) over its items, [row, path].
    """

    mean: Array
    std: Array
    skew: Array
    kurtosis: Array
    items: Array
    items_mean: Array
    z1: Array
    z2: Array
    z3: Array
    z4: Array


def of_returns(sample: Sample, returns: Array) -> Moments:
    """Moments of one return a path, [row, path]."""
    xp = sample.xp
    mean = sample.mean(returns)
    z = returns - mean[:, None]
    std = xp.sqrt(sample.mean(z * z))
    flat = std <= _SMALLEST_STD
    z *= xp.where(flat, 0.0, 1.0 / xp.where(flat, 1.0, std))[:, None]
    z2 = z * z
    z3 = z2 * z
    z4 = z2 * z2
    skew = xp.where(flat, xp.nan, sample.mean(z3))
    kurtosis = xp.where(flat, xp.nan, sample.mean(z4))
    z2 -= 1.0
    z3 -= skew[:, None]
    z4 -= kurtosis[:, None]
    return Moments(mean, xp.where(flat, 0.0, std), skew, kurtosis, 1.0, 1.0, z, z2, z3, z4)


def of_trades(sample: Sample) -> Moments:
    """Moments of all trades pooled, from each path's sums of powers of trade returns."""
    xp = sample.xp
    items = sample["trades"]
    s1, s2, s3, s4 = (sample[f"trade_sum_{k}"] for k in (1, 2, 3, 4))
    number = sample.mean(items)
    mean = divide(xp, sample.mean(s1), number)
    square = divide(xp, sample.mean(s2), number)
    m = mean[:, None]
    c1 = s1 - m * items
    c2 = s2 - m * (s1 + c1)
    c3 = s3 - m * (3.0 * s2 - m * (3.0 * s1 - m * items))
    c4 = s4 - m * (4.0 * s3 - m * (6.0 * s2 - m * (4.0 * s1 - m * items)))
    variance = divide(xp, sample.mean(c2), number)
    flat = ~(variance > _SMALLEST_VARIANCE_SHARE * square)
    std = xp.where(flat, xp.where(number > 0, 0.0, xp.nan), xp.sqrt(xp.where(flat, 1.0, variance)))
    scale = xp.where(flat, 0.0, 1.0 / xp.where(flat, 1.0, std))[:, None]
    z1, z2, z3, z4 = c1 * scale, c2 * scale**2, c3 * scale**3, c4 * scale**4
    skew = xp.where(flat, xp.nan, divide(xp, sample.mean(z3), number))
    kurtosis = xp.where(flat, xp.nan, divide(xp, sample.mean(z4), number))
    z2 -= items
    z3 -= skew[:, None] * items
    z4 -= kurtosis[:, None] * items
    per_path = number[:, None]
    return Moments(mean, std, skew, kurtosis, items, per_path, z1, z2, z3, z4)


def mean(sample: Sample, m: Moments) -> Estimate:
    """Mean of the pooled items."""
    return sample.estimate(m.mean, _per_item(sample, m, m.std[:, None] * m.z1))


def std(sample: Sample, m: Moments) -> Estimate:
    """Standard deviation of the pooled items."""
    return sample.estimate(m.std, _per_item(sample, m, 0.5 * m.std[:, None] * m.z2))


def skew(sample: Sample, m: Moments) -> Estimate:
    """Skewness of the pooled items."""
    return sample.estimate(m.skew, _per_item(sample, m, _skew_influence(m)))


def kurtosis(sample: Sample, m: Moments) -> Estimate:
    """Kurtosis of the pooled items, 3 for a normal."""
    return sample.estimate(m.kurtosis, _per_item(sample, m, _kurtosis_influence(m)))


@dataclass(frozen=True, slots=True)
class SharpeRatios:
    """The three Sharpe ratios of one set of items."""

    plain: Estimate
    adjusted: Estimate
    probabilistic: Estimate


def sharpe(sample: Sample, m: Moments, per_year: Array, *, random_number: bool) -> SharpeRatios:
    """Sharpe ratio, annualised; its adjusted and probabilistic forms.

    per_year: items a year, [row] or a number; the ratios are scaled by its root.
    random_number: whether `per_year` is itself estimated from the number of items.

    Adjusted: S (1 + g S / 6 - (k - 3) S^2 / 24), before annualising (Pezier and White 2006).
    Probabilistic: P(true ratio > 0) = Phi(S / se(S)) (Bailey and Lopez de Prado 2012), with the
    error clustered by path; as S / se(S) has error 1, its own error is phi(S / se(S)).
    """
    xp = sample.xp
    ratio = xp.where(m.std > 0, divide(xp, m.mean, m.std), xp.nan)
    s, g, k = ratio[:, None], m.skew[:, None], m.kurtosis[:, None]
    influence = m.z1 - 0.5 * s * m.z2
    adjusted = ratio * (1.0 + ratio * (m.skew / 6.0 - (m.kurtosis - 3.0) / 24.0 * ratio))
    adjusted_influence = (1.0 + s * (g / 3.0 - (k - 3.0) / 8.0 * s)) * influence
    adjusted_influence += s * s / 6.0 * _skew_influence(m)
    adjusted_influence -= s * s * s / 24.0 * _kurtosis_influence(m)
    influence = _per_item(sample, m, influence)
    adjusted_influence = _per_item(sample, m, adjusted_influence)
    probabilistic = _probabilistic(sample, ratio, sample.error(influence))
    if random_number:
        number = 0.5 * _per_item(sample, m, m.items - m.items_mean)
        influence = influence + s * number
        adjusted_influence = adjusted_influence + adjusted[:, None] * number
    root = xp.sqrt(xp.broadcast_to(xp.asarray(per_year, dtype=xp.float64), ratio.shape))
    return SharpeRatios(
        sample.estimate(ratio * root, influence * root[:, None]),
        sample.estimate(adjusted * root, adjusted_influence * root[:, None]),
        probabilistic,
    )


def _per_item(sample: Sample, m: Moments, influence: Array) -> Array:
    if isinstance(m.items_mean, float):
        return influence
    return divide(sample.xp, influence, m.items_mean)


def _skew_influence(m: Moments) -> Array:
    return m.z3 - 3.0 * m.z1 - (1.5 * m.skew)[:, None] * m.z2


def _kurtosis_influence(m: Moments) -> Array:
    return m.z4 - (4.0 * m.skew)[:, None] * m.z1 - (2.0 * m.kurtosis)[:, None] * m.z2


def _probabilistic(sample: Sample, ratio: Array, error: Array) -> Estimate:
    xp = sample.xp
    score = to_host(divide(xp, ratio, error))
    density = xp.exp(-0.5 * xp.asarray(score) ** 2) / (2.0 * xp.pi) ** 0.5
    return Estimate(xp.asarray(special.ndtr(score)), density)
