"""Gradients against a grid: the same question, both with paths of their own, then one referee.

    python -m benchmarks.optimise [--only NAME] [--paths N] [--out FILE]

For each scenario a grid of 4,096 policies is run, and the best is taken that is shown by itself
to keep the constraint. `optimise` looks in the same box, with a tenth of the grid's policy-steps at
most, all its exact runs counted. Then both policies, and the grid's HINDSIGHT best, are run on many
paths that none of them has seen: the differences are paired.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from stresscube.decide.question import Question, ask
from stresscube.gradients import Problem
from stresscube.metrics.paired import paired_error
from stresscube.optimise import Effort, Optimum, optimise
from stresscube.optimise.box import Box, box_of
from stresscube.optimise.exact import Exact, joined
from stresscube.optimise.goal import Judged, smooth_labels
from stresscube.optimise.markets import market_points
from stresscube.optimise.rewritten import market_sweep, with_values
from stresscube.scenario import Scenario, load
from stresscube.scenario.expand import simulation_spec

from .case import ROOT
from .record import append, significant

OUT = ROOT / "benchmarks" / "results" / "optimise.jsonl"
AN_AXIS = 16
HINDSIGHT = 6
"""Of the grid's policies, so many that looked best are run by the referee as well."""
GRID_SEED, REFEREE_SEED = 900_001, 900_002
CONFIDENT = 0.95


@dataclass(frozen=True, slots=True)
class Case:
    """A scenario and the box that is looked through; the markets are those of its sweep, or one.

    round_paths: of each exact round, the power of two with which five of them fit into a tenth of
    the grid.
    """

    file: str
    over: tuple[str, ...]
    round_paths: int
    swept_markets: bool = False
    maximise: str = "sharpe"
    subject_to: tuple[str, ...] = ("liquidation_probability<0.01",)


CASES = {
    "quickstart": Case(
        "quickstart.toml",
        ("leverage=5:50", "hedge_ratio=0.5:1.1", "rebalance_threshold=0.004:0.1"),
        512,
        swept_markets=True,
    ),
    "btc_eth_hourly": Case(
        "btc_eth_hourly.toml",
        ("leverage=2:20", "hedge_ratio=0.8:1.2", "rebalance_threshold=0.004:0.1"),
        1024,
    ),
    "flash_crash": Case(
        "flash_crash.toml",
        ("leverage=2:30", "hedge_ratio=0.8:1.3", "rebalance_threshold=0.008:0.2"),
        2048,
    ),
    "cross_exchange": Case(
        "cross_exchange.toml",
        ("leverage=2:40", "entry_z=1:8", "exit_z=-0.5:0.5"),
        2048,
    ),
}


def scenario_of(case: Case, paths: int) -> Scenario:
    """The scenario with so many paths, its policy axes dropped."""
    read = load(ROOT / "scenarios" / case.file)
    sweep = market_sweep(read) if case.swept_markets else {}
    return with_values(read, {}, sweep, paths=paths)


