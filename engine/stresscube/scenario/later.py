"""What the grammar has and this version does not simulate, refused by name.

One line a feature: when it lands, its line goes. A key at its neutral value (its default,
unless `neutral` says otherwise) is accepted, so that a file may spell out what is off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from stresscube.scenario.faults import Problem, toml
from stresscube.scenario.grammar import keys, lookup
from stresscube.scenario.policy import Document


@dataclass(frozen=True)
class Later:
    """A feature of the future: the key that switches it on, what it is, when it is off."""

    pattern: str
    what: str
    neutral: Callable[[Any], bool] | None = None
    instead: str = ""

    def off(self, value: Any) -> bool:
        """Whether a parsed value leaves the feature off."""
        if self.neutral is not None:
            return self.neutral(value)
        return bool(value == keys()[self.pattern].info.default)


def _calm(jumps: Any) -> bool:
    return jumps is None or jumps.intensity == 0


def _one_table(tiers: Any) -> bool:
    return not isinstance(tiers, dict)


def _one_venue(venue: str) -> bool:
    return "/" not in venue


LATER = (
    Later("market.tail_interval", "Student-t returns are"),
    Later("market.funding_interval", "funding is"),
    Later("market.interest", "funding is"),
    Later("market.clamp", "funding is"),
    Later("market.signal_half_life", "volatility and trend signals are"),
    Later("market.signal_noise", "spread signals are"),
    Later("market.mark_smoothing", "mark smoothing is"),
    Later("market.funding_regimes[]", "funding is"),
    Later("market.shocks[]", "shocks are"),
    Later("market.regimes[].tail_dof", "Student-t returns are"),
    Later("market.regimes[].jumps", "jumps are", _calm),
    Later(
        "market.regimes[].idiosyncratic_jumps[]",
        "jumps are",
        lambda legs: all(map(_calm, legs)),
    ),
    Later(
        "market.regimes[].mispricing[]",
        "mispricing is",
        lambda parts: all(x.std == 0 and x.spike_intensity * x.spike_std == 0 for x in parts),
    ),
    Later("market.regimes[].funding", "funding is"),
    Later("venues[].maintenance_tiers", "tiers per asset are", _one_table, "use one list of tiers"),
    Later("venues[].funding_cap", "funding is"),
    Later("venues[].margin_mode", "isolated margin is"),
    Later("venues[].after_leg_death", "isolated margin is"),
    Later("policy.venue", "legs on two venues are", _one_venue, "use one venue for both legs"),
    Later(
        "policy.hedge_ratio",
        "the minimum-variance ratio is",
        lambda ratio: ratio != "min-variance",
        "write a number",
    ),
    Later("policy.rebalance_to", "rebalancing to the full leverage is"),
    Later("policy.roll", "net rolling is"),
    Later("policy.side", "entry rules are"),
    Later("policy.entry_z", "entry rules are"),
    Later("policy.exit_z", "entry rules are"),
    Later("policy.directional_bias", "the directional bias is"),
    Later("policy.bias_trigger", "the directional bias is"),
    Later("policy.sizing_correlation", "sizing for another correlation is"),
    Later("policy.drift_measure", "drift over equity is"),
)

_BY_PATTERN = {entry.pattern: entry for entry in LATER}


def refusal(pattern: str, value: Any) -> str | None:
    """The sentence that refuses a parsed value of the key `pattern`, or None.

    A key inside a table that is not available is refused whatever its value.
    """
    entry = _BY_PATTERN.get(pattern)
    if entry is not None:
        return None if entry.off(value) else _sentence(entry)
    inside = (entry for entry in LATER if pattern.startswith(f"{entry.pattern}."))
    return next(map(_sentence, inside), None)


def limited(pattern: str) -> str:
    """What this version does not have of a key, for the reference; "" if it has all."""
    entry = _BY_PATTERN.get(pattern)
    if entry is None:
        return ""
    feature = entry.what.removesuffix(" is").removesuffix(" are")
    return f"Not in this version: {feature}."


def refusals(document: Document, raw: object) -> Iterator[Problem]:
    """Everything a document asks for that this version does not have."""
    for entry in LATER:
        for key, value in _values(document, entry.pattern):
            if lookup(raw, key)[0] and not entry.off(value):
                yield Problem(key, _sentence(entry))


def _sentence(entry: Later) -> str:
    key = keys()[entry.pattern]
    advice = entry.instead or "leave it out"
    if key.leaf is not None and not entry.instead:
        advice += f" or write {toml(key.leaf.plain(key.info.default))}"
    return f"{entry.what} not available in this version; {advice}"


def _values(document: Document, pattern: str) -> Iterator[tuple[str, Any]]:
    """Concrete keys and parsed values that match a pattern."""
    found: list[tuple[str, Any]] = [("", document)]
    names = pattern.split(".")
    for depth, name in enumerate(names):
        many = name.endswith("[]") and depth < len(names) - 1
        word = name.removesuffix("[]")
        step: list[tuple[str, Any]] = []
        for key, table in found:
            value = getattr(table, word)
            inner = f"{key}.{word}".removeprefix(".")
            if many:
                step += [(f"{inner}[{index}]", item) for index, item in enumerate(value)]
            else:
                step.append((inner, value))
        found = step
    return iter(found)


assert all(entry.pattern in keys() for entry in LATER)
