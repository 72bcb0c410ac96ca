"""How many facts of a year a market reproduces that was fitted on the years before.

    python -m benchmarks.realism SCENARIO DATA... [--split 2025-01-01] [--simulations 200]

SCENARIO: what `stresscube calibrate DATA... --until SPLIT` wrote, its numbers as estimated, not
drawn (that of the table is benchmarks/markets/btc_eth_2021_2024.toml). Every rival is fitted on
the same bars, and all are held against those from SPLIT on: a fact passes that lies within the central 95%
of the simulations. Lines go to results/realism.jsonl, and from there into docs/realism.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from stresscube.realism.compare import Fact, compare
from stresscube.realism.facts import Series, facts
from stresscube.realism.recorded import Wanted, recorded
from stresscube.realism.rivals import Rival, rivals
from stresscube.scenario import load
from stresscube.scenario.expand import any_market, simulation_spec
from stresscube_kernels.spec import believed

from . import record

RESULTS = record.ROOT / "benchmarks" / "results" / "realism.jsonl"
OURS = "stresscube calibrate"
SEED = 20250101


def of_rival(rival: Rival, history: Series, assets: tuple[str, str], count: int) -> list[Fact]:
    """The facts of the history beside those of a rival's simulations."""
    rng = np.random.default_rng(SEED)
    real = facts(history, assets)
    found: list[dict[str, float]] = []
    for _ in range(count):
        returns = rival(len(history.returns), rng)
        found.append(facts(Series(returns, history.step), assets))
    return [
        Fact(name, value, np.array([one[name] for one in found])) for name, value in real.items()
    ]


def measure(scenario: Path, data: list[Path], split: str, count: int) -> list[dict[str, Any]]:
    """A line for every market, with all its facts."""
    file = load(scenario)
    assets = file.market.assets
    after, _ = recorded(data, assets, Wanted(since=split), file.market)
    before, _ = recorded(data, assets, Wanted(until=split), file.market)
    hourly = load(scenario, [f"simulation.step={after.step:g}h"])
    ours = compare(
        believed(any_market(hourly, {})), simulation_spec(hourly), after, assets, simulations=count
    )
    lines = [line(OURS, list(ours), split, count)]
    for name, rival in rivals(before.returns, before.step).items():
        lines.append(line(name, of_rival(rival, after, assets, count), split, count))
        print(f"{name}: {lines[-1]['inside']} of {lines[-1]['facts']}", flush=True)
    return lines


def line(name: str, found: list[Fact], split: str, count: int) -> dict[str, Any]:
    """What is kept of one market."""
    return record.provenance() | {
        "benchmark": "realism",
        "market": name,
        "split": split,
        "simulations": count,
        "facts": len(found),
        "inside": sum(fact.passes for fact in found),
        "table": [
            {"fact": fact.name, "real": fact.real, "median": fact.median,
             "low": fact.limits[0], "high": fact.limits[1], "inside": fact.passes}
            for fact in found
        ],
    }  # fmt: skip


def main() -> None:
    """Measure, print, and put the lines in place of those before."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.realism", description=__doc__)
    parser.add_argument("scenario", type=Path)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--split", default="2025-01-01")
    parser.add_argument("--simulations", type=int, default=200)
    parser.add_argument("--output", type=Path, default=RESULTS)
    asked = parser.parse_args()
    record.provenance()
    lines = measure(asked.scenario, asked.data, asked.split, asked.simulations)
    asked.output.write_text("".join(json.dumps(one) + "\n" for one in lines))
    print(f"{lines[0]['inside']} of {lines[0]['facts']} for {OURS}; written to {asked.output}")


if __name__ == "__main__":
    main()
