"""Sensitivities of a scenario's cells as labelled arrays."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
import xarray as xr

from stresscube.errors import StresscubeError
from stresscube.gradients.directions import PATHWISE, WAYS
from stresscube.gradients.evaluate import Found
from stresscube.gradients.measures import SHORTFALL, measure
from stresscube.gradients.parameters import parameter
from stresscube.gradients.problem import Problem
from stresscube.scenario import Scenario, load
from stresscube.scenario.expand import Axis, axes
from stresscube.text import listing, suggest
from stresscube.where import index_of

AT_ONCE = 16
"""Policies that are computed at a time."""
BY = ("hedge_ratio", "leverage", "rebalance_threshold", "venue.slippage")

At = Mapping[str, Any]
"""Dim of the cube -> a value or several."""


def sensitivities(
    scenario: Scenario | str | os.PathLike[str],
    of: str | Sequence[str] = SHORTFALL,
    by: str | Sequence[str] = BY,
    *,
    at: At | None = None,
    paths: int | None = None,
    temperature: float | None = None,
    differences: bool = False,
    trust: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Return how metrics change with numbers of the policy, its venues and the market.

    of: metrics, as in "sharpe" or "expected_shortfall[0.99]". by: policy keys, terms of the
    policy's venues ("venue.slippage") and market keys with dots. at: {dim: value or values} of the
    cube; all cells of an axis that it does not name. paths: the scenario's by default.
    temperature, differences: see `Problem`, and docs/gradients.md. trust: whether code of the
    scenario's own may run. progress: told how many cells are done, and of how many.

    For each metric NAME: NAME [cells], NAME_se, `NAME_gradient` [parameter, cells] and
    `NAME_gradient_se`. A gradient is in units of the metric for one unit of the parameter: of a
    fraction for 1, not for 1%; of a duration for one hour (coordinate `units`). The coordinate
    `method` [parameter] says how it was found: "pathwise", "smoothed" or "differences", the last of
    these that any cell needed.

    Raises StresscubeError for what cannot be differentiated, and where JAX is missing.
    """
    loaded = scenario if isinstance(scenario, Scenario) else load(scenario)
    metrics, keys = _listed(of, "of"), _listed(by, "by")
    measures = [measure(label) for label in metrics]
    parameters = [parameter(loaded, key) for key in keys]
    chosen = chosen_cells(axes(loaded), at or {})
    shape = tuple(len(values) for _, values in chosen)
    values = np.full((2, len(metrics), *shape), np.nan)
    gradients = np.full((2, len(metrics), len(keys), *shape), np.nan)
    methods = [PATHWISE] * len(keys)
    done, total = 0, math.prod(shape)
    given: dict[str, Any] = {"temperature": temperature, "differences": differences, "trust": trust}
    for market, groups in _markets(loaded, chosen):
        problem = Problem(loaded, keys, market=market, **given)
        for places, points in groups:
            filled = [*points, *points[-1:] * (_size(groups) - len(points))]
            found = problem.value_and_gradient(filled, metrics, paths=paths)
            _put(values, gradients, places, found)
            pairs = zip(methods, found.methods, strict=True)
            methods = [max(pair, key=WAYS.index) for pair in pairs]
            done += len(points)
            if progress is not None:
                progress(done, total)
    return _dataset(loaded, chosen, measures, parameters, values, gradients, methods)


def _listed(names: str | Sequence[str], word: str) -> tuple[str, ...]:
    found = (names,) if isinstance(names, str) else tuple(names)
    if not found:
        raise StresscubeError(f"{word}: names nothing; give at least one")
    if len(set(found)) < len(found):
        twice = next(name for name in found if found.count(name) > 1)
        raise StresscubeError(f"{word} {twice}: was given before; each once")
    return found


Chosen = list[tuple[Axis, tuple[Any, ...]]]


def chosen_cells(found: Sequence[Axis], at: At) -> Chosen:
    """Each axis with the values asked for. Raises StresscubeError for one that it has not."""
    names = {word: axis for axis in found for word in (axis.name, axis.key)}
    for name in at:
        if name not in names:
            known = [axis.name for axis in found]
            hint = f"{suggest(name, known)} (dims: {listing(known) or 'none'})"
            raise StresscubeError(f"at {name}: no dim{hint}")
    asked = {names[name].name: value for name, value in at.items()}
    return [(axis, _values(axis, asked.get(axis.name))) for axis in found]


