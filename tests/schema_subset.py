"""JSON Schema draft 7, as far as the scenario schema uses it."""

from __future__ import annotations

import re
from typing import Any


def validate(schema: dict[str, Any], value: Any) -> bool:
    """JSON Schema draft 7, as far as ours uses it; an unknown keyword is an error."""
    return all(_holds(word, rule, schema, value) for word, rule in schema.items())


TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,),
    "integer": (int,), "number": (int, float),
}  # fmt: skip
ANNOTATIONS = {"$schema", "title", "description", "examples", "default", "patternProperties"}


def _holds(word: str, rule: Any, schema: dict[str, Any], value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    checks = {
        "type": lambda: any(
            _is(value, name) for name in ([rule] if isinstance(rule, str) else rule)
        ),
        "enum": lambda: value in rule,
        "pattern": lambda: not isinstance(value, str) or re.search(rule, value) is not None,
        "minimum": lambda: not number or value >= rule,
        "maximum": lambda: not number or value <= rule,
        "exclusiveMinimum": lambda: not number or value > rule,
        "exclusiveMaximum": lambda: not number or value < rule,
        "anyOf": lambda: any(validate(option, value) for option in rule),
        "items": lambda: not isinstance(value, list) or all(validate(rule, item) for item in value),
        "minItems": lambda: not isinstance(value, list) or len(value) >= rule,
        "maxItems": lambda: not isinstance(value, list) or len(value) <= rule,
        "uniqueItems": lambda: (
            not isinstance(value, list) or len({*map(repr, value)}) == len(value)
        ),
        "required": lambda: not isinstance(value, dict) or set(rule) <= set(value),
        "properties": lambda: (
            not isinstance(value, dict)
            or all(validate(rule[key], value[key]) for key in rule if key in value)
        ),
        "additionalProperties": lambda: not isinstance(value, dict) or _rest(rule, schema, value),
    }
    return True if word in ANNOTATIONS else checks[word]()


def _rest(rule: Any, schema: dict[str, Any], value: dict[str, Any]) -> bool:
    patterns = schema.get("patternProperties", {})
    for key in value.keys() - schema.get("properties", {}).keys():
        matching = [inner for pattern, inner in patterns.items() if re.search(pattern, key)]
        inner = matching or ([rule] if isinstance(rule, dict) else [])
        if not inner or not all(validate(each, value[key]) for each in inner):
            return False
    return True


def _is(value: Any, name: str) -> bool:
    return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))
