"""From a file to axes in cube order and to the numbers of the kernels."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from broken_scenarios import BASE, THIRD
from stresscube.scenario import Scenario, load, loads
from stresscube.scenario.expand import axes, market_spec, policy_spec, simulation_spec
from stresscube_kernels.moments import resolved
from stresscube_kernels.oracle import run
from stresscube_kernels.spec import (
    NEVER,
    FundingRegimeSpec,
    Job,
    JumpSpec,
    LegJumpSpec,
    MarketSpec,
    MispricingSpec,
    PolicySpec,
    PremiumSpec,
    RegimeSpec,
    ShockSpec,
)

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


FULL = """
name = "full"

[simulation]
paths = 100
horizon = "1d"
step = "1min"
seed = 1

[market]
assets = ["BTC", "ETH"]
initial_funding_regime = "loud"
tail_interval = "2h"
funding_interval = "4h"
interest = 0.0002
clamp = 0.0004
signal_half_life = "15min"
signal_noise = 0.25
mark_smoothing = "10min"

[[market.regimes]]
name = "calm"
mean_duration = "7h"
volatility = [0.4, 0.5]
correlation = 0.85
tail_dof = 5
jumps = { intensity = 20, mean = [-0.01, -0.02], std = [0.010, 0.013], correlation = 0.8 }
idiosyncratic_jumps = [{ intensity = 0 }, { intensity = 4, mean = 0.01, std = 0.02 }]
mispricing = [
    { half_life = "20min", std = 0.001, spike_intensity = 500, spike_std = 0.003 },
    { half_life = "1d", std = 0.002 },
]

[[market.regimes]]
name = "stress"
mean_duration = "2h"
volatility = [1.2, 1.6]
correlation = 0.8
tail_dof = 1e9
jumps = { intensity = 0, std = [0.1, 0.1] }
mispricing = [{ half_life = "20min", spike_intensity = 5 }, { half_life = "1d", std = 0.002 }]

[[market.funding_regimes]]
name = "quiet"
mean_duration = "4d"
funding = { mean = [0.0001, 0.0002], std = [0.0003, 0.0004], half_life = "1d" }

[[market.funding_regimes]]
name = "loud"
mean_duration = "1d"
funding = { mean = [0.0, 0.0], std = [0.001, 0.002], half_life = "8h", correlation = 0.85 }

[[market.shocks]]
at = "12h"
duration = "30min"
returns = [-0.12, -0.20]
regime = "stress"

[[market.shocks]]
at = "0s"
duration = "1min"
returns = [0.1, 0.0]

[[venues]]
name = "X"
funding_cap = 0.003
maintenance_tiers = { ETH = [[0, 0.01]], BTC = [[0, 0.004], [50_000, 0.005]] }

[[venues]]
name = "Y"

