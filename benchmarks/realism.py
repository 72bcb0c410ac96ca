"""How many facts of a period a market reproduces that was fitted on the time before.

    python -m benchmarks.realism SCENARIO DATA... [--split 2025-01-01] [--simulations 200]
    python -m benchmarks.realism SCENARIO DATA... --split 2025-12-01 --venue binance --venue bybit

SCENARIO: what `stresscube calibrate DATA... --until SPLIT` wrote, its numbers as estimated, not
drawn; those of the tables are in benchmarks/markets. Every rival is fitted on the same bars, and
all are held against those from SPLIT on: a fact passes that lies within the central 95% of the
simulations. Lines go to results/realism.jsonl, of a pair of venues, which has no rivals, to
results/realism_basis.jsonl, and from there into docs/realism.md.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stresscube.calibrate.write import duration
from stresscube.cli.realism import step_for
from stresscube.realism.compare import Fact, compare
from stresscube.realism.facts import Series, facts
from stresscube.realism.recorded import Wanted, recorded
from stresscube.realism.rivals import Rival, rivals
from stresscube.scenario import load
from stresscube.scenario.expand import any_market, simulation_spec
from stresscube_kernels.spec import believed

from . import record

RESULTS = record.ROOT / "benchmarks" / "results" / "realism.jsonl"
BASIS = RESULTS.with_name("realism_basis.jsonl")
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


def measure(
    scenario: Path, data: list[Path], split: str, count: int, venues: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """A line for every market, with all its facts; venues: of one asset, both legs."""
    file = load(scenario)
    assets = file.market.assets
    coins = tuple(asset.split("-")[0] for asset in assets) if venues else ()
    after, before = (
        recorded(data, assets, replace(wanted, assets=coins, venues=venues), file.market)[0]
        for wanted in (Wanted(since=split), Wanted(until=split))
    )
    hourly = load(scenario, [f"simulation.step={duration(step_for(file, after.step))}"])
    ours = compare(
        believed(any_market(hourly, {})), simulation_spec(hourly), after, assets, simulations=count
    )
    lines = [line(OURS, list(ours), split, count)]
    if venues:
        return [lines[0] | {"benchmark": "realism_basis"}]
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
    parser.add_argument("--venue", action="append", default=[])
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    record.provenance()
    venues = tuple(asked.venue)
    lines = measure(asked.scenario, asked.data, asked.split, asked.simulations, venues)
    output = asked.output or (BASIS if venues else RESULTS)
    output.write_text("".join(json.dumps(one) + "\n" for one in lines))
    print(f"{lines[0]['inside']} of {lines[0]['facts']} for {OURS}; written to {output}")


if __name__ == "__main__":
    main()
