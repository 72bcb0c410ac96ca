"""The policies of a cube as rows, its market points as columns, and which way a metric is good.

A trader chooses the policy and the market chooses itself: dims whose key begins with `market.`
are the market's, all other dims of the sweep belong to the policy and its venue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from stresscube.errors import StresscubeError
from stresscube.text import label, listing, suggest
from stresscube.where import index_of

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]

LIQUIDATION = "liquidation_probability"
EXTRA_DIMS = ("quantile", "level", "time", "leg", "regime", "batch")
LESS_IS_BETTER = (
    "deficit",
    "drawdown",
    "expected_shortfall",
    "extra_margin",
    "fees",
    "funding",
    "liquidation_cost",
    "liquidation_probability",
    "liquidation_rate",
    "max_drawdown",
    "rebalances",
    "return_kurtosis",
    "return_std",
    "slippage",
    "time_under_water",
    "turnover",
    "under_water",
    "value_at_risk",
)


def metrics(summary: xr.Dataset) -> list[str]:
    """Return the names of the metrics: every variable with a standard error beside it."""
    names = [str(name) for name in summary.data_vars]
    return [name for name in names if f"{name}_se" in summary]


def check_metric(summary: xr.Dataset, name: str) -> None:
    """Raise StresscubeError, with a suggestion and the list, unless `name` is a metric."""
    known = metrics(summary)
    if name not in known:
        hint = suggest(name, known)
        raise StresscubeError(f"no metric {name}{hint} (metrics: {listing(known, most=99)})")


def check_dims(dims: Sequence[str], taken: Sequence[str], what: str) -> None:
    """Raise StresscubeError if a dim has a name that the answer needs for something of its own."""
    faults = [
        f"axis {dim}: {what} has a column of this name; rename the parameter in the scenario, or "
        f'in Python rename the dim: ds.rename({dim}="{dim}_")'
        for dim in dims
        if dim in taken
    ]
    if faults:
        raise StresscubeError("\n".join(faults))


def is_market(coordinate: xr.DataArray) -> bool:
    """Tell whether an axis belongs to the market rather than to the policy or its venue."""
    return str(coordinate.attrs.get("key", "")).startswith("market.")


def less_is_better(metric: str) -> bool:
    """Tell whether a smaller value of the metric is the better one."""
    return metric.removeprefix("regime_").startswith(LESS_IS_BETTER)


def adverse_quantile(data: xr.Dataset, metric: str, *, less: bool | None = None) -> int:
    """Return the index of the quantile on the bad side: 0.95 of a loss, 0.05 of a gain."""
    wanted = 0.95 if (less_is_better(metric) if less is None else less) else 0.05
    return int(np.argmin(np.abs(data["quantile"].values - wanted)))


def sweep_dims(data: xr.Dataset, metric: str) -> tuple[list[str], list[str]]:
    """Return the dims of the sweep that a metric has: the policy's, and the market's."""
    dims = [str(dim) for dim in data[metric].dims if dim not in EXTRA_DIMS]
    market = [dim for dim in dims if is_market(data[dim])]
    return [dim for dim in dims if dim not in market], market


def cut_extra_dims(
    data: xr.Dataset, metric: str, at: Sequence[str] = ()
) -> tuple[xr.Dataset, dict[str, Any]]:
    """Leave one value of every dim of the metric that is no axis of the sweep, and say which.

    `at` names the values, one a dim. Without it: the quantile on the bad side, the first level,
    the last time; a leg or a regime must be asked for.
    Raises StresscubeError for a dim without a value, and for values that the cube lacks.
    """
    dims = [str(dim) for dim in data[metric].dims if dim in EXTRA_DIMS and dim != "batch"]
    if at and len(at) != len(dims):
        has = f"one value each for {listing(dims)}" if dims else "no value in brackets"
        raise StresscubeError(f"{metric}[{','.join(at)}]: {metric} takes {has}")
    found: dict[str, Any] = {}
    for place, dim in enumerate(dims):
        if at:
            index = index_of(data[dim], at[place], option=f"{metric}[{','.join(at)}]: ")
        else:
            index = _usual(data, metric, dim)
        found[dim] = data[dim].values.tolist()[index]
        # Other metrics keep the dim: each has a bad side of its own.
        names = [name for name in _parts(metric) if name in data and dim in data[name].dims]
        data = data.assign({name: data[name].isel({dim: index}, drop=True) for name in names})
    return data, found


def _parts(metric: str) -> tuple[str, str, str]:
    return metric, f"{metric}_se", f"{metric}_batch"


def _usual(data: xr.Dataset, metric: str, dim: str) -> int:
    if dim == "quantile":
        return adverse_quantile(data, metric)
    if dim == "time":
        return data.sizes[dim] - 1
    if dim == "level" or data.sizes[dim] == 1:
        return 0
    values = data[dim].values.tolist()
    raise StresscubeError(
        f"{metric} has a dim {dim}: choose one of {listing(values)} "
        f"(--where {dim}={label(values[0])}; recommend and Python also take "
        f"{metric}[{label(values[0])}])"
    )


def table(array: xr.DataArray, own: Sequence[str], market: Sequence[str]) -> Floats:
    """Return values as [policy, market point], policies in cube order."""
    ordered = array.transpose(*own, *market, ...)
    rows = int(np.prod([array.sizes[dim] for dim in own], dtype=int))
    return ordered.values.astype(np.float64).reshape(rows, -1)


@dataclass(frozen=True, slots=True)
class Estimates:
    """One metric of every policy at every market point.

    values, errors: [policy, market point]. batches: [policy, market point, batch], or None for a
    metric without batch means.
    """

    values: Floats
    errors: Floats
    batches: Floats | None

    def at(self, rows: npt.NDArray[Any]) -> Estimates:
        """Return these policies alone."""
        batches = None if self.batches is None else self.batches[rows]
        return Estimates(self.values[rows], self.errors[rows], batches)


def estimates(
    data: xr.Dataset, metric: str, own: Sequence[str], market: Sequence[str]
) -> Estimates:
    """Return a metric, whose extra dims have been cut, with what is known of its errors."""
    values, errors = (table(data[name], own, market) for name in _parts(metric)[:2])
    batches = None
    if f"{metric}_batch" in data:
        number = data.sizes["batch"]
        ordered = data[f"{metric}_batch"].transpose(*own, *market, "batch").values
        batches = ordered.astype(np.float64).reshape(*values.shape, number)
    return Estimates(values, errors, batches)


def repeats(data: xr.Dataset, own: Sequence[str], market: Sequence[str]) -> Booleans:
    """Tell which policies repeat another one at every market: the venue's cap clips both."""
    sizes = [data.sizes[dim] for dim in own]
    found = np.zeros(sizes, dtype=bool)
    if "leverage" not in own or "leverage_effective" not in data:
        return found.reshape(-1)
    axis = own.index("leverage")
    effective = effective_leverage(data, own, market)
    effective = np.moveaxis(effective.reshape(*sizes, -1), axis, 0)
    asked = data["leverage"].values.reshape(-1, *[1] * len(own))
    clipped: Booleans = np.all(effective < asked * (1 - 1e-9), axis=-1)
    by_leverage = np.moveaxis(found, axis, 0)
    for row in range(len(effective)):
        same = np.isclose(effective, effective[row]).all(axis=-1)
        first = ~clipped
        first[:row] = True
        first[row] = False
        by_leverage[row] = clipped[row] & (same & first).any(axis=0)
    return found.reshape(-1)


