"""When an order fills, and at what price."""

from __future__ import annotations

import numpy as np
import pytest

from markets import (
    FULL,
    HOUR,
    compiled,
    driftless,
    job,
    ledger,
    of,
    policy,
    simulation,
    slow_states,
    tape_of,
    two_state,
    venue,
)
from stresscube_kernels import oracle
from stresscube_kernels.pack import pack_policies
from stresscube_kernels.spec import MarketSpec

FRACTIONS = (0.0, 0.1, 0.5, 0.9, 1.0)
WITHOUT = FULL._replace(features=FULL.features._replace(bridge=False))
ALIKE = driftless((0.8, 0.8), 1.0)
TWINS = MarketSpec(
    (ALIKE, ALIKE), two_state((10 * HOUR, 10 * HOUR)), slow_states(1.0, 1.0), two_state((1.0, 1.0))
)
K = 4.0


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_perfect_hedge_earns_nothing_whatever_the_latency(precision: str) -> None:
    """rho 1, equal volatilities, h 1: both legs fill at the same price and move alike.

    Rebalanced every 3 steps and re-opened every 7, so that orders keep coming.
    """
    steps = 50
    policies = [
        policy(
            1.0, 8.0, venues=(venue(latency=fraction * HOUR),),
            rebalance_interval=3 * HOUR, holding=7 * HOUR,
        )
        for fraction in FRACTIONS
    ]  # fmt: skip
    run = simulation(steps, HOUR, 11, precision=precision)
    made = compiled(job(TWINS, policies, run), 200, shape=FULL)
    eps = float(np.finfo(precision).eps)
    # each of 50 steps rounds numbers below the notional of 8, grown by at most half
    assert np.all(np.abs(of(made.per_policy, "final_equity") - 1.0) < steps * 12 * eps)
    assert np.all(of(made.per_policy, "trades") == 8)
    legs = of(made.per_policy, "pnl_a"), of(made.per_policy, "pnl_b")
    assert np.all(np.abs(legs[0]).max(axis=1) > 0.01)  # each leg does earn and lose
    assert np.all(np.abs(legs[0] + legs[1]) < steps * 12 * eps)


@pytest.mark.parametrize(("latency", "earned"), [(0.0, 0.10), (0.25, 0.075), (1.0, 0.0)])
def test_the_first_order_fills_in_the_first_step(latency: float, earned: float) -> None:
    """Decided at 0, filled `latency` into step 1, so the leg earns what is left of that step.

    Three steps of returns +10%, 0 and 0 after: a long leg of 1. With no noise a quarter of the
    step is a quarter of the return, so the P&L is 0.1 (1 - latency).
    """
    tape = tape_of({"return_a": 0.10}, {}, {})
    book = ledger(tape, policy(0.0, 1.0, venues=(venue(latency=latency),)), bridge=False)
    assert book["pnl_a"] == pytest.approx(earned, abs=1e-15)


@pytest.mark.parametrize("latency", [0.0, 0.25, 1.0])
def test_later_steps_are_earned_in_full(latency: float) -> None:
    """The order is in by the end of step 1 even at a latency of a whole step.

    N = 1, filled at an unchanged price; step 2 earns 0.2, step 3 -0.5 of 1.2: -0.6. P&L -0.4.
    """
    tape = tape_of({}, {"return_a": 0.2}, {"return_a": -0.5})
    book = ledger(tape, policy(0.0, 1.0, venues=(venue(latency=latency),)), bridge=False)
    assert book["pnl_a"] == pytest.approx(-0.4, abs=1e-15)


def test_the_fill_lies_on_the_bridge_of_the_step() -> None:
    """Latency 0.36: r_l = 0.36 r + sqrt(0.36 * 0.64) zeta = 0.36 * 0.1 + 0.48 * 0.05 = 0.06.

    A leg of 2 earns 2 (0.1 - 0.06) = 0.08, and its fee is on 2 * 1.06 = 2.12 at 1%: 0.0212;
    slippage is 0.5% times the multiplier of 3: 0.0318. The horizon closes 2 * 1.1 = 2.2 at the
    last tick's multiplier: fee 0.022, slippage 0.033.
    """
    tape = tape_of({"return_a": 0.1, "noise_a": 0.05, "slippage_multiplier": 3.0})
    costly = venue(latency=0.36, taker_fee=0.01, slippage=0.005)
    book = ledger(tape, policy(0.0, 2.0, venues=(costly,)), bridge=False)
    assert book["pnl_a"] == pytest.approx(0.08, abs=1e-14)
    assert book["fees"] == pytest.approx(0.0212 + 0.022, abs=1e-14)
    assert book["slippage"] == pytest.approx(0.0318 + 0.033, abs=1e-14)
    assert book["turnover"] == pytest.approx(2.12 + 2.2, abs=1e-14)


def test_each_leg_has_its_venues_latency() -> None:
    """a fills at once, b at the end: a earns 0.1 of 1, b (short 1) misses its -0.1."""
    venues = (venue("now", latency=0.0), venue("late", latency=1.0))
    tape = tape_of({"return_a": 0.1, "return_b": 0.1})
    book = ledger(tape, policy(1.0, 2.0, venues=venues), bridge=False)
    assert (book["pnl_a"], book["pnl_b"]) == pytest.approx((0.1, 0.0), abs=1e-15)


@pytest.mark.parametrize("leg", ["a", "b"])
def test_what_is_left_of_the_first_step_has_its_share_of_variance(leg: str) -> None:
    """One step: P&L is n (r - r_l), normal with variance n^2 (1 - l) sigma^2 dt and mean 0.

    That of a Brownian motion over what is left of the step. rho = 0.6 also holds between the
    legs. K standard errors of a variance: sqrt(2 / n). The step is short, for r is not log r.
    """
    regime = driftless((0.8, 0.5), 0.6)
    market = MarketSpec(
        (regime, regime), two_state((1.0, 1.0)), slow_states(0.0, 0.0), two_state((1.0, 1.0))
    )
    step = HOUR / 60
    policies = [policy(0.5, 1.5, venues=(venue(latency=f * step),)) for f in FRACTIONS]
    described = job(market, policies, simulation(1, step, 21, precision="float64"))
    paths = 100_000
    tape, _ = oracle.simulate(described, 0, paths, shape=WITHOUT)
    packed = pack_policies(policies, described.simulation, WITHOUT)
    outcomes = oracle.run_policies(tape, packed, WITHOUT)
    pnl_a, pnl_b = of(outcomes, "pnl_a"), of(outcomes, "pnl_b")
    notional, sigma, pnl = (1.0, 0.8, pnl_a) if leg == "a" else (-0.5, 0.5, pnl_b)
    left = 1 - np.array(FRACTIONS)
    variance = notional**2 * sigma**2 * step * left
    assert np.all(pnl[-1] == 0)
    found = pnl[:-1].var(axis=1)
    assert np.all(np.abs(found / variance[:-1] - 1) < K * (2 / paths) ** 0.5)
    assert np.all(np.abs(pnl[:-1].mean(axis=1)) < K * np.sqrt(variance[:-1] / paths))
    for k in range(len(FRACTIONS) - 1):
        rho = np.corrcoef(pnl_a[k], pnl_b[k])[0, 1]
        assert abs(rho + 0.6) < K * (1 - 0.6**2) / paths**0.5
