"""The Pareto set of points in the plane."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def undominated(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Tell which points no other point beats: more of both is better; unknown ones never stand.

    A point is beaten by one that is at least as good in both and better in one.
    """
    stands = np.zeros(len(x), dtype=bool)
    known = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    highest, at = -np.inf, np.inf
    for place in known[np.lexsort((-y[known], -x[known]))]:
        if y[place] > highest or (y[place] == highest and x[place] == at):
            stands[place] = True
            highest, at = y[place], x[place]
    return stands
