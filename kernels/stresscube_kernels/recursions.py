"""What a hidden Markov chain's likelihood is made of: plain loops, compiled from this very text.

The recursions are those of Baum, and of Hamilton (1989), scaled bar by bar, from both ends at
once: forward over the first half of the bars beside backward over the second, then each through
the other's half. The gradient is Fisher's: that of log f given all bars, averaged over the states
that the bars leave possible. A state is one of two independent chains together: m + n
multiplications for each of m n states, where a chain of m n states would take m n. State i * n + c
is i of the left and c of the right chain; left: transitions [m, m], right: [n, n].

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


def by_left(matrix: Array, law: Array, out: Array) -> None:
    """out[j, c] = sum over i of matrix[i, j] law[i, c]; law, out: [m, n]."""
    m, n = law.shape
    for j in range(m):
        for c in range(n):
            out[j, c] = matrix[0, j] * law[0, c]
        for i in range(1, m):
            for c in range(n):
                out[j, c] += matrix[i, j] * law[i, c]


def by_right(matrix: Array, law: Array, out: Array) -> None:
    """out[i, d] = sum over c of law[i, c] matrix[c, d]; law, out: [m, n]."""
    m, n = law.shape
    for i in range(m):
        for d in range(n):
            out[i, d] = law[i, 0] * matrix[0, d]
        for c in range(1, n):
            weight = law[i, c]
            for d in range(n):
                out[i, d] += weight * matrix[c, d]


def met(first: Array, second: Array, share: float, moved: Array) -> None:
    """Add share times first second' to moved [m, m]; first, second: [m, n]."""
    m, n = first.shape
    for i in range(m):
        for j in range(m):
            total = 0.0
            for c in range(n):
                total += first[i, c] * second[j, c]
            moved[i, j] += share * total


def crossed(first: Array, second: Array, share: float, moved: Array) -> None:
    """Add share times first' second to moved [n, n]; first, second: [m, n]."""
    m, n = first.shape
    for j in range(m):
        for c in range(n):
            weight = share * first[j, c]
            for d in range(n):
                moved[c, d] += weight * second[j, d]


def weighed(density: Array, before: Array, out: Array) -> float:
    """Fill out with density times before over their sum, which is returned; all [m, n]."""
    m, n = density.shape
    total = 0.0
    for i in range(m):
        for c in range(n):
            out[i, c] = density[i, c] * before[i, c]
            total += out[i, c]
    share = 1.0 / total
    for i in range(m):
        for c in range(n):
            out[i, c] *= share
    return total


def forward(
    emission: Array, left: Array, right: Array, ahead: Array, law: Array, room: Array
) -> float:
    """Log-likelihood of densities [bars, m, n]; fills law, that of a state given the bars so far.

    ahead [m, n]: law at the first bar; becomes that at the bar after the last. room: [m, n].
    """
    total = 0.0
    for t in range(emission.shape[0]):
        total += math.log(weighed(emission[t], ahead, law[t]))
        by_left(left, law[t], room)
        by_right(right, room, ahead)
    return total


def backward(
    emission: Array, left: Array, right: Array, later: Array, law: Array, room: Array
) -> float:
    """Log of the scale of what the bars say of the state before them; fills law [bars, m, n].

    left, right: transposed. law: the likelihood of a bar's state by that bar and all after it,
    over its sum. later [m, n]: that of the bars after the last, becomes that of all bars by the
    state before the first.
    """
    total = 0.0
    for t in range(emission.shape[0] - 1, -1, -1):
        total += math.log(weighed(emission[t], later, law[t]))
        by_left(left, law[t], room)
        by_right(right, room, later)
    return total


def onward(
    emission: Array, left: Array, right: Array, here: Array, law: Array, moved_left: Array,
    moved_right: Array, rooms: Array,
) -> None:  # fmt: skip
    """Turn law, as `backward` leaves it, into that given all bars; add up moves.

    here [m, n]: law of the state before the first of these bars, given the bars until then; it is
    used up. moved_left [m, m], moved_right [n, n]: times the transitions they are the expected
    numbers of moves. rooms: [2, m, n].
    """
    bars, m, n = emission.shape
    room, ahead = rooms[0], rooms[1]
    for t in range(bars):
        by_right(right, here, room)
        by_left(left, room, ahead)
        common, likelihood = 0.0, 0.0
        for i in range(m):
            for c in range(n):
                common += ahead[i, c] * law[t, i, c]
                likelihood += ahead[i, c] * emission[t, i, c]
        met(room, law[t], 1.0 / common, moved_left)
        by_left(left, here, room)
        crossed(room, law[t], 1.0 / common, moved_right)
        for i in range(m):
            for c in range(n):
                law[t, i, c] *= ahead[i, c] / common
                here[i, c] = ahead[i, c] * emission[t, i, c] / likelihood


def homeward(
    emission: Array, left: Array, turned: Array, right: Array, later: Array, law: Array,
    moved_left: Array, moved_right: Array, rooms: Array,
) -> None:  # fmt: skip
    """Turn law, as `forward` leaves it, into that given all bars; add up moves as `onward` does.

    turned: left, transposed, as right is. later [m, n]: the likelihood of the bars after the last
    by its state; it is used up. rooms: [3, m, n].
    """
    bars, m, n = emission.shape
    room, there, moved = rooms[0], rooms[1], rooms[2]
    for t in range(bars - 1, -1, -1):
        if t < bars - 1:
            by_right(right, there, room)
            by_left(turned, room, later)
            common = 0.0
            for i in range(m):
                for c in range(n):
                    common += law[t, i, c] * later[i, c]
            met(law[t], room, 1.0 / common, moved_left)
            by_left(left, law[t], moved)
            crossed(moved, there, 1.0 / common, moved_right)
        common, likelihood = 0.0, 0.0
        for i in range(m):
            for c in range(n):
                there[i, c] = emission[t, i, c] * later[i, c]
                likelihood += there[i, c]
                common += law[t, i, c] * later[i, c]
        for i in range(m):
            for c in range(n):
                there[i, c] /= likelihood
                law[t, i, c] *= later[i, c] / common
