"""What a run was asked: its grid, and the assumptions of its scenario file as tables."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import xarray as xr

from stresscube.plane import title_with_units
from stresscube.policies import LIQUIDATION
from stresscube.text import label

ROOMS = ("market", "venues", "policy", "simulation")
"""Tables of a scenario file, in the order that the page shows them."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of words."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def setting(summary: xr.Dataset) -> list[tuple[str, str]]:
    """Return the size of the experiment as (name, value)."""
    attrs = summary.attrs
    found: list[tuple[str, str]] = []
    if "assets" in attrs:
        found.append(("legs", " against ".join(map(str, attrs["assets"]))))
    if "steps" in attrs and "step_hours" in attrs:
        step = float(attrs["step_hours"])
        found.append(("horizon", f"{_span(step * int(attrs['steps']))}, in steps of {_span(step)}"))
    if "paths" in attrs:
        found.append(("paths", f"{int(attrs['paths']):,}, the same for every policy"))
    found.append(("cells", f"{summary[LIQUIDATION].size:,}"))
    return found


def grid(summary: xr.Dataset, selected: xr.Dataset) -> Table:
    """Return the axes of the cube with their values, and how many are looked at."""
    rows: list[tuple[str, ...]] = []
    for dim in map(str, summary[LIQUIDATION].dims):
        words = ", ".join(label(value) for value in summary[dim].values.tolist())
        seen = selected.sizes[dim]
        if seen < summary.sizes[dim]:
            words += f" (here: {', '.join(label(it) for it in selected[dim].values.tolist())})"
        key = str(summary[dim].attrs.get("key", dim))
        rows.append((title_with_units(summary[dim]), words, key))
    return Table("Grid", ("axis", "values", "key"), tuple(rows))


def assumptions(text: str) -> list[Table]:
    """Return the tables of a scenario file; none if the text is not one."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return []
    found: list[Table] = []
    for room in ROOMS:
        found += _tables(room, document.get(room))
    return found


def _tables(name: str, content: Any) -> list[Table]:
    """Return a table of a room's keys, and one for each list of records in it."""
    if _is_records(content):
        return [_records(name, cast("Sequence[Mapping[str, Any]]", content))]
    if not isinstance(content, Mapping):
        return []
    items = cast("Mapping[str, Any]", content)
    plain = {key: value for key, value in items.items() if not _is_records(value)}
    found = [_pairs(name, plain)] if plain else []
    found += [
        _records(f"{name}: {key.replace('_', ' ')}", value)
        for key, value in items.items()
        if _is_records(value)
    ]
    return found


def _is_records(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(cast("list[Any]", value))
        and all(isinstance(item, dict) for item in cast("list[Any]", value))
    )


def _pairs(name: str, content: Mapping[str, Any]) -> Table:
    rows = tuple((key, inline(value)) for key, value in content.items())
    return Table(name, ("key", "value"), rows)


def _records(name: str, content: Sequence[Mapping[str, Any]]) -> Table:
    headers = tuple(dict.fromkeys(key for record in content for key in record))
    rows = tuple(
        tuple(inline(record[key]) if key in record else "" for key in headers) for record in content
    )
    return Table(name, headers, rows)


def inline(value: Any) -> str:
    """Return a value of a scenario file on one line, without quotes."""
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        return ", ".join(f"{key}: {inline(item)}" for key, item in items)
    if isinstance(value, list):
        parts = [inline(item) for item in cast("list[Any]", value)]
        nested = any(isinstance(item, list | dict) for item in cast("list[Any]", value))
        return "; ".join(parts) if nested else ", ".join(parts)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return label(value) if isinstance(value, float) else str(value)


def _span(hours: float) -> str:
    for unit, length in (("days", 24.0), ("h", 1.0), ("min", 1 / 60)):
        if hours >= length * (2 if unit == "days" else 1) * (1 - 1e-9):
            return f"{label(hours / length)} {unit}"
    return f"{label(hours * 3600)} s"