def effective_leverage(data: xr.Dataset, own: Sequence[str], market: Sequence[str]) -> Floats:
    """Return the effective leverage as [policy, market point]; sizing may depend on the market."""
    return table(data["leverage_effective"].broadcast_like(data["feasible"]), own, market)


def worst_index(values: Floats, *, less: bool) -> Indices:
    """Return the market point where each policy's value is worst; unknown ones are passed over."""
    badness = values if less else -values
    return np.argmax(np.where(np.isnan(badness), -np.inf, badness), axis=1)


def at_market(values: npt.NDArray[Any], index: Indices) -> npt.NDArray[Any]:
    """Return each row's entry at its own market point: [policy, market, ...] -> [policy, ...]."""
    return values[np.arange(len(values)), index]


def rows_of(data: xr.Dataset, own: Sequence[str], rows: npt.NDArray[Any], dim: str) -> xr.Dataset:
    """Return these policies along one new dim, with their coordinates; policies in cube order."""
    if not own:
        return data.expand_dims({dim: 1})
    place = np.unravel_index(rows, [data.sizes[name] for name in own])
    pairs = zip(own, place, strict=True)
    return data.isel({name: xr.DataArray(index, dims=dim) for name, index in pairs})


def market_values(
    data: xr.Dataset, market: Sequence[str], index: Indices
) -> dict[str, npt.NDArray[Any]]:
    """Return, per market dim, its value at each of these market points."""
    if not market:
        return {}
    place = np.unravel_index(index, [data.sizes[dim] for dim in market])
    return {dim: data[dim].values[at] for dim, at in zip(market, place, strict=True)}
