"""The log-likelihood of returns under a design, and its gradient by Fisher's identity."""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stresscube.calibrate.densities import NODES, Densities
from stresscube.calibrate.design import Design, generator, over_a_bar, stationary
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
        total, densities, halves = self._forward(theta)
        moves = self._moves(halves)
        gradient = np.zeros(len(theta))
        sums = self._work.sums(self._returns, densities.student, densities.normals)
        jumps = {jump: theta[place] for jump, place in design.jumping.items()}
        by_state, by_jump = design.returns.slopes(design.states(theta), jumps, sums)
        gradient[: len(design.columns)] = np.einsum("ks,ksp->p", by_state, design.matrix)
        for jump, place in design.jumping.items():
            gradient[place] = by_jump[jump]
        first = self._work.law[0].reshape(design.sizes)
        chains = range(len(design.sizes))
        for k, (own, place) in enumerate(zip(moves, design.rates, strict=True)):
            others = tuple(c for c in chains if c != k)
            law = first.sum(axis=others)
            gradient[place] = rate_slopes(theta[place], design.sizes[k], own, law)
        return total, gradient

    def law(self, theta: Array) -> Array:
        """The law of every bar's state given all bars, [bars, states]."""
        self._moves(self._forward(theta)[2])
        return self._work.law

    def information(self, theta: Array) -> Array:
        """About how much the bars say of every parameter: the information if states were seen.

        Of tails a tenth of a bar each, and two bars more for all, so that none is nothing.
        """
        design = self.design
        _, found, halves = self._forward(theta)
        moves = self._moves(halves)
        seen = self._work.law.sum(axis=0)
        densities = np.einsum("k,s,ksp->p", EACH_BAR, seen, design.matrix**2)
        rates = [own[~np.eye(len(own), dtype=bool)] for own in moves]
        jumps = [np.zeros(0)]
        if design.jumps:
            sums = self._work.sums(self._returns, found.student, found.normals)[1]
            jumps = [
                jump.information(theta[place], sum(one[0].sum() for one in sums[k : k + NODES]))
                for k, (jump, place) in zip(
                    range(0, len(sums), NODES), design.jumping.items(), strict=True
                )
            ]
        return np.concatenate([np.concatenate([densities, *rates]) + 2.0, *jumps])

    def _forward(self, theta: Array) -> tuple[float, Densities, tuple[Array, Array]]:
        """Log-likelihood, the states' densities, transitions of both halves."""
        design = self.design
        matrices = [over_a_bar(design.generator(theta, k)) for k in range(len(design.sizes))]
        halves = _together(matrices[: self._cut]), _together(matrices[self._cut :])
        start = _together([stationary(matrix)[None] for matrix in matrices])[0]
        jumps = {jump: theta[place] for jump, place in design.jumping.items()}
        made = design.returns.of(design.states(theta), jumps)
        self._work.student(self._returns, made.student, made.normals)
        return self._work.likelihood(*halves, start), made, halves

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


def rate_slopes(logs: Array, size: int, moves: Array, first: Array) -> Array:
    """Slope, by a chain's log rates, of the expected log-probability of its moves and first state.

    moves: expected [from, to]; first: the law of the first bar's state.
    """

    steps = STEP * np.eye(len(logs))
    matrices = over_a_bar(generator(logs + np.concatenate([steps, -steps]), size))
    starts = np.log(stationary(matrices)) @ first
    values = (moves * np.log(matrices)).sum(axis=(-2, -1)) + starts
    above, below = np.split(values, 2)
    return (above - below) / (2 * STEP)
