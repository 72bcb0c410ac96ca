"""Sizes, by ledger: hedge of least variance, feared correlations, what a rebalance restores, what
a roll pays, tiers of each asset, and two venues."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from markets import DAY, HOUR, driftless, policy, slow_states, tape_of, two_state, venue
from stresscube_kernels.moments import min_variance_ratio, resolved, sizing_factor
from stresscube_kernels.pack import feasible, opening_margin
from stresscube_kernels.spec import MarketSpec, SimulationSpec
from whole import alone, free, settle

RUN = SimulationSpec(1, HOUR, 1, "float64", capital=100_000.0)
TEN_PERCENT = ((0.0, 0.1),)


def test_min_variance_of_one_regime() -> None:
    """cov / var_b = rho sigma_a / sigma_b = .8 * .6 / .75 = .64; never negative."""
    market = alone(driftless((0.6, 0.75), 0.8))
    assert min_variance_ratio(market) == pytest.approx(0.64)
    assert min_variance_ratio(alone(driftless((0.6, 0.75), -0.8))) == 0.0
    spec = resolved(policy(0.0, 3.0), market)
    assert spec.hedge_ratio == 0.0
    chosen = resolved(replace(policy(1.0, 3.0), hedge_ratio=None), market)
    assert chosen.hedge_ratio == pytest.approx(0.64)
    assert chosen.leverage == 3.0


def test_min_variance_over_regimes_and_correlations() -> None:
    """Shares .75 and .25; the first's correlation .9 or .3 for shares 2/3 and 1/3: .7 on average.

    cov .75 * .7 * .4 * .5 + .25 * .2 * 1 * 2 = .105 + .1; var_b .75 * .25 + .25 * 4 = 1.1875.
    """
    regimes = replace(driftless((0.4, 0.5), 0.0), correlation=None), driftless((1.0, 2.0), 0.2)
    market = MarketSpec(
        regimes, two_state((3 * HOUR, HOUR)), slow_states(0.9, 0.3), two_state((2 * DAY, DAY))
    )
    assert min_variance_ratio(market) == pytest.approx(0.205 / 1.1875)


def test_the_hedge_of_least_variance_has_it() -> None:
    """No other ratio gives the pair a smaller variance: 1 - 2 h cov + h^2 var_b is least there."""
    a, b, rho = 0.6, 0.75, 0.8
    best = min_variance_ratio(alone(driftless((a, b), rho)))
    grid = np.linspace(0, 2, 2001)
    variance = a * a - 2 * grid * rho * a * b + grid**2 * b * b
    assert grid[variance.argmin()] == pytest.approx(best, abs=1e-3)


def test_sizing_correlation() -> None:
    """h 1, vols .6 and .8, rho .9. sd = sqrt(1 - 2 rho .48): .3688 at .9, .7211 at .5.

    The factor is their ratio; a fear of less than what is usual changes nothing.
    """
    market = alone(driftless((0.6, 0.8), 0.9))
    expected = np.sqrt(1 - 0.96 * 0.9) / np.sqrt(1 - 0.96 * 0.5)
    assert sizing_factor(market, 1.0, 0.5) == pytest.approx(expected)
    assert sizing_factor(market, 1.0, 0.9) == 1.0
    assert sizing_factor(market, 1.0, 0.99) == 1.0
    assert resolved(policy(1.0, 4.0, sizing_correlation=0.5), market).leverage == pytest.approx(
        4 * expected
    )
    assert resolved(policy(1.0, 4.0), market).leverage == 4.0


def test_sizing_takes_the_most_frequent_states() -> None:
    """Calm for 3 of 4 hours, correlation .9 for 2 of 3 days: rho_base .9, not the average .7."""
    regimes = replace(driftless((0.6, 0.8), 0.0), correlation=None), driftless((2.0, 2.0), 0.1)
    market = MarketSpec(
        regimes, two_state((3 * HOUR, HOUR)), slow_states(0.3, 0.9), two_state((DAY, 2 * DAY))
    )
    expected = np.sqrt(1 - 0.96 * 0.9) / np.sqrt(1 - 0.96 * 0.5)
    assert sizing_factor(market, 1.0, 0.5) == pytest.approx(expected)


def test_a_perfect_hedge_cannot_be_sized_by_its_fear() -> None:
    """rho 1 and equal vols: nothing is risked, and any fear makes the size 0."""
    market = alone(driftless((0.6, 0.6), 1.0))
    assert sizing_factor(market, 1.0, 0.5) == 0.0
    assert sizing_factor(market, 1.0, 1.0) == 1.0


def test_rebalance_to_leverage() -> None:
    """h 1, L 2, threshold 5%, fee 1%. Step 1 (a +20%): E = 1.18; N = 1.2, -1: drifted.

    To leverage: legs of 1.18 each, orders -.02, -.18. To the ratio: legs of 1.1, -.1 and -.1.
    """
    tape = tape_of({"return_a": 0.2}, {"return_a": 0.1})
    common = {"venues": (free(taker_fee=0.01),), "rebalance_threshold": 0.05}
    book = settle(tape, policy(1.0, 2.0, rebalance_to="leverage", **common))
    assert book["turnover"] == pytest.approx(2 + 0.2 + 1.18 * 2.1)
    assert book["pnl_a"] == pytest.approx(0.2 + 0.118)
    assert book["rebalances"] == 1
    book = settle(tape, policy(1.0, 2.0, rebalance_to="ratio", **common), to_leverage=True)
    assert book["turnover"] == pytest.approx(2 + 0.2 + 1.1 * 2.1)
    assert book["pnl_a"] == pytest.approx(0.2 + 0.11)


def test_drift_against_equity() -> None:
    """a +4%: the legs differ by .02 L of equity 1 + .02 L. The ratio's drift is .02 / .52 = 3.85%
    at any L; against equity L 2 drifts by .038, L 4 by .074, L 8 by .138."""
    tape = tape_of({"return_a": 0.04}, {})
    for leverage, by_equity in ((2.0, (0, 0)), (4.0, (1, 0)), (8.0, (1, 1))):
        for threshold, expected in zip((0.05, 0.10), by_equity, strict=True):
            spec = policy(
                1.0, leverage, venues=(free(),), rebalance_threshold=threshold,
                drift_measure="equity",
            )  # fmt: skip
            assert settle(tape, spec)["rebalances"] == expected
        for threshold, expected in ((0.038, 1), (0.039, 0)):
            spec = policy(1.0, leverage, venues=(free(),), rebalance_threshold=threshold)
            assert settle(tape, spec, by_equity=True)["rebalances"] == expected


def test_a_roll_that_nets() -> None:
    """h 1, L 2, fee 1%, a new trade every step; a +10%, then b +5%, then a -2%.

    Step 1: fee .02, E = 1.08; N = 1.1, -1.
    Roll: legs 1.08, orders -.02, -.08: fee .001 (both turns would be .021 + .0216). The cost is
      the closing trade's: .079 is what it made.
    Step 2: E = 1.079 - .054 = 1.025; N = 1.08, -1.134. Roll: legs 1.025, orders -.055, +.109:
      .00164. Trade 2: 1.02336 / 1.079 - 1.
    Step 3: E = 1.02336 - .0205; N = 1.0045, -1.025; close .020295.
    """
    tape = tape_of({"return_a": 0.1}, {"return_b": 0.05}, {"return_a": -0.02})
    spec = policy(1.0, 2.0, venues=(free(taker_fee=0.01),), holding=1.0, roll="net")
    book = settle(tape, spec)
    assert book["fees"] == pytest.approx(0.02 + 0.001 + 0.00164 + 0.020295)
    assert book["turnover"] == pytest.approx(2 + 0.1 + 0.164 + 2.0295)
    final = 1.02336 - 0.0205 - 0.020295
    assert book["final_equity"] == pytest.approx(final)
    returns = [1.079 - 1, 1.02336 / 1.079 - 1, final / 1.02336 - 1]
    assert book["trades"] == 3
    assert book["trade_sum_1"] == pytest.approx(sum(returns))
    both = settle(tape, replace(spec, roll="close"), nets=True)
    assert both["fees"] > 2 * book["fees"]


@pytest.mark.parametrize("roll", ["net", "close"])
def test_trades_compound_to_the_final_equity(roll: str) -> None:
    """Every cost is some trade's: with two trades, (1 + r1)(1 + r2) is final equity."""
    tape = tape_of({"return_a": 0.1}, {"return_b": 0.05})
    spec = policy(1.0, 2.0, venues=(free(taker_fee=0.01),), holding=1.0, roll=roll)
    book = settle(tape, spec)
    total, squares = book["trade_sum_1"], book["trade_sum_2"]
    assert book["trades"] == 2
    product = 1 + total + (total**2 - squares) / 2
    assert product == pytest.approx(book["final_equity"], abs=1e-12)


