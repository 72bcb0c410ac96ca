"""Claimed errors against the spread of whole simulated runs: 500 seeds, kernels and metrics."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from markets import FULL, HOUR, policy, slow_states, two_state, venue
from stresscube.metrics import Context, summarise
from stresscube_kernels import cpu
from stresscube_kernels.contract import Outcome
from stresscube_kernels.spec import Job, MarketSpec, RegimeSpec, SimulationSpec

RUNS = 500
PATHS = 512
STEPS = 240
TOLERANCE = 0.10
"""The spread of 500 estimates has a relative error of 1 / sqrt(2 * 499) = 3.2%: k = 3.2."""
QUANTILES = (0.25, 0.5)
"""Not 0.1: the edge of the second policy's pile of liquidated paths (13%), where the density
jumps and no standard error is a spread."""
NAMES = (
    "return_mean", "return_std", "sharpe", "sharpe_adjusted", "sortino", "trade_sharpe", "win_rate",
    "liquidation_probability", "expected_shortfall", "return_quantile", "max_drawdown_mean",
    "max_drawdown_quantile", "fees_mean", "slippage_mean", "rebalances_mean", "turnover_mean",
    "pnl_a_mean", "pnl_beta", "time_under_water",
)  # fmt: skip
POLICIES = tuple(
    policy(
        hedge,
        leverage,
        rebalance_threshold=0.01,
        holding=2 * HOUR,
        venues=(venue(taker_fee=0.0005, slippage=0.0001, latency=HOUR / 3600),),
    )
    for hedge, leverage in ((0.6, 5.0), (1.0, 60.0))
)

MARKET = MarketSpec(
    (
        RegimeSpec("calm", (0.0, 0.0), (0.6, 0.8), None),
        RegimeSpec("stress", (0.0, 0.0), (1.5, 1.9), None, slippage_multiplier=3.0),
    ),
    two_state((6 * HOUR, 2 * HOUR)),
    slow_states(0.9, 0.3),
    two_state((12 * HOUR, 6 * HOUR)),
)


@cache
def _runs() -> dict[str, NDArray[Any]]:
    """Metrics of the runs, [run, policy, ...]."""
    context = Context(horizon=STEPS * HOUR / 60, step=HOUR / 60, steps=STEPS, quantiles=QUANTILES)
    found: list[dict[str, NDArray[Any]]] = []
    for seed in range(RUNS):
        simulation = SimulationSpec(steps=STEPS, step=HOUR / 60, seed=70_000 + seed)
        job = cpu.prepare(Job(MARKET, POLICIES, simulation), shape=FULL)
        outcomes, market = job.run(0, PATHS)
        named = dict(zip(Outcome._fields, outcomes.astype(np.float64), strict=True))
        returns = {"return_a": market[0].astype(float), "return_b": market[1].astype(float)}
        found.append(summarise(named, returns, context))
    return {name: np.stack([run[name] for run in found]) for name in found[0]}


@pytest.mark.parametrize("name", NAMES)
def test_the_spread_over_seeds_is_the_claimed_error(name: str) -> None:
    value, error = _runs()[name], _runs()[f"{name}_se"]
    events = _runs()["liquidations"].mean(axis=0)
    chosen = slice(1, 2) if name == "liquidation_probability" else slice(0, 2)
    if name == "liquidation_probability":
        assert events[1] > 10.0, "too few events for the claimed error to be a spread"
    spread = value[:, chosen].std(axis=0, ddof=1)
    claimed = np.sqrt((error[:, chosen] ** 2).mean(axis=0))  # variances are what is unbiased
    assert (spread > 0.0).all()
    np.testing.assert_array_less(np.abs(claimed / spread - 1.0), TOLERANCE)


def test_the_runs_have_something_to_estimate() -> None:
    """Liquidations, rebalances and several trades a path, so that no metric is trivial."""
    runs = _runs()
    assert runs["liquidations"][:, 1].mean() > 10.0
    assert runs["rebalances_mean"].mean() > 0.5
    assert runs["trades_mean"].mean() > 1.5
