"""Plainer markets to be held against the same facts: one Gaussian, hidden Markov chains, blocks.

Each is fitted to returns [bars, 2] and asked for others like them. All hidden Markov chains here
are those of the textbook: a Gaussian with its own deviations and correlation in every state.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stresscube.calibrate.design import Design, Layer, stationary
from stresscube.calibrate.fit import Fit, fit
from stresscube.calibrate.likelihood import over_a_bar

Array = NDArray[np.float64]
Rival = Callable[[int, np.random.Generator], Array]
"""Makes so many bars of returns, [bars, 2]."""
BLOCK_HOURS = 168.0
STATES = (2, 3, 4)


def rivals(returns: Array, hours: float, threads: int = 1) -> dict[str, Rival]:
    """All of them, by name. hours: a bar's length."""
    made = {"one Gaussian": hidden(gaussian_chain(returns, 1, threads))}
    for states in STATES:
        made[f"Gaussian HMM, {states} states"] = hidden(gaussian_chain(returns, states, threads))
    return made | {"stationary bootstrap, 7 d": bootstrap(returns, BLOCK_HOURS / hours)}


def gaussian_chain(returns: Array, states: int, threads: int = 1) -> Fit:
    """A Gaussian hidden Markov chain, by maximum likelihood."""
    layers = (Layer("regime", states, 10.0, own=states), Layer("correlation", 1, 10.0))
    return fit(returns, Design(layers, tails=False), threads=threads)


def hidden(found: Fit) -> Rival:
    """Returns of a fitted design."""
    numbers = found.design.numbers(found.theta)
    chains = range(len(found.design.sizes))
    matrices = [over_a_bar(found.design.generator(found.theta, k)) for k in chains]

    def made(bars: int, rng: np.random.Generator) -> Array:
        state = np.zeros(bars, np.int64)
        for matrix in matrices:
            state = state * len(matrix) + chain(matrix, bars, rng)
        a, b, rho, nu = numbers[state].T
        z = rng.standard_normal((bars, 2))
        if found.design.tails:
            chi_squares: Array = np.asarray(rng.chisquare(nu), np.float64)
            z *= np.sqrt((nu - 2.0) / chi_squares)[:, None]
        return np.column_stack([a * z[:, 0], b * (rho * z[:, 0] + np.sqrt(1 - rho**2) * z[:, 1])])

    return made


def chain(matrix: Array, bars: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """States of a chain, the first from its stationary law."""
    law = stationary(matrix)
    edges = matrix.cumsum(axis=1)
    edges[:, -1] = 1.0
    rows: list[list[float]] = edges.tolist()
    at = int(rng.choice(len(law), p=law / law.sum()))
    made: list[int] = []
    for draw in rng.random(bars).tolist():
        made.append(at)
        row, at = rows[at], 0
        while row[at] < draw:
            at += 1
    return np.array(made)


def bootstrap(returns: Array, block: float) -> Rival:
    """Blocks of geometric length, wrapped around (Politis and Romano, 1994). block: mean bars."""

    def made(bars: int, rng: np.random.Generator) -> Array:
        fresh = rng.random(bars) < 1.0 / block
        fresh[0] = True
        starts = np.flatnonzero(fresh)
        first = rng.integers(0, len(returns), len(starts))
        length = np.diff(np.append(starts, bars))
        within = np.arange(bars) - np.repeat(starts, length)
        return returns[(np.repeat(first, length) + within) % len(returns)]

    return made