def test_tiers_of_each_asset() -> None:
    """Margin 10% on a, 10% up to 1 and 30% beyond on b: legs of 2, so .2 and .1 + .3 = .4.

    a -21%: E = 1 - .42 = .58, N = 1.58, -2: M = .158 + .4 = .558: alive. a -23%: E = .54 <
    .154 + .4: hit; at the same rates for both (.154 + .2) it would live.
    """
    tiers_b = ((0.0, 0.1), (1.0, 0.3))
    both = free(maintenance_tiers=TEN_PERCENT, maintenance_tiers_b=tiers_b)
    spec = policy(1.0, 4.0, venues=(both,))
    assert settle(tape_of({"return_a": -0.21}), spec)["liquidation_step"] == 0
    assert settle(tape_of({"return_a": -0.23}), spec)["liquidation_step"] == 1
    plain = policy(1.0, 4.0, venues=(free(maintenance_tiers=TEN_PERCENT),))
    assert settle(tape_of({"return_a": -0.23}), plain)["liquidation_step"] == 0
    # the floor of 1 is in quote currency: at a capital of a quarter b's 2 are half a unit
    small = settle(tape_of({"return_a": -0.23}), spec, capital=0.25)
    assert small["liquidation_step"] == 0


def test_opening_margin_of_each_asset() -> None:
    """Legs of 2 and 2: 10% of 2 and .1 + .3: .6 of equity; feasible, and not at twice as much."""
    tiers_b = ((0.0, 0.1), (100_000.0, 0.3))
    both = free(maintenance_tiers=TEN_PERCENT, maintenance_tiers_b=tiers_b)
    assert opening_margin(policy(1.0, 4.0, venues=(both,)), RUN) == pytest.approx(0.6)
    assert feasible(policy(1.0, 4.0, venues=(both,)), RUN)
    assert not feasible(policy(1.0, 8.0, venues=(both,)), RUN)


