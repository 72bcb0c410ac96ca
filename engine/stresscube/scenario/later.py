"""What the grammar has and this version does not simulate, refused by name.

One line a key: when its feature lands, the line goes. A key at its default is accepted, so that
a file may spell out what is off.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stresscube.scenario.faults import Problem, toml
from stresscube.scenario.grammar import keys, lookup
from stresscube.scenario.policy import Document


@dataclass(frozen=True)
class Later:
    """A feature of the future: the key that switches it on, and what it is."""

    pattern: str
    what: str

    def off(self, value: Any) -> bool:
        """Whether a parsed value leaves the feature off."""
        return bool(value == keys()[self.pattern].info.default)


LATER = (
    Later("venues[].margin_mode", "isolated margin is"),
    Later("venues[].after_leg_death", "isolated margin is"),
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
    advice = "leave it out"
    if key.leaf is not None:
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
