"""What a hidden Markov chain's likelihood is made of: plain loops, compiled from this very text.

State s of T bars: two returns, Student-t of unit variance scaled by the state's deviations. The
recursions are those of Baum, and of Hamilton (1989), scaled bar by bar; the gradient is Fisher's:
that of log f given all bars, averaged over the states that the bars leave possible. A row of
`emission` is over its greatest, so that a bar beyond every state underflows in none.

This file stands alone, so that it can be compiled apart: see `hidden.py`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

    Array = NDArray[float64]

PARAMETERS = 4
"""By which a state's density is told apart: log deviations of a and b, atanh rho, log(nu - 2)."""


def densities(returns: Array, spread: Array, emission: Array) -> None:
    """Fill emission [bars, states] with log densities.

    returns: [bars, 2]. spread: [states, 6]: 1/sd_a, 1/sd_b, rho, 1/(1 - rho^2), nu, constant.
    """
    for t in range(returns.shape[0]):
        for s in range(spread.shape[0]):
            a = returns[t, 0] * spread[s, 0]
            b = returns[t, 1] * spread[s, 1]
            distance = (a * a - 2.0 * spread[s, 2] * a * b + b * b) * spread[s, 3]
            nu = spread[s, 4]
            emission[t, s] = spread[s, 5] - 0.5 * (nu + 2.0) * math.log(1.0 + distance / (nu - 2.0))


def forward(emission: Array, matrix: Array, start: Array, filtered: Array, ahead: Array) -> float:
    """Log-likelihood of log densities [bars, states]; they become likelihoods over the bar's.

    matrix: transitions [states, states]; start: law at the first bar. Fills filtered
    [bars, states]. ahead: [states], room.
    """
    bars, states = emission.shape
    total = 0.0
    for s in range(states):
        ahead[s] = start[s]
    for t in range(bars):
        greatest = emission[t, 0]
        for s in range(1, states):
            greatest = max(greatest, emission[t, s])
        likelihood = 0.0
        for s in range(states):
            emission[t, s] = math.exp(emission[t, s] - greatest)
            filtered[t, s] = emission[t, s] * ahead[s]
            likelihood += filtered[t, s]
        for s in range(states):
            filtered[t, s] /= likelihood
            emission[t, s] /= likelihood
            ahead[s] = 0.0
        total += greatest + math.log(likelihood)
        for i in range(states):
            weight = filtered[t, i]
            for s in range(states):
                ahead[s] += weight * matrix[i, s]
    return total


def backward(
    emission: Array, transposed: Array, filtered: Array, counts: Array, later: Array
) -> None:
    """Turn `filtered` into the law of the state given all bars, and add up moves.

    emission: as `forward` leaves it; it is used up. counts [states, states] becomes, times the
    transitions, the expected numbers of moves. later: [states], room.
    """
    bars, states = emission.shape
    for s in range(states):
        later[s] = 1.0
    for t in range(bars - 1, -1, -1):
        if t < bars - 1:
            for s in range(states):
                later[s] = 0.0
            for j in range(states):
                weight = emission[t + 1, j]
                for s in range(states):
                    later[s] += transposed[j, s] * weight
            for i in range(states):
                weight = filtered[t, i]
                for s in range(states):
                    counts[i, s] += weight * emission[t + 1, s]
        for s in range(states):
            emission[t, s] *= later[s]
            filtered[t, s] *= later[s]


def slopes(returns: Array, spread: Array, law: Array, gradient: Array) -> None:
    """Add sums over bars of law times the slope of log f, into gradient [states, PARAMETERS].

    The slope by log(nu - 2) lacks what the constant gives: it is added outside, once a state.
    law: [bars, states].
    """
    for t in range(returns.shape[0]):
        for s in range(spread.shape[0]):
            weight = law[t, s]
            if weight < 1e-12:
                continue
            rho, inverse, nu = spread[s, 2], spread[s, 3], spread[s, 4]
            a = returns[t, 0] * spread[s, 0]
            b = returns[t, 1] * spread[s, 1]
            form = a * a - 2.0 * rho * a * b + b * b
            distance = form * inverse
            pull = (nu + 2.0) / (nu - 2.0 + distance)
            gradient[s, 0] += weight * (pull * inverse * a * (a - rho * b) - 1.0)
            gradient[s, 1] += weight * (pull * inverse * b * (b - rho * a) - 1.0)
            gradient[s, 2] += weight * (rho + pull * (a * b - rho * distance))
            gradient[s, 3] += weight * (
                0.5 * pull * distance - 0.5 * (nu - 2.0) * math.log(1.0 + distance / (nu - 2.0))
            )
