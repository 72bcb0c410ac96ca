"""The grammar as a JSON Schema, for editors that complete and check scenario files.

Draft 7 and without references, because that is what every TOML editor understands.
"""

from __future__ import annotations

from typing import Any, cast

from stresscube.scenario.dotted import is_axis
from stresscube.scenario.grammar import Key, children
from stresscube.scenario.leaf import Leaf
from stresscube.scenario.leaves import Duration, Real
from stresscube.scenario.sweep import MOST_VALUES


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a scenario file."""
    schema = _table(children(""))
    schema["properties"]["sweep"] = _sweep()
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "stresscube scenario",
        "description": "A market, venues, a policy, and what to sweep.",
        **schema,
    }


def _table(keys: dict[str, Key]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {word: _key(entry) for word, entry in keys.items()},
        "required": [word for word, entry in keys.items() if entry.required],
        "additionalProperties": False,
    }


def _key(entry: Key) -> dict[str, Any]:
    schema = {"description": described(entry)}
    if entry.leaf is not None:
        return schema | _leaf(entry, entry.leaf)
    table = _table(children(entry.pattern))
    if entry.tables is None:
        return schema | table
    most, least = entry.tables.most, entry.tables.least
    return schema | {"type": "array", "items": table, "minItems": least, "maxItems": most}


def described(entry: Key) -> str:
    """What a key means, with its unit and range, on one line."""
    text = entry.info.description or ""
    if entry.leaf is None:
        return text
    unit = "" if entry.leaf.unit in ("", "1", "h") else f" Unit: {entry.leaf.unit}."
    allowed = entry.leaf.allowed
    rule = "" if allowed == "text" else f" Must be {allowed}."
    return f"{text}{unit}{rule}"


def default_of(entry: Key) -> Any:
    """The default as a file would have it; None where a key must be stated or is just off."""
    default = None if entry.required else entry.info.default
    return None if default is None or entry.leaf is None else entry.leaf.plain(default)


def _leaf(entry: Key, leaf: Leaf) -> dict[str, Any]:
    schema = leaf.schema() | {"examples": [entry.example]}
    default = default_of(entry)
    return schema if default in (None, float("inf")) else schema | {"default": default}


def _sweep() -> dict[str, Any]:
    swept = {
        word: _axis(cast(Leaf, entry.leaf)) | {"description": f"Values of policy.{word}."}
        for word, entry in children("policy").items()
        if is_axis(entry)
    }
    anything: dict[str, Any] = {"type": ["number", "string"]}
    anywhere = {"anyOf": [_list(anything), _range(anything)]}
    return {
        "type": "object",
        "description": "Policy keys, or dotted keys of the market or of parameters in quotes, each "
        "with its values: a list, or { start, stop, num, log }.",
        "properties": swept | {"market": {"type": "object"}, "policy": {"type": "object"}},
        "patternProperties": {r"^market\.": anywhere, r"^policy\.parameters\.": anywhere},
        "additionalProperties": False,
    }


def _axis(leaf: Leaf) -> dict[str, Any]:
    values = _list(leaf.schema())
    return (
        {"anyOf": [values, _range(leaf.schema())]} if isinstance(leaf, Real | Duration) else values
    )


def _list(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": 1, "uniqueItems": True}


def _range(end: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "start": end | {"description": "First value."},
            "stop": end | {"description": "Last value."},
            "num": {
                "type": "integer",
                "minimum": 2,
                "maximum": MOST_VALUES,
                "description": "How many values.",
            },
            "log": {
                "type": "boolean",
                "default": False,
                "description": "By a constant factor instead of a constant difference.",
            },
        },
        "required": ["start", "stop", "num"],
        "additionalProperties": False,
    }
