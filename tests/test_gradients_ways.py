"""Which way a parameter is differentiated, and expected values of accounts of each kind."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stresscube.scenario import Scenario, load
from stresscube_kernels import oracle
from stresscube_kernels.contract import Outcome
from stresscube_kernels.pack import shape_of, united
from stresscube_kernels.rules import outcome_fields
from stresscube_kernels.spec import Job

pytest.importorskip("jax", reason="needs jax: jax")

from stresscube.gradients import directions
from stresscube.gradients.parameters import (
    HOURS,
    LEAST,
    TINY,
    parameter,
    policy_at,
    value_of,
    with_value,
)
from stresscube.gradients.problem import Problem
from stresscube.scenario.expand import any_market, simulation_spec
from stresscube_kernels import xla_derived, xla_expected, xla_soft

SCENARIOS = Path(__file__).resolve().parents[1] / "scenarios"
PATHS = 512


def way_of(scenario: Scenario, key: str, *, soft: bool = True, **policy: Any) -> str:
    """The way of one parameter, without compiling anything. soft: whether to smooth the drift."""
    problem = Problem(scenario, (key,))
    simulation = simulation_spec(scenario)
    specs = [policy_at(scenario, policy)]
    base = directions.jobs(problem.market, specs, Job(problem.market, (), simulation))
    moving = problem.moving(parameter(scenario, key), specs, base)
    near = moving.stencils(TINY, simulation.step * HOURS, LEAST)
    jobs = [moving.job(values) for values in directions.places(near)]
    shape = united(shape_of(j.market, j.policies, simulation) for j in (base, *jobs))
    packed = [xla_derived.pack(job, shape) for job in jobs]
    slope = directions.slope(packed, directions.weights(near))
    return directions.way(shape, base, slope, whole=moving.parameter.whole, soft=soft)


@pytest.mark.parametrize(
    ("name", "key", "way"),
    [
        ("quickstart", "hedge_ratio", "pathwise"),
        ("quickstart", "rebalance_threshold", "smoothed"),
        ("quickstart", "venue.slippage", "pathwise"),
        ("quickstart", "market.regimes.stress.correlation", "smoothed"),
        ("quickstart", "market.regimes.stress.slippage_multiplier", "pathwise"),
        ("quickstart", "market.regimes.stress.mean_duration", "differences"),  # moves switches
        ("btc_eth_hourly", "leverage", "pathwise"),
        ("btc_eth_hourly", "holding", "differences"),  # whole steps
        ("btc_eth_hourly", "market.regimes.stress.tail_dof", "smoothed"),
        ("btc_eth_hourly", "market.regimes.stress.jumps.intensity", "differences"),
        ("btc_eth_hourly", "market.funding_regimes.premium.funding.mean.BTC", "pathwise"),
        ("flash_crash", "hedge_ratio", "pathwise"),
        ("flash_crash", "market.shocks[0].returns.ETH", "smoothed"),
        ("flash_crash", "bias_trigger", "differences"),  # latches sooner or later
        ("flash_crash", "market.regimes.usual.volatility.ETH", "differences"),  # and so does this
        ("cross_exchange", "leverage", "pathwise"),
        ("cross_exchange", "entry_z", "differences"),
        ("cross_exchange", "venue.latency", "pathwise"),
        ("cross_exchange", "market.regimes.usual.mispricing[0].std", "differences"),  # moves z
    ],
)  # fmt: skip
def test_ways(name: str, key: str, way: str) -> None:
    biased = name == "flash_crash" and "shocks" not in key  # signals see shocks
    policy: dict[str, Any] = {"directional_bias": 0.1} if biased else {}
    assert way_of(load(SCENARIOS / f"{name}.toml"), key, **policy) == way


@pytest.mark.parametrize("key", ["rebalance_threshold", "market.regimes.stress.correlation"])
def test_what_moves_the_drift_rule(key: str) -> None:
    """By differences unless smoothing is asked for; pathwise where nobody rebalances."""
    scenario = load(SCENARIOS / "quickstart.toml")
    assert way_of(scenario, key, soft=False) == "differences"
    assert way_of(scenario, key, soft=False, rebalance_threshold=math.inf) == "pathwise"
    assert way_of(scenario, "leverage", soft=False) == "pathwise"
    by_equity = scenario.model_copy(
        update={"policy": scenario.policy.model_copy(update={"drift_measure": "equity"})}
    )
    assert way_of(by_equity, "leverage", soft=False) == "differences"


@pytest.mark.parametrize("to", ["ratio", "leverage"])
def test_when_the_drift_rule_fires(to: str, tmp_path: Path) -> None:
    """On the same paths as often, whatever the size, the hedge, costs and latency are; not so by
    the threshold and what moves prices."""
    file = tmp_path / "mixed.toml"
    text = MIXED.replace("MODE", "cross").replace("LEVERAGE", "2")
    text = text.replace("rebalance_threshold = 0.02", "rebalance_threshold = 0.005")
    file.write_text(text + f'rebalance_to = "{to}"\n')
    scenario = load(file)
    simulation = simulation_spec(scenario)

    def rebalances(policy: dict[str, Any], market: dict[str, Any]) -> Any:
        base = any_market(scenario, market)
        job = Job(base, (policy_at(scenario, policy),), simulation)
        done = oracle.run(directions.jobs(base, job.policies, job), 0, 64)
        return done.per_policy[Outcome._fields.index("rebalances"), 0]

    before = rebalances({}, {})
    assert before.mean() > 2.0
    for still in ({"leverage": 3.0}, {"hedge_ratio": 0.6}, {"venue.slippage": 0.002},
                  {"venue.latency": 0.01}, {"venue.taker_fee": 0.001}):  # fmt: skip
        np.testing.assert_array_equal(rebalances(still, {}), before)
    assert np.any(rebalances({"rebalance_threshold": 0.0055}, {}) != before)
    assert np.any(rebalances({}, {"market.regimes.only.correlation": 0.85}) != before)


def test_venues_that_differ_change_by_the_same_amount() -> None:
    scenario = load(SCENARIOS / "cross_exchange.toml")
    spec, it = policy_at(scenario, {}), parameter(scenario, "venue.taker_fee")
    before = [venue.taker_fee for venue in spec.venues]
    assert before == [0.0002, 0.0003]
    value = value_of(scenario, it, spec, any_market(scenario, {}))
    assert value == pytest.approx(0.00025, rel=1e-15)
    moved = [venue.taker_fee for venue in with_value(it, spec, value + 0.0001).venues]
    assert moved == pytest.approx([0.0003, 0.0004], rel=1e-12)


def test_survivors_that_are_held_have_no_weights() -> None:
    scenario = load(SCENARIOS / "cross_exchange.toml")
    venues = tuple(v.model_copy(update={"after_leg_death": "hold"}) for v in scenario.venues)
    held = scenario.model_copy(update={"venues": venues})
    assert way_of(held, "leverage") == "differences"


def test_which_lines_are_soft() -> None:
    """One drift rule; of each account its bridge; and nothing else."""
    for name, accounts in (("quickstart", 1), ("cross_exchange", 2)):
        scenario = load(SCENARIOS / f"{name}.toml")
        market, simulation = any_market(scenario, {}), simulation_spec(scenario)
        job = directions.jobs(market, [policy_at(scenario, {})], Job(market, (), simulation))
        shape = shape_of(market, job.policies, simulation)
        made = xla_expected.expected(shape, ("power_1",))
        before = [line.op for line in xla_soft.softened(made.made.policy_step).lines]
        ops = [line.op for line in made.made.policy_step.lines]
        assert ops.count("exceeds") == 1, name
        assert len(made.events) == accounts, name
        assert before == ops  # softening twice changes nothing


MIXED = """
name = "mixed"
simulation = { paths = 512, horizon = "4h", step = "5min", seed = 5, precision = "float64" }
[market]
assets = ["BTC-X", "BTC-Y"]
tail_interval = "1h"
[[market.regimes]]
name = "only"
volatility = [1.5, 1.5]
correlation = 0.9
tail_dof = 6
slippage_multiplier = 2.0
jumps = { intensity = 2000, std = [0.02, 0.02], correlation = 0.9 }
[[venues]]
name = "X"
taker_fee = 0.0005
slippage = 0.0002
latency = "1s"
max_leverage = 200
maintenance_tiers = [[0, 0.01], [900_000, 0.02]]
liquidation_fee = 0.005
margin_mode = "MODE"
[policy]
venue = "X"
hedge_ratio = 0.8
leverage = LEVERAGE
rebalance_threshold = 0.02
holding = "1h"
"""


@pytest.mark.parametrize(("mode", "leverage"), [("cross", "44"), ("isolated", "18")])
def test_expected_outcomes_are_the_oracles_on_the_mean(
    mode: str, leverage: str, tmp_path: Path
) -> None:
    """Weights for draws: within 4 errors of the paired difference, for every statistic.

    Tails, jumps, latency, tiers and rolls; under isolated margin the survivor is closed a step
    sooner, which is a move of the price that nobody knows, and one second of it.
    """
    file = tmp_path / "mixed.toml"
    file.write_text(MIXED.replace("MODE", mode).replace("LEVERAGE", leverage))
    scenario = load(file)
    market, simulation = any_market(scenario, {}), simulation_spec(scenario)
    base = directions.jobs(market, [policy_at(scenario, {})], Job(market, (), simulation))
    shape = shape_of(market, base.policies, simulation)
    wanted = ("power_1", "liquidated", "max_drawdown", "fees", "liquidation_cost", "deficit")
    sums = xla_derived.Sums(shape, wanted, simulation.steps, simulation.seed)
    losses = np.zeros((2, 1))
    made = sums.values(
        xla_derived.pack(base, shape), losses, temperature=0.0, first_path=0, paths=PATHS
    )
    drawn = dict(zip(outcome_fields(shape), oracle.run(base, 0, PATHS).per_policy[:, 0],
                     strict=True))  # fmt: skip
    drawn["power_1"] = drawn["final_equity"] - 1.0
    drawn["liquidated"] = drawn["liquidation_step"] > 0
    assert 0.1 < drawn["liquidated"].mean() < 0.9
    for k, name in enumerate(wanted):
        batches = made[k, 0] / (PATHS / 32)
        apart = batches - drawn[name].reshape(-1, 32).mean(axis=0)
        assert np.isfinite(batches).all(), name
        assert abs(apart.mean()) <= 4.0 * apart.std(ddof=1) / 32**0.5, name
    assert replace(simulation, precision="float64") == simulation
