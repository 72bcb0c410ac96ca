"""How long `stresscube calibrate` takes on five years of hourly bars, with funding.

    python -m benchmarks calibration

As a command of its own, once with an empty cache, when it compiles, and then with a full one.
Seconds of all processors together are told beside those of the clock: on a shared machine the
clock's say more of the others.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from .case import ROOT
from .faults_worker import Taken
from .record import significant

DATA = ROOT.parent / "shared" / "data"
PRICES = DATA / "binance_perp_1h_2021_2025_MIT.parquet"
FUNDING = DATA / "binance_funding_8h_2021_2025_MIT.parquet"
COMMAND = "from stresscube.cli.app import main; main()"
THREADS = 2


def measure(*, count: int, prices: Path = PRICES, funding: Path = FUNDING) -> dict[str, Any]:
    """One line: seconds of the first calibration, which compiles, and of `count` later ones."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"STRESSCUBE_CACHE_DIR": f"{folder}/cache"}
        out = Path(folder) / "pair.toml"
        taken = [calibrated(prices, funding, out, environment) for _ in range(count + 1)]
        bars, found = told(out)
    cold, later = taken[0], taken[1:]
    warm: dict[str, float] = {}
    if later:
        warm["seconds"] = significant(min(later).clock, 3)
        warm["processor_seconds"] = significant(min(later).processors, 3)
    return {
        "benchmark": "calibration",
        "data": prices.name,
        "bars": bars,
        "found": found,
        "threads": THREADS,
        "seconds_cold": significant(cold.clock, 3),
        "processor_seconds_cold": significant(cold.processors, 3),
        **warm,
        "rounds": count,
        "versions": {},
    }


def calibrated(prices: Path, funding: Path, out: Path, environment: dict[str, str]) -> Taken:
    """What one calibration takes; its progress goes to stderr as it does for everybody."""
    command = [sys.executable, "-c", COMMAND, "calibrate", str(prices), "--funding", str(funding)]
    command += ["-o", str(out), "--overwrite", "--threads", str(THREADS)]
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    clock, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Taken(clock, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def told(scenario: Path) -> tuple[int, dict[str, int]]:
    """Bars that a calibrated scenario says it is made of, and how many states it has of each."""
    text = scenario.read_text(encoding="utf-8")
    bars = next(line for line in text.splitlines() if line.endswith("UTC")).split()[1]
    kinds = ("regimes", "volatility_regimes", "correlation_regimes", "funding_regimes")
    return int(bars.replace(",", "")), {kind: text.count(f"[[market.{kind}]]") for kind in kinds}
