"""A scenario that names a policy and a market of its own, and the code that it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from stresscube.scenario import Scenario, ScenarioError, load
from stresscube.scenario.trust import trusted

SCENARIO = """
name = "own"
simulation = { paths = 64, horizon = "1h", step = "1min", seed = 1 }
[market]
assets = ["BTC", "ETH"]
step = "my_market.py:step"
parameters = { factor = 1.5 }
[[market.regimes]]
name = "only"
volatility = [0.9, 1.2]
correlation = 0.6
[[venues]]
name = "X"
taker_fee = 0.0005
maintenance_tiers = [[0, 0.01]]
[policy]
venue = "X"
hedge_ratio = 1.0
leverage = 10
step = "my_rules.py:step"
[policy.parameters]
stop = 0.1
wait = "5min"
[sweep]
"policy.parameters.stop" = [0.1, 0.2]
"policy.parameters.wait" = ["0s", "5min", "1h"]
"market.parameters.factor" = { start = 1.0, stop = 2.0, num = 3 }
"""
RULES = """
from typing import NamedTuple
from stresscube_kernels.toolbox import carry_out, decide, leave

class Memory(NamedTuple):
    highest: float
    out: float

START = Memory(1.0, 0.0)

def step(ops, features, account, now, tick, policy, memory=START, *, stop, wait):
    out = (memory.out > 0.5) | (now < wait)
    decided, order = decide(ops, features, account, now, tick, policy)
    decided, order = leave(ops, account, decided, order, out)
    account = carry_out(ops, features, decided, order, now, tick, policy)
    highest = ops.fmax(memory.highest, account.equity)
    fallen = account.equity < (1.0 - stop) * highest
    return account, Memory(highest, ops.where(fallen, 1.0, memory.out))
"""
MARKET = """
from stresscube_kernels.toolbox import diffusion, market_step, scaled, words, normal

def step(ops, features, market, state, draw, *, factor):
    return market_step(ops, features, scaled(market, factor), state, draw)
"""
POLICY, PATHS = 'policy.step = "my_rules.py:step"', 'market.step = "my_market.py:step"'
"""How messages begin that speak of one or the other."""


def write(folder: Path, rules: str = RULES, market: str = MARKET, text: str = SCENARIO) -> Scenario:
    (folder / "own.toml").write_text(text)
    (folder / "my_rules.py").write_text(rules)
    (folder / "my_market.py").write_text(market)
    return load(folder / "own.toml")


def faults(scenario: Scenario) -> list[str]:
    """The faults of a scenario's code, without the file's name in front."""
    with pytest.raises(ScenarioError) as caught:
        trusted(scenario, trust=True)
    return [str(fault).removeprefix(f"{scenario.source}: ") for fault in caught.value.faults]
