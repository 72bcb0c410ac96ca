"""The box that policies are looked for in: a range of each number, as coordinates from 0 to 1."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stresscube.errors import StresscubeError
from stresscube.gradients.parameters import Parameter, parameter
from stresscube.scenario import Scenario
from stresscube.scenario.expand import axes, policy_spec
from stresscube.text import label, listing

Array = NDArray[np.float64]
WIDE = 3.0
"""Ranges whose ends are further apart than this ratio are looked through by their logarithm."""


@dataclass(frozen=True, slots=True)
class Range:
    """One number of a policy. log: whether its coordinate is that of its logarithm.

    besides: values outside the range that the sweep names as well, as `inf` for never.
    """

    key: str
    low: float
    high: float
    log: bool
    besides: tuple[float, ...] = ()

    def value(self, place: float) -> float:
        """The number at a coordinate; the ends are exact."""
        if place <= 0.0 or place >= 1.0:
            return self.low if place <= 0.0 else self.high
        if self.log:
            return self.low * (self.high / self.low) ** place
        return self.low + (self.high - self.low) * place

    def place(self, value: float) -> float:
        """The coordinate of a number, that of the nearer end where it is outside."""
        inside = min(max(value, self.low), self.high)
        if self.log:
            return math.log(inside / self.low) / math.log(self.high / self.low)
        return (inside - self.low) / (self.high - self.low)

    def slope(self, place: float) -> float:
        """The number's derivative by the coordinate."""
        if self.log:
            return self.value(place) * math.log(self.high / self.low)
        return self.high - self.low

    def values(self, places: Sequence[float]) -> list[float]:
        """Numbers at coordinates, each once, to four digits, and what stands besides the range."""
        inside = {self._short(self.value(float(it))) for it in places}
        return [*sorted(inside), *self.besides]

    def _short(self, value: float) -> float:
        if value in (self.low, self.high):
            return value
        return min(max(float(f"{value:.4g}"), self.low), self.high)

    def even(self, count: int) -> list[float]:
        """So many numbers over the range, what stands besides it among them."""
        return self.values(np.linspace(0.0, 1.0, count - len(self.besides)).tolist())

    def __str__(self) -> str:
        more = "".join(f" or {label(it)}" for it in self.besides)
        return f"{self.key} = {label(self.low)}:{label(self.high)}{more}"


@dataclass(frozen=True, slots=True)
class Box:
    """Ranges of several numbers; arrays of places are [policy, range]."""

    ranges: tuple[Range, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """What is looked for."""
        return tuple(it.key for it in self.ranges)

    def policies(self, places: Array) -> list[dict[str, float]]:
        """Policies at coordinates."""
        return [
            {it.key: it.value(float(x)) for it, x in zip(self.ranges, row, strict=True)}
            for row in places
        ]

    def places(self, policy: Mapping[str, float]) -> Array:
        """Coordinates of a policy, [range]."""
        return np.array([it.place(policy[it.key]) for it in self.ranges])

    def slopes(self, places: Array) -> Array:
        """Derivatives of numbers by coordinates, [range, policy]."""
        each = zip(self.ranges, places.T, strict=True)
        return np.array([[it.slope(float(x)) for x in column] for it, column in each])


def box_of(scenario: Scenario, over: Sequence[str] = ()) -> Box:
    """The box of a scenario: `leverage=2:20` texts, or the ends of its swept policy numbers.

    Numbers that the sweep names and that are infinite stand besides their range. Leverage ends at
    the cap of the policy's venues, beyond which it does nothing. Raises StresscubeError, every
    fault in a line of its own.
    """
    faults: list[str] = []
    found: dict[str, Range] = {}
    for text in over:
        try:
            it = _asked(scenario, text)
            if it.key in found:
                raise StresscubeError(f"--over {text}: {it.key} has a range already")
            found[it.key] = it
        except StresscubeError as fault:
            faults.append(str(fault))
    if not over:
        found = {it.key: it for it in (_swept(scenario, key) for key in _keys(scenario)) if it}
    if faults:
        raise StresscubeError("\n".join(faults))
    if not found:
        raise StresscubeError(
            f"{scenario.source}: [sweep] has no policy number with two finite values, so there is "
            "nothing to look for: give ranges, as in --over leverage=2:20"
        )
    return Box(tuple(_capped(scenario, it) for it in found.values()))


def _keys(scenario: Scenario) -> list[str]:
    return [axis.key for axis in axes(scenario) if axis.kind == "policy"]


def _swept(scenario: Scenario, key: str) -> Range | None:
    """The range of an axis, or None where it is not one of numbers."""
    try:
        it = parameter(scenario, key)
    except StresscubeError:
        return None
    numbers = [float(v) for v in scenario.sweep[key] if not isinstance(v, str)]
    finite = [v for v in numbers if math.isfinite(v)]
    if it.whole or it.place != "policy" or len(set(finite)) < 2:
        return None
    besides = tuple(sorted({v for v in numbers if not math.isfinite(v)}))
    return _range(it.key, min(finite), max(finite), besides)


def _asked(scenario: Scenario, text: str) -> Range:
    parts = re.fullmatch(r"\s*([^=\s]+)\s*=\s*([^:]+):([^:]+)", text)
    if parts is None:
        raise StresscubeError(f"--over {text}: expected KEY=LOW:HIGH, as in --over leverage=2:20")
    key, *ends = parts.groups()
    try:
        it = parameter(scenario, key)
    except StresscubeError as fault:
        raise StresscubeError(f"--over {str(fault).removeprefix('by ')}") from None
    if it.place != "policy":
        raise StresscubeError(f"--over {key}: is no number of the policy, so no policy can choose")
    if it.whole:
        raise StresscubeError(f"--over {key}: counts whole steps; sweep it instead")
    try:
        low, high = (float(end) for end in ends)
    except ValueError:
        raise StresscubeError(f"--over {text}: LOW and HIGH must be numbers") from None
    if not low < high < math.inf:
        raise StresscubeError(f"--over {text}: LOW must be below HIGH, both finite")
    _allowed(it, low, high, text)
    return _range(it.key, low, high, ())


def _allowed(it: Parameter, low: float, high: float, text: str) -> None:
    if low < it.low or high > it.high or (it.key == "leverage" and low <= 0.0):
        sign = ">" if it.key == "leverage" else "at least"
        allowed = f"{sign} {label(it.low)} and at most {label(it.high)}"
        raise StresscubeError(f"--over {text}: {it.key} must be {allowed}")


def _range(key: str, low: float, high: float, besides: tuple[float, ...]) -> Range:
    return Range(key, low, high, low > 0.0 and high / low > WIDE, besides)


def _capped(scenario: Scenario, it: Range) -> Range:
    if it.key != "leverage":
        return it
    venues = policy_spec(scenario, {}).venues
    cap = min(float(venue.max_leverage) for venue in venues)
    if it.low >= cap:
        names = listing(venue.name for venue in venues)
        raise StresscubeError(
            f"leverage = {label(it.low)}:{label(it.high)}: venue {names} allows {label(cap)}; "
            "give a range that begins below, as in --over leverage=1:" + label(cap)
        )
    return _range(it.key, it.low, min(it.high, cap), it.besides)
