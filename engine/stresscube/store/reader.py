"""Opening a run as labelled arrays, whether it is finished, interrupted or still going on."""

from __future__ import annotations

import json
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
from stresscube.store.finished import FinishedBlocks
from stresscube.store.layout import CELL_NAMES, PATH_OUTCOMES, ROOT
from stresscube.store.objects import Objects, objects_at


class IncompleteRun(UserWarning):
    """Some blocks of a run are missing."""


def open_run(path: str | os.PathLike[str]) -> xr.DataTree:
    """Return the cube of a run in a folder or under `s3://`: `/summary` and, if saved, `/paths`.

    Numbers are read when they are asked for. Cells of missing blocks are NaN, and an
    `IncompleteRun` warning says how many blocks are missing. Attributes say what was run, on
    which devices and for how long.

    Raises RunError if there is no run, StoreError if a bucket refuses or does not answer.
    """
    objects = objects_at(path)
    plan = read_plan(objects)
    finished = receipts.complete(objects, plan["hash"])
    about: dict[str, Any] = finished or {}
    done = None
    if finished is None:
        known = receipts.read_all(objects, plan["hash"])
        about = receipts.totals(list(known.values()))
        done = frozenset(int(name) for name in known)
        missing = int(plan["blocks"]) - len(done)
        warnings.warn(
            f"{objects.place}: {missing} of {plan['blocks']} blocks are missing and read as NaN; "
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
        name=PurePosixPath(objects.place).name,
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
    arrays, dims = _arrays(objects)
    axes = [axis["name"] for axis in plan["axes"]]
    by_block = frozenset(name for name, its in dims.items() if its[: len(axes)] == axes)
    sizes = [len(axis["values"]) for axis in plan["axes"]]
    pairs = zip(sizes, cast("list[int]", plan["block_shape"]), strict=True)
    grid = tuple(-(-size // chunk) for size, chunk in pairs)
    store = FinishedBlocks(objects.zarr_store(ROOT), by_block - arrays, grid, done)
    return xr.open_datatree(store, engine="zarr", chunks=None, consolidated=True)  # type: ignore[arg-type]


def _arrays(objects: Objects) -> tuple[frozenset[str], dict[str, list[str]]]:
    """Return the coordinates' paths and {array path: dims}, as the cube's metadata have them."""
    data = objects.get(f"{ROOT}/zarr.json")
    if data is None:
        raise RunError(f"{objects.place} has no cube yet: run the scenario again to go on")
    nodes = json.loads(data)["consolidated_metadata"]["metadata"]
    dims = {
        name: list(node.get("dimension_names") or [])
        for name, node in nodes.items()
        if node["node_type"] == "array"
    }
    labels = frozenset(name for name, its in dims.items() if its == [name.rpartition("/")[2]])
    return labels, dims
