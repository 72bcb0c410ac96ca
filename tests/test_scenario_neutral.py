"""Every key of the grammar at a value that switches its feature off."""

from __future__ import annotations

from stresscube.scenario import loads
from stresscube.scenario.expand import market_spec, policy_spec, simulation_spec
from stresscube_kernels.contract import Features, Shape
from stresscube_kernels.pack import shape_of

NEUTRAL = """
name = "btc-eth-hourly"
description = "every key of the grammar, every feature switched off"

[simulation]
paths = 20000
horizon = "7d"
step = "1min"
seed = 42
precision = "float32"
capital = 100_000
bridge = true
save_paths = false

[market]
assets = ["BTC", "ETH"]
initial_regime = "stationary"
initial_correlation_regime = "stationary"
initial_funding_regime = "stationary"
tail_interval = "1h"
funding_interval = "8h"
interest = 0.0001
clamp = 0.0005
signal_half_life = "30min"
signal_noise = 0.5
mark_smoothing = "off"
funding_regimes = []
shocks = []

[[market.regimes]]
name = "calm"
mean_duration = "7h"
next = { stress = 1.0 }
drift = [0.0, 0.0]
volatility = [0.40, 0.55]
correlation = 0.85
tail_dof = inf
slippage_multiplier = 1.0
jumps = { intensity = 0, mean = [0.0, 0.0], std = [0.010, 0.013], correlation = 0.8 }
idiosyncratic_jumps = [{ intensity = 0, mean = 0.0, std = 0.1 }, { intensity = 0 }]
mispricing = [{ half_life = "20min", std = 0.0, spike_intensity = 5000, spike_std = 0.0 }]

[[market.regimes]]
name = "stress"
mean_duration = "2h"
volatility = [1.0, 0.0]

[[market.correlation_regimes]]
name = "coupled"
mean_duration = "54d"
next = { loose = 1.0 }
correlation = 0.90

[[market.correlation_regimes]]
name = "loose"
mean_duration = "32d"
correlation = 0.80

[[venues]]
name = "C"
taker_fee = 0.0005
slippage = 0.0001
latency = "300ms"
max_leverage = 20
maintenance_tiers = [[0, 0.004], [50_000, 0.005], [600_000, 0.01]]
liquidation_fee = 0.0125
funding_cap = inf
margin_mode = "cross"
after_leg_death = "close"

[policy]
venue = "C"
hedge_ratio = 1.0
leverage = 10
rebalance_threshold = 0.008
rebalance_interval = "off"
rebalance_to = "ratio"
holding = "1h"
roll = "close"
side = "fixed"
entry_z = 0.0
exit_z = 0.0
directional_bias = 0.0
bias_trigger = 2.0
sizing_correlation = "off"
drift_measure = "ratio"

[sweep]
hedge_ratio = [0.8, 0.9, 1.0, 1.1, 1.2]
leverage = [2, 5, 10, 20, 50]
rebalance_threshold = [0.004, 0.008, 0.012, inf]
"market.regimes.stress.correlation" = [0.85, 0.6, 0.3]
venue = ["C"]
roll = ["close"]
"""


def test_every_key_at_its_neutral_value_loads() -> None:
    assert loads(NEUTRAL).policy.roll == "close"


def test_neutral_values_leave_every_feature_out_of_the_code() -> None:
    scenario = loads(NEUTRAL)
    simulation, market = simulation_spec(scenario), market_spec(scenario, {})
    shape = shape_of(market, [policy_spec(scenario, {})], simulation)
    assert shape == Shape(
        Features(interval=False), regimes=2, correlation_regimes=2, tiers=3, venues=1
    )
