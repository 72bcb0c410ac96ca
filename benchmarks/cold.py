"""How long code takes to compile, scenario by scenario: processor seconds, into an empty cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

from stresscube.plan import make_plan
from stresscube.scenario import load
from stresscube_kernels.compiled import numba_kernels
from stresscube_kernels.programs import programs

from .case import ROOT
from .record import significant
from .timing import spread

SCENARIOS = ("quickstart", "flash_crash", "cross_exchange", "btc_eth_hourly")


def measure(*, count: int) -> list[dict[str, Any]]:
    """One line for each scenario, the rounds interleaved.

    lines: SSA lines of a market step and of a policy step. Numba itself is loaded and has compiled
    something before.
    """
    found: dict[str, list[dict[str, Any]]] = {scenario: [] for scenario in SCENARIOS}
    for _ in range(count):
        for scenario in SCENARIOS:
            found[scenario].append(alone(scenario))
    return [
        {
            "benchmark": "cold",
            "scenario": scenario,
            "processor_seconds": significant(spread([r["seconds"] for r in rows]).median, 3),
            "least": significant(min(row["seconds"] for row in rows), 3),
            "lines": rows[0]["lines"],
            "rounds": count,
            "versions": {},
        }
        for scenario, rows in found.items()
    ]


def alone(scenario: str) -> dict[str, Any]:
    """Compile a scenario's code in a process and a cache folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"STRESSCUBE_CACHE_DIR": folder}
        command = [sys.executable, "-m", "benchmarks.cold", scenario]
        done = subprocess.run(
            command, env=environment, cwd=ROOT, check=True, capture_output=True, text=True
        )
    return json.loads(done.stdout)


def here(scenario: str) -> dict[str, Any]:
    """Processor seconds of tracing, printing and compiling, and the lines traced."""
    import numba

    plan = make_plan(load(ROOT / "scenarios" / f"{scenario}.toml"))
    shape = plan.code(next(b for b in plan.blocks if plan.policy_cells(b).feasible.any()))
    numba.njit("f4(f4)")(_twice)  # loads what numba loads on first use
    begun = time.process_time()
    numba_kernels(shape, plan.simulation.precision)
    seconds = time.process_time() - begun
    traced = programs(shape)
    lines = {name: len(getattr(traced, name).lines) for name in ("market_step", "policy_step")}
    return {"seconds": seconds, "lines": lines}


def _twice(x: float) -> float:
    return x + x


if __name__ == "__main__":
    print(json.dumps(here(sys.argv[1])))
