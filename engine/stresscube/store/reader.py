"""Opening a run as labelled arrays, whether it is finished, interrupted or still going on."""

from __future__ import annotations

import os
import warnings
from pathlib import PurePosixPath
from typing import Any, cast

import numpy as np
import xarray as xr

from stresscube import receipts
from stresscube.errors import RunError
from stresscube.folder import read_plan
from stresscube.metrics import VARIABLES
from stresscube.store.finished import FinishedBlocks, damaged
from stresscube.store.layout import CELL_NAMES, PATH_OUTCOMES, ROOT
from stresscube.store.objects import Objects, objects_at
from stresscube.store.stored import arrays_of
from stresscube.store.writer import CUBE


class IncompleteRun(UserWarning):
    """Some blocks of a run are missing."""


def open_run(path: str | os.PathLike[str]) -> xr.DataTree:
    """Return the cube of a run in a folder or under `s3://`: `/summary` and, if saved, `/paths`.

    Numbers are read when they are asked for. Cells of missing blocks are NaN, and an
    `IncompleteRun` warning says how many blocks are missing: those without a receipt when the
    run was opened, also if they are finished later. Attributes say what was run, on which devices
    and for how long.

    Raises RunError if there is no run; reading a number raises it where its object is damaged,
    and either raises StoreError if a bucket refuses or does not answer.
    """
    objects = objects_at(path)
    folder = objects.place
    plan = read_plan(objects, folder)
    about, done = receipts.complete(objects, plan["hash"]), None
    if about is None:
        known = receipts.read_all(objects, plan["hash"])
        about, done = receipts.totals(known.values()), frozenset(map(int, known))
    missing = plan["blocks"] - about["blocks"]
    if missing:
        warnings.warn(
            f"{folder}: {missing} of {plan['blocks']} blocks are missing and read as NaN; "
            "run the scenario again to go on",
            IncompleteRun,
            stacklevel=2,
        )
    timings = {key: about[key] for key in ("seconds", "policy_steps", "devices")}
    tree = _open(objects, plan, done)
    found = {name: _tidy(node.to_dataset()) for name, node in tree.children.items()}
    nodes = {"/": xr.Dataset(attrs=tree.attrs), **dict(sorted(found.items(), reverse=True))}
    return xr.DataTree.from_dict(
        {name: node.assign_attrs(timings) for name, node in nodes.items()},
        name=PurePosixPath(folder).name,
    )


def _tidy(data: xr.Dataset) -> xr.Dataset:
    """Return a group with its variables in the order of their registry, words as plain text."""
    words: dict[str, Any] = {}
    for name in data.coords:
        it = data[name]
        if it.dtype.kind == "T":
            labels = cast("list[str]", it.values.tolist())
            words[str(name)] = (it.dims, np.array(labels, dtype=str), it.attrs)
    known = [*CELL_NAMES, *(it.name for it in VARIABLES), *(it.name for it in PATH_OUTCOMES)]
    names = [name for name in known if name in data.data_vars]
    rest = [name for name in data.data_vars if name not in known]
    return data.assign_coords(words)[[*names, *rest]]


def _open(objects: Objects, plan: dict[str, Any], done: frozenset[int] | None) -> xr.DataTree:
    folder = objects.place
    data = objects.get(f"{ROOT}/zarr.json")
    if data is None and objects.get(CUBE) is not None:
        raise damaged(folder, "zarr.json", "missing")
    if data is None:
        raise RunError(f"{folder} has no cube yet: run the scenario again to go on")
    try:
        arrays = arrays_of(data, [axis["name"] for axis in plan["axes"]])
    except ValueError as fault:
        raise damaged(folder, "zarr.json", str(fault)) from None
    sizes = [len(axis["values"]) for axis in plan["axes"]]
    pairs = zip(sizes, cast("list[int]", plan["block_shape"]), strict=True)
    grid = tuple(-(-size // chunk) for size, chunk in pairs)
    store = FinishedBlocks(
        objects.zarr_store(ROOT),
        frozenset(array.name for array in arrays),
        grid,
        done,
        folder,
    )
    return xr.open_datatree(store, engine="zarr", chunks=None, consolidated=True)  # type: ignore[arg-type]
