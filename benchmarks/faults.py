"""What it costs that a run cannot be lost: the same blocks with a run around them, and without."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import stresscube as sc
from stresscube.backends import choose
from stresscube.block import Means, compute
from stresscube.interrupts import Stop
from stresscube.plan import Plan, make_plan
from stresscube.receipts import read_all
from stresscube.runner import means_of
from stresscube.scenario import Scenario
from stresscube.store.objects import LocalObjects
from stresscube.store.writer import CubeWriter

from .case import SCENARIO
from .record import significant
from .timing import seconds, spread

CORRELATIONS = "sweep.market.correlation_regimes.breakdown.correlation"
MARKETS = (0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.5)


def measure(*, count: int, paths: int) -> dict[str, Any]:
    """One line: seconds of a run over those of its bare blocks, less one, pair by pair.

    A run plans, locks, writes the cube and its metadata, hashes, syncs, signs and completes.
    A bare block is simulated and estimated, and its numbers are thrown away. Who is first in a
    pair alternates, so that a machine that slows down favours neither.
    """
    scenario = sc.load(SCENARIO, [f"{CORRELATIONS}={list(MARKETS)}", f"simulation.paths={paths}"])
    plan = make_plan(scenario)
    with tempfile.TemporaryDirectory() as folder:
        pairs = paired(scenario, plan, Path(folder), count)
        last = Path(folder) / f"{count}.run"
        longest = [it.seconds for it in read_all(LocalObjects(last), plan.hash).values()]
    ratios = sorted(run / bare - 1 for run, bare in pairs)
    middle = spread(ratios)
    return {
        "benchmark": "faults",
        "overhead": significant(middle.median, 3),
        "overhead_quartiles": [significant(ratios[at], 3) for at in (count // 4, -1 - count // 4)],
        "overhead_least": significant(middle.least, 3),
        "overhead_greatest": significant(middle.greatest, 3),
        "overhead_of_least_seconds": significant(
            min(run for run, _ in pairs) / min(bare for _, bare in pairs) - 1, 3
        ),
        "seconds": significant(spread([run for run, _ in pairs]).median),
        "seconds_bare": significant(spread([bare for _, bare in pairs]).median),
        "seconds_of_a_block": significant(spread(longest).median),
        "rounds": count,
        "blocks": len(plan.blocks),
        "policies": plan.policies,
        "paths": paths,
        "scenario": SCENARIO.stem,
        "versions": {},
    }


def paired(scenario: Scenario, plan: Plan, folder: Path, count: int) -> list[tuple[float, float]]:
    """Seconds of (a run, its bare blocks), after one unrecorded pair."""
    found: list[tuple[float, float]] = []
    for number in range(count + 1):
        out = folder / f"{number}.run"
        whole, bare = seconds(lambda out=out: sc.run(scenario, out)), seconds(bare_blocks(plan))
        if number % 2:
            run, alone = whole(), bare()
        else:
            alone, run = bare(), whole()
        found.append((run, alone))
    return found[1:]


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
