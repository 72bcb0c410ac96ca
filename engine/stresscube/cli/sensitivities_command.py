"""`stresscube sensitivities`: which number of a policy or market moves a metric, and how much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr
from rich.table import Table

from stresscube.cli.as_json import emit
from stresscube.cli.console import console
from stresscube.cli.scenario import load_scenario
from stresscube.cli.tables import Column, print_fitting, table_of
from stresscube.cli.telling import telling
from stresscube.gradients import sensitivities as compute
from stresscube.gradients.labelled import BY
from stresscube.gradients.measures import SHORTFALL
from stresscube.scenario.expand import Axis, axes
from stresscube.text import label, uncertain
from stresscube.where import parse_where

if TYPE_CHECKING:
    from stresscube.optimise.optimise import Tell


def sensitivities(
    scenario: Path,
    *,
    of: Sequence[str],
    by: Sequence[str],
    where: Sequence[str],
    every: bool,
    paths: int | None,
    seed: int | None,
    settings: Sequence[str],
    temperature: float | None,
    differences: bool,
    trust: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Print derivatives of metrics at one cell of the cube, or at those asked for.

    Raises StresscubeError for what cannot be differentiated.
    """
    loaded = load_scenario(scenario, paths, seed, settings)
    known = axes(loaded)
    at: dict[str, Any] = {} if every else {axis.name: [_own(loaded, axis)] for axis in known}
    names = {axis.key: axis.name for axis in known}
    at |= {names.get(name, name): values for name, values in parse_where(where).items()}
    more: dict[str, Any] = {} if temperature is None else {"temperature": temperature}
    with telling(quiet=quiet) as tell:
        found = compute(
            loaded,
            tuple(of) or SHORTFALL,
            tuple(by) or BY,
            at=at,
            differences=differences,
            trust=trust,
            progress=partial(_told, tell),
            **more,
        )
    metrics = [str(name) for name in found.data_vars if f"{name}_gradient" in found]
    if as_json:
        emit({"name": loaded.name, "paths": int(loaded.simulation.paths), "cells": rows(found)})
        return
    _print(found, metrics)


def _told(tell: Tell, done: int, total: int) -> None:
    if done < total:
        tell(f"{done} of {total} cells", done / total)


def _own(scenario: Any, axis: Axis) -> Any:
    """[policy]'s value of an axis if that was swept, else the first."""
    own = getattr(scenario.policy, axis.key, None)
    return own if axis.kind != "market" and own in axis.values else axis.values[0]


def rows(found: xr.Dataset) -> list[dict[str, Any]]:
    """Return a record for each cell: where it is, its metrics and their gradients by parameter."""
    metrics = [str(name) for name in found.data_vars if f"{name}_gradient" in found]
    dims = [str(dim) for dim in found[metrics[0]].dims]
    cells = found.stack(cell=dims) if dims else found.expand_dims("cell")
    made: list[dict[str, Any]] = []
    for k in range(cells.sizes["cell"]):
        here = cells.isel(cell=k)
        made.append({
            "at": {dim: here[dim].values.item() for dim in dims},
            "metrics": [_record(here, metric) for metric in metrics],
        })  # fmt: skip
    return made


def _record(here: xr.Dataset, metric: str) -> dict[str, Any]:
    gradients = [
        {
            "by": str(here["parameter"].values[j]),
            "units": str(here["units"].values[j]),
            "method": str(here["method"].values[j]),
            "gradient": float(here[f"{metric}_gradient"].values[j]),
            "error": float(here[f"{metric}_gradient_se"].values[j]),
        }
        for j in range(here.sizes["parameter"])
    ]
    value, error = (float(here[name].values) for name in (metric, f"{metric}_se"))
    return {"metric": metric, "value": value, "error": error, "gradients": gradients}


def _print(found: xr.Dataset, metrics: Sequence[str]) -> None:
    """A table for each cell."""
    out = console()
    for cell in rows(found):
        if cell["at"]:
            out.print(", ".join(f"{dim} = {label(value)}" for dim, value in cell["at"].items()))
        for record in cell["metrics"]:
            value = _pm(record["value"], record["error"])
            out.print(f"{record['metric']} = {value}", markup=False)
        print_fitting(_tables(cell["metrics"], found), out)
    out.print("Derivatives are for one unit of the number. ± one standard error.", markup=False)


def _tables(
    records: Sequence[dict[str, Any]], found: xr.Dataset
) -> Iterator[tuple[Table, list[str]]]:
    """Yield the table, then without the method, and what it then lacks."""
    columns = [Column("by", [str(key) for key in found["parameter"].values])]
    for record in records:
        cells = [_pm(it["gradient"], it["error"]) for it in record["gradients"]]
        columns.append(Column(f"d {record['metric']}", cells))
    units = [str(word) for word in found["units"].values]
    columns.append(Column("per", units))
    columns.append(Column("method", [str(word) for word in found["method"].values]))
    yield table_of(columns), []
    yield table_of(columns[:-1]), ["method"]


def _pm(value: float, error: float) -> str:
    text, spread = uncertain(value, error)
    return f"{text}±{spread}" if spread else text
