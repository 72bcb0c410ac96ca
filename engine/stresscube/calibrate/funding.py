"""The premium index behind funding prints, seen through the exchange's clamp, by likelihood.

A print is max(min(I, P + c), P - c): above I it tells the premium, P = print + c, below I likewise
P = print - c, and at I only that P lies between I - c and I + c. The states of a
hidden chain hold mean and deviation of both legs' premiums, and how fast they forget.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm
from scipy.optimize import minimize
from scipy.special import log_ndtr, ndtr

from stresscube.calibrate.design import stationary
from stresscube_kernels.hidden import Workspace

Array = NDArray[np.float64]
UNIT = 1e-4
"""Premiums are fitted in basis points."""
MOST = 4
STEP = 1e-5


@dataclass(frozen=True)
class Premiums:
    """States in ascending order of leg a's mean. mean, std: [n, 2], per interval. half_life:
    hours [n]. durations: hours [n]. next: [n, n]. bic: Schwarz's criterion.
    """

    mean: Array
    std: Array
    half_life: Array
    durations: Array
    next: Array
    bic: float


def fit(
    prints: Array, interval: float, tell: Callable[[str], None], *, interest: float = 1e-4,
    clamp: float = 5e-4,
) -> Premiums:  # fmt: skip
    """The premium index of prints [prints, 2], states by BIC. interest: per interval."""
    best: Premiums | None = None
    for states in range(2, MOST + 1):
        made = _Clamped(prints, states, interest, clamp).fitted(interval)
        tell(f"funding, {states} states: BIC {made.bic:,.0f}")
        if best is not None and made.bic >= best.bic:
            break
        best = made
    assert best is not None
    return best


class _Clamped:
    """The likelihood of prints under one number of states."""

    def __init__(self, prints: Array, states: int, interest: float, clamp: float) -> None:
        self._states = states
        self._low, self._high = (interest - clamp) / UNIT, (interest + clamp) / UNIT
        self._at = np.abs(prints - interest) < 1e-8
        above = np.where(prints > interest, clamp, -clamp)
        self._premium = np.where(self._at, 0.0, (prints + above) / UNIT)
        self._work = Workspace(len(prints), states)

    def fitted(self, interval: float) -> Premiums:
        """The most likely states."""
        n = self._states
        known = np.where(self._at, (self._low + self._high) / 2.0, self._premium)
        centre = np.quantile(known, (np.arange(n) + 0.5) / n, axis=0)
        first = np.concatenate([
            centre.ravel(), np.log(np.full(2 * n, known.std() / n)), np.zeros(n),
            np.full(n * (n - 1), math.log(1.0 / 30.0 / max(1, n - 1))),
        ])  # fmt: skip

        def loss(theta: Array) -> tuple[float, Array]:
            value = self._value(theta)
            slope = np.array([
                (self._value(theta + step) - self._value(theta - step)) / (2 * STEP)
                for step in STEP * np.eye(len(theta))
            ])  # fmt: skip
            return -value, -slope

        bounds = [(None, None)] * (2 * n) + [(-4.0, 5.0)] * (2 * n) + [(-5.0, 5.0)] * n
        bounds += [(-9.0, 0.0)] * (n * (n - 1))
        found = minimize(loss, first, jac=True, method="L-BFGS-B", bounds=bounds,
                         options={"maxiter": 150, "ftol": 1e-7})  # fmt: skip
        mean, std, phi, generator = self._split(np.asarray(found.x))
        order = np.argsort(mean[:, 0])
        generator = generator[np.ix_(order, order)]
        rates = -np.diag(generator)
        going = generator / rates[:, None]
        np.fill_diagonal(going, 0.0)
        return Premiums(
            mean[order] * UNIT, std[order] * UNIT,
            interval * math.log(0.5) / np.log(phi[order]), interval / rates, going,
            len(first) * math.log(len(self._at)) + 2.0 * float(found.fun),
        )  # fmt: skip

    def _split(self, theta: Array) -> tuple[Array, Array, Array, Array]:
        """Means, deviations [n, 2], what is kept from print to print [n], and the generator."""
        n = self._states
        generator = np.zeros((n, n))
        generator[~np.eye(n, dtype=bool)] = np.exp(theta[5 * n :])
        np.fill_diagonal(generator, -generator.sum(axis=1))
        kept = 1.0 / (1.0 + np.exp(-theta[4 * n : 5 * n]))
        means, logs = theta[: 2 * n].reshape(n, 2), theta[2 * n : 4 * n].reshape(n, 2)
        return means, np.exp(logs), kept, generator

    def _value(self, theta: Array) -> float:
        mean, std, kept, generator = self._split(theta)
        matrix = np.clip(np.asarray(expm(generator)), 1e-300, None)
        total = np.zeros_like(self._work.emission)
        for leg in range(2):
            total += self._log_density(leg, mean[:, leg], std[:, leg], kept)
        self._work.emission[:] = np.maximum(total, -1e4)
        return self._work.likelihood(matrix, stationary(matrix))

    def _log_density(self, leg: int, mean: Array, std: Array, kept: Array) -> Array:
        """Of every print given the one before, [prints, n].

        After a print at the point mass the premium before is known by its first two moments
        only: those of a normal cut to the mass's reach.
        """
        at = self._at[:, leg][:, None]
        premium = self._premium[:, leg][:, None]
        low, high = (self._low - mean) / std, (self._high - mean) / std
        inside = np.maximum(ndtr(high) - ndtr(low), 1e-12)
        bell_low, bell_high = (
            np.exp(-0.5 * edge * edge) / math.sqrt(2 * math.pi) for edge in (low, high)
        )
        cut = (bell_low - bell_high) / inside
        spread = np.clip(1.0 + (low * bell_low - high * bell_high) / inside - cut * cut, 1e-6, 1.0)
        before = np.where(at, np.clip(cut, low, high), (premium - mean) / std)[:-1]
        doubt = np.where(at, spread, 0.0)[:-1]
        centre = np.vstack([np.zeros_like(mean), kept * before])
        root = np.sqrt(1.0 - kept * kept + kept * kept * np.vstack([np.ones_like(mean), doubt]))
        z_low, z_high = (low - centre) / root, (high - centre) / root
        mass = np.log(np.maximum(ndtr(z_high) - ndtr(z_low), 1e-300))
        far = np.minimum(log_ndtr(z_high), log_ndtr(-z_low))
        mass = np.where(mass < -600.0, far, mass)
        z = ((premium - mean) / std - centre) / root
        density = -0.5 * z * z - np.log(root * std) - 0.5 * math.log(2 * math.pi)
        return np.where(at, mass, density)
