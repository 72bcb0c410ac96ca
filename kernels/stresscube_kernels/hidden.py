"""The likelihood of hidden Markov chains, compiled: `emissions.py` and `recursions.py` by numba.

The same functions uncompiled are `plain`; a test holds these to those.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import cache, emissions, recursions

Array = NDArray[np.float64]
FLAGS = '{"nnan", "nsz", "reassoc", "contract"}'
CHUNK = 256
"""Bars that are worked on at once where nothing depends on order, so that they stay in a cache."""


class Text(NamedTuple):
    """A file of functions. inner: those that only others of the file call, in the order in which
    they need each other; outer: those that are called from here."""

    module: ModuleType
    inner: tuple[str, ...]
    outer: tuple[str, ...]


TEXTS = (
    Text(
        emissions, (),
        ("distances", "lift", "lower", "polynomial", "student_sums", "normal_sums"),
    ),
    Text(
        recursions,
        (
            "two", "three", "first_four", "first_five", "four", "five", "turn", "turned",
            "met_by_two", "met_by_three", "met", "weighed", "copied",
            "passed", "between",
        ),
        ("along", "onward", "homeward"),
    ),
)  # fmt: skip


def plain() -> Any:
    """The functions as they are written, for comparison."""
    return SimpleNamespace(
        **{name: getattr(text.module, name) for text in TEXTS for name in text.outer}
    )


@lru_cache(maxsize=1)
def compiled() -> Any:
    """The functions, compiled once and kept."""
    made = [(_compiled(text), text.outer) for text in TEXTS]
    return SimpleNamespace(
        **{name: getattr(module, name) for module, names in made for name in names}
    )


def _compiled(text: Text) -> ModuleType:
    import llvmlite
    import numba

    lines = [
        # what Python does not call needs nothing to be called by it: a quarter of the time
        *(f"{name} = _njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **_how)({name})"
          for name in text.inner),
        *(f"{name} = _njit(cache=True, **_how)({name})" for name in text.outer),
    ]  # fmt: skip
    how = f"_how = {{'nogil': True, 'fastmath': {FLAGS}}}"
    written = Path(str(text.module.__file__)).read_text()
    source = "\n".join([written, "from numba import njit as _njit", how, *lines, ""])
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

    sizes: states of each chain. threads: at once, of which two are used for what depends on the
    bars' order.
    """

    def __init__(
        self, bars: int, sizes: tuple[int, ...], functions: Any = None, threads: int = 1
    ) -> None:
        count = math.prod(sizes)
        self.emission = np.full((bars, count), np.nan)
        self.law = np.full((bars, count), np.nan)
        self._greatest = np.full(bars, np.nan)
        self._middle = bars // 2
        self._sizes = np.array(sizes, np.int64)
        self._here, self._there = np.full((2, 2, len(sizes) + 1, count), np.nan)
        self._room = np.full((2, count), np.nan)
        self._functions = functions or compiled()
        self._threads = threads
        self._others = ThreadPoolExecutor(threads - 1) if threads > 1 else None
        self._parts = parts(bars, CHUNK)

    def likelihood(self, matrices: Sequence[Array], start: Array) -> float:
        """Log-likelihood of `emission`. matrices: each chain's transitions. start: law of the first
        bar's state.

        Of a bar in the first half, `law` is given the bars so far.
        """
        ahead, later = self._here[0], self._there[1]
        ahead[-1], later[-1] = start, 1.0
        first, second = self._halves()
        ways, ways_back = self._packed(matrices)

        def forward() -> float:
            emission, law = first
            return self._functions.along(emission, False, self._sizes, ways, law, ahead)

        def backward() -> float:
            emission, law = second
            return self._functions.along(emission, True, self._sizes, ways_back, law, later)

        both = sum(self._together(forward, backward))
        common = float((ahead[-1] * second[1][0]).sum())
        return float(both + np.log(common) + self._greatest.sum())

    def smooth(self, matrices: Sequence[Array], every: int | None = None) -> list[Array]:
        """After `likelihood`: `law` becomes that given all bars; each chain's moves.

        They are expected numbers [parts, from, to], a part for `every` bars, or one for all.
        """
        first, second = self._halves()
        self._here[1, 0], self._there[0, 0] = first[1][-1], self._there[1, -1]
        both = self._packed(matrices)
        every = every or len(self.law)
        moved = np.zeros((2, -(-len(self.law) // every), *both[0].shape))

        def through(work: Callable[..., None], half: tuple[Array, Array], k: int) -> None:
            emission, law = half
            work(
                emission, self._sizes, *both, law, self._here[k], self._there[k], moved[k],
                k * self._middle, every, self._room[k],
            )  # fmt: skip

        self._together(
            partial(through, self._functions.onward, second, 1),
            partial(through, self._functions.homeward, first, 0),
        )
        found = moved.sum(axis=0) * both[0]
        return [found[:, k, :size, :size] for k, size in enumerate(self._sizes)]

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

        self._each(fill, self._parts)

    def sums(
        self, returns: Array, student: Array, normals: Sequence[Normals] = ()
    ) -> tuple[Array, list[Array]]:
        """After `smooth`: by each row of the densities, what the law says of its slope.

        Of the Student-t [STUDENT, states], and of every normal [NORMAL, states].
        """
        by_student, by_normal = self._sums(returns, student, normals, self._parts)
        return by_student.sum(axis=0), [one.sum(axis=0) for one in by_normal]

    def sums_by_part(
        self, returns: Array, student: Array, normals: Sequence[Normals], every: int
    ) -> tuple[Array, list[Array]]:
        """The same of every part of so many bars, [parts, ...]."""
        return self._sums(returns, student, normals, parts(len(self.law), every))

    def _sums(
        self, returns: Array, student: Array, normals: Sequence[Normals], parts: Sequence[slice]
    ) -> tuple[Array, list[Array]]:
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

        found = self._each(add, parts)
        by_normal = [np.stack([one[1][k] for one in found]) for k in range(len(normals))]
        return np.stack([one[0] for one in found]), by_normal

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
        # of a state that cannot have made the bar both are 0
        ratio = law / np.maximum(total, 1e-300)
        for normal, one, into in zip(normals, parts, sums, strict=True):
            one *= normal.of(ratio)
            self._functions.normal_sums(bars, one, into)
        return own * ratio

    def _normal(self, returns: Array, normal: Normals, greatest: Array) -> Array:
        made = np.empty((len(returns), normal.rows.shape[1]))
        self._functions.polynomial(returns, normal.rows, greatest, made)
        return np.exp(made, out=made)

    def _halves(self) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Emission and law of the first and of the second half."""
        cut = self._middle
        return (self.emission[:cut], self.law[:cut]), (self.emission[cut:], self.law[cut:])

    def _packed(self, matrices: Sequence[Array]) -> tuple[Array, Array]:
        """The chains' transitions, and these transposed, as far as they go [chains, any, any]."""
        most = max(self._sizes)
        made = np.zeros((len(matrices), most, most))
        for own, matrix in zip(made, matrices, strict=True):
            own[: len(matrix), : len(matrix)] = matrix
        return made, np.ascontiguousarray(made.transpose(0, 2, 1))

    def _together(self, *works: Callable[[], Any]) -> list[Any]:
        """The works beside each other where there are threads, of which the caller's is one."""
        if self._others is None:
            return [work() for work in works]
        later = [self._others.submit(work) for work in works[1:]]
        return [works[0](), *(one.result() for one in later)]

    def _each(self, work: Callable[[slice], Any], parts: Sequence[slice]) -> list[Any]:
        """The work on every part of the bars, in their order; a row of parts for each thread."""
        size = -(-len(parts) // self._threads)
        rows = [parts[k : k + size] for k in range(0, len(parts), size)]

        def several(row: Sequence[slice]) -> list[Any]:
            return [work(part) for part in row]

        return [
            one for row in self._together(*(partial(several, row) for row in rows)) for one in row
        ]


def parts(bars: int, every: int) -> list[slice]:
    """The bars in parts of so many."""
    return [slice(low, high) for low, high in pairwise([*range(0, bars, every), bars])]
