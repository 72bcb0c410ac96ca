"""The log-likelihood of returns under a design, and its gradient by Fisher's identity."""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm
from scipy.special import digamma, gammaln

from stresscube.calibrate.design import TAIL, Design, generator, stationary
from stresscube_kernels.hidden import Workspace

Array = NDArray[np.float64]
STEP = 1e-5
"""For differences of the chains' own, tiny functions."""
ONE = np.ones((1, 1))
EACH_BAR = np.array([1.2, 1.2, 1.0, 0.1])
"""Information of a bar about its state's two log deviations, atanh rho and log(nu - 2)."""


class Likelihood:
    """Of returns [bars, 2], their means taken off, under one design.

    theta: parameters in the order of `design.names`. Not for several threads at once.
    """

    def __init__(
        self, returns: Array, design: Design, functions: Any = None, threads: int = 1
    ) -> None:
        self.design = design
        self.bars = len(returns)
        self._returns = np.ascontiguousarray(returns - returns.mean(axis=0))
        self._cut = halfway(design.sizes)
        halves = math.prod(design.sizes[: self._cut]), math.prod(design.sizes[self._cut :])
        self._work = Workspace(self.bars, halves, functions, threads)

    def value(self, theta: Array) -> float:
        """The log-likelihood."""
        return self._forward(theta)[0]

    def slope(self, theta: Array) -> tuple[float, Array]:
        """The log-likelihood and its gradient."""
        design = self.design
        total, spread, halves = self._forward(theta)
        moves = self._moves(halves)
        gradient = np.zeros(len(theta))
        by_state = self._work.student_slopes(self._returns, spread)
        nu = spread[:, 4]
        constant = 0.5 * digamma(nu / 2 + 1) - 0.5 * digamma(nu / 2) - 1.0 / (nu - 2.0)
        by_state[:, TAIL] += self._work.law.sum(axis=0) * constant * (nu - 2.0)
        gradient[: len(design.columns)] = np.einsum("sk,ksp->p", by_state, design.matrix)
        first = self._work.law[0].reshape(design.sizes)
        chains = range(len(design.sizes))
        for k, (own, place) in enumerate(zip(moves, design.rates, strict=True)):
            others = tuple(c for c in chains if c != k)
            law = first.sum(axis=others)
            gradient[place] = rate_slopes(theta[place], design.sizes[k], own, law)
        return total, gradient

    def information(self, theta: Array) -> Array:
        """About how much the bars say of every parameter: the information if states were seen.

        Of tails a tenth of a bar each, and two bars more for all, so that none is nothing.
        """
        design = self.design
        moves = self._moves(self._forward(theta)[2])
        seen = self._work.law.sum(axis=0)
        densities = np.einsum("k,s,ksp->p", EACH_BAR, seen, design.matrix**2)
        rates = [own[~np.eye(len(own), dtype=bool)] for own in moves]
        return np.concatenate([densities, *rates]) + 2.0

    def _forward(self, theta: Array) -> tuple[float, Array, tuple[Array, Array]]:
        """Log-likelihood, the states' numbers for the kernels, transitions of both halves."""
        design = self.design
        matrices = [over_a_bar(design.generator(theta, k)) for k in range(len(design.sizes))]
        halves = _together(matrices[: self._cut]), _together(matrices[self._cut :])
        start = _together([stationary(matrix)[None] for matrix in matrices])[0]
        spread = _spread(design.numbers(theta))
        self._work.student(self._returns, spread)
        return self._work.likelihood(*halves, start), spread, halves

    def _moves(self, halves: tuple[Array, Array]) -> list[Array]:
        """Every chain's expected moves [from, to]; the law becomes that given all bars."""
        found: list[Array] = []
        sizes = self.design.sizes
        parts = (sizes[: self._cut], sizes[self._cut :])
        for own, moved in zip(parts, self._work.smooth(*halves), strict=True):
            table = moved.reshape(*own, *own)
            for k in range(len(own)):
                others = tuple(c for c in range(2 * len(own)) if c % len(own) != k)
                found.append(table.sum(axis=others))
        return found


def halfway(sizes: tuple[int, ...]) -> int:
    """Where to cut a row of chains in two: at the least work, of which the left's short loops are
    the dearer half.
    """

    def work(cut: int) -> float:
        return math.prod(sizes[:cut]) + 0.5 * math.prod(sizes[cut:])

    return min(range(1, len(sizes)), key=work, default=1)


def _together(parts: list[Array]) -> Array:
    """The Kronecker product of several laws, or of several matrices."""
    return reduce(lambda left, right: np.asarray(np.kron(left, right), np.float64), parts, ONE)


def over_a_bar(generator: Array) -> Array:
    """Probabilities of each state a bar later."""
    if len(generator) == 1:
        return np.ones((1, 1))
    return np.clip(np.asarray(expm(generator)), 1e-300, None)


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


def rate_slopes(logs: Array, size: int, moves: Array, first: Array) -> Array:
    """Slope, by a chain's log rates, of the expected log-probability of its moves and first state.

    moves: expected [from, to]; first: the law of the first bar's state.
    """

    def expected(at: Array) -> float:
        matrix = over_a_bar(generator(at, size))
        return float((moves * np.log(matrix)).sum() + first @ np.log(stationary(matrix)))

    steps = STEP * np.eye(len(logs))
    rises = [expected(logs + step) - expected(logs - step) for step in steps]
    return np.array(rises) / (2 * STEP)
