"""A whole run (market, policies, metrics, Zarr) against the policy kernel's own rate."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import stresscube as sc
from stresscube.plan import make_plan
from stresscube_kernels.compiled import numba_kernels
from stresscube_kernels.cpu import available_threads

from . import contestants
from .case import SCENARIO, make_case
from .record import significant
from .timing import rounds, seconds, spread


def measure(*, policies: int, paths: int, steps: int, count: int, run_paths: int) -> dict[str, Any]:
    """One line: the rate of `stresscube.run` over that of the kernel, interleaved.

    run_paths: paths of the run, over the whole horizon and sweep of the scenario.
    """
    case = make_case(policies, paths, steps)
    cores = available_threads()
    kernel = contestants.compiled(case, numba_kernels(case.shape, "float32"), "cpu", cores)
    scenario = sc.load(SCENARIO, [f"simulation.paths={run_paths}"])
    plan = make_plan(scenario)
    work = plan.policy_steps
    with tempfile.TemporaryDirectory() as folder:
        short = ["simulation.paths=64", "simulation.horizon=2d"]  # compiles the same code
        sc.run(sc.load(SCENARIO, short), f"{folder}/warm")
        blocks: list[float] = []

        def whole() -> None:
            out = sc.run(scenario, Path(folder) / f"{len(blocks)}.run")
            blocks.append(inside(out))

        found = rounds([kernel.measure, seconds(whole)], count)
    ours = [paths * steps * policies / s for s in found[0]]
    runs = [work / s for s in found[1]]
    ratio = spread([run / mine for run, mine in zip(runs, ours, strict=True)])
    return {
        "benchmark": "end_to_end",
        "policy_steps_per_second": significant(spread(runs).median),
        "kernel_policy_steps_per_second": significant(spread(ours).median),
        "share_of_kernel": significant(ratio.median),
        "share_least": significant(ratio.least),
        "share_greatest": significant(ratio.greatest),
        "seconds": significant(spread(found[1]).median),
        "seconds_in_blocks": significant(spread(blocks[1:]).median),
        "rounds": count,
        "threads": cores,
        "policies": plan.policies,
        "market_points": plan.market_points,
        "paths": run_paths,
        "steps": plan.simulation.steps,
        "scenario": case.scenario,
        "versions": {},
    }


def inside(run: Path) -> float:
    """Seconds that a run's receipts say its blocks took."""
    receipts = (run / "_control" / "receipts").glob("*.json")
    return sum(json.loads(path.read_text())["seconds"] for path in receipts)
