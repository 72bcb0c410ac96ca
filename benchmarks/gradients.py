"""Gradients against differences of another step on other paths, and smoothed ones beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from stresscube.gradients import Found, Problem
from stresscube.gradients.directions import PATHWISE
from stresscube.scenario import load

from .case import ROOT
from .record import significant

METRICS = ("return_mean", "return_std", "liquidation_probability", "fees_mean")
TEMPERATURES = (0.25, 0.35, 0.5, 0.75)
APART, SEED = 0.05, 900_003
"""Step and seed of the differences that gradients are compared with, on twice the paths."""
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
        found = Problem(scenario, by).value_and_gradient([asked.policy], METRICS, paths=paths)
        yield from _lines(asked, by, found, paths, "default")
        apart = Problem(scenario, by, differences=True, apart=APART)
        beside = apart.value_and_gradient([asked.policy], METRICS, paths=2 * paths, seed=SEED)
        yield from _lines(asked, by, beside, 2 * paths, "reference", step=APART, seed=SEED)
        moving = [key for key, way in zip(by, found.methods, strict=True) if way != PATHWISE]
        for warmth in TEMPERATURES:
            soft = Problem(scenario, moving, temperature=warmth)
            smoothed = soft.value_and_gradient([asked.policy], METRICS, paths=paths)
            yield from _lines(asked, moving, smoothed, paths, f"T = {warmth:g}")


def _lines(
    asked: Question, by: Sequence[str], found: Found, paths: int, way: str, **more: Any
) -> Iterator[dict[str, Any]]:
    for k, key in enumerate(by):
        yield {
            "benchmark": "gradients",
            "scenario": asked.scenario,
            "changes": list(asked.changes),
            "policy": asked.policy,
            "parameter": key,
            "way": way,
            "method": found.methods[k],
            "gradients": {
                name: [significant(float(part[row, k, 0])) for part in
                       (found.gradients, found.gradient_errors)]
                for row, name in enumerate(METRICS)
            },
            "paths": paths,
            **more,
            "versions": {},
        }  # fmt: skip
