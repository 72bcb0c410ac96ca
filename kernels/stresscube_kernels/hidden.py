"""The likelihood of hidden Markov chains, compiled: `recursions.py` by numba.

The same functions uncompiled are in `recursions`; a test holds these to those.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import cache, recursions

Array = NDArray[np.float64]
FLAGS = '{"nnan", "nsz", "reassoc", "contract"}'
NAMES = ("densities", "lift", "forward", "backward", "slopes")


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


class Workspace:
    """Arrays for bars and states, so that an optimiser's many calls allocate once.

    states: of the left and of the right chain. threads: for what is done bar by bar.
    """

    def __init__(
        self, bars: int, states: tuple[int, int], functions: Any = None, threads: int = 1
    ) -> None:
        count = states[0] * states[1]
        self.emission = np.full((bars, count), np.nan)
        self.law = np.full((bars, count), np.nan)
        self._greatest = np.full(bars, np.nan)
        self._rooms = np.full((2, count), np.nan)
        self._functions = functions or compiled()
        edges = np.linspace(0, bars, threads + 1).astype(int)
        self._parts = [slice(low, high) for low, high in pairwise(edges)]

    def likelihood(self, left: Array, right: Array, start: Array) -> float:
        """Log-likelihood of `emission`, log densities, which are used up; `law` is filtered."""
        functions = self._functions
        self._each(lambda part: functions.lift(self.emission[part], self._greatest[part]))
        total = functions.forward(self.emission, left, right, start, self.law, *self._rooms)
        return float(total + self._greatest.sum())

    def smooth(self, left: Array, right: Array) -> tuple[Array, Array]:
        """After `likelihood`: `law` becomes that given all bars; expected moves [from, to]."""
        moved = np.zeros_like(left), np.zeros_like(right)
        transposed = np.ascontiguousarray(right.T)
        self._functions.backward(self.emission, left, transposed, self.law, *moved, *self._rooms)
        return moved[0] * left, moved[1] * right

    def student(self, returns: Array, spread: Array) -> None:
        """Fill `emission` with log densities of bivariate Student-t returns."""
        densities = self._functions.densities
        self._each(lambda part: densities(returns[part], spread, self.emission[part]))

    def student_slopes(self, returns: Array, spread: Array) -> Array:
        """After `smooth`: the gradient by the states' parameters [states, PARAMETERS]."""

        def slopes(part: slice) -> Array:
            gradient = np.zeros((len(spread), recursions.PARAMETERS))
            self._functions.slopes(returns[part], spread, self.law[part], gradient)
            return gradient

        return np.sum(self._each(slopes), axis=0)

    def _each(self, work: Callable[[slice], Any]) -> list[Any]:
        """The work on all bars, a part a thread."""
        if len(self._parts) == 1:
            return [work(self._parts[0])]
        with ThreadPoolExecutor(len(self._parts)) as pool:
            return list(pool.map(work, self._parts))
