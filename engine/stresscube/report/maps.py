"""What the page's heat maps draw: as many metrics of all cells as a page may carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from stresscube.plane import beyond_the_sweep, cut, default_sides, title_with_units
from stresscube.policies import LIQUIDATION, less_is_better
from stresscube.report.colours import colour_stops
from stresscube.report.pack import CHARACTERS, pack, pack_bits
from stresscube.text import label

BUDGET = 4_400_000
"""Characters that the cells may take."""
FIRST = (
    LIQUIDATION,
    "sharpe",
    "return_mean",
    "max_drawdown_quantile",
    "return_quantile",
    "max_drawdown_mean",
    "expected_shortfall",
    "return_std",
    "win_rate",
    "fees_mean",
    "slippage_mean",
    "funding_mean",
    "rebalances_per_day",
    "recovery_probability",
)
"""Metrics to keep where not all fit, after the one that policies are ranked by."""
LAST = ("survival",)
"""Drawn as curves further down, and long."""


@dataclass(frozen=True, slots=True)
class Maps:
    """The heat maps of a page.

    content: for the page's script. left_out: metrics that did not fit. held: axes that had to
    stand at one value, as `name = value`.
    """

    content: dict[str, Any]
    left_out: tuple[str, ...]
    held: tuple[str, ...]


def heat_maps(data: xr.Dataset, by: str, max_liquidation: float, budget: int = BUDGET) -> Maps:
    """Return the heat maps of the selected cells of a cube.

    Cells of axes that do not fit are held where `stresscube plot` would hold them.
    """
    data, held = _within(data, by, max_liquidation, budget)
    names, left_out = _chosen(data, by, budget)
    dims = [str(dim) for dim in data[LIQUIDATION].dims]
    sides = _sides(data, dims)
    content = {
        "dims": dims,
        "sides": sides,
        "start": _start(data, sides, max_liquidation),
        "feasible": pack_bits(data["feasible"].transpose(*dims).values),
        "metrics": [_metric(data, name, dims, max_liquidation) for name in names],
    }
    if "leverage" in dims and "leverage_effective" in data:
        effective = data["leverage_effective"].broadcast_like(data[LIQUIDATION])
        content["effective"] = pack(effective.transpose(*dims).values)
    return Maps(content, tuple(left_out), tuple(held))


def describe_dims(data: xr.Dataset) -> dict[str, Any]:
    """Return title and values, as words, of every dim that cells or metrics have."""
    return {
        str(dim): {
            "title": title_with_units(data[dim]),
            "words": [label(value, digits=4) for value in data[dim].values.tolist()],
            "ordered": data[dim].dtype.kind in "fiu",
        }
        for dim in data.dims
        if dim != "batch" and dim in data.coords
    }


def _size(data: xr.Dataset, name: str) -> float:
    return 2 * CHARACTERS * data[name].size


def _least(data: xr.Dataset, by: str) -> float:
    return sum(_size(data, name) for name in {by, LIQUIDATION}) + CHARACTERS * data["feasible"].size


def _within(
    data: xr.Dataset, by: str, max_liquidation: float, budget: int
) -> tuple[xr.Dataset, list[str]]:
    """Hold as few axes as it takes for two metrics to fit, the longest first."""
    held: list[str] = []
    if _least(data, by) <= budget:
        return data, held
    fixed = [it for it in cut(data, LIQUIDATION, max_liquidation=max_liquidation).fixed
             if data.sizes[it.dim] > 1]  # fmt: skip
    for it in sorted(fixed, key=lambda it: -data.sizes[it.dim]):
        if _least(data, by) <= budget:
            break
        at = data[it.dim].values.tolist().index(it.value)
        data = data.isel({it.dim: [at]})
        held.append(str(it))
    return data, held


def _chosen(data: xr.Dataset, by: str, budget: int) -> tuple[list[str], list[str]]:
    """Return the metrics that fit, in the order to choose from, and those that do not."""
    every = [str(name) for name in data.data_vars if f"{name}_se" in data]
    ordered = dict.fromkeys([LIQUIDATION, by, *FIRST, *(n for n in every if n not in LAST), *LAST])
    left = budget - CHARACTERS * data["feasible"].size
    chosen: list[str] = []
    for name in (name for name in ordered if name in every):
        size = _size(data, name)
        if size <= left or name in (LIQUIDATION, by):
            chosen.append(name)
            left -= size
    return chosen, [name for name in every if name not in chosen]


def _sides(data: xr.Dataset, dims: list[str]) -> list[str]:
    """Return two dims of several values, or one, or none."""
    sides = default_sides(data, LIQUIDATION)
    return list(sides) if sides else [dim for dim in dims if data.sizes[dim] > 1]


def _start(data: xr.Dataset, sides: list[str], max_liquidation: float) -> dict[str, Any]:
    """Return where each axis stands first, and why: as `stresscube plot` would choose."""
    if len(sides) < 2:
        return {}
    fixed = cut(data, LIQUIDATION, *sides, max_liquidation=max_liquidation).fixed
    return {
        it.dim: {"at": data[it.dim].values.tolist().index(it.value), "why": it.why} for it in fixed
    }


def _metric(data: xr.Dataset, name: str, dims: list[str], max_liquidation: float) -> dict[str, Any]:
    further = [str(dim) for dim in data[name].dims if dim not in dims]
    values = data[name].transpose(*dims, *further).values.astype(np.float64)
    return {
        "name": name,
        "title": title_with_units(data[name]),
        "less": less_is_better(name),
        "dims": [*dims, *further],
        "start": {dim: beyond_the_sweep(data, name, dim)[0] for dim in further},
        "values": pack(values),
        "errors": pack(data[f"{name}_se"].transpose(*dims, *further).values),
        "colours": colour_stops(name, values, max_liquidation),
    }
