"""The log-likelihood of returns under a design, and its gradient by Fisher's identity."""

from __future__ import annotations

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
PARTS = 200
"""Of the bars, whose slopes tell how far they scatter."""
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
        self._work = Workspace(self.bars, design.sizes, functions, threads)

    def value(self, theta: Array) -> float:
        """The log-likelihood."""
        return self._forward(theta)[0]

    def slope(self, theta: Array) -> tuple[float, Array]:
        """The log-likelihood and its gradient."""
        total, densities, matrices = self._forward(theta)
        moves = [own[0] for own in self._work.smooth(matrices)]
        sums = self._work.sums(self._returns, densities.student, densities.normals)
        return total, self._gradient(theta, moves, sums, self._work.law[0])

    def scores(self, theta: Array) -> Array:
        """The gradient's summands [parts, parameters] over some PARTS parts of the bars."""
        _, densities, matrices = self._forward(theta)
        work, every = self._work, -(-self.bars // PARTS)
        moves = work.smooth(matrices, every)
        sums = work.sums_by_part(self._returns, densities.student, densities.normals, every)
        first = np.zeros((len(sums[0]), work.law.shape[1]))
        first[0] = work.law[0]
        return self._gradient(theta, moves, sums, first)

    def _gradient(
        self, theta: Array, moves: list[Array], sums: tuple[Array, list[Array]], law: Array
    ) -> Array:
        """Of what the sums and moves of some bars say [..., parameters], parts first in all.

        law: of the state of the very first bar [..., states].
        """
        design, parts = self.design, law.shape[:-1]
        gradient = np.zeros((*parts, len(theta)))
        jumps = {jump: theta[place] for jump, place in design.jumping.items()}
        by_state, by_jump = design.returns.slopes(design.states(theta), jumps, sums)
        by_column = np.einsum("...ks,ksp->...p", by_state, design.matrix)
        gradient[..., : len(design.columns)] = by_column
        for jump, place in design.jumping.items():
            gradient[..., place] = by_jump[jump]
        first = law.reshape(*parts, *design.sizes)
        chains = range(-len(design.sizes), 0)
        for chain, own, place in zip(chains, moves, design.rates, strict=True):
            others = tuple(other for other in chains if other != chain)
            begun = first.sum(axis=others)
            gradient[..., place] = rate_slopes(theta[place], own.shape[-1], own, begun)
        return gradient

    def law(self, theta: Array) -> Array:
        """The law of every bar's state given all bars, [bars, states]."""
        self._work.smooth(self._forward(theta)[2])
        return self._work.law

    def information(self, theta: Array) -> Array:
        """About how much the bars say of every parameter: the information if states were seen.

        Of tails a tenth of a bar each, and two bars more for all, so that none is nothing.
        """
        design = self.design
        _, found, matrices = self._forward(theta)
        moves = [own[0] for own in self._work.smooth(matrices)]
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

    def _forward(self, theta: Array) -> tuple[float, Densities, list[Array]]:
        """Log-likelihood, the states' densities, every chain's transitions."""
        design = self.design
        matrices = [over_a_bar(design.generator(theta, k)) for k in range(len(design.sizes))]
        start = _together([stationary(matrix) for matrix in matrices])
        jumps = {jump: theta[place] for jump, place in design.jumping.items()}
        made = design.returns.of(design.states(theta), jumps)
        self._work.student(self._returns, made.student, made.normals)
        return self._work.likelihood(matrices, start), made, matrices


def _together(laws: list[Array]) -> Array:
    """The law of all chains' states at once, the last chain's changing quickest."""
    return reduce(lambda left, right: np.asarray(np.kron(left, right), np.float64), laws)


def rate_slopes(logs: Array, size: int, moves: Array, first: Array) -> Array:
    """Slope, by a chain's log rates, of the expected log-probability of its moves and first state.

    moves: expected [..., from, to]; first: the law of the first bar's state [..., size].
    """

    steps = STEP * np.eye(len(logs))
    matrices = over_a_bar(generator(logs + np.concatenate([steps, -steps]), size))
    starts = first @ np.log(stationary(matrices)).T
    values = np.einsum("...ij,kij->...k", moves, np.log(matrices)) + starts
    above, below = np.split(values, 2, axis=-1)
    return (above - below) / (2 * STEP)