def measure(
    name: str, *, paths: int, an_axis: int, referee: int, effort: Effort, confirming: int
) -> dict[str, Any]:
    """One line: grid against gradient on one scenario. paths: of the grid; others of the referee
    and of the run that confirms.
    """
    case = CASES[name]
    effort = replace(effort, exact=case.round_paths)
    scenario = scenario_of(case, confirming)
    question = ask(case.maximise, None, case.subject_to, "worst", CONFIDENT)
    box = box_of(scenario, case.over)
    steps = simulation_spec(scenario).steps
    exact = Exact(scenario, question, market_sweep(scenario), steps)
    began = time.perf_counter()
    grid = exact.grid({it.key: it.even(an_axis) for it in box.ranges}, paths, GRID_SEED)
    grid_seconds = time.perf_counter() - began
    began = time.perf_counter()
    found = optimise(
        scenario, maximise=case.maximise, subject_to=case.subject_to, over=case.over, effort=effort,
        confidence=CONFIDENT,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    pick = grid.policies[grid.best(question)]
    judges = _referee(exact, box, [found.policy, pick, *_promising(grid, question)], referee)
    grid_steps = exact.work(len(grid.policies), paths)
    return {
        "benchmark": "optimise",
        "scenario": name,
        "maximise": case.maximise,
        "subject_to": list(case.subject_to),
        "box": [str(it) for it in box.ranges],
        "markets": exact.market_points,
        "grid_policies": len(grid.policies),
        "grid_paths": paths,
        "grid_policy_steps": grid_steps,
        "grid_seconds": significant(grid_seconds),
        "grid_policy": pick,
        "policy_steps": sum(found.spent.values()),
        "spent": found.spent,
        "share": significant(sum(found.spent.values()) / grid_steps, 3),
        "seconds": significant(seconds),
        "gradient_cost_counted": 2 + 2 * len(box.ranges),
        "gradient_cost_measured": _measured_cost(scenario, question, box, effort),
        "policy": found.policy,
        "standing": found.standing,
        "seeds": {"grid": GRID_SEED, "referee": REFEREE_SEED, **found.seeds},
        "round_paths": case.round_paths,
        "referee_paths": referee,
        **_compared(judges, question),
    }


def _promising(grid: Judged, question: Question) -> list[dict[str, float]]:
    """The grid's policies that look best among those that keep the constraints by estimates."""
    sign = 1.0 if question.larger else -1.0
    worth = np.where(grid.kept & np.isfinite(grid.goal), sign * grid.goal, -np.inf)
    order = np.argsort(-worth, kind="stable")[:HINDSIGHT]
    return [grid.policies[k] for k in order if np.isfinite(worth[k])]


def _referee(exact: Exact, box: Box, policies: Sequence[Mapping[str, float]], paths: int) -> Judged:
    runs = [
        exact.grid({key: [policy[key]] for key in box.keys}, paths, REFEREE_SEED)
        for policy in policies
    ]
    return joined(runs)


def _compared(judges: Judged, question: Question) -> dict[str, Any]:
    """The referee's numbers: row 0 is what was found, row 1 the grid's, then those in hindsight."""
    sign = 1.0 if question.larger else -1.0
    after = Judged.best(_rows(judges, range(1, len(judges.policies))), question) + 1
    line: dict[str, Any] = {}
    for name, row in (("found", 0), ("grid", 1), ("hindsight", after)):
        line[name] = {
            "policy": judges.policies[row],
            "goal": judges.goal[row],
            "goal_se": judges.goal_se[row],
            "constraints": judges.values[:, row].tolist(),
            "bounds": judges.bounds[:, row].tolist(),
            "standing": judges.standing(row, question),
        }
    assert judges.batches is not None
    for name, row in (("difference", 1), ("difference_to_hindsight", after)):
        line[name] = sign * (judges.goal[0] - judges.goal[row])
        line[f"{name}_se"] = float(paired_error(judges.batches[0], judges.batches[row]))
    line["winner"] = verdict(line)
    return line


def verdict(line: Mapping[str, Any]) -> str:
    """Who won: the constraint first, then the goal by two of its paired errors."""
    order = ("none", "estimated", "shown")
    found, grid = (order.index(line[it]["standing"]) for it in ("found", "grid"))
    if (found == 0) != (grid == 0):
        return "gradient" if grid == 0 else "grid"
    reach = 2.0 * line["difference_se"]
    if abs(line["difference"]) <= reach:
        return "neither"
    return "gradient" if line["difference"] > 0 else "grid"


def _rows(it: Judged, rows: Sequence[int] | range) -> Judged:
    at = list(rows)
    return Judged(
        tuple(it.policies[k] for k in at), it.goal[at], it.goal_se[at], it.values[:, at],
        it.values_se[:, at], it.bounds[:, at], it.sure[at], it.kept[at], it.beyond[at], None,
    )  # fmt: skip


def _measured_cost(scenario: Scenario, question: Question, box: Box, effort: Effort) -> float:
    """Time of values and gradients over that of values alone, both compiled before."""
    problem = Problem(scenario, box.keys, market=market_points(scenario)[0])
    policies = box.policies(np.full((effort.starts, len(box.ranges)), 0.5))
    labels = smooth_labels(question)
    times: dict[str, list[float]] = {"values": [], "both": []}
    for _ in range(4):
        for name, call in (("values", problem.values), ("both", problem.value_and_gradient)):
            began = time.perf_counter()
            call(policies, labels, paths=effort.paths)
            times[name].append(time.perf_counter() - began)
    return significant(min(times["both"][1:]) / min(times["values"][1:]), 3)


def lines(names: Sequence[str], **sizes: Any) -> Iterator[dict[str, Any]]:
    """Measure scenario after scenario."""
    for name in names:
        yield measure(name, **sizes)


def main() -> int:
    """Measure, print and append to the results."""
    parser = argparse.ArgumentParser(description="Gradients against a grid of 4,096 policies.")
    parser.add_argument("--only", action="append", choices=sorted(CASES), metavar="NAME")
    parser.add_argument("--paths", type=int, default=512, metavar="N", help="paths of the grid")
    parser.add_argument("--out", type=Path, default=OUT, metavar="FILE")
    asked = parser.parse_args()
    effort = Effort(starts=4, steps=16, paths=64)
    for line in lines(
        asked.only or list(CASES), paths=asked.paths, an_axis=AN_AXIS, referee=8192,
        effort=effort, confirming=4 * asked.paths,
    ):  # fmt: skip
        append([line], asked.out)
        print(_said(line), flush=True)
    return 0


def _said(line: Mapping[str, Any]) -> str:
    return (
        f"{line['scenario']}: {line['winner']}; found less grid {line['difference']:.4g} ± "
        f"{line['difference_se']:.2g}, less its best in hindsight "
        f"{line['difference_to_hindsight']:.4g} ± {line['difference_to_hindsight_se']:.2g}; "
        f"{line['share']:.1%} of the policy-steps, {line['seconds']:.0f} s against "
        f"{line['grid_seconds']:.0f} s; found {line['found']}, grid {line['grid']}"
    )


__all__ = ["CASES", "Case", "Optimum", "measure", "scenario_of", "verdict"]

if __name__ == "__main__":
    sys.exit(main())
