"""Ranking the policies of a cube under a liquidation limit.

A trader chooses the policy and the market chooses itself, so over the market dims that are
not fixed every policy is judged by its worst market: its highest liquidation probability and
its worst value of the metric.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from stresscube.errors import StresscubeError
from stresscube.metrics.paired import paired_error
from stresscube.policies import (
    LIQUIDATION,
    Booleans,
    Floats,
    Indices,
    adverse_quantile,
    at_market,
    check_dims,
    check_metric,
    cut_extra_dims,
    effective_leverage,
    estimates,
    less_is_better,
    market_values,
    repeats,
    rows_of,
    sweep_dims,
    table,
    worst_index,
)
from stresscube.where import Where, select

TAKEN = ("rank", "difference_to_best", "few_events", "paths_needed", "leverage_effective")
"""What a ranking calls its own; no axis may have such a name."""
WANTED_ERROR = 0.2
"""Relative error of a liquidation probability that is worth more paths."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best policies, best first, each at its worst market.

    policies: Dataset along `rank`; coordinates: every policy dim; variables: each metric with
        its `_se`, `difference_to_best` (paired, with `_se`; only if the metric has batch
        means), `few_events` (fewer than 10 liquidations seen) and the `paths_needed` that would
        do (see `paths_needed`), `leverage_effective`.
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
    data, extra = cut_extra_dims(select(summary, where or {}), by)
    own, market = sweep_dims(data, LIQUIDATION)
    check_dims([*own, *market], TAKEN, "a ranking")
    liquidation = table(data[LIQUIDATION], own, market)
    metric = table(data[by], own, market)
    possible = table(data["feasible"], own, market) > 0
    known = np.isfinite(liquidation)
    repeated = repeats(data, own, market)
    usable = known.all(axis=1) & ~repeated
    if not usable.any():
        reason = "infeasible" if not possible.any() else "infeasible or not run yet"
        raise StresscubeError(f"nothing to rank: every cell selected is {reason}")
    worst_liquidation = np.where(usable, np.max(liquidation, axis=1), np.nan)
    worst = at_market(metric, worst_index(metric, less=less_is_better(by)))
    within = usable & (worst_liquidation <= max_liquidation)
    chosen = _order(worst, worst_liquidation, within, usable, by)[:top]
    worst_market = worst_index(metric[chosen], less=less_is_better(by))
    policies = _describe(data, by, own, market, chosen, worst_market)
    several = [dim for dim in market if data.sizes[dim] > 1]
    worst_at = market_values(data, market, worst_market)
    dims = [str(dim) for dim in data[LIQUIDATION].dims]
    return Ranking(
        policies=policies,
        by=by,
        max_liquidation=max_liquidation,
        satisfied=bool(within.any()),
        fixed={dim: data[dim].values.tolist()[0] for dim in dims if data.sizes[dim] == 1} | extra,
        market={dim: data[dim].values.tolist() for dim in several},
        worst_at={dim: worst_at[dim].tolist() for dim in several},
        qualified=int(within.sum()),
        candidates=int((~repeated).sum()),
        cells=int(liquidation.size),
        infeasible=int((~possible).sum()),
        missing=int((possible & ~known).sum()),
    )


def paths_needed(chance: Floats, paths: int, error: float = WANTED_ERROR) -> Floats:
    """Return how many paths would tell a probability to a relative standard error.

    n = (1 - p) / (p error^2), from sqrt(p (1 - p) / n) = error p: a fifth takes 25 events. Of an
    event that was never seen the probability is taken to be 3 / paths, which it exceeds with a
    confidence of 5% at most (the rule of three), so that this number is the least that would do.
    """
    likely = np.where(chance > 0, chance, min(3.0 / paths, 1.0))
    return (1.0 - likely) / (likely * error**2)


def _order(
    worst: Floats, liquidation: Floats, within: Booleans, usable: Booleans, by: str
) -> Indices:
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
    chosen: Indices,
    worst_market: Indices,
) -> xr.Dataset:
    """Return the chosen policies with their metrics at each metric's own worst market."""
    picked = rows_of(data, own, chosen, "rank")
    columns: dict[str, Any] = {}
    for name in _columns(picked, by):
        attrs = _quantile_shown(picked, name)
        one = picked
        if attrs:
            one, _ = cut_extra_dims(picked, name)
        found = estimates(one, name, ["rank"], market)
        at = worst_index(found.values, less=less_is_better(name))
        columns[name] = ("rank", at_market(found.values, at), attrs)
        columns[f"{name}_se"] = ("rank", at_market(found.errors, at))
        if name == by and found.batches is not None:
            columns |= _to_best(at_market(found.values, at), at_market(found.batches, worst_market))
        if name == LIQUIDATION and "few_events" in picked:
            few = table(picked["few_events"], ["rank"], market) > 0
            columns["few_events"] = ("rank", at_market(few, at))
            if "paths" in data.attrs and "data" not in data.attrs:  # history has no more to give
                chance = at_market(found.values, at)
                columns["paths_needed"] = ("rank", paths_needed(chance, int(data.attrs["paths"])))
    if "leverage_effective" in data:
        effective = effective_leverage(data, own, market)[chosen, worst_market]
        columns["leverage_effective"] = ("rank", effective)
    coords = {dim: ("rank", np.atleast_1d(picked[dim].values), data[dim].attrs) for dim in own}
    return xr.Dataset(columns, coords=coords)


def _columns(picked: xr.Dataset, by: str) -> list[str]:
    wanted = (LIQUIDATION, by, "return_mean", "max_drawdown_quantile")
    return list(dict.fromkeys(name for name in wanted if f"{name}_se" in picked))


def _quantile_shown(picked: xr.Dataset, name: str) -> dict[str, float]:
    if "quantile" not in picked[name].dims:
        return {}
    return {"quantile": float(picked["quantile"].values[adverse_quantile(picked, name)])}


def _to_best(values: Floats, batches: Floats) -> dict[str, Any]:
    """Return the difference of each row to the first one, with its paired error.

    The same paths stand behind every cell, so a difference is far better known than its parts.
    """
    return {
        "difference_to_best": ("rank", values - values[0]),
        "difference_to_best_se": ("rank", paired_error(batches, batches[0])),
    }
