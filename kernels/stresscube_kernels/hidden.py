"""The likelihood of hidden Markov chains, compiled: `recursions.py` by numba.

The same functions uncompiled are in `recursions`; a test holds these to those.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import cache, recursions

Array = NDArray[np.float64]
FLAGS = '{"nnan", "nsz", "reassoc", "contract"}'
NAMES = ("densities", "forward", "backward", "slopes")


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
    """Arrays for bars and states, so that an optimiser's many calls allocate once."""

    def __init__(self, bars: int, states: int, functions: Any = None) -> None:
        self.emission = np.full((bars, states), np.nan)
        self.law = np.full((bars, states), np.nan)
        self._room = np.full(states, np.nan)
        self._functions = functions or compiled()

    def likelihood(self, matrix: Array, start: Array) -> float:
        """Log-likelihood of `emission`, log densities, which are used up; `law` is filtered."""
        return float(self._functions.forward(self.emission, matrix, start, self.law, self._room))

    def smooth(self, matrix: Array) -> Array:
        """After `likelihood`: `law` becomes that given all bars; expected moves [from, to]."""
        counts = np.zeros_like(matrix)
        transposed = np.ascontiguousarray(matrix.T)
        self._functions.backward(self.emission, transposed, self.law, counts, self._room)
        return counts * matrix

    def student(self, returns: Array, spread: Array) -> None:
        """Fill `emission` with log densities of bivariate Student-t returns."""
        self._functions.densities(returns, spread, self.emission)

    def student_slopes(self, returns: Array, spread: Array) -> Array:
        """After `smooth`: the gradient by the states' parameters [states, PARAMETERS]."""
        gradient = np.zeros((len(spread), recursions.PARAMETERS))
        self._functions.slopes(returns, spread, self.law, gradient)
        return gradient
