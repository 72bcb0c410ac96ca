"""A plane of the cube: one metric over two dims, with a stated choice of all the others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from stresscube.errors import StresscubeError
from stresscube.policies import LIQUIDATION, adverse_quantile, check_metric, is_market
from stresscube.show import rank
from stresscube.text import label, listing, suggest
from stresscube.where import Where, select, selectable

PREFERRED = ("leverage", "hedge_ratio")
EXTENSIONS = (".png", ".svg", ".pdf")


@dataclass(frozen=True, slots=True)
class Axis:
    """One side of the plane: the dim, its title with units, and its values as text."""

    dim: str
    title: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fixed:
    """A dim that the plane holds at one value, and why: '' if asked for or the only one."""

    dim: str
    value: Any
    why: str

    def __str__(self) -> str:
        return f"{self.dim} = {label(self.value)}" + (f" ({self.why})" if self.why else "")


@dataclass(frozen=True, slots=True)
class Plane:
    """What a heat map draws.

    values, errors: [y, x], NaN where infeasible, unknown or not run. feasible: bool [y, x].
    over: bool [y, x], liquidation probability above `max_liquidation`.
    """

    metric: str
    title: str
    scenario: str
    x: Axis
    y: Axis
    values: npt.NDArray[np.float64]
    errors: npt.NDArray[np.float64]
    feasible: npt.NDArray[np.bool_]
    over: npt.NDArray[np.bool_]
    max_liquidation: float
    fixed: tuple[Fixed, ...]


def cut(
    summary: xr.Dataset,
    metric: str,
    x: str | None = None,
    y: str | None = None,
    *,
    where: Where | None = None,
    max_liquidation: float = 0.01,
    names: tuple[str, str] = ("x =", "y ="),
) -> Plane:
    """Return the plane of a metric over dims x and y.

    A dim that neither `where` nor the plane settles stands at a value that is named in the
    result: a market dim where liquidation is likeliest, a policy dim at the best policy's
    value (the venue, if leverage is a side, where its cap is highest), a quantile on the bad
    side. names: how x and y are written where they are asked for, for messages.
    Raises StresscubeError for an unknown metric, dim or value.
    """
    check_metric(summary, metric)
    data = select(summary, where or {})
    x, y = _sides(data, metric, x, y, names)
    data, fixed = _settle(data, metric, (x, y), max_liquidation)
    return Plane(
        metric=metric,
        title=title_with_units(data[metric]),
        scenario=str(summary.attrs.get("name", "")),
        x=_axis(data, x, y),
        y=_axis(data, y, x),
        values=data[metric].transpose(y, x).values.astype(np.float64),
        errors=data[f"{metric}_se"].transpose(y, x).values.astype(np.float64),
        feasible=_full(data["feasible"], data, y, x).values,
        over=_full(data[LIQUIDATION], data, y, x).values > max_liquidation,
        max_liquidation=max_liquidation,
        fixed=fixed,
    )


def check_extension(path: Path) -> None:
    """Raise StresscubeError unless a picture can be written to a file of this name."""
    if path.suffix.lower() not in EXTENSIONS:
        hint = suggest(path.suffix, EXTENSIONS)
        ending = path.suffix or "no extension"
        raise StresscubeError(f"{path}: {ending}{hint} (use {', '.join(EXTENSIONS)})")


def default_sides(summary: xr.Dataset, metric: str) -> tuple[str, str] | None:
    """Return the two dims worth seeing first: leverage, hedge ratio, or the longest ones."""
    dims = _by_interest(summary, metric)
    return (dims[0], dims[1]) if len(dims) > 1 and summary.sizes[dims[1]] > 1 else None


def _by_interest(data: xr.Dataset, metric: str) -> list[str]:
    dims = [str(dim) for dim in data[metric].dims if dim in selectable(data)]
    preferred = [dim for dim in PREFERRED if dim in dims]
    others = sorted((dim for dim in dims if dim not in preferred), key=lambda d: -data.sizes[d])
    return sorted([*preferred, *others], key=lambda dim: data.sizes[dim] == 1)


def _sides(
    data: xr.Dataset, metric: str, x: str | None, y: str | None, names: tuple[str, str]
) -> tuple[str, str]:
    """Return the two dims, checked; those not given are chosen, the preferred ones first."""
    dims = [str(dim) for dim in data[metric].dims if dim in selectable(data)]
    for option, dim in zip(names, (x, y), strict=True):
        if dim is not None and dim not in dims:
            hint = suggest(dim, dims)
            raise StresscubeError(f"{option} {dim}: no dim of {metric}{hint} ({listing(dims)})")
    if x is not None and x == y:
        both = " and ".join(name.removesuffix(" =") for name in names)
        raise StresscubeError(f"{both} are both {x}: a heat map needs two dims")
    free = [dim for dim in _by_interest(data, metric) if dim not in (x, y)]
    missing = (x is None) + (y is None)
    if len(free) < missing:
        raise StresscubeError(f"a heat map needs two dims, and {metric} has only {listing(dims)}")
    first = x if x is not None else free.pop(0)
    return first, y if y is not None else free[0]


def _settle(
    data: xr.Dataset, metric: str, sides: tuple[str, str], limit: float
) -> tuple[xr.Dataset, tuple[Fixed, ...]]:
    """Hold every dim but the two sides at one value."""
    rest = [str(dim) for dim in data[metric].dims if dim not in (*sides, "batch")]
    rest += [str(dim) for dim in data[LIQUIDATION].dims if dim not in (*sides, *rest, "batch")]
    choice: dict[str, tuple[int, str]] = {dim: (0, "") for dim in rest if data.sizes[dim] == 1}
    market = [dim for dim in rest if dim not in choice and is_market(data[dim])]
    choice |= _harshest(data, market)
    chosen_market = data.isel({dim: [choice[dim][0]] for dim in market})
    if "leverage" in sides and "venue" in rest and "venue" not in choice:
        choice |= _least_capped(chosen_market)
    own = [dim for dim in rest if dim not in choice and dim in data[LIQUIDATION].dims]
    kept = {dim: [choice[dim][0]] for dim in rest if dim in choice and dim not in market}
    choice |= _best(chosen_market.isel(kept), own, limit)
    for dim in rest:
        if dim not in choice:
            choice[dim] = beyond_the_sweep(data, metric, dim)
    fixed = tuple(Fixed(dim, data[dim].values[choice[dim][0]].item(), choice[dim][1])
                  for dim in rest)  # fmt: skip
    return data.isel({dim: index for dim, (index, _) in choice.items()}), fixed


def _harshest(data: xr.Dataset, market: list[str]) -> dict[str, tuple[int, str]]:
    """Return the market point where liquidation is likeliest on average over the policies."""
    if not market:
        return {}
    liquidation = data[LIQUIDATION]
    mean = liquidation.mean([dim for dim in liquidation.dims if dim not in market])
    if not bool(mean.notnull().any()):
        return dict.fromkeys(market, (0, "first"))
    place = np.unravel_index(int(np.nanargmax(mean.values)), mean.shape)
    return {str(dim): (int(index), "harshest") for dim, index in zip(mean.dims, place, strict=True)}


def _least_capped(data: xr.Dataset) -> dict[str, tuple[int, str]]:
    """Return the venue whose cap leaves most of the leverages apart, if there is one."""
    if "leverage_effective" not in data:
        return {}
    effective = data["leverage_effective"]
    as_asked = np.isclose(effective, data["leverage"].broadcast_like(effective))
    counts = xr.DataArray(as_asked, dims=effective.dims)
    counts = counts.sum([dim for dim in effective.dims if dim != "venue"]).values
    most = np.flatnonzero(counts == counts.max())
    return {"venue": (int(most[0]), "highest cap")} if most.size == 1 else {}


def _best(data: xr.Dataset, own: list[str], limit: float) -> dict[str, tuple[int, str]]:
    """Return where the best policy stands along its own dims."""
    if not own:
        return {}
    by = "sharpe" if "sharpe_se" in data else LIQUIDATION
    ranking = rank(data, max_liquidation=limit, by=by, top=1)
    why = "best" if ranking.satisfied else "safest"
    values = {dim: ranking.policies[dim].values[0] for dim in own}
    return {dim: (int(np.flatnonzero(data[dim].values == values[dim])[0]), why) for dim in own}


def beyond_the_sweep(data: xr.Dataset, metric: str, dim: str) -> tuple[int, str]:
    """Return which value of a dim that is no axis of the sweep to look at first, and why."""
    if dim == "quantile":
        return adverse_quantile(data, metric), "bad side"
    if dim == "time":
        return data.sizes[dim] - 1, "last"
    return 0, "first"


def _full(array: xr.DataArray, data: xr.Dataset, y: str, x: str) -> xr.DataArray:
    """Return an array over [y, x], repeated along a side that it does not depend on."""
    lacking = {dim: data.sizes[dim] for dim in (y, x) if dim not in array.dims}
    return array.expand_dims(lacking).transpose(y, x)


def _axis(data: xr.Dataset, dim: str, other: str) -> Axis:
    """Return a side; a leverage that the venue's cap clips is named 50→20."""
    words = [label(value, digits=4) for value in data[dim].values.tolist()]
    title = title_with_units(data[dim])
    if dim == "leverage" and "leverage_effective" in data:
        effective = data["leverage_effective"]
        first = effective.isel({other: 0}) if other in effective.dims else effective
        if bool((effective == first).all()):
            got = [label(value, digits=4) for value in first.values.tolist()]
            clipped = [
                want if want == has else f"{want}→{has}"
                for want, has in zip(words, got, strict=True)
            ]
            if clipped != words:
                words, title = clipped, f"{title} → what the cap leaves"
    return Axis(dim, title, tuple(words))


def title_with_units(array: xr.DataArray) -> str:
    """Return what an axis or a metric is called, with its units if it has any."""
    title = str(array.attrs.get("long_name", str(array.name).replace("_", " ")))
    units = str(array.attrs.get("units", "1"))
    return title if units in ("", "1") else f"{title} ({units})"
