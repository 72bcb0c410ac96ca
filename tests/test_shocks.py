"""Named crashes: what is stated happens on every path, and the market goes on underneath."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from markets import HOUR, of, policy, two_state
from stresscube_kernels import oracle
from stresscube_kernels.spec import Job, MarketSpec, RegimeSpec, ShockSpec, SimulationSpec
from whole import alone, calm, simulated

RUN = SimulationSpec(30, HOUR, 12, "float64")
STILL = RegimeSpec("r", (0.0, 0.0), (0.0, 0.0), 0.3)
CRASH = ShockSpec(10 * HOUR, 5 * HOUR, (-0.4, -0.5))


def test_the_stated_return_is_reached() -> None:
    """Spread evenly in logs over 5 of 30 steps; expm1 is good to 1e-6 of a step."""
    made, states, state = simulated(alone(STILL, shocks=(CRASH,)), RUN, 4)
    np.testing.assert_allclose(state.price_a, 0.6, rtol=5e-7)
    np.testing.assert_allclose(state.price_b, 0.5, rtol=5e-7)
    inside = (np.arange(30) >= 10) & (np.arange(30) < 15)
    for returns, total in ((made.return_a, 0.6), (made.return_b, 0.5)):
        np.testing.assert_allclose(returns[:, inside], total**0.2 - 1, rtol=2e-6)
        assert np.all(returns[:, ~inside] == 0)
    assert np.array_equal(states.jumped, np.broadcast_to(inside, (4, 30)))


@pytest.mark.parametrize("step", [0.25, 1.0])
def test_any_step_length_gives_the_same_crash(step: float) -> None:
    run = replace(RUN, steps=round(30 / step), step=step * HOUR)
    _, states, state = simulated(alone(STILL, shocks=(CRASH,)), run, 1)
    assert state.price_a[0] == pytest.approx(0.6, rel=5e-7)
    assert states.jumped.sum() == 5 / step
    assert np.flatnonzero(states.jumped[0])[0] == 10 / step


def test_a_crash_shorter_than_a_step_takes_one() -> None:
    sudden = replace(CRASH, duration=HOUR / 60)
    made, states, _ = simulated(alone(STILL, shocks=(sudden,)), RUN, 1)
    assert np.flatnonzero(states.jumped[0]).tolist() == [10]
    assert made.return_a[0, 10] == pytest.approx(-0.4, rel=1e-6)


def test_overlapping_shocks_compound() -> None:
    rebound = ShockSpec(12 * HOUR, 10 * HOUR, (0.5, 0.25))
    _, states, state = simulated(alone(STILL, shocks=(CRASH, rebound)), RUN, 1)
    assert state.price_a[0] == pytest.approx(0.6 * 1.5, rel=1e-6)
    assert state.price_b[0] == pytest.approx(0.5 * 1.25, rel=1e-6)
    assert states.jumped[0].sum() == 12


def test_every_path_has_it_on_top_of_its_own_market() -> None:
    """With volatility each path's log-return is its own plus the crash; nothing else changes."""
    made, _, state = simulated(alone(calm(), shocks=(CRASH,)), RUN, 200)
    plain, _, before = simulated(alone(calm()), RUN, 200)
    np.testing.assert_allclose(state.price_a / before.price_a, 0.6, rtol=2e-6)
    np.testing.assert_allclose(state.price_b / before.price_b, 0.5, rtol=2e-6)
    for name in ("variance_a", "noise_a", "bridge"):
        assert np.array_equal(getattr(made, name), getattr(plain, name)), name


def test_a_forced_regime_while_the_chain_runs_on() -> None:
    """Inside, every path has the stated regime's numbers; outside, the path it would have had."""
    quiet, wild = calm((0.4, 0.4)), replace(calm((2.0, 2.0)), slippage_multiplier=5.0)
    market = MarketSpec((quiet, wild), two_state((8 * HOUR, 8 * HOUR)))
    plain, without, end = simulated(market, RUN, 300)
    forced = replace(market, shocks=(replace(CRASH, regime=1),))
    made, states, state = simulated(forced, RUN, 300)
    inside = slice(10, 15)
    assert np.all(states.regime[:, inside] == 1)
    assert np.all(made.slippage_multiplier[:, inside] == 5)
    np.testing.assert_allclose(made.variance_a[:, inside], 4.0 * RUN.step, rtol=1e-12)
    outside = np.r_[0:10, 15:30]
    assert np.array_equal(states.regime[:, outside], without.regime[:, outside])
    assert np.array_equal(made.return_a[:, outside], plain.return_a[:, outside])
    assert np.array_equal(state.regime, end.regime)
    assert 0.2 < (without.regime[:, inside] == 0).mean() < 0.8  # there was something to force


def test_a_crash_liquidates_where_it_finds_the_account() -> None:
    """Leverage 4 through -50% in one step: a deficit, although the bridge is on."""
    market = alone(calm(), shocks=(ShockSpec(10 * HOUR, HOUR, (-0.5, 0.0)),))
    made = oracle.run(Job(market, (policy(0.0, 4.0),), RUN), 0, 100).per_policy
    dead = of(made, "liquidation_step")[0] == 11
    assert dead.mean() > 0.9
    assert np.all(of(made, "deficit")[0][dead] > 0.3)
