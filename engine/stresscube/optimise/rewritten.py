"""A scenario with other values, as a scenario file of its own."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from stresscube.scenario import Scenario, loads
from stresscube.scenario import overrides as overriding
from stresscube.scenario.reading import read_toml

Values = Mapping[str, Sequence[float | str]]


def text_of(
    scenario: Scenario,
    policy: Mapping[str, float],
    sweep: Values,
    *,
    paths: int | None = None,
    seed: int | None = None,
) -> str:
    """The TOML of a scenario whose policy has these values and whose sweep is this.

    What was laid over the file is in it; comments are not.
    """
    raw: dict[str, Any] = read_toml(scenario.text, scenario.source)
    overriding.apply(raw, scenario.overrides)
    raw["policy"] = {**raw["policy"], **policy}
    raw.pop("sweep", None)
    if sweep:
        raw["sweep"] = {key: list(values) for key, values in sweep.items()}
    changed = {"paths": paths, "seed": seed}
    raw["simulation"] = raw["simulation"] | {k: v for k, v in changed.items() if v is not None}
    return _document(raw)


def with_values(
    scenario: Scenario,
    policy: Mapping[str, float],
    sweep: Values,
    *,
    paths: int | None = None,
    seed: int | None = None,
) -> Scenario:
    """The scenario of that text, and what is not in files: data given in memory."""
    text = text_of(scenario, policy, sweep, paths=paths, seed=seed)
    return loads(text, scenario.source).model_copy(update={"tape": scenario.tape})


def market_sweep(scenario: Scenario) -> dict[str, list[float | str]]:
    """The market axes of its sweep, as its file has them."""
    raw: dict[str, Any] = read_toml(scenario.text, scenario.source)
    overriding.apply(raw, scenario.overrides)
    found = _flat("", raw.get("sweep", {}))
    return {key: list(values) for key, values in found.items() if key.startswith("market.")}


def _flat(prefix: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """Tables inside tables as dotted keys."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        name = prefix + key
        found |= _flat(f"{name}.", value) if isinstance(value, dict) else {name: value}  # pyright: ignore
    return found


def _document(raw: Mapping[str, Any]) -> str:
    """TOML: plain values, then a table each, its own tables and lists of tables in lines."""
    plain = {key: value for key, value in raw.items() if not isinstance(value, dict)}
    lines = [_line(key, value) for key, value in plain.items()]
    for key, value in raw.items():
        if isinstance(value, dict):
            lines += ["", f"[{_key(key)}]", *(_line(k, v) for k, v in value.items())]  # pyright: ignore
    return "\n".join(lines) + "\n"


def _line(key: str, value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        inside = "".join(f"    {_value(it)},\n" for it in value)  # pyright: ignore
        return f"{_key(key)} = [\n{inside}]"
    return f"{_key(key)} = {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return ("-inf" if value < 0 else "inf") if math.isinf(value) else repr(value)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"  # pyright: ignore
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"  # pyright: ignore
    return _text(value) if isinstance(value, str) else str(value)


def _key(key: str) -> str:
    bare = key.replace("_", "").replace("-", "").isalnum() and key.isascii()
    return key if bare else _text(key)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
