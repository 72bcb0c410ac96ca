"""Whether two computations of the same block differ by rounding only.

Another processor or another version may round a last digit otherwise. That moves every number a
little, and now and then a comparison falls the other way, so that a path takes another turn. Both
are bounded here; a computation with other random numbers is far beyond both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

TURNS_PER_STEP = 0.002 / 240
"""Share of (policy, path) pairs that take another turn in float32, for each step: what the tests
grant a backend against the float64 oracle (tests/test_parity.py)."""
MOST_TURNS = 0.1
BEYOND = 0.001
"""Share of a block's estimates that may differ by more than their standard error. Of two
independent computations, which differ by the square root of two of them, 48 % do."""
COUNTS = ("liquidations",)
FROM_OTHERS = ("few_events",)
"""What only says whether another number is beyond a limit."""


@dataclass(frozen=True, slots=True)
class Gap:
    """How far two computations of one array are apart.

    beyond: numbers that differ by more than their tolerance, of `count`. largest: difference,
    in standard errors where there are any, else in tolerances.
    """

    name: str
    beyond: int
    count: int
    largest: float


def errors_of(name: str, arrays: dict[str, NDArray[Any]]) -> NDArray[np.float64] | float:
    """Return one standard error of each number of a summary array, 0 where none is known.

    arrays: the whole summary of a block, [cell, further dims].
    """
    base = name.removesuffix("_batch").removesuffix("_se")
    if base in COUNTS:
        return np.sqrt(np.maximum(np.nan_to_num(arrays[base]), 1.0))
    error = arrays.get(f"{base}_se")
    if error is None:
        return 0.0
    error = np.nan_to_num(error, nan=0.0, posinf=0.0)
    if name.endswith("_batch"):
        return error[..., None] * math.sqrt(arrays[name].shape[-1])
    return error


def rounding(steps: int, precision: str) -> float:
    """Return the most that rounding moves a path's number, over 1 + gross notional + its size.

    A step rounds equity and each book a few times, up and down alike, by half a unit in the last
    place: one whole unit a step bounds them (see tests/test_identity.py).
    """
    return steps * float(np.finfo(precision).eps)


def gap(
    name: str,
    there: NDArray[Any],
    here: NDArray[Any],
    gross: NDArray[np.float64],
    unit: float,
    error: NDArray[np.float64] | float = 0.0,
) -> Gap:
    """Compare two computations of one array, [cell, further dims].

    gross: notional over equity, [cell]. unit: from `rounding`. error: from `errors_of`.
    """
    if name in FROM_OTHERS:
        return Gap(name, 0, there.size, 0.0)
    a, b = there.astype(np.float64), here.astype(np.float64)
    notional = gross.reshape(gross.shape + (1,) * (a.ndim - gross.ndim))
    with np.errstate(invalid="ignore"):
        difference = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
        moved = unit * (1.0 + np.nan_to_num(notional) + np.fmax(np.abs(a), np.abs(b)))
    difference = np.where(np.isnan(difference), np.inf, difference)
    allowed = moved + error
    scale = np.where(np.asarray(error) > 0.0, error, allowed)
    within = difference <= np.where(np.isfinite(allowed), allowed, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        largest = np.max(np.where(difference > 0.0, difference / scale, 0.0), initial=0.0)
    return Gap(name, int((~within).sum()), a.size, float(largest))


def same(gaps: list[Gap], steps: int) -> bool:
    """Return whether the arrays of a block differ by rounding only.

    gaps: of all arrays, those of single paths named "paths/...".
    """
    paths = [it for it in gaps if it.name.startswith("paths/")]
    estimates = [it for it in gaps if not it.name.startswith("paths/")]
    turned = min(MOST_TURNS, TURNS_PER_STEP * steps)
    return _share(estimates) <= BEYOND and all(it.beyond <= turned * it.count for it in paths)


def _share(gaps: list[Gap]) -> float:
    return sum(it.beyond for it in gaps) / max(1, sum(it.count for it in gaps))
