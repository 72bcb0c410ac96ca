"""What it costs that a run cannot be lost: a run, and at the same time its blocks without one."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import stresscube as sc
from stresscube.memory import usable_cores
from stresscube.plan import make_plan
from stresscube.scenario import Scenario

from .case import SCENARIO
from .faults_worker import Taken, serve
from .record import significant
from .timing import spread

CORRELATIONS = "sweep.market.correlation_regimes.breakdown.correlation"
MARKETS = (0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.5)


class Pair(NamedTuple):
    """A run and its bare blocks."""

    run: Taken
    bare: Taken


def measure(*, count: int, paths: int) -> dict[str, Any]:
    """One line: a run's time over that of its bare blocks, less one, pair by pair.

    A run plans, locks, writes the cube and its metadata, hashes, syncs, signs and completes.
    Beside it the policies of the same blocks are expanded, simulated and estimated, and their
    numbers are thrown away. The two of a pair run at the same time, a process each, on
    all threads as by default, and change places after every pair: whatever slows the machine down
    slows both. One after the other, pairs scattered by 5%. Alone, a block takes its processor
    seconds over the cores.

    Raises ValueError where there is only one core.
    """
    if usable_cores() < 2:
        raise ValueError("faults: a run and its bare blocks need a core each")
    scenario = sc.load(SCENARIO, [f"{CORRELATIONS}={list(MARKETS)}", f"simulation.paths={paths}"])
    plan = make_plan(scenario)
    pairs = list(paired(scenario, count))
    busy = spread([it.bare.processors for it in pairs]).median
    return {
        "benchmark": "faults",
        **over("overhead", [(it.run.clock, it.bare.clock) for it in pairs]),
        **over("processor_overhead", [(it.run.processors, it.bare.processors) for it in pairs]),
        "seconds": significant(spread([it.run.clock for it in pairs]).median),
        "seconds_bare": significant(spread([it.bare.clock for it in pairs]).median),
        "processor_seconds_of_a_block": significant(busy / len(plan.blocks)),
        "rounds": count,
        "threads": usable_cores(),
        "blocks": len(plan.blocks),
        "policies": plan.policies,
        "paths": paths,
        "scenario": SCENARIO.stem,
        "versions": {},
    }


def over(name: str, pairs: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """What the first of each pair has over the second, as a share: mean, error, quartiles, ends."""
    shares = np.array([run / bare - 1 for run, bare in pairs])
    error = shares.std(ddof=1) / len(shares) ** 0.5 if len(shares) > 1 else float("nan")
    low, high, least, greatest = np.quantile(shares, (0.25, 0.75, 0.0, 1.0))
    return {
        name: significant(float(shares.mean()), 3),
        f"{name}_se": significant(float(error), 3),
        f"{name}_quartiles": [significant(float(it), 3) for it in (low, high)],
        f"{name}_ends": [significant(float(it), 3) for it in (least, greatest)],
    }


def paired(scenario: Scenario, count: int) -> Iterator[Pair]:
    """Yield what a run and its bare blocks took, side by side."""
    with two_workers(scenario) as wires:
        for number in range(count):
            running, other = wires if number % 2 else reversed(wires)
            for wire in wires:  # who is at work between pairs ends its block first
                wire.send("rest")
            for wire in wires:
                wire.recv()
            running.send("run")
            other.send("bare")
            yield Pair(running.recv(), other.recv())


@contextmanager
def two_workers(scenario: Scenario) -> Generator[list[Connection]]:
    """Start two processes that have compiled and run everything once."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        made: list[tuple[Connection, Any]] = []
        for name in ("first", "second"):
            ours, theirs = context.Pipe()
            place = Path(folder) / name
            place.mkdir()
            process = context.Process(target=serve, args=(theirs, scenario, place), daemon=True)
            process.start()
            theirs.close()
            made.append((ours, process))
        wires = [wire for wire, _ in made]
        for wire in wires:
            wire.recv()
        try:
            yield wires
        finally:
            for wire, process in made:
                wire.send(None)
                process.join()
