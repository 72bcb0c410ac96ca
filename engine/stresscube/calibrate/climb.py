"""Climbing a log-likelihood within limits: roughly from anywhere, and to the top from near by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Array = NDArray[np.float64]
Slope = Callable[[Array], tuple[float, Array]]
"""A log-likelihood and its gradient."""
ROUGH = 0.5
"""Gain in log-likelihood over some iterations that ends a climb which is only compared."""
ENOUGH = 1e-3
"""The same over LASTING iterations of one that is kept: half a squared standard error is what a
log-likelihood loses."""
LASTING = 5
"""A single iteration may gain next to nothing half way up, the first one in new units above all.
Where one small gain ended the climb, a fifth regime of five years was given up 170 units short."""
REMEMBERED = 100
"""Steps whose curvature L-BFGS keeps: more than there are parameters."""
LEAP = 1.0
"""By which a parameter moves at most in a step: they are logarithms and the like."""
CURVED = 0.1
"""Share of the curvature that was expected, below which a step's own is damped (Powell 1978)."""
RISE = 1e-4
"""Share of a slope's promise that a step has to keep (Armijo)."""
SHORTER = 0.3
"""What a step that does not keep it is shortened to."""
SHORTEST = 1e-8


class Climb(NamedTuple):
    """Where a climb ended, the log-likelihood there, and whether no more was to be gained."""

    at: Array
    value: float
    converged: bool


class _Gains:
    """The values on the way up, and whether the last of them gained enough."""

    def __init__(self, enough: float, lasting: int = LASTING) -> None:
        self._enough, self._lasting = enough, lasting
        self._values: list[float] = []

    def over(self, value: float) -> bool:
        self._values.append(value)
        if len(self._values) <= self._lasting:
            return False
        return value - self._values[-1 - self._lasting] < self._enough


def climbed(
    slope: Slope, begin: Array, unit: Array, limits: list[tuple[float, float]], *, enough: float,
    most: int, lasting: int = LASTING,
) -> Climb:  # fmt: skip
    """By scipy's L-BFGS-B, in units, until `lasting` iterations gain too little."""

    def loss(scaled: Array) -> tuple[float, Array]:
        value, gradient = slope(scaled * unit)
        return -value, -gradient * unit

    gains = _Gains(enough, lasting)

    def told(intermediate_result: Any) -> None:
        if gains.over(-float(intermediate_result.fun)):
            raise StopIteration

    found: Any = minimize(
        loss, begin / unit, jac=True, method="L-BFGS-B", callback=told,
        bounds=[(low / u, high / u) for (low, high), u in zip(limits, unit, strict=True)],
        options={"maxiter": most, "maxcor": REMEMBERED, "ftol": 0.0, "gtol": 1e-6},
    )  # fmt: skip
    return Climb(np.asarray(found.x) * unit, -float(found.fun), found.nit < most)


def topped(
    slope: Slope, begin: Array, information: Array, limits: list[tuple[float, float]], *,
    enough: float, most: int, worth: float = 0.0,
) -> Climb:  # fmt: skip
    """From near the top, by Newton steps between the limits, `information` the curvature at first.

    worth: a step that promises less is not tried. Every step corrects the curvature (BFGS, damped
    as by Powell 1978, https://doi.org/10.1007/BFb0067703). Parameters at a limit that the slope
    pushes against stay there, the others move as if those were known (Bertsekas 1982,
    https://doi.org/10.1137/0320018).
    """
    low, high = np.transpose(limits)
    at, curvature = np.clip(begin, low, high), information
    value, gradient = slope(at)
    gains = _Gains(enough)
    gains.over(value)
    for _ in range(most):
        free = ~(((at <= low) & (gradient < 0.0)) | ((at >= high) & (gradient > 0.0)))
        way = np.zeros_like(at)
        way[free] = np.linalg.solve(curvature[np.ix_(free, free)], gradient[free])
        promised = float(gradient @ way) / 2.0
        if promised < worth:
            return Climb(at, value, True)
        way *= LEAP / max(LEAP, float(np.abs(way).max(initial=0.0)))
        share = 1.0
        while True:
            to = np.clip(at + share * way, low, high)
            there, slopes = slope(to)
            risen = there >= value + RISE * float(gradient @ (to - at))
            if risen and np.isfinite(slopes).all():
                break
            share *= SHORTER
            if share < SHORTEST:
                return Climb(at, value, promised < enough)
        curvature = bent(curvature, to - at, gradient - slopes)
        at, value, gradient = to, there, slopes
        if gains.over(value):
            return Climb(at, value, True)
    return Climb(at, value, False)


def bent(curvature: Array, step: Array, fallen: Array) -> Array:
    """The curvature after a step over which the slope fell so far."""
    expected = curvature @ step
    whole, own = float(step @ expected), float(step @ fallen)
    if whole <= 0.0:
        return curvature
    if own < CURVED * whole:
        share = (1.0 - CURVED) * whole / (whole - own)
        fallen = share * fallen + (1.0 - share) * expected
        own = float(step @ fallen)
    return curvature - np.outer(expected, expected) / whole + np.outer(fallen, fallen) / own
