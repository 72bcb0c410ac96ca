"""Log densities of bars under the states of a hidden Markov chain, compiled from this very text.

Log densities of a state are a constant less a power of log(1 + q(a, b)) for Student-t returns a and
b, and a polynomial of a and b for normal ones, of which a state may have several. The logarithms
and exponentials between the loops are numpy's.

This file stands alone, so that it can be compiled apart: see `hidden.py`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

    Array = NDArray[float64]

STUDENT = 5
"""Rows of a Student-t: q's coefficients of a^2, ab and b^2, the power, the constant."""
NORMAL = 6
"""Rows of a normal: coefficients of 1, a, b, a^2, ab and b^2."""


def distances(returns: Array, student: Array, out: Array) -> None:
    """Fill out [bars, states] with 1 + q(a, b). returns: [bars, 2]; student: [STUDENT, states]."""
    for t in range(returns.shape[0]):
        a, b = returns[t, 0], returns[t, 1]
        for s in range(out.shape[1]):
            out[t, s] = 1.0 + a * a * student[0, s] + a * b * student[1, s] + b * b * student[2, s]


def lift(student: Array, out: Array, greatest: Array) -> None:
    """Logs of distances become log densities over their bar's greatest, which is kept [bars]."""
    for t in range(out.shape[0]):
        most = -math.inf
        for s in range(out.shape[1]):
            out[t, s] = student[4, s] - student[3, s] * out[t, s]
            most = max(most, out[t, s])
        greatest[t] = most
        for s in range(out.shape[1]):
            out[t, s] -= most


def lower(student: Array, greatest: Array, out: Array) -> None:
    """Logs of distances become log densities less the greatest that were kept."""
    for t in range(out.shape[0]):
        for s in range(out.shape[1]):
            out[t, s] = student[4, s] - student[3, s] * out[t, s] - greatest[t]


def polynomial(returns: Array, normal: Array, greatest: Array, out: Array) -> None:
    """Fill out [bars, states] with a normal's log densities less `greatest`: [NORMAL, states].

    At most 600, as a bar that no Student-t can make may be ever so likely a jump.
    """
    for t in range(returns.shape[0]):
        a, b = returns[t, 0], returns[t, 1]
        for s in range(out.shape[1]):
            linear = normal[0, s] + normal[1, s] * a + normal[2, s] * b
            square = normal[3, s] * a * a + normal[4, s] * a * b + normal[5, s] * b * b
            out[t, s] = min(linear + square - greatest[t], 600.0)


def student_sums(returns: Array, apart: Array, logs: Array, weight: Array, sums: Array) -> None:
    """Add sums over bars of what log f's slopes are made of, into sums [STUDENT, states].

    They are by the rows of a Student-t, in their order. apart, logs: 1 + q and its log. weight:
    [bars, states].
    """
    for t in range(returns.shape[0]):
        a, b = returns[t, 0], returns[t, 1]
        for s in range(apart.shape[1]):
            share = weight[t, s] / apart[t, s]
            sums[0, s] += share * a * a
            sums[1, s] += share * a * b
            sums[2, s] += share * b * b
            sums[3, s] += weight[t, s] * logs[t, s]
            sums[4, s] += weight[t, s]


def normal_sums(returns: Array, weight: Array, sums: Array) -> None:
    """Add sums over bars of weight [bars, states] times a normal's rows, into [NORMAL, states]."""
    for t in range(returns.shape[0]):
        a, b = returns[t, 0], returns[t, 1]
        for s in range(weight.shape[1]):
            sums[0, s] += weight[t, s]
            sums[1, s] += weight[t, s] * a
            sums[2, s] += weight[t, s] * b
            sums[3, s] += weight[t, s] * a * a
            sums[4, s] += weight[t, s] * a * b
            sums[5, s] += weight[t, s] * b * b
