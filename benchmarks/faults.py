"""What it costs that a run cannot be lost: the same blocks with a run around them, and without."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import stresscube as sc
from stresscube.backends import choose
from stresscube.block import Means, compute
from stresscube.interrupts import Stop
from stresscube.plan import Plan, make_plan
from stresscube.receipts import read_all
from stresscube.runner import means_of
from stresscube.scenario import Scenario
from stresscube.store.local import LocalObjects
from stresscube.store.writer import CubeWriter

from .case import SCENARIO
from .record import significant
from .timing import spread

CORRELATIONS = "sweep.market.correlation_regimes.breakdown.correlation"
MARKETS = (0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.5)


class Taken(NamedTuple):
    """Seconds: of the clock, and of all processors together."""

    clock: float
    processors: float


def measure(*, count: int, paths: int) -> dict[str, Any]:
    """One line: a run's time over that of its bare blocks, less one, pair by pair.

    A run plans, locks, writes the cube and its metadata, hashes, syncs, signs and completes.
    A bare block is simulated and estimated, and its numbers are thrown away. Who is first in a
    pair alternates, so that a machine that slows down favours neither. Seconds of all processors
    together are told beside those of the clock: other processes disturb them less.
    """
    scenario = sc.load(SCENARIO, [f"{CORRELATIONS}={list(MARKETS)}", f"simulation.paths={paths}"])
    plan = make_plan(scenario)
    with tempfile.TemporaryDirectory() as folder:
        pairs = paired(scenario, plan, Path(folder), count)
        last = Path(folder) / f"{count}.run"
        longest = [it.seconds for it in read_all(LocalObjects(last), plan.hash).values()]
    return {
        "benchmark": "faults",
        **over("overhead", [(run.clock, bare.clock) for run, bare in pairs]),
        **over("processor_overhead", [(run.processors, bare.processors) for run, bare in pairs]),
        "seconds": significant(spread([run.clock for run, _ in pairs]).median),
        "seconds_bare": significant(spread([bare.clock for _, bare in pairs]).median),
        "seconds_of_a_block": significant(spread(longest).median),
        "rounds": count,
        "blocks": len(plan.blocks),
        "policies": plan.policies,
        "paths": paths,
        "scenario": SCENARIO.stem,
        "versions": {},
    }


def over(name: str, pairs: list[tuple[float, float]]) -> dict[str, Any]:
    """What the first of each pair has over the second, as a share: median, quartiles, ends."""
    shares = sorted(run / bare - 1 for run, bare in pairs)
    quarter = len(shares) // 4
    ends = (shares[quarter], shares[-1 - quarter], shares[0], shares[-1])
    low, high, least, greatest = (significant(share, 3) for share in ends)
    return {
        name: significant(spread(shares).median, 3),
        f"{name}_quartiles": [low, high],
        f"{name}_ends": [least, greatest],
    }


def paired(scenario: Scenario, plan: Plan, folder: Path, count: int) -> list[tuple[Taken, Taken]]:
    """What (a run, its bare blocks) took, after one unrecorded pair."""
    found: list[tuple[Taken, Taken]] = []
    bare = bare_blocks(plan)
    for number in range(count + 1):
        out = folder / f"{number}.run"
        if number % 2:
            run, alone = taken(lambda out=out: sc.run(scenario, out)), taken(bare)
        else:
            alone, run = taken(bare), taken(lambda out=out: sc.run(scenario, out))
        found.append((run, alone))
    return found[1:]


def taken(run: Callable[[], Any]) -> Taken:
    """Run once and tell what that took."""
    clock, processors = time.perf_counter(), time.process_time()
    run()
    return Taken(time.perf_counter() - clock, time.process_time() - processors)


def bare_blocks(plan: Plan) -> Callable[[], None]:
    """What computes a run's blocks and keeps nothing of them."""
    backend = choose(plan.backend)
    with tempfile.TemporaryDirectory() as unused:
        nowhere = LocalObjects(Path(unused))
    means = Means(
        plan, backend, means_of(plan, backend, None, None), nowhere, CubeWriter(nowhere, plan),
        Stop(), lambda _: None,
    )  # fmt: skip

    def compute_all() -> None:
        for block in plan.blocks:
            compute(means, block)

    return compute_all
