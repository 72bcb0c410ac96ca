"""From a file to axes in cube order and to the numbers of the kernels."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from itertools import product
from pathlib import Path

import pytest

from broken_scenarios import BASE, THIRD
from stresscube.scenario import Scenario, load, loads
from stresscube.scenario.expand import axes, market_spec, policy_spec, simulation_spec
from stresscube_kernels.spec import NEVER

SCENARIOS = Path(__file__).parents[1] / "scenarios"
YEAR = 8760.0


def swept(lines: str) -> Scenario:
    return loads(BASE.partition("[sweep]")[0] + "[sweep]\n" + lines)


def test_axes_are_in_cube_order_and_file_order_within() -> None:
    scenario = swept(
        'leverage = [2, 5]\nvenue = ["Bravo", "A"]\n"market.regimes.stress.correlation" = [0.3]\n'
        'holding = ["30min", "horizon"]\n"market.regimes.calm.mean_duration" = ["7h"]\n'
    )
    found = axes(scenario)
    assert [(axis.name, axis.kind, axis.units, axis.values) for axis in found] == [
        ("stress_correlation", "market", "1", (0.3,)),
        ("calm_mean_duration", "market", "h", (7.0,)),
        ("venue", "venue", "", ("Bravo", "A")),
        ("leverage", "policy", "1", (2.0, 5.0)),
        ("holding", "policy", "h", (0.5, math.inf)),
    ]
    assert found[0].key == "market.regimes.stress.correlation"
    assert found[0].long_name == "correlation of the legs, regime stress"
    assert found[4].long_name == "holding time"
    with pytest.raises(FrozenInstanceError):
        found[0].name = "x"  # pyright: ignore[reportAttributeAccessIssue]


def test_dotted_keys_need_no_quotes() -> None:
    quoted = swept('"market.regimes.stress.correlation" = [0.3, 0.1]')
    plain = swept("market.regimes.stress.correlation = [0.3, 0.1]")
    assert axes(quoted) == axes(plain)


def test_one_leg_of_a_pair_is_addressed_by_its_asset() -> None:
    scenario = swept('"market.regimes.stress.volatility.ETH" = [1.0, 3.0]')
    (axis,) = axes(scenario)
    assert (axis.name, axis.units) == ("volatility_ETH", "year^-0.5")
    assert market_spec(scenario, {axis.key: 3.0}).regimes[1].volatility == (1.2, 3.0)


def test_ranges() -> None:
    scenario = swept(
        "leverage = { start = 1, stop = 16, num = 5, log = true }\n"
        "hedge_ratio = { start = 0.8, stop = 1.2, num = 5 }\n"
        'rebalance_interval = { start = "15min", stop = "1h", num = 4 }\n'
    )
    assert scenario.sweep == {
        "leverage": (1.0, 2.0, 4.0, 8.0, 16.0),
        "hedge_ratio": (0.8, 0.9, 1.0, 1.1, 1.2),
        "rebalance_interval": (0.25, 0.5, 0.75, 1.0),
    }


def test_market_at_a_point() -> None:
    scenario = loads(BASE)
    spec = market_spec(scenario, {"market.regimes.stress.correlation": 0.3, "leverage": 5.0})
    assert [regime.correlation for regime in spec.regimes] == [0.85, 0.3]
    assert spec.regimes[0].volatility == (0.4, 0.5)
    assert spec.chain.mean_durations == pytest.approx((7 / YEAR, 2 / YEAR))
    assert spec.chain.jump_probabilities == ((0.0, 1.0), (1.0, 0.0))
    assert spec.chain.initial is None
    assert spec.correlation_chain is None
    assert market_spec(scenario, {}).regimes[1].correlation == 0.8
    assert scenario.market.regimes[1].correlation == 0.8


def test_policy_at_a_point() -> None:
    scenario = loads(BASE)
    spec = policy_spec(scenario, {"leverage": 50.0, "venue": "Bravo", "holding": math.inf})
    assert (spec.leverage, spec.hedge_ratio, spec.holding) == (50.0, 1.0, NEVER)
    assert (spec.rebalance_threshold, spec.rebalance_interval) == (NEVER, NEVER)
    (venue,) = spec.venues
    assert (venue.name, venue.latency, venue.max_leverage) == ("Bravo", 0.0, math.inf)
    assert venue.maintenance_tiers == ((0.0, 0.0),)
    (venue,) = policy_spec(scenario, {}).venues
    assert venue.latency == pytest.approx(0.3 / 3600 / YEAR)
    assert venue.maintenance_tiers == ((0.0, 0.004), (50_000.0, 0.005))
    assert policy_spec(scenario, {}).holding == pytest.approx(1 / YEAR)


def test_a_swept_value_and_a_stated_one_give_the_same_numbers() -> None:
    stated = loads(BASE.replace('holding = "1h"', 'holding = "7min"'))
    varied = loads(BASE, overrides=['sweep.holding=["7min"]'])
    (axis,) = (axis for axis in axes(varied) if axis.key == "holding")
    assert policy_spec(varied, {"holding": axis.values[0]}) == policy_spec(stated, {})


def test_simulation() -> None:
    spec = simulation_spec(loads(BASE))
    assert (spec.steps, spec.seed, spec.precision, spec.bridge) == (60, 1, "float32", True)
    assert spec.step == pytest.approx(1 / 60 / YEAR)
    assert spec.capital == 100_000.0


def test_chains() -> None:
    following = THIRD.replace("correlation", "next = { calm = 0.25, stress = 0.75 }\ncorrelation")
    text = BASE.replace('mean_duration = "2h"', 'mean_duration = "forever"')
    text = text.replace("assets", 'initial_regime = "stress"\nassets')
    text = text.replace('"7h"\n', '"7h"\nnext = { third = 1 }\n')
    spec = market_spec(loads(text.replace("[[venues]]", f"{following}\n[[venues]]", 1)), {})
    assert spec.chain.initial == 1
    assert spec.chain.mean_durations[1] == NEVER
    assert spec.chain.jump_probabilities == ((0, 0, 1), (0, 0, 0), (0.25, 0.75, 0))


def test_a_correlation_chain_frees_regimes_of_their_own() -> None:
    chain = '[[market.correlation_regimes]]\nname = "coupled"\nmean_duration = "54d"\n'
    text = BASE.replace("correlation = 0.85\n", "") + f"\n{chain}correlation = 0.9\n"
    spec = market_spec(loads(text), {})
    assert [regime.correlation for regime in spec.regimes] == [None, 0.8]
    assert [state.correlation for state in spec.correlation_regimes] == [0.9]
    assert spec.correlation_chain is not None
    assert spec.correlation_chain.mean_durations == (NEVER,)


@pytest.mark.parametrize("name", ["quickstart", "btc_eth_hourly"])
def test_shipped_scenarios_expand_everywhere(name: str) -> None:
    scenario = load(SCENARIOS / f"{name}.toml")
    found = axes(scenario)
    points = [
        dict(zip([axis.key for axis in found], values, strict=True))
        for values in product(*(axis.values for axis in found))
    ]
    markets = {market_spec(scenario, point) for point in points}
    policies = {policy_spec(scenario, point) for point in points}
    assert len(markets) * len(policies) == len(points)


def test_the_hourly_scenario_agrees_with_its_figures() -> None:
    """Shares from the balance of the chain: time in state = visits times duration."""
    spec = market_spec(load(SCENARIOS / "btc_eth_hourly.toml"), {})
    assert spec.correlation_chain is not None
    assert _shares(spec.chain) == pytest.approx((0.34, 0.54, 0.12), abs=0.01)
    coupled, loose, breakdown = _shares(spec.correlation_chain)
    assert breakdown == pytest.approx(0.06, abs=0.005)
    rho = [state.correlation for state in spec.correlation_regimes]
    mean = coupled * rho[0] + loose * rho[1] + breakdown * rho[2]
    assert mean == pytest.approx(0.84, abs=0.01)


def _shares(chain: object) -> tuple[float, ...]:
    rows, durations = chain.jump_probabilities, chain.mean_durations  # type: ignore[attr-defined]
    visits = [1.0 / len(rows)] * len(rows)
    for _ in range(500):
        step = [
            sum(v * row[j] for v, row in zip(visits, rows, strict=True)) for j in range(len(rows))
        ]
        visits = [(old + new) / 2 for old, new in zip(visits, step, strict=True)]
    time = [visit * duration for visit, duration in zip(visits, durations, strict=True)]
    return tuple(part / sum(time) for part in time)
