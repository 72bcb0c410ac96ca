"""What can be differentiated: keys of policies, of their venues and of the market, and moving them.

The numbers that kernels read are made of these by plain arithmetic in float64 (`pack.py`), which
is neither traced nor smooth in integers. Its Jacobian is taken by central differences with a step
of 2^-17 of the value: arithmetic is deterministic, so their error is about 1e-10 of the size, and
the derivative of a simulation follows from it by the chain rule.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from statistics import fmean
from typing import Any

from stresscube.errors import StresscubeError
from stresscube.scenario import Scenario
from stresscube.scenario.dotted import BadKey, resolve
from stresscube.scenario.expand import Point, any_market, policy_spec
from stresscube.scenario.leaves import Duration, Real
from stresscube.scenario.venue import Venue
from stresscube.text import listing, suggest
from stresscube_kernels.moments import resolved
from stresscube_kernels.spec import AnyMarket, PolicySpec, VenueSpec

HOURS = 8760.0
TINY = 2.0**-17
"""Step of the Jacobian's differences, relative to the value."""
LEAST = 0.01
"""What a step is relative to where the value is 0; those of the Jacobian at least."""
VENUE = ("taker_fee", "slippage", "latency", "liquidation_fee", "funding_cap")
"""Terms of venues that can be differentiated."""
SPECS = frozenset(field.name for field in fields(PolicySpec))


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number of a scenario. place: "policy", "venue" or "market".

    low, high: what it may be. units: of the number; durations are in hours. whole: whether it
    counts whole steps, so that it has no derivative.
    """

    key: str
    place: str
    title: str
    units: str
    low: float
    high: float
    whole: bool

    @property
    def name(self) -> str:
        """The last word of its key: the field of a policy or venue."""
        return self.key.rpartition(".")[2]


def parameter(scenario: Scenario, key: str) -> Parameter:
    """The parameter of a key: a policy's, `venue.` with a term of it, or `market.` with dots.

    Raises StresscubeError for a key that names no number.
    """
    section, _, term = key.partition(".")
    if section in ("venue", "venues") and term:
        return _venue(key, term)
    try:
        target = resolve(scenario, key.removeprefix("policy."))
    except BadKey as bad:
        raise StresscubeError(f"by {key}: {bad}") from None
    leaf = target.leaf
    if not isinstance(leaf, Real | Duration):
        raise StresscubeError(f"by {key}: takes words, so it has no derivative; name a number")
    place = "market" if target.market else "policy"
    duration = isinstance(leaf, Duration)
    if place == "policy" and target.path[-1] not in SPECS:
        raise StresscubeError(
            f"by {key}: a parameter of the policy's own code; only built-in keys are differentiated"
        )
    low = leaf.low if isinstance(leaf, Real) else 0.0
    high = leaf.high if isinstance(leaf, Real) else math.inf
    units = "h" if duration else leaf.unit
    whole = duration and place == "policy"
    return Parameter(target.key, place, target.title, units, low, high, whole)


def _venue(key: str, term: str) -> Parameter:
    if term not in VENUE:
        near = suggest(term, VENUE)
        raise StresscubeError(f"by {key}: no term of a venue{near} (terms: {listing(VENUE)})")
    info = Venue.model_fields[term]
    units = "h" if term == "latency" else "1"
    title = info.title or term.replace("_", " ")
    return Parameter(f"venue.{term}", "venue", title, units, 0.0, math.inf, False)


def policy_at(scenario: Scenario, point: Mapping[str, Any]) -> PolicySpec:
    """The policy of a scenario with these values; `venue.TERM` is every venue's."""
    spec = policy_spec(scenario, {k: v for k, v in point.items() if not k.startswith("venue.")})
    terms = {k.partition(".")[2]: v for k, v in point.items() if k.startswith("venue.")}
    if "latency" in terms:
        terms["latency"] = terms["latency"] / HOURS
    return replace(spec, venues=tuple(replace(venue, **terms) for venue in spec.venues))


def value_of(scenario: Scenario, it: Parameter, spec: PolicySpec, market: AnyMarket) -> float:
    """A policy's value of a parameter of policies or venues; durations in hours.

    Of venues that differ it is the mean. Raises StresscubeError where it is switched off.
    """
    if it.place == "venue":
        value = _mean(spec, it.name)
        return value * HOURS if it.name == "latency" else value
    value = getattr(spec, it.name)
    if it.name == "hedge_ratio" and value is None:
        value = resolved(spec, market).hedge_ratio
    if value is None:
        raise StresscubeError(f"by {it.key}: is off in this policy, so it has no derivative")
    return float(value) * (HOURS if it.whole else 1.0)


def with_value(it: Parameter, spec: PolicySpec, value: float) -> PolicySpec:
    """The policy with another value of a parameter of policies or venues.

    Of venues that differ each changes by as much as their mean.
    """
    if it.place == "venue":
        more = (value / HOURS if it.name == "latency" else value) - _mean(spec, it.name)
        return replace(spec, venues=tuple(_with(venue, it.name, more) for venue in spec.venues))
    changed: dict[str, Any] = {it.name: value / HOURS if it.whole else value}
    return replace(spec, **changed)


def _mean(spec: PolicySpec, name: str) -> float:
    return fmean(getattr(venue, name) for venue in spec.venues)


def _with(venue: VenueSpec, name: str, more: float) -> VenueSpec:
    value = getattr(venue, name)
    changed: dict[str, Any] = {name: value if math.isinf(value) else value + more}
    return replace(venue, **changed)


def market_value(scenario: Scenario, it: Parameter, point: Point) -> float:
    """A market parameter's value; a duration in hours."""
    if it.key in point:
        return float(point[it.key])
    here: Any = scenario
    for step in resolve(scenario, it.key).path:
        here = here[step] if isinstance(step, int) else getattr(here, step)
    if here is None:
        raise StresscubeError(f"by {it.key}: is not stated in this market; give it a value")
    return float(here)


def market_with(scenario: Scenario, it: Parameter, point: Point, value: float) -> AnyMarket:
    """The market with another value of one of its parameters."""
    return any_market(scenario, {**point, it.key: value})


@dataclass(frozen=True, slots=True)
class Stencil:
    """Places around a value, and weights whose sum over them is the derivative there."""

    places: tuple[float, ...]
    weights: tuple[float, ...]


def stencil(value: float, step: float, low: float, high: float) -> Stencil:
    """Central differences of second order, or one-sided ones at the end of what is allowed."""
    if value - step >= low and value + step <= high:
        return Stencil((value - step, value + step), (-0.5 / step, 0.5 / step))
    side = step if value + 2.0 * step <= high else -step
    places = (value, value + side, value + 2.0 * side)
    return Stencil(places, (-1.5 / side, 2.0 / side, -0.5 / side))


def sized(values: Sequence[float], share: float, least: float = 0.0) -> list[float]:
    """A step for each value, which counts as `least` where it is smaller."""
    return [share * (max(abs(value), least) or LEAST) for value in values]
