"""One block: simulate its paths in batches, gather the outcomes, estimate; then store, sign."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from stresscube.backends import Backend, Prepared, Simulated
from stresscube.cells import Cells
from stresscube.interrupts import Stop
from stresscube.memory import Shares
from stresscube.metrics import summarise, to_host
from stresscube.plan import Block, Plan
from stresscube.receipts import Receipt
from stresscube.spill import Gathered, InMemory, Spilled
from stresscube.store.layout import DAYS, PATH_OUTCOMES, context
from stresscube.store.objects import Objects
from stresscube.store.writer import BlockWriter, CubeWriter


class Stopped(Exception):
    """The run was asked to stop inside a block, which is given up."""


@dataclass(frozen=True, slots=True)
class Means:
    """What blocks are run with; none but plan and backend changes a number.

    advance: called with the policy-steps done.
    """

    plan: Plan
    backend: Backend
    shares: Shares
    objects: Objects
    cube: CubeWriter
    stop: Stop
    advance: Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Computed:
    """A block whose numbers are there. begun: when it was, as `time.perf_counter` counts."""

    block: Block
    writer: BlockWriter
    arrays: dict[str, NDArray[Any]]
    policies: int
    begun: float


def compute(means: Means, block: Block) -> Computed:
    """Simulate a block and estimate its metrics. Outcomes of single paths are stored at once.

    Raises Stopped when asked to stop.
    """
    _check(means.stop)
    begun = time.perf_counter()
    plan, cells = means.plan, means.plan.policy_cells(block)
    writer = means.cube.block(block)
    arrays = _empty(means.cube, cells)
    policies = int(cells.feasible.sum())
    if policies:
        with means.backend.active():
            _simulate(means, block, cells, writer, arrays)
    elif plan.save_paths:
        for first, paths in batches(plan.paths, plan.chunk_paths):
            _write_paths(
                means, writer, cells, first, np.empty((len(plan.outcomes), 0, paths), np.float32)
            )
    _check(means.stop)
    return Computed(block, writer, arrays, policies, begun)


def store(means: Means, made: Computed) -> Receipt:
    """Store a block's metrics; return its receipt, which the caller writes."""
    plan = means.plan
    made.writer.summary(made.arrays)
    return Receipt(
        block=made.block.name,
        plan=plan.hash,
        arrays=made.writer.hashes(),
        device=means.backend.device,
        versions=plan.identity["versions"],
        seconds=round(time.perf_counter() - made.begun, 4),
        policy_steps=made.policies * plan.paths * plan.simulation.steps,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def run_block(means: Means, block: Block) -> Receipt:
    """Compute a block and store it.

    Raises Stopped when asked to stop.
    """
    return store(means, compute(means, block))


def batches(paths: int, batch: int) -> Iterator[tuple[int, int]]:
    """Yield (first path, paths) of each batch."""
    for first in range(0, paths, batch):
        yield first, min(batch, paths - first)


def _simulate(
    means: Means,
    block: Block,
    cells: Cells,
    writer: BlockWriter,
    arrays: dict[str, NDArray[Any]],
) -> None:
    plan = means.plan
    with means.stop.breaking_in():
        prepared = means.backend.prepare(
            plan.job(block),
            means.shares.threads,
            plan.code(block),
            on_device=means.shares.on_device,
        )
    policies = int(cells.feasible.sum())
    gathered = _gather(means, (len(plan.outcomes), policies, plan.paths))
    market = np.empty((2, plan.paths), dtype=np.float64)
    try:
        for first, paths in batches(plan.paths, means.shares.batch):
            done = _batch(means, prepared, first, paths)
            outcomes = done.per_policy
            _expect(outcomes.shape, (len(plan.outcomes), policies, paths))
            gathered.put(first, outcomes)
            market[:, first : first + paths] = to_host(done.market)
            if plan.save_paths:
                _write_batch(means, writer, cells, first, outcomes)
            del done, outcomes
        _estimate(means, block, cells, gathered, market, arrays)
    finally:
        gathered.close()


def _batch(means: Means, prepared: Prepared, first: int, paths: int) -> Simulated:
    """Simulate one batch; a backend may answer a stop by any exception."""
    _check(means.stop)
    try:
        done = prepared.run(first, paths, stop=means.stop, advance=means.advance)
    except Exception:
        _check(means.stop)
        raise
    _check(means.stop)
    return done


def _gather(means: Means, shape: tuple[int, int, int]) -> Gathered:
    plan = means.plan
    dtype = np.dtype(plan.simulation.precision)
    if means.shares.spill:
        return Spilled(shape, dtype, means.shares.chunk, means.objects.scratch)
    return InMemory(shape, means.shares.chunk)


def _estimate(
    means: Means,
    block: Block,
    cells: Cells,
    gathered: Gathered,
    market: NDArray[np.float64],
    arrays: dict[str, NDArray[Any]],
) -> None:
    """Fill in the metrics of the feasible cells, some policies at a time."""
    rows = np.flatnonzero(cells.feasible)
    size = means.shares.chunk
    returns = {"return_a": market[0], "return_b": market[1]}
    about = replace(context(means.plan), overlap=means.plan.overlap(block))

    def one(index: int) -> None:
        _check(means.stop)
        values = gathered.chunk(index)
        values = means.backend.bring(values) if means.shares.bring else values
        outcomes = {name: values[at] for at, name in enumerate(means.plan.outcomes)}
        into = rows[index * size : (index + 1) * size]
        found = cast("dict[str, NDArray[Any]]", summarise(outcomes, returns, about))
        for name, values in found.items():
            arrays[name][into] = values

    chunks = range(-(-rows.size // size))
    if means.shares.workers == 1 or len(chunks) == 1:
        for index in chunks:
            one(index)
        return
    with ThreadPoolExecutor(means.shares.workers) as pool:
        for done in [pool.submit(one, index) for index in chunks]:
            done.result()


def _empty(cube: CubeWriter, cells: Cells) -> dict[str, NDArray[Any]]:
    """Return the summary arrays [cell, further dims] of a block in which nothing was run."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, variable in cube.groups["summary"].items():
        shape = (len(cells.specs), *variable.shape[cube.axes :])
        arrays[name] = np.full(shape, variable.fill, dtype=variable.dtype)
    arrays["feasible"][:] = cells.feasible
    arrays["leverage_effective"][:] = cells.leverage
    return arrays


def _write_batch(
    means: Means, writer: BlockWriter, cells: Cells, first: int, outcomes: NDArray[Any]
) -> None:
    """Store a batch's outcomes path by path. Batches are whole chunks of the stored arrays."""
    size = means.plan.chunk_paths
    for offset in range(0, outcomes.shape[2], size):
        _check(means.stop)
        part = to_host(outcomes[:, :, offset : offset + size])
        _write_paths(means, writer, cells, first + offset, part)


def _write_paths(
    means: Means, writer: BlockWriter, cells: Cells, first: int, outcomes: NDArray[Any]
) -> None:
    dtype = np.dtype(means.plan.simulation.precision)
    for it in PATH_OUTCOMES:
        values = np.full((len(cells.specs), outcomes.shape[2]), np.nan, dtype=dtype)
        found = outcomes[means.plan.outcomes.index(it.field)]
        if it.name == "liquidation_time":
            found = np.where(found > 0, found * (means.plan.simulation.step * DAYS), np.nan)
        values[cells.feasible] = found
        writer.paths(it.name, first, values)


def _check(stop: Stop) -> None:
    if stop.is_set():
        raise Stopped


def _expect(found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if found != expected:
        raise ValueError(f"backend returned outcomes {found}, expected {expected}")
