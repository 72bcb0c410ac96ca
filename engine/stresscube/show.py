"""Ranking the policies of a cube under a liquidation limit.

A trader chooses the policy and the market chooses itself, so over the market dims that are
not fixed every policy is judged by its worst market: its highest liquidation probability and
its worst value of the metric.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from stresscube.errors import StresscubeError
from stresscube.metrics.paired import paired_error
from stresscube.text import listing, suggest
from stresscube.where import Where, select

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

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


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best policies, best first, each at its worst market.

    policies: Dataset along `rank`; coordinates: every policy dim; variables: each metric with
        its `_se`, `difference_to_best` (paired, with `_se`; only if the metric has batch
        means), `few_events` (fewer than 10 liquidations seen), `leverage_effective`.
    by: the metric ranked by. satisfied: False if no policy keeps the limit, and the safest
        stand here instead.
    fixed, market: dims of one selected value, and market dims of several, with the values.
    qualified, candidates: policies within the limit, and all that were judged.
    cells, infeasible, missing: of the selection; missing ones have not been run yet.
    worst_at: for each market dim of several values, where the metric is worst, shape [rank].
    """

    policies: xr.Dataset
    by: str
    max_liquidation: float
    satisfied: bool
    fixed: dict[str, Any]
    market: dict[str, list[Any]]
    worst_at: dict[str, list[Any]]
    qualified: int
    candidates: int
    cells: int
    infeasible: int
    missing: int


