"""Where the numbers come from: seed, versions, machine, plan, and the scenario's own text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import xarray as xr

from stresscube.text import count, listing, time_span


@dataclass(frozen=True, slots=True)
class Provenance:
    """facts: (name, value). texts: (title, text) of the scenario and of a user's code."""

    facts: tuple[tuple[str, str], ...]
    texts: tuple[tuple[str, str], ...]


def provenance(summary: xr.Dataset) -> Provenance:
    """Return what a summary's attributes say of how it was made."""
    attrs = cast("Mapping[str, Any]", summary.attrs)
    facts = [(name, _words(name, attrs[key])) for name, key in FACTS.items() if key in attrs]
    texts = [("Scenario", str(attrs["scenario"]))] if attrs.get("scenario") else []
    code = cast("Mapping[str, str]", attrs.get("code") or {})
    texts += [(f"Code: {key}", str(text)) for key, text in code.items()]
    return Provenance(tuple(facts), tuple(texts))


FACTS = {
    "seed": "seed",
    "plan": "plan",
    "changed on the command line": "overrides",
    "backend": "backend",
    "precision": "precision",
    "versions": "versions",
    "devices": "devices",
    "computing time": "seconds",
    "policy-steps": "policy_steps",
    "cube format": "convention",
}
"""What the page calls it: the attribute of the cube."""


def _words(name: str, value: Any) -> str:
    if name == "computing time":
        return time_span(float(value))
    if name == "policy-steps":
        return count(float(value))
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        return ", ".join(f"{key} {version}" for key, version in items)
    if isinstance(value, list):
        return listing(cast("list[object]", value), most=99) or "nothing"
    return str(value)
