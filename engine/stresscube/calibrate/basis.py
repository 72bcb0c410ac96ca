"""What of leg b's price reverts to leg a's: a test of cointegration, and the basis by likelihood.

The test is Engle and Granger's (1987): log b is regressed on log a, and the residual must not
wander (augmented Dickey-Fuller, critical values of MacKinnon, 2010, for two series and a constant).
The basis log b - log a of one asset on two venues is a sum of Ornstein-Uhlenbeck components: its
likelihood is Whittle's (1953), of the periodogram under the components' spectrum as sampled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Array = NDArray[np.float64]
CRITICAL = (-3.89644, -10.9519, -22.527)
"""MacKinnon's b0, b1, b2 at 1%: the critical value is b0 + b1/T + b2/T^2."""
MOST_LAGS = 24
SPIKE = 6.0
"""Robust deviations beyond which a step of the basis is a spike."""


@dataclass(frozen=True)
class Tested:
    """statistic: of the Dickey-Fuller regression, with so many lags. critical: at 1%. slope: of
    log b on log a. half_life: hours, of the residual's own first-order decay.
    """

    statistic: float
    critical: float
    lags: int
    slope: float
    half_life: float

    @property
    def reverts(self) -> bool:
        """Whether the test rejects, at 1%, that the legs drift apart."""
        return self.statistic < self.critical

    @property
    def words(self) -> str:
        """A sentence for people."""
        verdict = "cointegrated" if self.reverts else "not cointegrated"
        return (
            f"the legs are {verdict}: Engle-Granger {self.statistic:.2f} with {self.lags} lags, "
            f"{self.critical:.2f} at 1%"
        )


@dataclass(frozen=True)
class Component:
    """One Ornstein-Uhlenbeck part. half_life: hours. std: stationary, log units. errors: of both.
    spikes: a year. spike_std: log units.
    """

    half_life: float
    std: float
    errors: tuple[float, float]
    spikes: float = 0.0
    spike_std: float = 0.0


def test(close: Array, hours: float) -> Tested:
    """Engle and Granger's test of prices [bars, 2], either leg on the other: the weaker counts."""
    a, b = np.log(close).T
    a, b = a - a.mean(), b - b.mean()
    slope, backwards = slope_of(close), slope_of(close[:, ::-1])
    rest: Array = b - slope * a
    back: Array = a - b * backwards
    statistic, lags = max(_reverting(rest), _reverting(back))
    kept = float(rest[1:] @ rest[:-1] / (rest[:-1] @ rest[:-1]))
    life = hours * math.log(0.5) / math.log(kept) if 0.0 < kept < 1.0 else math.inf
    b0, b1, b2 = CRITICAL
    n = len(rest)
    return Tested(statistic, b0 + b1 / n + b2 / n**2, lags, slope, life)


def slope_of(close: Array) -> float:
    """Of log b on log a, prices [bars, 2]."""
    a, b = (np.log(close) - np.log(close).mean(axis=0)).T
    return float(a @ b) / float(a @ a)


def _reverting(rest: Array) -> tuple[float, int]:
    """The Dickey-Fuller statistic with as many lags as Akaike's criterion likes, and how many."""
    tried = [(*_dickey_fuller(rest, lags)[::-1], lags) for lags in range(MOST_LAGS + 1)]
    _, statistic, lags = min(tried)
    return statistic, lags


def _dickey_fuller(x: Array, lags: int) -> tuple[float, float]:
    """The t-value of x's level in the regression of its change, and Akaike's criterion.

    Every number of lags sees the same changes.
    """
    change = np.diff(x)
    first = MOST_LAGS
    columns = [x[first:-1], *(change[first - k : len(change) - k] for k in range(1, lags + 1))]
    design, target = np.stack(columns, axis=1), change[first:]
    gram = np.linalg.inv(design.T @ design)
    coefficients = gram @ (design.T @ target)
    rest = target - design @ coefficients
    variance = float(rest @ rest) / (len(target) - len(coefficients))
    information = len(target) * math.log(float(rest @ rest) / len(target)) + 2.0 * (lags + 1)
    return float(coefficients[0] / math.sqrt(variance * gram[0, 0])), information


