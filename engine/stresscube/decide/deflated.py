"""The deflated Sharpe ratio: how far a Sharpe ratio exceeds what the luckiest of many shows.

Bailey and Lopez de Prado (2014), The deflated Sharpe ratio: correcting for selection bias,
backtest overfitting, and non-normality. Journal of Portfolio Management 40(5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

Floats = npt.NDArray[np.float64]

DRAWS = 2000
"""Of normal noise: the maximum's mean is then known to about half a percent."""
ROUNDING = 1e-9
"""Noise between policies below this share of all noise is rounding: they are all the same."""
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Luck:
    """What the best of the policies tried would show if all were worth the same.

    trials: policies tried. effective: independent trials that would show as much. spread: the
    noise between policies, one standard deviation. maximum: the expected maximum.
    """

    trials: int
    effective: float
    spread: float
    maximum: float


def independent_maximum(trials: float) -> float:
    """Return the expected maximum of that many independent standard normals, approximately.

    (1 - g) Phi^-1(1 - 1/N) + g Phi^-1(1 - 1/(N e)), g Euler's constant; 0 for one.
    """
    if trials <= 1.0:
        return 0.0
    g = float(np.euler_gamma)
    first, second = special.ndtri([1.0 - 1.0 / trials, 1.0 - 1.0 / (trials * np.e)])
    return float((1.0 - g) * first + g * second)


def luck(batches: npt.NDArray[np.float64]) -> Luck:
    """Return what selection alone gives, from batch means [policy, batch] of the ratio.

    Batch means give the covariance of the policies' errors; noise that all share moves every
    policy alike and selects none, so it is left out. The maximum's mean is that of normal draws
    with this covariance, with a seed of its own; the effective number of trials is the one whose
    independent maximum is as large.
    """
    known = batches[:, np.isfinite(batches).all(axis=0)]
    trials, number = known.shape
    if trials < 2 or number < 2:
        return Luck(trials, float(trials), 0.0, 0.0)
    noise = known - known.mean(axis=1, keepdims=True)
    whole = float(np.sqrt((noise**2).mean() / (number - 1)))
    noise -= noise.mean(axis=0, keepdims=True)
    noise /= np.sqrt(number * (number - 1))
    spread = float(np.sqrt((noise**2).sum() / (trials - 1)))
    if spread <= ROUNDING * whole:
        return Luck(trials, 1.0, 0.0, 0.0)
    rng = np.random.default_rng(2014)
    total = 0.0
    for _ in range(DRAWS // _AT_ONCE):
        draws = noise @ rng.standard_normal((number, _AT_ONCE))
        # The mirrored draw is as likely: its maximum is the minimum's opposite.
        total += float((draws.max(axis=0) - draws.min(axis=0)).sum()) / 2.0
    maximum = total / DRAWS
    return Luck(trials, _effective(maximum / spread, trials), spread, maximum)


def deflated(sharpe: float, error: float, maximum: float) -> float:
    """Return the probability that the true ratio exceeds the expected maximum of luck.

    Phi((S - S0) / error). The error is that of the ratio under its own skewness and kurtosis
    (Mertens 2002), so this is the paper's formula, in whatever units S has.
    """
    return float(special.ndtr((sharpe - maximum) / error)) if error > 0 else float("nan")


def _effective(wanted: float, trials: int) -> float:
    if wanted >= independent_maximum(trials):
        return float(trials)
    # At N = 1.1 the formula is below 0 already.
    return float(optimize.brentq(lambda n: independent_maximum(n) - wanted, 1.1, trials))
