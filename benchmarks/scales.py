"""Scales on which errors of a market's numbers are about normal."""

from __future__ import annotations

import math
from collections.abc import Callable

Scale = tuple[Callable[[float], float], Callable[[float], float]]
SCALES: dict[str, Scale] = {
    "mean": (lambda x: x, lambda x: 1.0),
    "positive": (math.log, lambda x: 1.0 / x),
    "dof": (lambda x: math.log(x - 2.0), lambda x: 1.0 / (x - 2.0)),
    "correlation": (math.atanh, lambda x: 1.0 / (1.0 - x * x)),
}
"""Of a kind of number: the scale, and its slope."""


def off(kind: str, truth: float, value: float, error: float) -> float:
    """How many standard errors a value is above the truth. error: of the value itself."""
    scale, slope = SCALES[kind]
    return (scale(value) - scale(truth)) / (slope(value) * error)
