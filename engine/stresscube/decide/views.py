"""Plain xarray in, plain xarray out: what a cube says of its policies, its markets and its axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from stresscube.decide.apart import averaged
from stresscube.decide.bounds import effective_trials, share_bound
from stresscube.decide.constraints import Term, check_terms, parse_constraints, parse_term
from stresscube.decide.held import held
from stresscube.decide.pareto import undominated
from stresscube.decide.question import CASES
from stresscube.decide.variance import complete, shares
from stresscube.errors import StresscubeError
from stresscube.metrics.paired import paired_error
from stresscube.policies import (
    Estimates,
    Floats,
    Indices,
    at_market,
    cut_extra_dims,
    estimates,
    less_is_better,
    market_values,
    metrics,
    repeats,
    rows_of,
    sweep_dims,
    worst_index,
)
from stresscube.text import listing, suggest
from stresscube.where import index_of


def robust(
    data: xr.Dataset, by: str, over: str | Sequence[str] | None = None, case: str = "worst"
) -> xr.Dataset:
    """Return a metric over the policy's dims, judged over all market points at once.

    by: a metric, as `sharpe` or `value_at_risk[0.99]`. over: a dim or dims to judge over; the
    market's unless given. case: "worst" or "mean". Variables: the metric, its `_se` (that of the
    worst point, or of the mean, paired), and `worst_DIM`, where the worst stands. A policy that
    is unknown at some point is NaN.
    Raises StresscubeError.
    """
    data, term, fixed = _cut(data, by)
    own, market = _over(data, term.metric, over)
    found, worst = _judged(estimates(data, term.metric, own, market), term, case)
    sizes = [data.sizes[dim] for dim in own]
    unknown = np.isnan(found.values).any(axis=1)
    columns: dict[str, Any] = {}
    for name, values in (
        (term.metric, at_market(found.values, worst)),
        (f"{term.metric}_se", at_market(found.errors, worst)),
    ):
        cells = np.where(unknown, np.nan, values).reshape(sizes)
        columns[name] = (own, cells, data[name].attrs)
    if case == "worst":
        for dim, values in market_values(data, market, worst).items():
            columns[f"worst_{dim}"] = (own, values.reshape(sizes), data[dim].attrs)
    coords = {dim: data[dim] for dim in own} | fixed
    return xr.Dataset(columns, coords=coords, attrs={"case": case, "over": market})


def frontier(data: xr.Dataset, x: str, y: str, *, case: str = "worst") -> xr.Dataset:
    """Return the policies that no other beats in both metrics, from the best x to the best y.

    Each metric is taken at each policy's own worst market, or as the mean over markets; which
    way it is good follows from the metric. Along `policy`; coordinates: every policy dim;
    variables: x and y with `_se`.
    Raises StresscubeError.
    """
    first, second = parse_term(x, "x ="), parse_term(y, "y =")
    if first.metric == second.metric:
        raise StresscubeError(f"x and y are both {first.metric}: a frontier needs two metrics")
    columns: dict[str, Any] = {}
    signed: list[Floats] = []
    own: list[str] = []
    for text, term in ((x, first), (y, second)):
        one = robust(data, text, case=case)
        own, _ = _over(data, term.metric, None)
        values = one[term.metric].values.reshape(-1)
        signed.append(-values if less_is_better(term.metric) else values)
        for name in (term.metric, f"{term.metric}_se"):
            columns[name] = (one[name].values.reshape(-1), one[name].attrs)
    twice = repeats(data, own, _over(data, first.metric, None)[1])
    stands = np.flatnonzero(undominated(*(np.where(twice, np.nan, it) for it in signed)))
    stands = stands[np.argsort(-signed[0][stands], kind="stable")]
    picked = rows_of(data, own, stands, "policy")
    coords = {dim: ("policy", np.atleast_1d(picked[dim].values), data[dim].attrs) for dim in own}
    variables = {name: ("policy", it[stands], attrs) for name, (it, attrs) in columns.items()}
    return xr.Dataset(variables, coords=coords, attrs={"case": case})


def best(
    data: xr.Dataset, by: str, where: str | Sequence[str] = (), *, case: str = "worst"
) -> xr.Dataset:
    """Return the cube at its best policy: all metrics at every market, dims of the policy dropped.

    where: constraints on the estimates, as "liquidation_probability<0.01"; every market must keep
    them ("mean": their mean). How sure they hold is what `recommend` tells.
    Raises StresscubeError, also if no policy keeps them.
    """
    constraints = parse_constraints([where] if isinstance(where, str) else where, "where =")
    check_terms(data, [it.term for it in constraints])
    one, term, _ = _cut(data, by)
    own, market = _over(one, term.metric, None)
    found, worst = _judged(estimates(one, term.metric, own, market), term, case)
    values = np.where(np.isnan(found.values).any(axis=1), np.nan, at_market(found.values, worst))
    if not np.isfinite(values).any():
        raise StresscubeError(f"no best policy: {by} is unknown at some market for every policy")
    for constraint in constraints:
        kept = held(data, constraint, own, market, mean=case == "mean", confidence=0.95)
        values = np.where(kept.by_estimate, values, np.nan)
        if not np.isfinite(values).any():
            place = "at every market" if case == "worst" else "in the mean over markets"
            raise StresscubeError(f"no policy keeps {listing(constraints)} {place}")
    row = int(np.nanargmin(values) if less_is_better(term.metric) else np.nanargmax(values))
    return data.isel(_place(data, own, row))


def compare(
    data: xr.Dataset, reference: Mapping[str, object], names: str | Sequence[str] | None = None
) -> xr.Dataset:
    """Return every cell less its reference cell, with paired errors.

    reference: {dim: value} of the cells to compare with, as {"rebalance_threshold": "inf"}; along
    all other dims a cell meets its like. Variables: for each metric that has batch means (or those
    named), the difference and its `_se`: both cells ran on the same paths.
    Raises StresscubeError.
    """
    paired = [name for name in metrics(data) if f"{name}_batch" in data]
    names = [names] if isinstance(names, str) else names
    check_terms(data, [Term(name) for name in names or ()])
    lacking = [name for name in names or () if name not in paired]
    if lacking:
        message = f"{listing(lacking)}: no batch means, so no paired error"
        raise StresscubeError(f"{message} (metrics that have them: {listing(paired, most=99)})")
    place = {dim: _index(data, dim, value) for dim, value in reference.items()}
    columns: dict[str, xr.DataArray] = {}
    for name in names or paired:
        at = {dim: index for dim, index in place.items() if dim in data[name].dims}
        columns[name] = (data[name] - data[name].isel(at, drop=True)).assign_attrs(data[name].attrs)
        batches = data[f"{name}_batch"]
        columns[f"{name}_se"] = xr.apply_ufunc(
            paired_error,
            batches,
            batches.isel(at, drop=True),
            input_core_dims=[["batch"], ["batch"]],
        ).assign_attrs(data[f"{name}_se"].attrs)
    named = {dim: data[dim].values[index].item() for dim, index in place.items()}
    return xr.Dataset(columns, attrs={"reference": named})


def survival(data: xr.Dataset, confidence: float = 0.95) -> xr.Dataset:
    """Return the survival curve of every cell, with its error and a confidence interval.

    Along the sweep and `time`: `survival`, `survival_se`, `survival_lower`, `survival_upper`;
    Clopper and Pearson's (1934) interval, for each time by itself.
    Raises StresscubeError.
    """
    check_terms(data, [Term("survival")])
    if not 0.0 < confidence < 1.0:
        raise StresscubeError(f"confidence = {confidence:g}: must be above 0 and below 1")
    found = data[["survival", "survival_se"]]
    share = data["survival"].values
    trials = effective_trials(share, data["survival_se"].values)
    side = 0.5 + confidence / 2.0
    for name, below in (("lower", False), ("upper", True)):
        edge = share_bound(share * trials, trials, side, below=below)
        label = f"{name} end of the {confidence:.0%} interval"
        attrs = data["survival"].attrs | {"long_name": label}
        found[f"survival_{name}"] = (data["survival"].dims, edge, attrs)
    return found


def sensitivity(data: xr.Dataset, metric: str) -> xr.Dataset:
    """Return how much of a metric's variance over the grid each axis makes.

    Along `axis`, the axes of more than one value, strongest first: `main`, the share of the
    axis alone; `total`, of all that involves it; each with `_se` from the jackknife over batches.
    Scalars: `interactions` (what the main effects leave, with `_se`), `noise` (share of the
    estimates' variance that is noise, taken out of all others) and `variance`. Cells that are
    infeasible or not run leave gaps: values of axes are left out until none remains, and the
    attribute `left_out` says which.
    Raises StresscubeError.
    """
    data, term, fixed = _cut(data, metric)
    name = term.metric
    dims = [str(dim) for dim in data[name].dims if dim != "batch"]
    values = data[name].values.astype(np.float64)
    errors = data[f"{name}_se"].transpose(*dims).values.astype(np.float64)
    kept = complete(np.isfinite(values) & np.isfinite(errors))
    if any(len(it) == 0 for it in kept):
        raise StresscubeError(f"{metric}: no cell is known, so no variance can be shared out")
    axes = [dim for dim, it in zip(dims, kept, strict=True) if len(it) > 1]
    if not axes:
        raise StresscubeError(f"{metric}: no axis with two values or more that are all known")
    grid = [len(it) for it in kept if len(it) > 1]
    batches = None
    if f"{name}_batch" in data:
        whole = data[f"{name}_batch"].transpose(*dims, "batch").values.astype(np.float64)
        whole = whole[(*np.ix_(*kept), ...)].reshape(*grid, -1)
        whole = whole[..., np.isfinite(whole).all(axis=tuple(range(len(grid))))]
        batches = whole if whole.shape[-1] > 1 else None
    at = np.ix_(*kept)
    found = shares(values[at].reshape(grid), errors[at].reshape(grid), batches)
    order = np.argsort(-np.nan_to_num(found.main, nan=-np.inf), kind="stable")
    left_out = {
        dim: np.delete(data[dim].values, it).tolist()
        for dim, it in zip(dims, kept, strict=True)
        if len(it) < data.sizes[dim]
    }
    columns = {
        "main": ("axis", found.main[order]),
        "main_se": ("axis", found.main_se[order]),
        "total": ("axis", found.total[order]),
        "total_se": ("axis", found.total_se[order]),
        "interactions": found.interactions,
        "interactions_se": found.interactions_se,
        "noise": found.noise,
        "variance": found.variance,
    }
    coords: dict[str, Any] = {"axis": np.array(axes)[order], **fixed}
    return xr.Dataset(columns, coords=coords, attrs={"metric": str(term), "left_out": left_out})


def _cut(data: xr.Dataset, text: str) -> tuple[xr.Dataset, Term, dict[str, Any]]:
    term = parse_term(text, "metric")
    check_terms(data, [term])
    cut, fixed = cut_extra_dims(data, term.metric, term.at)
    return cut, term, fixed


def _over(
    data: xr.Dataset, metric: str, over: str | Sequence[str] | None
) -> tuple[list[str], list[str]]:
    """Return the dims to keep and the dims to judge over: the market's unless named."""
    own, market = sweep_dims(data, metric)
    if over is None:
        return own, market
    over = [over] if isinstance(over, str) else over
    for dim in over:
        if dim not in (*own, *market):
            hint = suggest(dim, [*own, *market])
            raise StresscubeError(
                f"over = {dim}: no dim of {metric}{hint} ({listing(own + market)})"
            )
    dims = [str(dim) for dim in data[metric].dims if dim in (*own, *market)]
    return [dim for dim in dims if dim not in over], [dim for dim in dims if dim in over]


def _judged(found: Estimates, term: Term, case: str) -> tuple[Estimates, Indices]:
    if case not in CASES:
        raise StresscubeError(f"case = {case}: must be one of {', '.join(CASES)}")
    if case == "mean":
        found = averaged(found)
    return found, worst_index(found.values, less=less_is_better(term.metric))


def _place(data: xr.Dataset, own: list[str], row: int) -> dict[str, int]:
    place = np.unravel_index(row, [data.sizes[dim] for dim in own]) if own else ()
    return {dim: int(index) for dim, index in zip(own, place, strict=True)}


def _index(data: xr.Dataset, dim: str, value: object) -> int:
    dims = [str(name) for name in data.dims if name != "batch"]
    if dim not in dims:
        raise StresscubeError(f"reference {dim}: no such dim{suggest(dim, dims)} ({listing(dims)})")
    return index_of(data[dim], str(value), option="reference ")
