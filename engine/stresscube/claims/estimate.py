"""A figure with its standard error, and arithmetic of figures that came from the same paths."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stresscube.policies import Floats


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value, its standard error, and the value again without each batch of paths in turn.

    parts: [batch], NaN where a batch is unknown; empty where the cube has no batch means. What
    is made of several estimates has the jackknife error over batches (Efron 1982): paths of one
    number are in one batch in every cell, so differences and ratios come out paired.
    """

    value: float
    error: float
    parts: Floats

    def __add__(self, other: Estimate | float) -> Estimate:
        return combine(operator.add, self, other)

    def __sub__(self, other: Estimate | float) -> Estimate:
        return combine(operator.sub, self, other)

    def __mul__(self, other: Estimate | float) -> Estimate:
        return combine(operator.mul, self, other)

    def __truediv__(self, other: Estimate | float) -> Estimate:
        return combine(_ratio, self, other)

    def __abs__(self) -> Estimate:
        return combine(np.abs, self)


def from_batches(value: float, error: float, batches: Floats) -> Estimate:
    """Return an estimate of one cell from its batch means, [batch]."""
    known = np.isfinite(batches)
    number = int(known.sum())
    if number < 2:
        return Estimate(value, error, np.empty(0))
    return Estimate(value, error, value + (value - batches) / (number - 1))


def exact(value: float) -> Estimate:
    """Return a number without error."""
    return Estimate(value, 0.0, np.empty(0))


def combine(function: Callable[..., Any], *parts: Estimate | float) -> Estimate:
    """Return a smooth function of estimates, with its error.

    Where all know their batches the error is the jackknife's over them. Where some do not, or
    where no batch differs from another (an event that was never seen), the errors of the single
    estimates take its place, propagated as if these were independent.
    """
    known = [it if isinstance(it, Estimate) else exact(it) for it in parts]
    value = float(function(*(np.float64(it.value) for it in known)))
    sizes = {it.parts.size for it in known if it.error or it.parts.size}
    left_out = np.empty(0)
    error = 0.0
    if len(sizes) == 1 and 0 not in sizes:
        left_out = function(*(it.parts if it.parts.size else it.value for it in known))
        error = jackknife_error(left_out)
    if not error > 0.0:
        error = _propagated(function, known, value)
    return Estimate(value, error, left_out)


def jackknife_error(left_out: Floats) -> float:
    """Return the standard error from values without each batch in turn; NaN with fewer than two."""
    known = left_out[np.isfinite(left_out)]
    if known.size < 2:
        return float("nan")
    return float(np.sqrt((known.size - 1) / known.size * np.sum((known - known.mean()) ** 2)))


def _propagated(function: Callable[..., Any], known: list[Estimate], value: float) -> float:
    """Return the root of the sum of squares of what each part's error alone moves."""
    moves: list[float] = []
    for place, part in enumerate(known):
        values = [np.float64(it.value) for it in known]
        values[place] += part.error
        moves.append(float(function(*values)) - value)
    return float(np.sqrt(np.sum(np.square(moves))))


def _ratio(first: Any, second: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(first, second)
