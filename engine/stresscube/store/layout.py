"""The arrays of a cube: names, dims, chunks and what they mean.

A block owns whole chunks: along the axes a chunk is a block, and further dims are not cut,
except `path`, which a block writes piece by piece.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stresscube.metrics import Context, variables_of
from stresscube.plan import Plan
from stresscube_kernels.draws import PATHS_A_DRAW

ROOT = "cube.zarr"
DAYS = 365.0
CELL_NAMES = ("feasible", "leverage_effective")
"""What every cell tells of itself besides its metrics."""
LABELS = {
    "quantile": "probability of the quantile",
    "level": "confidence level",
    "time": "time since the start",
    "leg": "leg of the pair",
    "regime": "regime of the step",
    "batch": "batch of paths: path number modulo the number of batches",
    "path": "number of the path",
}


@dataclass(frozen=True, slots=True)
class Variable:
    """One array that blocks write.

    shape, chunks: along dims. fill: what stands in a cell that no block has written.
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: str
    fill: float | bool
    units: str
    long_name: str


@dataclass(frozen=True, slots=True)
class Coordinate:
    """The labels of one dim: numbers, or words."""

    name: str
    values: tuple[Any, ...]
    attrs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PathOutcome:
    """One outcome of a single path: from which `Outcome` field it comes and how it is told."""

    name: str
    field: str
    units: str
    long_name: str


PATH_OUTCOMES = (
    PathOutcome("final_equity", "final_equity", "1", "final equity over starting equity"),
    PathOutcome("max_drawdown", "max_drawdown", "1", "deepest drawdown over the peak before it"),
    PathOutcome("liquidation_time", "liquidation_step", "d", "time of liquidation, NaN if never"),
    PathOutcome("shadow_equity", "shadow_equity", "1", "final equity had no margin been called"),
    PathOutcome("extra_margin", "extra_margin", "1", "margin that would have averted liquidation"),
    PathOutcome("deficit", "deficit", "1", "loss beyond the account's equity"),
    PathOutcome("pnl_a", "pnl_a", "1", "profit of leg a before costs"),
    PathOutcome("pnl_b", "pnl_b", "1", "profit of leg b before costs"),
    PathOutcome(
        "pnl_mispricing", "pnl_mispricing", "1", "what of leg b's profit the mispricing made"
    ),
    PathOutcome("fees", "fees", "1", "fees paid"),
    PathOutcome("slippage", "slippage", "1", "slippage paid"),
    PathOutcome("funding", "funding", "1", "funding paid"),
    PathOutcome("liquidation_cost", "liquidation_cost", "1", "cost of liquidation"),
    PathOutcome("turnover", "turnover", "1", "traded notional"),
    PathOutcome("rebalances", "rebalances", "1", "rebalances"),
    PathOutcome("trades", "trades", "1", "trades"),
    PathOutcome("wins", "wins", "1", "trades closed with a gain"),
)


def chunk_name(place: Sequence[int]) -> str:
    """Return what the chunk at a place, in chunks along each dim, is called in its array."""
    return ".".join(["c", *(str(index) for index in place)])


def context(plan: Plan) -> Context:
    """Return what the estimators need to know of a run."""
    simulation = plan.simulation
    horizon = simulation.steps * simulation.step
    known = Context(horizon, simulation.step, simulation.steps, regimes=plan.regimes)
    if (count := plan.draws) == 0:
        return known
    return replace(known, draws=count, group=PATHS_A_DRAW)


def groups(plan: Plan) -> dict[str, tuple[Variable, ...]]:
    """Return {group: its arrays}."""
    found = {"summary": tuple(_summary(plan))}
    if plan.save_paths:
        found["paths"] = tuple(_paths(plan))
    return found


def cube_bytes(plan: Plan) -> int:
    """Return the size of the cube's numbers before compression."""
    every = (variable for variables in groups(plan).values() for variable in variables)
    return sum(math.prod(it.shape) * np.dtype(it.dtype).itemsize for it in every)


def coordinates(plan: Plan, group: str) -> tuple[Coordinate, ...]:
    """Return the labels of a group's dims: the axes, then those that its arrays have besides."""
    found = [
        Coordinate(axis.name, tuple(axis.values), _axis_attrs(axis.units, axis.long_name, axis.key))
        for axis in plan.axes
    ]
    if group == "paths":
        return (*found, _further("path", tuple(range(plan.paths))))
    about = context(plan)
    used = {dim for variable in variables_of(about) for dim in variable.dims}
    known = about.coordinates()
    return (*found, *(_further(dim, known[dim]) for dim in known if dim in used))


def _summary(plan: Plan) -> Iterator[Variable]:
    about = context(plan)
    extents = {name: len(values) for name, values in about.coordinates().items()}
    yield _cell(plan, "feasible", (), {}, "bool", "1", "whether the position can be opened")
    label = "gross notional over equity after the venue's cap"
    yield _cell(plan, "leverage_effective", (), {}, "float64", "1", label)
    for it in variables_of(about):
        # A count has no NaN for a cell that was not run, so it is kept as a real number.
        dtype = it.dtype if it.dtype == "bool" else "float64"
        yield _cell(plan, it.name, it.dims, extents, dtype, it.units, it.long_name)


def _cell(
    plan: Plan,
    name: str,
    further: tuple[str, ...],
    extents: dict[str, int],
    dtype: str,
    units: str,
    long_name: str,
) -> Variable:
    sizes = tuple(extents[dim] for dim in further)
    fill = True if dtype == "bool" else float("nan")
    return Variable(
        name, plan.dims + further, plan.shape + sizes, plan.block_shape + sizes, dtype, fill,
        units, long_name,
    )  # fmt: skip


def _paths(plan: Plan) -> Iterator[Variable]:
    shape = (*plan.shape, plan.paths)
    chunks = (*plan.block_shape, plan.chunk_paths)
    for it in PATH_OUTCOMES:
        yield Variable(
            it.name, (*plan.dims, "path"), shape, chunks, plan.simulation.precision,
            float("nan"), it.units, it.long_name,
        )  # fmt: skip


def _axis_attrs(units: str, long_name: str, key: str) -> dict[str, Any]:
    return {"units": units, "long_name": long_name, "key": key}


def _further(dim: str, values: tuple[Any, ...]) -> Coordinate:
    units = "h" if dim == "time" else "1"
    return Coordinate(dim, values, {"units": units, "long_name": LABELS.get(dim, dim)})
