"""Pathwise gradients at several temperatures against differences of the hard rules, same paths."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from stresscube.gradients import Found, Problem
from stresscube.gradients.problem import APART
from stresscube.scenario import load

from .case import ROOT
from .record import significant

METRICS = ("return_mean", "return_std", "liquidation_probability", "fees_mean")
TEMPERATURES = (0.0, 0.25, 0.35, 0.5, 0.75)
POLICY = ("hedge_ratio", "leverage", "rebalance_threshold", "venue.slippage")


class Question(NamedTuple):
    """A policy of a shipped scenario, changed where its whole horizon would take too long."""

    scenario: str
    policy: dict[str, Any]
    market: str
    changes: tuple[str, ...] = ()


QUESTIONS = (
    Question("quickstart", {"leverage": 35.0}, "market.regimes.stress.correlation"),
    Question(
        "btc_eth_hourly",
        {"leverage": 30.0, "venue": "B"},
        "market.correlation_regimes.breakdown.correlation",
        ('simulation.horizon="1d"', 'policy.holding="8h"'),
    ),
)


def measure(*, paths: int) -> Iterator[dict[str, Any]]:
    """One line for each scenario, parameter and way of differentiating."""
    for asked in QUESTIONS:
        file = ROOT / "scenarios" / f"{asked.scenario}.toml"
        scenario, by = load(file, list(asked.changes)), (*POLICY, asked.market)
        for temperature in (None, *TEMPERATURES):
            plainly = temperature is None
            problem = Problem(scenario, by, temperature=temperature or 0.0, differences=plainly)
            begun = time.perf_counter()
            found = problem.value_and_gradient([asked.policy], METRICS, paths=paths)
            took = time.perf_counter() - begun
            yield from _lines(asked, by, found, paths, temperature, took)


def _lines(
    asked: Question,
    by: Sequence[str],
    found: Found,
    paths: int,
    temperature: float | None,
    took: float,
) -> Iterator[dict[str, Any]]:
    for k, key in enumerate(by):
        yield {
            "benchmark": "gradients",
            "scenario": asked.scenario,
            "changes": list(asked.changes),
            "policy": asked.policy,
            "parameter": key,
            "method": found.methods[k],
            "temperature": temperature,
            "step": APART if temperature is None else None,
            "gradients": {
                name: [significant(float(part[row, k, 0])) for part in
                       (found.gradients, found.gradient_errors)]
                for row, name in enumerate(METRICS)
            },
            "paths": paths,
            "seconds_of_all": significant(took, 3),
            "versions": {},
        }  # fmt: skip
