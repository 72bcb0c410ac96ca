"""Every metric by every kind of number, against central differences of the hard rules.

Two policies on one market: one that is never liquidated, and one that often is.
"""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stresscube.scenario import Scenario, load

pytest.importorskip("jax", reason="needs jax: jax")

from stresscube.gradients import Found, Problem
from stresscube.gradients.measures import NAMES, SHORTFALL

SCENARIO = """
name = "pairs"
simulation = { paths = 1024, horizon = "6h", step = "10min", seed = 11, precision = "float64" }
[market]
assets = ["BTC", "ETH"]
funding_interval = "2h"
[[market.regimes]]
name = "only"
drift = [2.0, -1.0]
volatility = [0.9, 1.2]
correlation = 0.6
slippage_multiplier = 1.5
funding = { mean = [0.0003, 0.0002], std = [0.0001, 0.0001], half_life = "8h" }
[[venues]]
name = "X"
taker_fee = 0.0005
slippage = 0.0002
latency = "1s"
max_leverage = 200
maintenance_tiers = [[0, 0.01]]
liquidation_fee = 0.005
[policy]
venue = "X"
hedge_ratio = 0.8
leverage = 2
rebalance_threshold = 0.01
"""
POLICIES = [{"leverage": 5.0}, {"leverage": 40.0}]
MARKET = "market.regimes.only."
STILL = (
    "hedge_ratio", "leverage", "venue.slippage", "venue.latency", "venue.liquidation_fee",
)  # fmt: skip
"""They do not move when the drift rule fires."""
MOVING = ("rebalance_threshold", MARKET + "correlation", MARKET + "volatility.ETH")
METRICS = tuple(name for name in NAMES if name != "pnl_mispricing_mean")  # of which it has none
PATHS = 4096
"""Always as many, so that code is compiled once."""
OTHER_SEED, OTHER_STEP = 12, 0.05


@lru_cache(maxsize=1)
def scenario() -> Scenario:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pairs.toml"
        file.write_text(SCENARIO)
        return load(file)


@lru_cache(maxsize=4)
def found(by: tuple[str, ...], seed: int = 11, first: int = 0, apart: float = 0.0) -> Found:
    """apart: step of differences of all numbers, 0 for what is the default."""
    given: dict[str, Any] = {"differences": True, "apart": apart} if apart else {}
    problem = Problem(scenario(), by, **given)
    return problem.value_and_gradient(POLICIES, METRICS, paths=PATHS, seed=seed, first_path=first)


def test_every_pair_agrees_with_differences_on_other_paths() -> None:
    """Within k = 4 combined errors, of 256 pairs.

    A bias shows from four errors on. For the least noisy pairs of each number that is, of the
    derivative, what is asserted here.
    """
    by = STILL + MOVING
    here, there = found(by), found(by, OTHER_SEED, apart=OTHER_STEP)
    assert here.methods == ("pathwise",) * len(STILL) + ("differences",) * len(MOVING)
    gap = here.gradients - there.gradients
    assert gap.shape == (16, 8, 2)
    error = np.hypot(here.gradient_errors, there.gradient_errors)
    size = np.abs(there.gradients)
    rounding = 1e-9 * (1.0 + size)
    apart = np.abs(gap) / np.maximum(error, rounding)
    worst = np.unravel_index(np.argmax(apart), apart.shape)
    assert apart.max() < 4.0, (METRICS[worst[0]], by[worst[1]], POLICIES[worst[2]])
    for metric, key, policy, seen in POWER:
        place = METRICS.index(metric), by.index(key), policy
        assert 4.0 * error[place] < seen * size[place], (metric, key)


POWER = (
    ("funding_mean", "hedge_ratio", 0, 0.01),
    ("liquidation_probability", "leverage", 1, 0.35),
    ("return_mean", "venue.slippage", 1, 0.1),
    ("sharpe", "venue.liquidation_fee", 1, 0.1),
    ("fees_mean", "rebalance_threshold", 0, 0.3),
    ("return_std", MARKET + "correlation", 0, 0.1),
    ("fees_mean", MARKET + "volatility.ETH", 0, 0.2),
)
"""Metric, number, policy, and the least bias that four errors show."""


def test_fees_by_the_threshold() -> None:
    """Within k = 4 combined errors, which show a bias of 15%: 16,384 paths each."""
    by, ranges = MOVING[:1], range(0, 4 * PATHS, PATHS)
    fees = METRICS.index("fees_mean"), 0, 0
    here = [found(by, first=first) for first in ranges]
    there = [found(by, OTHER_SEED, first, OTHER_STEP) for first in ranges]
    slopes = [np.mean([it.gradients[fees] for it in each]) for each in (here, there)]
    each = [it.gradient_errors[fees] for it in here + there]
    error = np.sqrt(np.sum(np.square(each))) / len(here)
    assert 4.0 * error < 0.15 * abs(slopes[1])
    assert abs(slopes[0] - slopes[1]) < 4.0 * error


def test_pathwise_derivatives_are_limits_of_differences() -> None:
    """Where no decision moves, the hard rules have a derivative on every path, and it is this.

    A step of 1e-5 passes a border of a minimum or maximum on one path in thousands. An expected
    shortfall is that of another value at risk at every place, so it is left out.
    """
    here, there = found(STILL + MOVING), found(STILL, apart=1e-5)
    plain = [k for k, name in enumerate(METRICS) if name != SHORTFALL]
    ours, theirs = here.gradients[plain, : len(STILL)], there.gradients[plain]
    assert np.all(np.abs(ours - theirs) < 2e-3 * np.abs(theirs) + 1e-7)
    assert np.count_nonzero(np.abs(theirs) > 1e-4) > 90