def _values(axis: Axis, asked: Any) -> tuple[Any, ...]:
    if asked is None:
        return axis.values
    wanted: Sequence[Any] = (
        cast("Sequence[Any]", asked) if isinstance(asked, list | tuple) else (asked,)
    )
    coordinate = xr.DataArray(
        np.array(axis.values), dims=[axis.name], attrs={"units": axis.units}, name=axis.name
    )
    places = [index_of(coordinate, str(value), option="at ") for value in wanted]
    return tuple(axis.values[k] for k in sorted(set(places)))


Place = tuple[int, ...]
Group = tuple[list[Place], list[dict[str, Any]]]


def _markets(scenario: Scenario, chosen: Chosen) -> Iterator[tuple[dict[str, Any], list[Group]]]:
    """Each market point, and its policies in groups that share code: places and values."""
    count = sum(axis.kind == "market" for axis, _ in chosen)
    outer, inner = chosen[:count], chosen[count:]
    for first in itertools.product(*(range(len(values)) for _, values in outer)):
        market = {axis.key: values[k] for (axis, values), k in zip(outer, first, strict=True)}
        kinds: dict[str, Group] = {}
        for rest in itertools.product(*(range(len(values)) for _, values in inner)):
            point = {axis.key: values[k] for (axis, values), k in zip(inner, rest, strict=True)}
            places, points = kinds.setdefault(_mode(scenario, point), ([], []))
            places.append((*first, *rest))
            points.append(point)
        yield (
            market,
            [
                (places[k : k + AT_ONCE], points[k : k + AT_ONCE])
                for places, points in kinds.values()
                for k in range(0, len(places), AT_ONCE)
            ],
        )


def _mode(scenario: Scenario, point: Mapping[str, Any]) -> str:
    """The margin mode of a policy's venues."""
    modes = {venue.name: venue.margin_mode for venue in scenario.venues}
    return modes[str(point.get("venue", scenario.policy.venue)).split("/")[0]]


def _size(groups: Sequence[Group]) -> int:
    return max(len(points) for _, points in groups)


def _put(values: Any, gradients: Any, places: Sequence[Place], found: Found) -> None:
    for k, place in enumerate(places):
        for row, (value, slope) in enumerate(
            ((found.values, found.gradients), (found.errors, found.gradient_errors))
        ):
            values[(row, slice(None), *place)] = value[:, k]
            gradients[(row, slice(None), slice(None), *place)] = slope[:, :, k]


def _dataset(
    scenario: Scenario,
    chosen: Chosen,
    measures: Sequence[Any],
    parameters: Sequence[Any],
    values: Any,
    gradients: Any,
    methods: Sequence[str],
) -> xr.Dataset:
    dims = tuple(axis.name for axis, _ in chosen)
    coords: dict[str, Any] = {
        "parameter": ("parameter", [it.key for it in parameters]),
        "units": ("parameter", [it.units for it in parameters]),
        "method": ("parameter", list(methods)),
    }
    for axis, listed in chosen:
        words = any(isinstance(value, str) for value in axis.values)
        labels = [str(value) if words else value for value in listed]
        about = {"units": axis.units, "long_name": axis.long_name, "key": axis.key}
        coords[axis.name] = (axis.name, labels, about)
    found = xr.Dataset(coords=coords, attrs={"name": scenario.name})
    for k, it in enumerate(measures):
        words = {"long_name": it.title}
        found[it.label] = (dims, values[0, k], words)
        found[f"{it.label}_se"] = (dims, values[1, k], {"long_name": f"error of {it.title}"})
        slope = {"long_name": f"derivative of {it.title}"}
        found[f"{it.label}_gradient"] = (("parameter", *dims), gradients[0, k], slope)
        error = {"long_name": f"error of the derivative of {it.title}"}
        found[f"{it.label}_gradient_se"] = (("parameter", *dims), gradients[1, k], error)
    return found
