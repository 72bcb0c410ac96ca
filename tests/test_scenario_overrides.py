"""--set key=value: typed as in TOML, list items by name, the same errors with their own source."""

from __future__ import annotations

from typing import Any

import pytest

from broken_scenarios import BASE
from stresscube.scenario import Scenario, ScenarioError, loads


def override(*texts: str) -> Scenario:
    return loads(BASE, "x.toml", texts)


def faults(*texts: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        override(*texts)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("text", "read", "value"),
    [
        ("simulation.paths=500", lambda s: s.simulation.paths, 500),
        ("simulation.paths = 5_000", lambda s: s.simulation.paths, 5000),
        ("simulation.step=30s", lambda s: s.simulation.step, 30 / 3600),
        ('policy.holding="30min"', lambda s: s.policy.holding, 0.5),
        ("policy.venue=Bravo", lambda s: s.policy.venue, "Bravo"),
        ("policy.rebalance_threshold=inf", lambda s: s.policy.rebalance_threshold, float("inf")),
        ("market.regimes.calm.correlation=0.3", lambda s: s.market.regimes[0].correlation, 0.3),
        ("market.regimes[0].correlation=0.3", lambda s: s.market.regimes[0].correlation, 0.3),
        (
            "market.regimes.calm.volatility=[1, 2]",
            lambda s: s.market.regimes[0].volatility,
            (1.0, 2.0),
        ),
        ("market.initial_regime=calm", lambda s: s.market.initial_regime, "calm"),
        ("venues.A.taker_fee=0.001", lambda s: s.venues[0].taker_fee, 0.001),
        ("sweep.leverage=[3, 4]", lambda s: s.sweep["leverage"], (3.0, 4.0)),
        (
            'sweep."market.regimes.calm.correlation"=[0.1]',
            lambda s: s.sweep["market.regimes.calm.correlation"],
            (0.1,),
        ),
        (
            "sweep.market.regimes.stress.correlation=[0.1]",
            lambda s: s.sweep["market.regimes.stress.correlation"],
            (0.1,),
        ),
        ("sweep={ leverage = [1] }", lambda s: dict(s.sweep), {"leverage": (1.0,)}),
        ("name=other", lambda s: s.name, "other"),
    ],
)
def test_override_is_applied(text: str, read: Any, value: object) -> None:
    assert read(override(text)) == value


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("leverage=5",
         '--set: leverage = 5: is no key of the file; did you mean "policy.leverage"?'),
        ("policy.leverage", '--set: "policy.leverage" must be key=value, as in policy.leverage=5'),
        ("policy.hedge_ratio=-1",
         '--set: policy.hedge_ratio = -1: must be in [0, 1000] or "min-variance"'),
        ("policy.hedge=1",
         '--set: policy.hedge = 1: is no key of policy; did you mean "hedge_ratio"?'),
        ("policy.hedge_ratio=[1, 2",
         '--set: policy.hedge_ratio = "[1, 2": is no TOML value; put text in quotes, '
         "lists in [ ]"),
        ("market.regimes.stres.correlation=0",
         '--set: market.regimes.stres.correlation = 0: market.regimes has no item named "stres"; '
         'did you mean "stress"?'),
        ("market.regimes[2].correlation=0",
         "--set: market.regimes[2].correlation = 0: market.regimes has 2 items, counted from 0"),
        ("market.regimes.stress.correlation=2",
         "--set: market.regimes[1].correlation = 2: must be in [-1, 1]"),
        ("sweep.leverage=[5, 5]",
         "--set: sweep.leverage[1] = 5: stands at sweep.leverage[0] already; each value once"),
        ("policy.leverage=3",
         "--set: policy.leverage = 3: would not be used, because [sweep] varies it; "
         "set sweep.leverage to a list"),
        ("market.regimes.stress.correlation.x=3",
         "--set: market.regimes.stress.correlation.x = 3: market.regimes[1].correlation is a "
         "value, and has no keys inside"),
        ("market.regimes.stress.correlation=0.3",
         "--set: market.regimes[1].correlation = 0.3: would not be used, because [sweep] varies "
         "it; set sweep.market.regimes.stress.correlation to a list"),
        ("simulation.step=7min", 'x.toml: simulation.horizon = "1h": must be a whole number of '
         "steps of 7min"),
    ],
)  # fmt: skip
def test_override_at_fault(text: str, line: str) -> None:
    assert faults(text)[0] == line


def test_faults_of_the_file_keep_its_name() -> None:
    with pytest.raises(ScenarioError) as caught:
        loads(BASE.replace("seed = 1", "seed = -1"), "x.toml", ["simulation.paths=0"])
    assert [fault.source for fault in caught.value.faults] == ["--set", "x.toml"]


def test_an_override_of_an_override() -> None:
    assert faults("policy.leverage=3", "policy=5")[0].startswith(
        "--set: policy = 5: must be a table"
    )
    assert override("simulation.paths=3", "simulation.paths=4").simulation.paths == 4