[policy]
venue = "X/Y"
hedge_ratio = "min-variance"
leverage = 10
side = "spread"
entry_z = 2
exit_z = -0.5
directional_bias = 0.1
bias_trigger = 1.5
sizing_correlation = 0.4
roll = "net"
rebalance_to = "leverage"
drift_measure = "equity"
"""


def test_the_whole_market() -> None:
    found = market_spec(loads(FULL), {})
    hour = 1 / YEAR
    slow = MispricingSpec(24 * hour, 0.002)
    calm, stress = found.regimes
    assert calm == RegimeSpec(
        name="calm",
        drift=(0.0, 0.0),
        volatility=(0.4, 0.5),
        correlation=0.85,
        tail_dof=5.0,
        jumps=JumpSpec(20.0, (-0.01, -0.02), (0.01, 0.013), 0.8),
        leg_jumps=(LegJumpSpec(0.0, 0.0, 0.0), LegJumpSpec(4.0, 0.01, 0.02)),
        mispricing=(MispricingSpec(hour / 3, 0.001, 500.0, 0.003), slow),
    )
    assert (stress.tail_dof, stress.jumps, stress.leg_jumps) == (NEVER, None, None)
    assert stress.mispricing == (MispricingSpec(hour / 3, 0.0), slow)
    assert found.funding_regimes[1] == FundingRegimeSpec(
        "loud", PremiumSpec((0.0, 0.0), (0.001, 0.002), 8 * hour, 0.85)
    )
    assert found.funding_chain is not None
    assert found.funding_chain.initial == 1
    assert found.funding_chain.mean_durations == pytest.approx((96 * hour, 24 * hour))
    times = found.tail_interval, found.funding_interval, found.signal_half_life
    assert times == pytest.approx((2 * hour, 4 * hour, hour / 4))
    assert (found.interest, found.clamp, found.signal_noise) == (0.0002, 0.0004, 0.25)
    assert found.mark_smoothing == pytest.approx(hour / 6)
    assert found.shocks[0] == ShockSpec(12 * hour, hour / 2, (-0.12, -0.2), 1)
    assert (found.shocks[1].at, found.shocks[1].regime) == (0.0, None)


def test_a_whole_policy() -> None:
    spec = policy_spec(loads(FULL), {})
    assert (spec.hedge_ratio, spec.sizing_correlation, spec.leverage) == (None, 0.4, 10.0)
    assert (spec.side, spec.entry_z, spec.exit_z) == ("spread", 2.0, -0.5)
    assert (spec.directional_bias, spec.bias_trigger) == (0.1, 1.5)
    assert (spec.roll, spec.rebalance_to, spec.drift_measure) == ("net", "leverage", "equity")
    x, y = spec.venues
    assert (x.name, y.name, x.funding_cap, y.funding_cap) == ("X", "Y", 0.003, math.inf)
    assert x.maintenance_tiers == ((0.0, 0.004), (50_000.0, 0.005))
    assert x.maintenance_tiers_b == ((0.0, 0.01),)
    assert y.maintenance_tiers_b is None
    assert len(policy_spec(loads(FULL), {"venue": "X/X"}).venues) == 1


def test_what_never_acts_is_left_out() -> None:
    """A market whose mispricing is 0 at one point of a sweep has none there."""
    keys = [
        f"market.regimes.{name}.mispricing[{k}].std" for name in ("calm", "stress") for k in (0, 1)
    ]
    off = {**dict.fromkeys(keys, 0.0), "market.regimes.calm.mispricing[0].spike_std": 0.0}
    found = market_spec(loads(FULL), off)
    assert all(regime.mispricing == () for regime in found.regimes)
    assert found.mark_smoothing == 0.0
    quiet = market_spec(loads(FULL), {"market.regimes.calm.jumps.intensity": 0.0})
    assert quiet.regimes[0].jumps is None


def test_tables_without_names_are_addressed_by_number() -> None:
    scenario = loads(
        FULL + '[sweep]\n"market.shocks[0].returns.ETH" = [-0.1, -0.3]\n'
        '"market.regimes.calm.mispricing[1].half_life" = ["2d"]\n'
        '"market.regimes.calm.idiosyncratic_jumps[1].intensity" = [1, 4]\n'
        'hedge_ratio = [0.8, "min-variance"]\nsizing_correlation = ["off", 0.4]\n'
    )
    assert [(axis.name, axis.values, axis.long_name) for axis in axes(scenario)] == [
        ("returns_ETH", (-0.1, -0.3), "returns, shock 0, ETH"),
        ("mispricing_1_half_life", (48.0,), "half life, regime calm, mispricing 1"),
        ("idiosyncratic_jumps_1_intensity", (1.0, 4.0),
         "intensity, regime calm, idiosyncratic jump 1"),
        ("hedge_ratio", (0.8, "min-variance"), "hedge ratio"),
        ("sizing_correlation", ("off", 0.4), "sizing correlation"),
    ]  # fmt: skip
    point = {"market.shocks[0].returns.ETH": -0.3, "hedge_ratio": 0.8, "sizing_correlation": "off"}
    assert market_spec(scenario, point).shocks[0].returns == (-0.12, -0.3)
    spec = policy_spec(scenario, point)
    assert (spec.hedge_ratio, spec.sizing_correlation) == (0.8, None)


SHIPPED = [path.stem for path in sorted(SCENARIOS.glob("*.toml"))]


@pytest.mark.parametrize("name", SHIPPED)
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


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_scenarios_run_small(name: str) -> None:
    """Two paths and some steps, at the corners of the sweep."""
    scenario = load(SCENARIOS / f"{name}.toml")
    found = axes(scenario)
    keys = [axis.key for axis in found]
    corners = product(*(axis.values[:: max(1, len(axis.values) - 1)] for axis in found))
    simulation = replace(simulation_spec(scenario), steps=20)
    by_market: dict[MarketSpec, list[PolicySpec]] = {}
    for values in corners:
        point = dict(zip(keys, values, strict=True))
        market = market_spec(scenario, point)
        by_market.setdefault(market, []).append(resolved(policy_spec(scenario, point), market))
    for market, policies in by_market.items():
        outcomes = run(Job(market, tuple(policies), simulation), 0, 2).per_policy
        assert np.isfinite(outcomes).all()


def test_the_hourly_scenario_agrees_with_its_figures() -> None:
    """Shares from the balance of the chain: time in state = visits times duration."""
    spec = market_spec(load(SCENARIOS / "btc_eth_hourly.toml"), {})
    assert spec.correlation_chain is not None
    assert _shares(spec.chain) == pytest.approx((0.34, 0.54, 0.12), abs=0.01)
    coupled, loose, breakdown = _shares(spec.correlation_chain)
    assert breakdown == pytest.approx(0.03, abs=0.005)
    rho = [state.correlation for state in spec.correlation_regimes]
    mean = coupled * rho[0] + loose * rho[1] + breakdown * rho[2]
    assert mean == pytest.approx(0.84, abs=0.01)
    assert spec.funding_chain is not None
    assert _shares(spec.funding_chain) == pytest.approx((0.53, 0.21, 0.25), abs=0.01)


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
