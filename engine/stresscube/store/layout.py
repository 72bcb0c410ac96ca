"""The arrays of a cube: names, dims, chunks and what they mean, and their Zarr metadata.

A block owns whole chunks: along the axes a chunk is a block, and further dims are not cut,
except `path`, which a block writes piece by piece.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stresscube.metrics import Context, variables_of
from stresscube.plan import FORMAT, Plan
from stresscube.scenario.recorded import described, recorded
from stresscube.store.encoding import codecs
from stresscube.text import label
from stresscube_kernels.draws import PATHS_A_DRAW

ROOT = "cube.zarr"
KEYS: Any = {"name": "default", "separator": "."}
"""Chunks lie side by side in their array's folder: no folder is made for each."""
DAYS = 365.0
HOURS = 8760.0
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


def metadata(plan: Plan) -> dict[str, bytes]:
    """Return the objects {key: bytes} of an empty cube: metadata and coordinates, root last.

    They depend on the plan alone, so writing them twice changes nothing.
    """
    from zarr.core.sync import sync

    # Zarr works in a thread of its own: a hundred arrays are one errand there, not a hundred.
    objects = sync(_create(plan))
    keys = sorted(objects, key=lambda key: key == "zarr.json")
    return {f"{ROOT}/{key}": objects[key] for key in keys}


async def _create(plan: Plan) -> dict[str, bytes]:
    """Return the objects of an empty cube by their names in it."""
    from zarr.api import asynchronous as zarr
    from zarr.core.buffer import Buffer
    from zarr.storage import MemoryStore

    objects: dict[str, Buffer] = {}
    store = MemoryStore(store_dict=objects)
    root = await zarr.create_group(store=store, zarr_format=3, attributes=_attributes(plan))
    for group, variables in groups(plan).items():
        node = await root.create_group(group, attributes=_attributes(plan))
        for coordinate in coordinates(plan, group):
            await _create_coordinate(node, coordinate)
        for variable in variables:
            await _create_array(node, variable)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that consolidation is an extension of the format
        await zarr.consolidate_metadata(store)
    return {key: data.to_bytes() for key, data in objects.items()}


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


def _attributes(plan: Plan) -> dict[str, Any]:
    words = plan.document["scenario"]
    return {
        "convention": f"stresscube {FORMAT}",
        "name": plan.scenario.name,
        "description": plan.scenario.description or "",
        "scenario": words["text"],
        "overrides": words["overrides"],
        "code": words["code"],
        "assets": [str(asset) for asset in plan.scenario.market.assets],
        "seed": str(plan.simulation.seed),
        "paths": plan.paths,
        "steps": plan.simulation.steps,
        "step_hours": plan.simulation.step * HOURS,
        "precision": plan.simulation.precision,
        "backend": plan.backend,
        "versions": plan.identity["versions"],
        "plan": plan.hash,
        **_data(plan),
    }


def _data(plan: Plan) -> dict[str, Any]:
    """Return what is to be said of recorded data, or draws."""
    if asked := plan.scenario.market.uncertainty:
        words = f"{asked.draws} draws of the market's numbers, from {asked.file}"
        return {"draws": words, "data_hash": plan.identity["data"]}
    if not plan.scenario.market.replayed:
        return {}
    found = recorded(plan.scenario)
    words = {"data": described(found), "data_notes": list(found.tape.notes)}
    return {**words, "data_hash": plan.identity["data"]}


async def _create_array(node: Any, variable: Variable) -> None:
    await node.create_array(
        variable.name,
        shape=variable.shape,
        dtype=variable.dtype,
        chunks=variable.chunks,
        compressors=codecs(),
        chunk_key_encoding=KEYS,
        fill_value=variable.fill,
        dimension_names=variable.dims,
        attributes={"units": variable.units, "long_name": variable.long_name},
        config={"write_empty_chunks": True},
    )


async def _create_coordinate(node: Any, coordinate: Coordinate) -> None:
    await node.create_array(
        coordinate.name,
        data=_labels(coordinate.values),
        chunks=(len(coordinate.values),),
        compressors=codecs(),
        chunk_key_encoding=KEYS,
        dimension_names=(coordinate.name,),
        attributes=coordinate.attrs,
        config={"write_empty_chunks": True},
    )


def _labels(values: tuple[Any, ...]) -> NDArray[Any]:
    if any(isinstance(value, str) for value in values):
        words = [label(value, digits=12) for value in values]
        return np.array(words, dtype=np.dtypes.StringDType())
    return np.asarray(values)
