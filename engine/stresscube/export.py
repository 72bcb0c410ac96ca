"""A cube as a table for other programs: one line a cell, one column a number."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

import numpy as np
import xarray as xr

from stresscube.errors import StresscubeError
from stresscube.policies import LIQUIDATION, metrics, sweep_dims
from stresscube.text import label, listing, suggest
from stresscube.where import Where, select

CELL = ("feasible", "leverage_effective")


def write_csv(
    summary: xr.Dataset,
    file: TextIO,
    *,
    metrics: Sequence[str] = (),
    where: Where | None = None,
    batches: bool = False,
) -> tuple[int, int]:
    """Write a summary as CSV (RFC 4180); return its numbers of lines and columns.

    Columns: the dims of the sweep, `feasible`, `leverage_effective`, then every metric with its
    `_se`; a metric with further dims has a column for each of their values, as
    `return_quantile[0.05]`. What is not known is empty; numbers read back to the bit. metrics:
    only these. batches: batch means too.
    Raises StresscubeError for a metric, dim or value that the cube lacks.
    """
    data = select(summary, where or {})
    names = _names(data, metrics, batches)
    dims = [dim for part in sweep_dims(data, LIQUIDATION) for dim in part]
    dims = [str(dim) for dim in data[LIQUIDATION].dims if dim in dims]
    columns = dict(itertools.chain.from_iterable(_columns(data, name, dims) for name in names))
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*dims, *columns])
    labels = [data[dim].values.tolist() for dim in dims]
    numbers = list(columns.values())
    lines = 0
    for lines, cell in enumerate(itertools.product(*labels), start=1):
        row = (column[lines - 1] for column in numbers)
        writer.writerow([*cell, *("" if value != value else value for value in row)])
    return lines, len(dims) + len(columns)


def _names(data: xr.Dataset, wanted: Sequence[str], batches: bool) -> list[str]:
    """Return the variables to write."""
    if not wanted:
        every = [str(name) for name in data.data_vars]
        return [name for name in every if batches or not name.endswith("_batch")]
    known = [*metrics(data), *(str(it) for it in data.data_vars if f"{it}_se" not in data)]
    known = [name for name in known if not name.endswith(("_se", "_batch")) and name not in CELL]
    every = listing(known, most=99)
    faults = [
        f"--metric {name}: no such metric{suggest(name, known)} (metrics: {every})"
        for name in wanted
        if name not in known
    ]
    if faults:
        raise StresscubeError("\n".join(faults))
    ends = ("", "_se", "_batch") if batches else ("", "_se")
    found = [f"{name}{end}" for name in wanted for end in ends]
    return [name for name in (*CELL, *found) if name in data]


def _columns(data: xr.Dataset, name: str, dims: list[str]) -> Iterator[tuple[str, list[Any]]]:
    """Yield the columns of a variable, {title: one value a cell}."""
    array = data[name]
    further = [str(dim) for dim in array.dims if dim not in dims]
    whole = array.expand_dims({dim: data.sizes[dim] for dim in dims if dim not in array.dims})
    values = whole.transpose(*dims, *further).values.reshape(
        int(np.prod([data.sizes[dim] for dim in dims], dtype=int)),
        *(data.sizes[dim] for dim in further),
    )
    labels = [data[dim].values.tolist() for dim in further]
    places = [range(data.sizes[dim]) for dim in further]
    for at, words in zip(itertools.product(*places), itertools.product(*labels), strict=True):
        title = f"{name}[{','.join(map(label, words))}]" if words else name
        yield title, values[(slice(None), *at)].tolist()
