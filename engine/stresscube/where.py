"""Selecting cells of a cube by name and value, as in `--where leverage=10`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import xarray as xr

from stresscube.errors import StresscubeError
from stresscube.text import label, listing, suggest

Where = Mapping[str, Sequence[str]]
"""Dim name -> the values asked for, as text."""

_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|min|h|d)")
_HOURS = {"ms": 1 / 3.6e6, "s": 1 / 3600, "min": 1 / 60, "h": 1.0, "d": 24.0}


def parse_where(options: Iterable[str]) -> dict[str, list[str]]:
    """Return {name: values} of `name=value` options; several values are 'a,b' or repeats.

    Raises StresscubeError for an option without `=`, name or value.
    """
    where: dict[str, list[str]] = {}
    for option in options:
        name, equals, text = option.partition("=")
        values = [part.strip() for part in text.split(",") if part.strip()]
        if not equals or not name.strip() or not values:
            message = f"--where {option}: expected name=value, for example --where leverage=10"
            raise StresscubeError(message)
        where.setdefault(name.strip(), []).extend(values)
    return where


def select(summary: xr.Dataset, where: Where) -> xr.Dataset:
    """Return the cells whose coordinates are among the values asked for; no dim is dropped.

    Raises StresscubeError, with the allowed names or values, for one that the cube lacks.
    """
    names = selectable(summary)
    indexers: dict[str, list[int]] = {}
    for name, values in where.items():
        if name not in names:
            message = f"--where {name}={values[0]}: no dim {name}{suggest(name, names)}"
            raise StresscubeError(f"{message} (dims: {listing(names) or 'none'})")
        found = [index_of(summary[name], value) for value in values]
        indexers[name] = sorted(set(found))
    return summary.isel(indexers)


def selectable(summary: xr.Dataset) -> list[str]:
    """Return the dims that cells can be chosen by: all but `batch`."""
    return [str(name) for name in summary.dims if name != "batch"]


def index_of(coordinate: xr.DataArray, text: str, *, option: str = "--where ") -> int:
    """Return where `text` stands among a coordinate's values.

    Numbers match to six digits, also among words, durations ("30min") where the coordinate is in
    hours. `option` begins the message if it is not there.
    Raises StresscubeError with the allowed values.
    """
    values = coordinate.values
    wanted = _number(text, str(coordinate.attrs.get("units", "")))
    if wanted is not None:
        numbers = [_plain_number(value) for value in values.tolist()]
        near = np.flatnonzero(np.isclose(numbers, wanted, rtol=1e-6, atol=0.0))
        if near.size:
            return int(near[0])
    words = [label(value) for value in values.tolist()]
    if text in words:
        return words.index(text)
    hint = suggest(text, words) if values.dtype.kind not in "fiu" else ""
    message = f"{option}{coordinate.name}={text}: no such value{hint} (values: {listing(words)})"
    raise StresscubeError(message)


def _plain_number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")


def _number(text: str, units: str) -> float | None:
    if text in ("off", "never"):
        return np.inf
    duration = _DURATION.fullmatch(text)
    if duration and units == "h":
        return float(duration[1]) * _HOURS[duration[2]]
    try:
        return float(text)
    except ValueError:
        return None
