"""Standard errors of a fit: the inverse of the observed information."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from stresscube.calibrate.fit import Fit
from stresscube.calibrate.likelihood import Likelihood

Array = NDArray[np.float64]
STEP = 0.01
"""Of a difference, in standard errors of a parameter whose states were seen: an asymmetry of one a
standard error makes an error half a percent off."""
NOTHING = 0.05
"""Share of a number, a unit of a parameter, below which it does not count as moved: the log of a
rate that was hardly ever seen does not spoil the duration that others make."""
FLAT = 1e-6
"""Curvature a bar below which a direction says nothing: its variance is left out."""


def covariance(returns: Array, found: Fit, threads: int = 1) -> Array:
    """Covariance of the parameters, from differences of the gradient.

    Directions in which the likelihood is flat or bends upwards (a rate at its bound, say) have
    variance NaN in the parameters that they move most.
    """
    size = len(found.theta)
    at = Likelihood(returns, found.design, threads=threads)
    here = at.slope(found.theta)[1]
    steps = STEP / np.sqrt(at.information(found.theta))

    def rows(some: list[int]) -> list[tuple[int, Array]]:
        likelihood = Likelihood(returns, found.design)
        made: list[tuple[int, Array]] = []
        for k in some:
            up = found.theta.copy()
            up[k] += steps[k]
            made.append((k, (likelihood.slope(up)[1] - here) / steps[k]))
        return made

    shares = [list(range(size))[part::threads] for part in range(threads)]
    hessian = np.zeros((size, size))
    with ThreadPoolExecutor(threads) as pool:
        for part in pool.map(rows, shares):
            for k, row in part:
                hessian[k] = row
    return inverted(-(hessian + hessian.T) / 2.0, found.bars * FLAT)


def inverted(information: Array, least: float) -> Array:
    """The inverse; where an eigenvalue is below `least`, NaN for what its direction moves."""
    values, vectors = np.linalg.eigh(information)
    known = values > least
    made = (vectors[:, known] / values[known]) @ vectors[:, known].T
    lost = (vectors[:, ~known] ** 2).sum(axis=1) > 0.05
    made[lost] = np.nan
    made[:, lost] = np.nan
    return made


def of(function: Callable[[Array], Array], theta: Array, spread: Array) -> Array:
    """Standard errors of function(theta) [n] by the delta method; 0 of what is infinite."""
    slopes = np.zeros((len(function(theta)), len(theta)))
    for k in range(len(theta)):
        up, down = theta.copy(), theta.copy()
        up[k] += 1e-5
        down[k] -= 1e-5
        high, low = function(up), function(down)
        np.subtract(high, low, out=slopes[:, k], where=np.isfinite(high) & np.isfinite(low))
    slopes /= 2e-5
    # a parameter without an error spoils only what it moves
    moved = np.abs(slopes) > NOTHING * np.abs(function(theta))[:, None] + 1e-300
    filled = np.nan_to_num(spread)
    lost = moved @ np.isnan(np.diag(spread))
    return np.where(lost, np.nan, np.sqrt(np.einsum("ik,kl,il->i", slopes, filled, slopes)))