def rank(
    summary: xr.Dataset,
    *,
    where: Where | None = None,
    max_liquidation: float = 0.01,
    by: str = "sharpe",
    top: int = 10,
) -> Ranking:
    """Return the best policies by a metric among those within the liquidation limit.

    Raises StresscubeError for unknown dims, values and metrics, and if no cell is feasible.
    """
    check_metric(summary, by)
    data, extra = _cut_extra_dims(select(summary, where or {}), by)
    dims = [str(dim) for dim in data[LIQUIDATION].dims]
    market = [dim for dim in dims if is_market(data[dim])]
    own = [dim for dim in dims if dim not in market]
    liquidation = _table(data[LIQUIDATION], own, market)
    metric = _table(data[by], own, market)
    possible = _table(data["feasible"], own, market) > 0
    known = np.isfinite(liquidation)
    repeated = _repeats(data, own, market)
    usable = known.all(axis=1) & ~repeated
    if not usable.any():
        reason = "infeasible" if not possible.any() else "infeasible or not run yet"
        raise StresscubeError(f"nothing to rank: every cell selected is {reason}")
    worst_liquidation = np.where(usable, np.max(liquidation, axis=1), np.nan)
    worst = _worst(metric, by)
    within = usable & (worst_liquidation <= max_liquidation)
    chosen = _order(worst, worst_liquidation, within, usable, by)[:top]
    worst_market = _worst_index(metric[chosen], by)
    policies = _describe(data, by, own, market, chosen, worst_market)
    return Ranking(
        policies=policies,
        by=by,
        max_liquidation=max_liquidation,
        satisfied=bool(within.any()),
        fixed={dim: data[dim].values.tolist()[0] for dim in dims if data.sizes[dim] == 1} | extra,
        market={dim: data[dim].values.tolist() for dim in market if data.sizes[dim] > 1},
        worst_at=_market_values(data, market, worst_market),
        qualified=int(within.sum()),
        candidates=int((~repeated).sum()),
        cells=int(liquidation.size),
        infeasible=int((~possible).sum()),
        missing=int((possible & ~known).sum()),
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


def is_market(coordinate: xr.DataArray) -> bool:
    """Tell whether an axis belongs to the market rather than to the policy or its venue."""
    return str(coordinate.attrs.get("key", "")).startswith("market.")


def less_is_better(metric: str) -> bool:
    """Tell whether a smaller value of the metric is the better one."""
    return metric.removeprefix("regime_").startswith(LESS_IS_BETTER)


def adverse_quantile(data: xr.Dataset, metric: str) -> int:
    """Return the index of the quantile on the bad side: 0.95 of a loss, 0.05 of a gain."""
    wanted = 0.95 if less_is_better(metric) else 0.05
    return int(np.argmin(np.abs(data["quantile"].values - wanted)))


def _cut_extra_dims(data: xr.Dataset, by: str) -> tuple[xr.Dataset, dict[str, Any]]:
    """Leave one value of every dim of the metric that is no axis of the sweep, and say which.

    The quantile on the bad side, the first level, the last time; a leg must be asked for.
    """
    found: dict[str, Any] = {}
    for dim in (str(dim) for dim in data[by].dims if dim in EXTRA_DIMS):
        index = 0
        if dim == "quantile":
            index = adverse_quantile(data, by)
        elif dim == "time":
            index = data.sizes[dim] - 1
        elif dim != "level" and data.sizes[dim] > 1:
            values = listing(data[dim].values.tolist())
            raise StresscubeError(f"{by} has a dim {dim}: choose one with --where ({values})")
        found[dim] = data[dim].values.tolist()[index]
        # Other metrics keep the dim: each has a bad side of its own.
        names = [name for name in data if str(name).startswith(by) and dim in data[name].dims]
        data = data.assign({name: data[name].isel({dim: index}, drop=True) for name in names})
    return data, found


def _table(array: xr.DataArray, own: list[str], market: list[str]) -> Floats:
    """Return values as [policy, market point], policies in cube order."""
    ordered = array.transpose(*own, *market, ...)
    rows = int(np.prod([array.sizes[dim] for dim in own], dtype=int))
    return ordered.values.astype(np.float64).reshape(rows, -1)


def _repeats(data: xr.Dataset, own: list[str], market: list[str]) -> Booleans:
    """Tell which policies repeat another one at every market: the venue's cap clips both."""
    sizes = [data.sizes[dim] for dim in own]
    repeats = np.zeros(sizes, dtype=bool)
    if "leverage" not in own or "leverage_effective" not in data:
        return repeats.reshape(-1)
    axis = own.index("leverage")
    effective = np.moveaxis(_effective(data, own, market).reshape(*sizes, -1), axis, 0)
    asked = data["leverage"].values.reshape(-1, *[1] * len(own))
    clipped: Booleans = np.all(effective < asked * (1 - 1e-9), axis=-1)
    by_leverage = np.moveaxis(repeats, axis, 0)
    for row in range(len(effective)):
        same = np.isclose(effective, effective[row]).all(axis=-1)
        first = ~clipped
        first[:row] = True
        first[row] = False
        by_leverage[row] = clipped[row] & (same & first).any(axis=0)
    return repeats.reshape(-1)


def _effective(data: xr.Dataset, own: list[str], market: list[str]) -> Floats:
    """Return the effective leverage as [policy, market point]; sizing may depend on the market."""
    return _table(data["leverage_effective"].broadcast_like(data[LIQUIDATION]), own, market)


def _worst_index(metric: Floats, by: str) -> npt.NDArray[np.intp]:
    badness = metric if less_is_better(by) else -metric
    return np.argmax(np.where(np.isnan(badness), -np.inf, badness), axis=1)


def _worst(metric: Floats, by: str) -> Floats:
    return np.take_along_axis(metric, _worst_index(metric, by)[:, None], axis=1)[:, 0]


def _order(
    worst: Floats, liquidation: Floats, within: Booleans, usable: Booleans, by: str
) -> npt.NDArray[np.intp]:
    """Return row numbers, best first: by the metric, or by safety if none is within the limit."""
    loss = worst if less_is_better(by) else -worst
    loss = np.where(np.isnan(loss), np.inf, loss)
    if within.any():
        return np.lexsort((liquidation, loss, ~within))[: int(within.sum())]
    return np.lexsort((loss, np.nan_to_num(liquidation, nan=np.inf)))[: int(usable.sum())]


def _describe(
    data: xr.Dataset,
    by: str,
    own: list[str],
    market: list[str],
    chosen: npt.NDArray[np.intp],
    worst_market: npt.NDArray[np.intp],
) -> xr.Dataset:
    """Return the chosen policies with their metrics at each metric's own worst market."""
    shape = [data.sizes[dim] for dim in own]
    place = np.unravel_index(chosen, shape) if own else ()
    rows = {dim: xr.DataArray(index, dims="rank") for dim, index in zip(own, place, strict=True)}
    picked = data.isel(rows) if own else data.expand_dims(rank=1)
    columns: dict[str, Any] = {}
    for name in _columns(picked, by):
        values = _table(_scalar(picked, name), ["rank"], market)
        at = _worst_index(values, name)[:, None]
        errors = _table(_scalar(picked, f"{name}_se"), ["rank"], market)
        attrs = _quantile_shown(picked, name)
        columns[name] = ("rank", np.take_along_axis(values, at, axis=1)[:, 0], attrs)
        columns[f"{name}_se"] = ("rank", np.take_along_axis(errors, at, axis=1)[:, 0])
        if name == by:
            columns |= _to_best(picked, by, market, worst_market)
        if name == LIQUIDATION and "few_events" in picked:
            few = _table(picked["few_events"], ["rank"], market) > 0
            columns["few_events"] = ("rank", np.take_along_axis(few, at, axis=1)[:, 0])
    if "leverage_effective" in data:
        effective = _effective(data, own, market)[chosen, worst_market]
        columns["leverage_effective"] = ("rank", effective)
    coords = {dim: ("rank", np.atleast_1d(picked[dim].values), data[dim].attrs) for dim in own}
    return xr.Dataset(columns, coords=coords)


def _columns(picked: xr.Dataset, by: str) -> list[str]:
    wanted = (LIQUIDATION, by, "return_mean", "max_drawdown_quantile")
    return list(dict.fromkeys(name for name in wanted if f"{name}_se" in picked))


def _scalar(picked: xr.Dataset, name: str) -> xr.DataArray:
    array = picked[name]
    if "quantile" in array.dims:
        array = array.isel(quantile=adverse_quantile(picked, name))
    return array


def _quantile_shown(picked: xr.Dataset, name: str) -> dict[str, float]:
    if "quantile" not in picked[name].dims:
        return {}
    return {"quantile": float(picked["quantile"].values[adverse_quantile(picked, name)])}


def _to_best(
    picked: xr.Dataset, by: str, market: list[str], worst_market: npt.NDArray[np.intp]
) -> dict[str, Any]:
    """Return the difference of each row to the first one, with its paired error.

    The same paths stand behind every cell, so a difference is far better known than its parts.
    """
    name = f"{by}_batch"
    if name not in picked:
        return {}
    batches = _scalar(picked, name).transpose("rank", *market, "batch").values
    rows = batches.shape[0]
    batches = batches.reshape(rows, -1, batches.shape[-1])[np.arange(rows), worst_market]
    value = _worst(_table(_scalar(picked, by), ["rank"], market), by)
    return {
        "difference_to_best": ("rank", value - value[0]),
        "difference_to_best_se": ("rank", paired_error(batches, batches[0])),
    }


def _market_values(
    data: xr.Dataset, market: list[str], worst_market: npt.NDArray[np.intp]
) -> dict[str, list[Any]]:
    """Return, per market dim of several values, the value at each row's worst market point."""
    if not market:
        return {}
    place = np.unravel_index(worst_market, [data.sizes[dim] for dim in market])
    return {
        dim: data[dim].values[index].tolist()
        for dim, index in zip(market, place, strict=True)
        if data.sizes[dim] > 1
    }