def test_two_venues_by_ledger() -> None:
    """X: fee 1%, slippage .5%, latency 0, margin 10%; Y: fee 2%, slippage 1%, latency .25,
    margin 20%, liquidation fees 1% and 3%. h 1, L 4: legs +2, -2.

    Step 1: a -12%. b -8%, zeta .04: at its fill b has moved .25 * -.08 + sqrt(.1875) * .04
      = -.0026795. Traded 2 and 2 * .9973205 = 1.994641: fees .02 + .03989282, slippage
      .01 + .01994641. P&L a -.24; b 2 * (.08 - .0026795) = .154641.
      E = 1 - .08983923 - .24 + .154641 = .82480177. N = 1.76, -1.84: M = .176 + .368 = .544.
    Step 2: a -10%, b +10%: E = .82480177 - .176 - .184 = .46480177; N = 1.584, -2.024:
      M = .1584 + .4048 = .5632: hit, closed where it is: fee .01584 + .06072.
    """
    x = venue(
        "x", taker_fee=0.01, slippage=0.005, maintenance_tiers=TEN_PERCENT, liquidation_fee=0.01
    )
    y = venue(
        "y", taker_fee=0.02, slippage=0.01, latency=0.25, maintenance_tiers=((0.0, 0.2),),
        liquidation_fee=0.03,
    )  # fmt: skip
    moved = 0.25 * -0.08 + 0.1875**0.5 * 0.04
    tape = tape_of(
        {"return_a": -0.12, "return_b": -0.08, "noise_b": 0.04},
        {"return_a": -0.1, "return_b": 0.1},
    )
    book = settle(tape, policy(1.0, 4.0, venues=(x, y)))
    traded_b = 2 * (1 + moved)
    assert book["fees"] == pytest.approx(0.02 + 0.02 * traded_b)
    assert book["slippage"] == pytest.approx(0.01 + 0.01 * traded_b)
    assert book["pnl_a"] == pytest.approx(-0.24 - 0.176)
    assert book["pnl_b"] == pytest.approx(2 * (0.08 + moved) - 0.184)
    assert book["liquidation_step"] == 2
    assert book["liquidation_cost"] == pytest.approx(0.01584 + 0.06072)
    equity = 1 - 0.03 - 0.03 * traded_b - 0.24 + 2 * (0.08 + moved) - 0.36
    assert book["final_equity"] == pytest.approx(equity - 0.07656)


def test_the_tighter_venues_cap_holds_for_both() -> None:
    """Leverage of gross notional over equity, under the lower of the two caps."""
    venues = free(name="x", max_leverage=5.0), free(name="y", max_leverage=3.0)
    book = settle(tape_of({}), policy(1.0, 10.0, venues=venues))
    assert book["turnover"] == pytest.approx(6)


def test_a_bankrupt_shadow_restores_no_leverage() -> None:
    """-60% of a long leg of 2: E = -.2, dead. Its shadow is rebalanced every step, but cannot be
    sized by an equity that it has not: it is closed, not turned round."""
    exchange = free(maintenance_tiers=TEN_PERCENT)
    spec = policy(
        1.0, 4.0, venues=(exchange,), rebalance_interval=1.0, rebalance_to="leverage"
    )  # fmt: skip
    tape = tape_of({"return_a": -0.6}, {"return_a": 0.5}, {"return_a": 0.5})
    book = settle(tape, spec)
    assert book["liquidation_step"] == 1
    assert book["shadow_equity"] == pytest.approx(-0.2)


def test_closing_costs_beyond_what_is_left_are_a_deficit() -> None:
    """No margin, fee 5% a turn: a long leg of 10 loses 4.9%: E = 1 - .5 - .49 = .01, alive; closing
    9.51 costs .4755: .4655 more than there is."""
    spec = policy(0.0, 10.0, venues=(free(taker_fee=0.05),))
    for bridge in (False, True):
        book = settle(tape_of({"return_a": -0.049}), spec, bridge=bridge)
        assert book["liquidation_step"] == 0
        assert book["final_equity"] == book["shadow_equity"] == 0
        assert book["deficit"] == pytest.approx(0.4655)
        assert book["max_drawdown"] == 1
        assert book["trade_sum_1"] == -1
