"""The log-likelihood of returns under a design, and its gradient by Fisher's identity."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm
from scipy.special import digamma, gammaln

from stresscube.calibrate.design import TAIL, Design, stationary
from stresscube_kernels.hidden import Workspace

Array = NDArray[np.float64]
STEP = 1e-5
"""For differences of the chains' own, tiny functions."""


class Likelihood:
    """Of returns [bars, 2], their means taken off, under one design.

    theta: parameters in the order of `design.names`. Not for several threads at once.
    """

    def __init__(self, returns: Array, design: Design, functions: Any = None) -> None:
        self.design = design
        self.bars = len(returns)
        self._returns = np.ascontiguousarray(returns - returns.mean(axis=0))
        self._work = Workspace(self.bars, len(design.index), functions)

    def value(self, theta: Array) -> float:
        """The log-likelihood."""
        return self._forward(theta)[0]

    def slope(self, theta: Array) -> tuple[float, Array]:
        """The log-likelihood and its gradient."""
        design = self.design
        total, spread, matrices, joint = self._forward(theta)
        moves = self._work.smooth(joint).reshape(*design.sizes, *design.sizes)
        gradient = np.zeros(len(theta))
        by_state = self._work.student_slopes(self._returns, spread)
        nu = spread[:, 4]
        constant = 0.5 * digamma(nu / 2 + 1) - 0.5 * digamma(nu / 2) - 1.0 / (nu - 2.0)
        by_state[:, TAIL] += self._work.law.sum(axis=0) * constant * (nu - 2.0)
        gradient[: len(design.columns)] = np.einsum("sk,ksp->p", by_state, design.matrix)
        first = self._work.law[0].reshape(design.sizes)
        chains = range(len(design.sizes))
        for k in chains:
            others = tuple(c for c in chains if c != k)
            beyond = (*others, *(len(chains) + c for c in others))
            gradient[design.rates[k]] = _by_rates(
                design, theta, k, moves.sum(axis=beyond), first.sum(axis=others), matrices[k]
            )
        return total, gradient

    def _forward(self, theta: Array) -> tuple[float, Array, list[Array], Array]:
        """Log-likelihood, the states' numbers for the kernels, transitions each and joint."""
        design = self.design
        matrices = [transitions(design, theta, k) for k in range(len(design.sizes))]
        joint = _together(matrices)
        start = _together([stationary(matrix) for matrix in matrices])
        spread = _spread(design.numbers(theta))
        self._work.student(self._returns, spread)
        return self._work.likelihood(joint, start), spread, matrices, joint


def _together(parts: list[Array]) -> Array:
    """The Kronecker product of several."""
    return reduce(lambda left, right: np.asarray(np.kron(left, right), np.float64), parts)


def transitions(design: Design, theta: Array, chain: int) -> Array:
    """Probabilities of each state a bar later."""
    if design.sizes[chain] == 1:
        return np.ones((1, 1))
    return np.clip(np.asarray(expm(design.generator(theta, chain))), 1e-300, None)


def _spread(numbers: Array) -> Array:
    """What `recursions.densities` takes of the states' numbers."""
    a, b, rho, nu = numbers.T
    inverse = 1.0 / (1.0 - rho * rho)
    gammas: Array = np.asarray(gammaln(nu / 2 + 1) - gammaln(nu / 2), np.float64)
    constant = (
        gammas - np.log(np.pi * (nu - 2.0))
        - np.log(a * b) + 0.5 * np.log(inverse)
    )  # fmt: skip
    return np.ascontiguousarray(np.stack([1 / a, 1 / b, rho, inverse, nu, constant], axis=1))


def _by_rates(
    design: Design, theta: Array, chain: int, moves: Array, first: Array, here: Array
) -> Array:
    """Slope of the expected log-probability of a chain's moves and first state."""
    if design.sizes[chain] == 1:
        return np.zeros(0)

    def expected(moved: Array) -> float:
        matrix = transitions(design, moved, chain)
        return float((moves * np.log(matrix)).sum() + first @ np.log(stationary(matrix)))

    place = design.rates[chain]
    found = np.zeros(place.stop - place.start)
    for k in range(len(found)):
        moved = np.array([theta, theta])
        moved[0, place.start + k] += STEP
        moved[1, place.start + k] -= STEP
        found[k] = (expected(moved[0]) - expected(moved[1])) / (2 * STEP)
    return found
