"""What a hidden Markov chain's likelihood is made of: plain loops, compiled from this very text.

The recursions are those of Baum, and of Hamilton (1989), scaled bar by bar, from both ends at
once: forward over the first half of the bars beside backward over the second, then each through
the other's half. The gradient is Fisher's: that of log f given all bars, averaged over the states
that the bars leave possible. Densities are those of `emissions.py`.

A state is one of several independent chains together, the last chain's changing quickest. Chains
move one after another: as many multiplications a state as all chains have states in sum, where
one chain of all joint states would take their product. A chain that moves goes from the first
place of a state's number to the last, so that every chain finds itself in front when its turn
comes, its states' blocks one after another in memory; after the last turn all stand as before
(Fernandes, Plateau and Stewart 1998, https://doi.org/10.1145/278298.278303, for the products;
Davio 1981, https://doi.org/10.1109/TC.1981.6312174, for the shuffle).

This file stands alone, so that it can be compiled apart: see `hidden.py`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy import float64, int64
    from numpy.typing import NDArray

    Array = NDArray[float64]
    Square = tuple[tuple[float, ...], ...] | Array


def turned(matrix: Array, size: int, law: Array, out: Array, back: bool) -> None:
    """A chain of `size` states moves: out[r, j] = sum over i of matrix[i, j] law[i, r].

    back: to its old place, out[j, r] = sum over i of matrix[i, j] law[r, i]. law, out: all states,
    in a row. matrix: [size, size], or larger.
    """
    if size == 2:
        turn(two(matrix), law, out, back)
    elif size == 3:
        turn(three(matrix), law, out, back)
    elif size == 4:
        turn(four(matrix), law, out, back)
    elif size == 5:
        turn(five(matrix), law, out, back)
    else:
        turn(matrix[:size, :size], law, out, back)


def turn(rows: Square, law: Array, out: Array, back: bool) -> None:
    """What `turned` does. Tuples say how many rows there are to the compiler, which unrolls the
    short loops and has several r at once: a quarter of the time of loops of unknown length.
    """
    size = len(rows)
    rest = law.shape[0] // size
    if back:
        for r in range(rest):
            for j in range(size):
                total = 0.0
                for i in range(size):
                    total += rows[i][j] * law[r * size + i]
                out[j * rest + r] = total
    else:
        for r in range(rest):
            for j in range(size):
                total = 0.0
                for i in range(size):
                    total += rows[i][j] * law[i * rest + r]
                out[r * size + j] = total


def two(m: Array) -> Square:
    """The first two rows and columns."""
    return (m[0, 0], m[0, 1]), (m[1, 0], m[1, 1])


def three(m: Array) -> Square:
    """The first three."""
    return (m[0, 0], m[0, 1], m[0, 2]), (m[1, 0], m[1, 1], m[1, 2]), (m[2, 0], m[2, 1], m[2, 2])


def first_four(row: Array) -> tuple[float, ...]:
    """Numbers of a row."""
    return row[0], row[1], row[2], row[3]


def first_five(row: Array) -> tuple[float, ...]:
    """Numbers of a row."""
    return row[0], row[1], row[2], row[3], row[4]


def four(m: Array) -> Square:
    """The first four rows and columns."""
    return first_four(m[0]), first_four(m[1]), first_four(m[2]), first_four(m[3])


def five(m: Array) -> Square:
    """The first five."""
    return (
        first_five(m[0]), first_five(m[1]), first_five(m[2]), first_five(m[3]), first_five(m[4])
    )  # fmt: skip


def met(size: int, here: Array, there: Array, moved: Array, room: Array) -> None:
    """Add sum over r of here[i, r] there[r, j] to moved[i, j]: what a chain moved in one bar."""
    if size == 2:
        met_by_two(here, there, moved)
    elif size == 3:
        met_by_three(here, there, moved)
    else:
        rest = here.shape[0] // size
        for r in range(rest):
            for j in range(size):
                room[j * rest + r] = there[r * size + j]
        for i in range(size):
            for j in range(size):
                total = 0.0
                for r in range(rest):
                    total += here[i * rest + r] * room[j * rest + r]
                moved[i, j] += total


def met_by_two(here: Array, there: Array, moved: Array) -> None:
    """`met` of two states, in one loop."""
    rest = here.shape[0] // 2
    a = b = c = d = 0.0
    for r in range(rest):
        x, y, u, v = here[r], here[rest + r], there[2 * r], there[2 * r + 1]
        a += x * u
        b += x * v
        c += y * u
        d += y * v
    moved[0, 0] += a
    moved[0, 1] += b
    moved[1, 0] += c
    moved[1, 1] += d


def met_by_three(here: Array, there: Array, moved: Array) -> None:
    """`met` of three states, in one loop."""
    rest = here.shape[0] // 3
    a = b = c = d = e = f = g = h = k = 0.0
    for r in range(rest):
        x, y, z = here[r], here[rest + r], here[2 * rest + r]
        u, v, w = there[3 * r], there[3 * r + 1], there[3 * r + 2]
        a += x * u
        b += x * v
        c += x * w
        d += y * u
        e += y * v
        f += y * w
        g += z * u
        h += z * v
        k += z * w
    moved[0, 0] += a
    moved[0, 1] += b
    moved[0, 2] += c
    moved[1, 0] += d
    moved[1, 1] += e
    moved[1, 2] += f
    moved[2, 0] += g
    moved[2, 1] += h
    moved[2, 2] += k


def weighed(density: Array, before: Array, out: Array) -> float:
    """Fill out with density times before over their sum, which is returned; all [states]."""
    total = 0.0
    for s in range(density.shape[0]):
        out[s] = density[s] * before[s]
        total += out[s]
    share = 1.0 / total
    for s in range(density.shape[0]):
        out[s] *= share
    return total


def copied(law: Array, out: Array) -> None:
    """As out[:] = law, which takes seconds to compile for the sentence of its error."""
    for s in range(law.shape[0]):
        out[s] = law[s]


def passed(sizes: NDArray[int64], matrices: Array, ways: Array) -> None:
    """Every chain moves: ways [chains + 1, states] from its first row, given, to its last."""
    for k in range(sizes.shape[0]):
        turned(matrices[k], sizes[k], ways[k], ways[k + 1], False)


def along(
    emission: Array, back: bool, sizes: NDArray[int64], matrices: Array, law: Array, ways: Array
) -> float:
    """Log-likelihood of densities [bars, states]; fills law, that of a state given the bars so far.

    sizes: of the chains. matrices [chains, any, any]: their transitions. ways [chains + 1, states]:
    the last row is the law at the first bar, and becomes that at the bar after the last.

    back: from the last bar to the first. With transposed transitions law then becomes the
    likelihood of a bar's state by that bar and all after it, over its sum, and the last of ways,
    that of the bars after the last, that of all bars by the state before the first.
    """
    total = 0.0
    for k in range(emission.shape[0]):
        t = emission.shape[0] - 1 - k if back else k
        total += math.log(weighed(emission[t], ways[-1], ways[0]))
        copied(ways[0], law[t])
        passed(sizes, matrices, ways)
    return total


def between(
    sizes: NDArray[int64], matrices: Array, turned_over: Array, here: Array, there: Array,
    moved: Array, room: Array,
) -> None:  # fmt: skip
    """Add what every chain moved from one bar to the next to moved [chains, any, any].

    Times the transitions it is the expected number of moves. here [chains + 1, states]: its first
    row is the law before; the others are filled, the last with the law after. there: as many, its
    last row the likelihood after, up to a factor: over its average now, and filled back to the
    likelihood before. turned_over: matrices, transposed. room: [states].
    """
    last = sizes.shape[0]
    passed(sizes, matrices, here)
    common = 0.0
    for s in range(here.shape[1]):
        common += here[last, s] * there[last, s]
    share = 1.0 / common
    for s in range(here.shape[1]):
        there[last, s] *= share
    for k in range(last - 1, -1, -1):
        met(sizes[k], here[k], there[k + 1], moved[k], room)
        turned(turned_over[k], sizes[k], there[k + 1], there[k], True)


def onward(
    emission: Array, sizes: NDArray[int64], matrices: Array, turned_over: Array, law: Array,
    here: Array, there: Array, moved: Array, first: int, every: int, room: Array,
) -> None:  # fmt: skip
    """Turn law, as `along` leaves it on its way back, into that given all bars; add up moves.

    here: its first row is the law of the state before the first of these bars, given the bars until
    then; it is used up. there, turned_over: see `between`. moved: [parts, chains, any, any], a part
    for `every` bars, of which `first` are before these.
    """
    last = sizes.shape[0]
    for t in range(emission.shape[0]):
        copied(law[t], there[last])
        part = moved[(first + t) // every]
        between(sizes, matrices, turned_over, here, there, part, room)
        for s in range(law.shape[1]):
            law[t, s] = here[last, s] * there[last, s]
        weighed(emission[t], here[last], here[0])


def homeward(
    emission: Array, sizes: NDArray[int64], matrices: Array, turned_over: Array, law: Array,
    here: Array, there: Array, moved: Array, first: int, every: int, room: Array,
) -> None:  # fmt: skip
    """Turn law, as `along` leaves it, into that given all bars; add up moves as `onward` does.

    there: its first row is the likelihood of the bars after the last by the last's state; it is
    used up.
    """
    last = sizes.shape[0]
    for t in range(emission.shape[0] - 1, -1, -1):
        copied(law[t], here[0])
        if t < emission.shape[0] - 1:
            part = moved[(first + t) // every]
            between(sizes, matrices, turned_over, here, there, part, room)
        weighed(here[0], there[0], law[t])
        weighed(emission[t], there[0], there[last])
