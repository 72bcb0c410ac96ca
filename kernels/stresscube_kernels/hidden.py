"""The likelihood of hidden Markov chains, compiled: `recursions.py` by numba.

The same functions uncompiled are in `recursions`; a test holds these to those.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import cache, recursions

Array = NDArray[np.float64]
FLAGS = '{"nnan", "nsz", "reassoc", "contract"}'
NAMES = (
    "distances", "lift", "lower", "polynomial", "student_sums", "normal_sums", "by_left",
    "by_right", "met", "crossed", "weighed", "forward", "backward", "onward", "homeward",
)  # fmt: skip
CHUNK = 256
"""Bars that are worked on at once where nothing depends on order, so that they stay in a cache."""


@lru_cache(maxsize=1)
def compiled() -> Any:
    """A module with the functions of `recursions`, compiled once and kept."""
    import llvmlite
    import numba

    text = Path(recursions.__file__).read_text()
    lines = [f"{name} = _njit(cache=True, nogil=True, fastmath={FLAGS})({name})" for name in NAMES]
    source = "\n".join([text, "from numba import njit as _njit", *lines, ""])
    name = "hidden_" + cache.digest(source, numba.__version__, llvmlite.__version__)
    with cache.locked(name) as place:
        path = place / "kernels.py"
        cache.write_once(path, source)
        return cache.load_module(path, f"stresscube_{name}")


class Normals(NamedTuple):
    """A normal part of the density of states first, first + 1, ... rows: [NORMAL, states]."""

    first: int
    rows: Array

    def of(self, table: Array) -> Array:
        """The columns of a table [bars, states] that are of these states."""
        return table[:, self.first : self.first + self.rows.shape[1]]


class Workspace:
    """Arrays for bars and states, so that an optimiser's many calls allocate once.

    states: of the left and of the right chain. threads: at once, of which two are used for what
    depends on the bars' order.
    """

    def __init__(
        self, bars: int, states: tuple[int, int], functions: Any = None, threads: int = 1
    ) -> None:
        count = states[0] * states[1]
        self.emission = np.full((bars, count), np.nan)
        self.law = np.full((bars, count), np.nan)
        self._greatest = np.full(bars, np.nan)
        self._middle = bars // 2
        self._states = states
        self._rooms = np.full((2, 4, *states), np.nan)
        self._functions = functions or compiled()
        self._threads = threads
        self._others = ThreadPoolExecutor(threads - 1) if threads > 1 else None
        edges = [*range(0, bars, CHUNK), bars]
        self._parts = [slice(low, high) for low, high in pairwise(edges)]

    def likelihood(self, left: Array, right: Array, start: Array) -> float:
        """Log-likelihood of `emission`. start: law of the first bar's state.

        Of a bar in the first half, `law` is given the bars so far.
        """
        ahead, later = self._rooms[:, 3]
        ahead[:] = start.reshape(self._states)
        later[:] = 1.0
        first, second = self._halves()
        transposed = np.ascontiguousarray(left.T), np.ascontiguousarray(right.T)

        def forward() -> float:
            emission, law = first
            return self._functions.forward(emission, left, right, ahead, law, self._rooms[0, 0])

        def backward() -> float:
            emission, law = second
            return self._functions.backward(emission, *transposed, later, law, self._rooms[1, 0])

        both = sum(self._together(forward, backward))
        common = float((ahead * second[1][0]).sum())
        return float(both + np.log(common) + self._greatest.sum())

    def smooth(self, left: Array, right: Array) -> tuple[Array, Array]:
        """After `likelihood`: `law` becomes that given all bars; expected moves [from, to]."""
        first, second = self._halves()
        later = self._rooms[1, 3]
        here = first[1][-1].copy()
        moved = [(np.zeros_like(left), np.zeros_like(right)) for _ in range(2)]
        transposed = np.ascontiguousarray(left.T), np.ascontiguousarray(right.T)

        def onward() -> None:
            self._functions.onward(
                second[0], left, right, here, second[1], *moved[0], self._rooms[0]
            )

        def homeward() -> None:
            self._functions.homeward(
                first[0], left, *transposed, later, first[1], *moved[1], self._rooms[1]
            )

        self._together(onward, homeward)
        return (moved[0][0] + moved[1][0]) * left, (moved[0][1] + moved[1][1]) * right

    def densities(self, logs: Array) -> None:
        """Fill `emission` from log densities [bars, states]."""
        np.max(logs, axis=1, out=self._greatest)
        np.exp(logs - self._greatest[:, None], out=self.emission)

    def student(self, returns: Array, student: Array, normals: Sequence[Normals] = ()) -> None:
        """Fill `emission` with densities of Student-t returns, and of normals besides."""

        def fill(part: slice) -> None:
            out, greatest = self.emission[part], self._greatest[part]
            self._functions.distances(returns[part], student, out)
            np.log(out, out=out)
            self._functions.lift(student, out, greatest)
            np.exp(out, out=out)
            for normal in normals:
                normal.of(out)[:] += self._normal(returns[part], normal, greatest)

        self._each(fill)

    def sums(
        self, returns: Array, student: Array, normals: Sequence[Normals] = ()
    ) -> tuple[Array, list[Array]]:
        """After `smooth`: by each row of the densities, what the law says of its slope.

        Of the Student-t [STUDENT, states], and of every normal [NORMAL, states].
        """

        def add(part: slice) -> tuple[Array, list[Array]]:
            bars, weight = returns[part], self.law[part]
            own = np.zeros_like(student), [np.zeros_like(normal.rows) for normal in normals]
            apart, logs = np.empty_like(weight), np.empty_like(weight)
            self._functions.distances(bars, student, apart)
            np.log(apart, out=logs)
            if normals:
                weight = self._shared(part, logs, student, bars, normals, own[1])
            self._functions.student_sums(bars, apart, logs, weight, own[0])
            return own

        found = self._each(add)
        by_student = np.sum([one[0] for one in found], axis=0)
        by_normal = [np.sum([one[1][k] for one in found], axis=0) for k in range(len(normals))]
        return by_student, by_normal

    def held(
        self, returns: Array, student: Array, normals: Sequence[Normals]
    ) -> tuple[float, tuple[Array, list[Array]]]:
        """What `student`, `expected` and `sums` say together, in one go; of some normals."""
        self._greatest[:] = 0.0
        sums = self.sums(returns, student, normals)
        return self.expected(), sums

    def expected(self) -> float:
        """The log of the densities, averaged over the law as it is."""
        logs = np.log(np.maximum(self.emission, 1e-300)) + self._greatest[:, None]
        return float((self.law * logs).sum())

    def _shared(
        self, part: slice, logs: Array, student: Array, bars: Array, normals: Sequence[Normals],
        sums: list[Array],
    ) -> Array:  # fmt: skip
        """The law's share of the Student-t; those of the normals go into sums.

        `emission` is what it was, or is filled where it was not.
        """
        greatest, law = self._greatest[part], self.law[part]
        own = logs.copy()
        self._functions.lower(student, greatest, own)
        np.exp(own, out=own)
        parts = [self._normal(bars, normal, greatest) for normal in normals]
        total = self.emission[part]
        np.copyto(total, own)
        for normal, one in zip(normals, parts, strict=True):
            normal.of(total)[:] += one
        ratio = law / total
        for normal, one, into in zip(normals, parts, sums, strict=True):
            one *= normal.of(ratio)
            self._functions.normal_sums(bars, one, into)
        return own * ratio

    def _normal(self, returns: Array, normal: Normals, greatest: Array) -> Array:
        made = np.empty((len(returns), normal.rows.shape[1]))
        self._functions.polynomial(returns, normal.rows, greatest, made)
        return np.exp(made, out=made)

    def _halves(self) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Emission and law [bars, m, n] of the first and of the second half."""
        shape = (len(self.law), *self._states)
        emission, law = self.emission.reshape(shape), self.law.reshape(shape)
        cut = self._middle
        return (emission[:cut], law[:cut]), (emission[cut:], law[cut:])

    def _together(self, *works: Callable[[], Any]) -> list[Any]:
        """The works beside each other where there are threads, of which the caller's is one."""
        if self._others is None:
            return [work() for work in works]
        later = [self._others.submit(work) for work in works[1:]]
        return [works[0](), *(one.result() for one in later)]

    def _each(self, work: Callable[[slice], Any]) -> list[Any]:
        """The work on every chunk of the bars, in their order; a row of chunks for each thread."""
        size = -(-len(self._parts) // self._threads)
        rows = [self._parts[k : k + size] for k in range(0, len(self._parts), size)]

        def several(row: list[slice]) -> list[Any]:
            return [work(part) for part in row]

        return [
            one for row in self._together(*(partial(several, row) for row in rows)) for one in row
        ]