def residual(close: Array, slope: float) -> Array:
    """log b less slope times log a, [bars]."""
    a, b = np.log(close).T
    return b - slope * a


def components(
    basis: Array, hours: float, like: tuple[Component, ...] | None = None
) -> tuple[Component, ...]:
    """One or two components of log b - log a [bars], by BIC, the fastest first.

    like: components of which there are as many, and from which the climb begins.
    """
    wave = np.abs(np.fft.rfft(basis - basis.mean())[1:]) ** 2 / len(basis)
    angles = np.cos(2.0 * math.pi * np.arange(1, len(wave) + 1) / len(basis))
    variance = float(basis.var())
    starts = [
        [(6.0 / hours, variance)],
        [(1.0 / hours, variance / 2), (48.0 / hours, variance / 2)],
    ]
    if like is not None:
        starts = [[(part.half_life / hours, part.std**2) for part in like]]
    best: tuple[float, Array, Array] | None = None
    for start in starts:
        first = np.log(start).ravel()

        def loss(theta: Array) -> float:
            power = _spectrum(theta, angles)
            return float((np.log(power) + wave / power).sum())

        bounds = [(-4.0, 12.0), (-60.0, 5.0)] * len(start)
        found = minimize(loss, first, method="L-BFGS-B", bounds=bounds)
        bic = 2.0 * float(found.fun) + len(first) * math.log(len(basis))
        if best is None or bic < best[0]:
            theta = np.asarray(found.x)
            best = bic, theta, _information(theta, angles)
    assert best is not None
    _, theta, information = best
    spread = np.sqrt(np.abs(np.diag(np.linalg.pinv(information))))
    made: list[Component] = []
    for k in range(0, len(theta), 2):
        life, std = hours * math.exp(theta[k]), math.exp(theta[k + 1] / 2.0)
        made.append(Component(life, std, (life * spread[k], std * spread[k + 1] / 2.0)))
    made.sort(key=lambda part: part.half_life)
    return (_with_spikes(made[0], basis, hours), *made[1:])


def _spectrum(theta: Array, angles: Array) -> Array:
    """Of sums of first-order autoregressions: theta holds log half-lives in bars, log variances."""
    power = np.zeros_like(angles)
    for bars, variance in theta.reshape(-1, 2):
        kept = 0.5 ** math.exp(-bars)
        power += math.exp(variance) * (1 - kept * kept) / (1 + kept * kept - 2 * kept * angles)
    return power


def _information(theta: Array, angles: Array) -> Array:
    """Whittle's: the sum over the frequencies of products of the log-spectrum's slopes."""
    step = 1e-5
    slopes = np.stack([
        (np.log(_spectrum(theta + e, angles)) - np.log(_spectrum(theta - e, angles))) / (2 * step)
        for e in step * np.eye(len(theta))
    ])  # fmt: skip
    return slopes @ slopes.T


def _with_spikes(part: Component, basis: Array, hours: float) -> Component:
    """The fast component with its spikes told apart: steps beyond SPIKE robust deviations.

    What spikes add to the variance, p s^2 / (1 - d^2), leaves the component's own.
    """
    kept = 0.5 ** (hours / part.half_life)
    x = basis - basis.mean()
    noise = x[1:] - kept * x[:-1]
    robust = 1.4826 * float(np.median(np.abs(noise - np.median(noise))))
    beyond = np.abs(noise) > SPIKE * robust
    if not beyond.any() or robust == 0.0:
        return part
    share, size = float(beyond.mean()), float(np.sqrt((noise[beyond] ** 2).mean()))
    spiked = share * size * size / max(1.0 - kept * kept, 1e-6)
    own = math.sqrt(max(part.std**2 - spiked, 0.1 * part.std**2))
    a_year = -math.log1p(-share) / hours * 8760.0
    return Component(part.half_life, own, part.errors, a_year, size)
