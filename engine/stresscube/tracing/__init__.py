"""One path of one cell again, with everything that happened to its account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from stresscube.identity import SOURCES, data_of, sources_hash
from stresscube.store.layout import DAYS, PATH_OUTCOMES
from stresscube.store.objects import Place
from stresscube.tracing.cell import Cell, open_cell
from stresscube.tracing.paths import Found, find, outcomes
from stresscube.tracing.table import regimes, table
from stresscube_kernels.ledger import ledger, totals

__all__ = ["Traced", "trace", "trace_texts"]


@dataclass(frozen=True)
class Traced:
    """A ledger and what it is of.

    table: a row for each step and one for the close (docs/trace.md). totals: what the rows add up
    to, by the names of the cube's paths. notes: what a reader must know of these numbers.
    """

    cell: Cell
    found: Found
    table: pd.DataFrame
    totals: dict[str, float]
    notes: tuple[str, ...]


def trace(
    run: Place,
    path: int | str = "worst",
    settings: Mapping[str, Any] | None = None,
    *,
    trust: bool = False,
) -> Traced:
    """Regenerate one path of a run's cell and return its ledger.

    path: a number, or "worst" (lowest final equity), "median" (of final equity, the lower of two)
    or "liquidated" (the first). settings: {swept key: value}; an axis that is not named takes
    [policy]'s value if that was swept, else its first. trust: whether code that the scenario names
    may run. Raises RunError if there is no run, StresscubeError for a bad key, value or path.
    """
    texts = [f"{key}={value}" for key, value in (settings or {}).items()]
    return trace_texts(run, str(path), texts, trust=trust)


def trace_texts(run: Place, path: str, settings: Sequence[str], *, trust: bool = False) -> Traced:
    """`trace` of words: settings are "key=value"."""
    cell = open_cell(run, settings, trust=trust)
    found = find(cell, path)
    made = ledger(cell.job, found.path, cell.code)
    about = {
        "name": cell.plan.scenario.name,
        "path": found.path,
        "cell": dict(cell.words),
        "assets": [str(asset) for asset in cell.plan.scenario.market.assets],
        "regimes": regimes(cell.market),
        "seed": str(cell.plan.simulation.seed),
        "precision": cell.plan.simulation.precision,
    }
    rows = table(made, cell.market, about)
    found_totals = _as_in_the_cube(totals(made.columns), cell)
    return Traced(cell, found, rows, found_totals, tuple(_notes(cell, found, found_totals)))


def _as_in_the_cube(found: Mapping[str, float], cell: Cell) -> dict[str, float]:
    """Totals by the names, in the units and with the rounding of a cube's paths."""
    made = {it.name: found[it.field] for it in PATH_OUTCOMES}
    run, step = cell.plan.simulation, found["liquidation_step"]
    days = np.dtype(run.precision).type(step) * (run.step * DAYS)
    return made | {"liquidation_time": float(days) if step else float("nan")}


def _notes(cell: Cell, found: Found, made: Mapping[str, float]) -> list[str]:
    notes: list[str] = []
    if cell.index is None:
        notes.append("no cell of this cube: a value of --set was not swept")
    identity, scenario = cell.plan.identity, cell.plan.scenario
    if scenario.market.reads_files and data_of(scenario) != identity["data"]:
        notes.append("NOT the run's path: its data have changed since")
    code = {code.key: code.rules for code in scenario.code}
    sources = {name: sources_hash(name) for name in SOURCES}
    if (identity["sources"], identity["code"]) != (sources, code):
        notes.append("the program has changed since the run, so its numbers may have as well")
    if cell.plan.backend != "cpu":
        notes.append(
            f"the run was made by {cell.plan.backend}, this by cpu: they agree but for the last "
            "places, and in float32 a decision may fall the other way"
        )
    if saved := outcomes(cell, found.path):
        notes.append(_compared(made, saved))
    return notes


def _compared(made: Mapping[str, float], saved: Mapping[str, float]) -> str:
    """How far the ledger's totals are from what the run saved of the path."""
    names = [name for name in made if name in saved]
    ours, theirs = (np.array([it[name] for name in names]) for it in (made, saved))
    both = ~(np.isnan(ours) & np.isnan(theirs))
    gap = np.abs(ours - theirs)[both]
    if np.isnan(gap).any():
        return "NOT the path that the run saved: one is liquidated and the other is not"
    worst = int(gap.argmax())
    name = np.array(names)[both][worst]
    if gap[worst] == 0.0:
        return "the totals are exactly those that the run saved"
    return f"the totals are those that the run saved, to {gap[worst]:.1g} (largest in {name})"
