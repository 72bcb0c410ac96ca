"""Which path of a cell to trace: by its number, or by what became of it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stresscube import receipts
from stresscube.backends import Backend, CpuBackend, choose
from stresscube.errors import StresscubeError
from stresscube.folder import read_plan
from stresscube.metrics.sample import to_host
from stresscube.runner import usable_cores
from stresscube.store.objects import objects_at
from stresscube.store.reader import IncompleteRun, open_run
from stresscube.text import plural, suggest
from stresscube.tracing.cell import Cell

WORDS = {
    "worst": "the lowest final equity",
    "median": "the median final equity",
    "liquidated": "the first that was liquidated",
}
BATCH = 16384
"""Paths simulated at a time."""


@dataclass(frozen=True, slots=True)
class Found:
    """A path's number, which one of all it is, and how that was found out ("" where given)."""

    path: int
    why: str
    how: str = ""

    def __str__(self) -> str:
        return f"{self.path}{self.why}"


def find(cell: Cell, wanted: str) -> Found:
    """Return the path that a number or one of WORDS stands for.

    What became of the paths is read where the run saved it, else simulated again. Raises
    StresscubeError for another word, a number that is no path, or no liquidated path.
    """
    paths = cell.plan.paths
    if wanted not in WORDS:
        return Found(_number(wanted, paths), f" of {plural(paths, 'path')}")
    saved = _saved(cell)
    final, dead, how = _simulated(cell) if saved is None else (*saved, "as the run saved it")
    why = f", {WORDS[wanted]} of {plural(paths, 'path')}"
    if wanted == "worst":
        return Found(int(final.argmin()), why, how)
    if wanted == "median":
        return Found(int(np.argsort(final, kind="stable")[(paths - 1) // 2]), why, how)
    if not dead.any():
        raise StresscubeError(
            f"--path liquidated: none of {plural(paths, 'path')} is liquidated at {cell}; "
            "choose another policy with --set, or --path worst"
        )
    return Found(int(dead.argmax()), why, how)


def _number(wanted: str, paths: int) -> int:
    if not wanted.isascii() or not wanted.isdigit():
        hint = suggest(wanted, WORDS)
        words = ", ".join(WORDS)
        raise StresscubeError(f"--path {wanted}: must be a number or one of {words}{hint}")
    if int(wanted) >= paths:
        raise StresscubeError(f"--path {wanted}: the run has paths 0 to {paths - 1}")
    return int(wanted)


def outcomes(cell: Cell, path: int) -> dict[str, float]:
    """Return what the run saved of one path of a cell, by the names of its cube; {} if nothing."""
    data = _dataset(cell)
    if data is None:
        return {}
    row = data.isel(path=path)
    return {str(name): float(row[name]) for name in row.data_vars}


def _saved(cell: Cell) -> tuple[NDArray[Any], NDArray[np.bool_]] | None:
    """Final equity and liquidation of every path, if the run saved them."""
    data = _dataset(cell)
    if data is None:
        return None
    return data["final_equity"].values, np.isfinite(data["liquidation_time"].values)


def _dataset(cell: Cell) -> Any:
    """The saved paths of a cell, None if there are none."""
    if not cell.plan.save_paths or cell.index is None:
        return None
    objects = objects_at(cell.folder)
    plan = read_plan(objects, cell.folder)["hash"]
    if receipts.complete(objects, plan) is None and (
        cell.block.name not in receipts.read_all(objects, plan)
    ):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IncompleteRun)
        return open_run(cell.folder)["paths"].to_dataset().isel(cell.index)


def _simulated(cell: Cell) -> tuple[NDArray[Any], NDArray[np.bool_], str]:
    """Final equity and liquidation of every path, simulated again, and on what."""
    backend = backend_of(cell)
    fields = cell.plan.outcomes
    final, dead = fields.index("final_equity"), fields.index("liquidation_step")
    made: list[NDArray[Any]] = []
    with backend.active():
        prepared = backend.prepare(cell.job, usable_cores(), cell.code)
        for first in range(0, cell.plan.paths, BATCH):
            count = min(BATCH, cell.plan.paths - first)
            made.append(to_host(prepared.run(first, count).per_policy)[[final, dead], 0])
    found = np.concatenate(made, axis=1)
    return found[0], found[1] > 0, f"simulated again on {backend.name}"


def backend_of(cell: Cell) -> Backend:
    """Return the run's backend, or the processor where that cannot be used here."""
    try:
        return choose(cell.plan.backend)
    except StresscubeError:
        return CpuBackend()
