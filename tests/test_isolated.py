"""Isolated margin: legs that die alone, what becomes of the other, and two barriers by images.

In the ledgers a step lasts one year, equity starts at 1, and unless said the pair is h 1, L 4:
legs of 2 and -2 with 0.5 each in its account, margin 10%, no bridge.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from markets import (
    HOUR,
    compiled,
    driftless,
    hit_share,
    job,
    ledger,
    policy,
    share_error,
    simulation,
    steady,
    tape_of,
    venue,
)
from stresscube_kernels.pack import feasible, job_shape, opening_margin
from stresscube_kernels.spec import PolicySpec, VenueSpec
from test_ledgers import check
from whole import event, settle

K = 4.0
TEN_PERCENT = ((0.0, 0.1),)


def isolated(name: str = "V", *, hold: bool = False, **rest: Any) -> VenueSpec:
    """A venue with a margin of 10% for each leg alone, that costs nothing unless said."""
    made = replace(venue(name, maintenance_tiers=TEN_PERCENT), **rest)
    after = "hold" if hold else "close"
    return replace(made, margin_mode="isolated", after_leg_death=after)


def pair(exchange: VenueSpec, **rest: Any) -> PolicySpec:
    """Legs of 2 and -2 over equity of 1."""
    return policy(1.0, 4.0, venues=(exchange,), **rest)


# --- ledgers -------------------------------------------------------------------------------


def test_the_leg_that_is_left_is_closed_at_once() -> None:
    """Taker fee 1%, liquidation fee 2%.

    Open: .02 a leg, .48 left in each account.
    Step 1 (a -20%): E_a = .08, N_a = 1.6, M_a = .16: hit at .08, fee .032, .048 is left.
    Step 2 (b +10%, after the close): b is closed at its start: fee .02, .46 is left. Final .508.
    Shadow: .56 after step 1; b +10% takes .2; closing 3.8 costs .038: .322. It lacks .08.
    """
    exchange = isolated(taker_fee=0.01, liquidation_fee=0.02)
    tape = tape_of({"return_a": -0.2}, {"return_b": 0.1})
    check(
        ledger(tape, pair(exchange), bridge=False),
        final_equity=0.508,
        liquidation_step=1,
        pnl_a=-0.4,
        pnl_b=0.0,
        fees=0.06,
        liquidation_cost=0.032,
        turnover=6.0,
        deficit=0.0,
        trades=1,
        wins=0,
        trade_sum_1=-0.492,
        shadow_equity=0.322,
        recovered=0,
        extra_margin=0.08,
        max_drawdown=0.492,
        under_water=2,
    )


def test_the_leg_that_is_left_is_closed_after_latency() -> None:
    """Latency half a step: a fill's price has moved by .5 r + .5 zeta. Margin 20%.

    Step 1 (a -20%): filled at -10%: P&L -.2, E_a = .3, N_a = 1.6, M_a = .32: hit, .3 is left.
    Step 2 (b +10%, zeta .1): -2 bought back at +10%: -.2, .3 is left of .5. Final .6.
    """
    exchange = isolated(latency=0.5, maintenance_tiers=((0.0, 0.2),))
    tape = tape_of({"return_a": -0.2}, {"return_b": 0.1, "noise_b": 0.1})
    book = ledger(tape, pair(exchange), bridge=False)
    check(book, final_equity=0.6, liquidation_step=1, pnl_a=-0.2, pnl_b=-0.2, liquidation_cost=0)


def test_the_leg_that_is_left_is_held_to_the_end_of_the_trade() -> None:
    """A trade of two steps. Step 1 (a -20%): .1 is left of a. Step 2 (b -10%): b earns .2.

    Step 3 (b -50%): b was closed at its start, at .7. Final .8: the trade lost .2, once.
    Closed at once, b would have been worth .5.
    """
    tape = tape_of({"return_a": -0.2}, {"return_b": -0.1}, {"return_b": -0.5})
    held = ledger(tape, pair(isolated(hold=True), holding=2.0), bridge=False)
    check(held, final_equity=0.8, liquidation_step=1, pnl_b=0.2, trades=1, trade_sum_1=-0.2)
    closed = ledger(tape, pair(isolated(), holding=2.0), bridge=False)
    check(closed, final_equity=0.6, liquidation_step=1, pnl_b=0.0, trades=1, trade_sum_1=-0.4)


def test_a_held_leg_is_closed_at_the_horizon_with_costs() -> None:
    """Slippage 1%: .02 each to open. a -20%: E_a = .08 is left. b -10%: .68, less .018 to close."""
    tape = tape_of({"return_a": -0.2}, {"return_b": -0.1})
    book = ledger(tape, pair(isolated(hold=True, slippage=0.01)), bridge=False)
    check(book, final_equity=0.08 + 0.48 + 0.2 - 0.018, slippage=0.058, turnover=5.8)


def test_a_held_leg_may_die_too() -> None:
    """Liquidation fee 1%. Step 1 (a -20%): .1 - .016 = .084 is left.

    Step 2 (b +20%): E_b = .1, N_b = -2.4, M_b = .24: hit, .1 - .024 = .076. Final .16.
    Liquidation is told by the first death.
    """
    tape = tape_of({"return_a": -0.2}, {"return_b": 0.2}, {"return_b": 0.5})
    book = ledger(tape, pair(isolated(hold=True, liquidation_fee=0.01)), bridge=False)
    check(book, final_equity=0.16, liquidation_step=1, liquidation_cost=0.04, pnl_b=-0.4)


def test_a_held_leg_pays_its_funding() -> None:
    """Step 1: a dies (.1 left). Step 2: funding of 5% on b, which is short, is received: .1."""
    tape = tape_of(
        {"return_a": -0.2, "state": event()}, {"funding_b": 0.05, "state": event(due=True)}
    )
    book = settle(tape, pair(isolated(hold=True)), funding=True)
    check(book, final_equity=0.1 + 0.6, funding=-0.1, liquidation_step=1)


def test_the_mispricing_is_earned_by_leg_b_alone() -> None:
    """b dies of a mispricing of 20%; a, held on, has none. Then the reverse: b earns 10% of 2."""
    a_left = tape_of({"return_b": 0.2, "mispricing": 0.2}, {"return_a": 0.1, "mispricing": 0.1})
    check(settle(a_left, pair(isolated(hold=True)), mispricing=True), pnl_mispricing=-0.4)
    b_left = tape_of({"return_a": -0.2}, {"return_b": -0.1, "mispricing": -0.1})
    check(settle(b_left, pair(isolated(hold=True)), mispricing=True), pnl_mispricing=0.2)


def test_costs_of_the_close_stay_in_their_account() -> None:
    """Taker fee 10%, margin 1%: E = .3 each. a -14%: E_a = .02 over .0172; closing costs .172.

    a is short of .152, b keeps .3 - .2. One account would be short of .052 and keep nothing.
    """
    dear: dict[str, Any] = {"taker_fee": 0.1, "maintenance_tiers": ((0.0, 0.01),)}
    tape = tape_of({"return_a": -0.14})
    check(ledger(tape, pair(isolated(**dear)), bridge=False), final_equity=0.1, deficit=0.152)
    check(ledger(tape, pair(venue(**dear)), bridge=False), final_equity=0.0, deficit=0.052)


def test_costs_of_closing_the_leg_that_is_left_can_be_a_deficit() -> None:
    """As above. a -20%: -.1 is a deficit. b +13.5%: E_b = .03 over .0227; closing costs .227."""
    exchange = isolated(hold=True, taker_fee=0.1, maintenance_tiers=((0.0, 0.01),))
    tape = tape_of({"return_a": -0.2}, {"return_b": 0.135})
    book = ledger(tape, pair(exchange), bridge=False)
    check(book, final_equity=0.0, deficit=0.1 + 0.197, liquidation_step=1, liquidation_cost=0.0)


def test_a_held_leg_starts_its_bridge_at_its_mark() -> None:
    """Step 1: a dies at its margin .16. b's mark is 10% above its price: required .22 + .2.

    Step 2: d0 = .5 - .42 = .08, the mark is back, d1 = .5 - .2 = .3: hit where e v > .048, which
    .1 is; from the traded price it would have to pass .18. Closed at .2.
    """
    tape = tape_of(
        {"return_a": -0.2, "mark_b": 0.1}, {"variance_b": 0.01, "bridge": 0.1 / (2.2**2 * 0.01)}
    )
    book = settle(tape, pair(isolated(hold=True)), bridge=True, mark=True)
    check(book, final_equity=0.36, liquidation_step=1)


def test_both_legs_may_die_at_once() -> None:
    """a -30%, b +30%: -.1 in each account, so a deficit of .2 and nothing left."""
    tape = tape_of({"return_a": -0.3, "return_b": 0.3}, {"return_a": 0.3})
    book = ledger(tape, pair(isolated()), bridge=False)
    check(book, final_equity=0, deficit=0.2, liquidation_step=1, liquidation_cost=0, turnover=4)


def test_death_by_a_jump_leaves_the_other_account_alone() -> None:
    """A jump of a by -60%: E_a = -.7 is a deficit, b keeps .5. Under cross margin all is lost."""
    tape = tape_of({"return_a": -0.6, "state": event(jumped=True)}, {"state": event()})
    book = settle(tape, pair(isolated()), bridge=True, events=True)
    check(book, final_equity=0.5, deficit=0.7, liquidation_step=1, liquidation_cost=0)
    together = venue(maintenance_tiers=TEN_PERCENT)
    check(settle(tape, pair(together), bridge=True, events=True), final_equity=0, deficit=0.2)


def test_death_inside_a_step_without_a_jump_is_at_the_margin() -> None:
    """a -30%: found at E_a = -.1, but it met its margin inside the step: closed at M = .14."""
    tape = tape_of({"return_a": -0.3, "state": event()}, {"state": event()})
    book = settle(tape, pair(isolated()), bridge=True, events=True)
    check(book, final_equity=0.64, deficit=0, liquidation_cost=-0.24, liquidation_step=1)


@pytest.mark.parametrize(("draw", "hit"), [(0.99, False), (1.01, True)])
@pytest.mark.parametrize("leg", ["a", "b"])
def test_death_by_the_bridge(leg: str, draw: float, hit: bool) -> None:
    """Each leg has a bridge of its own: d0 = d1 = .3, w = 1.8 or -2.2, v = w^2 var.

    The leg that dies is closed at its margin .2, so .3 is lost, and the other keeps .5.
    """
    weight = {"a": 1.8, "b": 2.2}[leg]
    exact = 2 * 0.3**2 / (weight**2 * 0.01)
    tape = tape_of({f"variance_{leg}": 0.01, "bridge": draw * exact, "covariance": 0.005}, {})
    book = ledger(tape, pair(isolated()))
    loss = 0.3 if hit else 0.0
    check(book, liquidation_step=float(hit), final_equity=1 - loss, liquidation_cost=loss)


def test_death_by_funding() -> None:
    """Funding of 25% on a: E_a = .5 - .5 = 0, under M = .2. b receives .1. The pair has .6.

    Under cross margin the same account lives: .6 is above .4.
    """
    tape = tape_of(
        {"funding_a": 0.25, "funding_b": 0.05, "state": event(due=True)}, {"state": event()}
    )
    book = settle(tape, pair(isolated()), funding=True)
    check(book, final_equity=0.6, funding=0.4, liquidation_step=1, deficit=0, liquidation_cost=0)
    together = settle(tape, pair(venue(maintenance_tiers=TEN_PERCENT)), funding=True)
    check(together, final_equity=0.6, liquidation_step=0)


def test_equity_is_shared_out_by_notional() -> None:
    """h 1/2, L 3: 2 and -1 over 2/3 and 1/3. b +25%: E_b = .0833 under .125. Cross: .75 > .325."""
    tape = tape_of({"return_b": 0.25}, {})
    alone = ledger(tape, policy(0.5, 3.0, venues=(isolated(),)), bridge=False)
    check(alone, liquidation_step=1, final_equity=2 / 3 + 1 / 3 - 0.25)
    together = policy(0.5, 3.0, venues=(venue(maintenance_tiers=TEN_PERCENT),))
    check(ledger(tape, together, bridge=False), liquidation_step=0, final_equity=0.75)


@pytest.mark.parametrize(
    ("rule", "lives"),
    [
        ({}, False),
        ({"rebalance_interval": 1.0}, False),
        ({"holding": 1.0}, True),
        ({"rebalance_interval": 1.0, "rebalance_to": "leverage"}, True),
    ],
)
def test_accounts_are_pooled_where_a_position_is_sized(rule: dict[str, Any], lives: bool) -> None:
    """Both legs +10%: .7 and .3. Then b +12%.

    Left alone, or rebalanced to the hedge, b has .3 - .264 under a margin of .246. Opened anew or
    resized, legs of 2 and .5 in each account: .5 - .24 = .26 over .224.
    """
    tape = tape_of({"return_a": 0.1, "return_b": 0.1}, {"return_b": 0.12})
    book = ledger(tape, pair(isolated(), **rule), bridge=False)
    check(book, liquidation_step=0 if lives else 2)


def test_two_venues_have_rules_of_their_own() -> None:
    """Leg a's venue closes a survivor, leg b's holds it: the survivor's own rule counts."""
    venues = isolated("x"), isolated("y", hold=True)
    b_left = tape_of({"return_a": -0.2}, {"return_b": -0.1})
    check(ledger(b_left, policy(1.0, 4.0, venues=venues), bridge=False), final_equity=0.8)
    a_left = tape_of({"return_b": 0.2}, {"return_a": 0.1})
    check(ledger(a_left, policy(1.0, 4.0, venues=venues), bridge=False), final_equity=0.6)


def test_the_shadow_goes_on_with_both_legs() -> None:
    """Step 1: a dies. Step 2: a comes back to +20%: the shadow ends at 1 - .4 + .8 = 1.4 > 1."""
    tape = tape_of({"return_a": -0.2}, {"return_a": 0.5})
    check(
        ledger(tape, pair(isolated()), bridge=False),
        final_equity=0.6,
        shadow_equity=1.4,
        recovered=1,
        extra_margin=0.06,
    )


def test_feasible_means_each_leg_above_its_margin() -> None:
    """Tables by asset: 1% and 20%. At L 6, h 1 leg b asks 3 * 20% of .5; together 63% of 1."""
    run = simulation(1, 1.0, 0)
    base = replace(isolated(maintenance_tiers=((0.0, 0.01),)), maintenance_tiers_b=((0.0, 0.2),))
    for mode, needed in (("isolated", 1.2), ("cross", 0.63)):
        spec = policy(1.0, 6.0, venues=(replace(base, margin_mode=mode),))
        assert opening_margin(spec, run) == pytest.approx(needed)
        assert feasible(spec, run) is (needed < 1)
    assert opening_margin(policy(0.0, 6.0, venues=(isolated(),)), run) == pytest.approx(0.6)


def test_modes_do_not_mix_in_one_job() -> None:
    run = simulation(1, 1.0, 0)
    described = job(steady(driftless((0.5, 0.5), 1.0)), [policy(), pair(isolated())], run)
    with pytest.raises(ValueError, match="one margin mode"):
        job_shape(described)


# --- two barriers --------------------------------------------------------------------------


def leaves(low: float, high: float, variance: float) -> float:
    """The chance that a Brownian motion from 0 leaves (low, high), by the method of images."""
    deviation, width = math.sqrt(variance), high - low

    def between(shift: float) -> float:
        return float(norm.cdf((high - shift) / deviation) - norm.cdf((low - shift) / deviation))

    terms = range(-50, 51)
    return 1.0 - sum(between(2 * k * width) - between(2 * low + 2 * k * width) for k in terms)


def test_the_images_themselves() -> None:
    """A far barrier is none (reflection), and near ones are certain to be met."""
    assert leaves(-1.0, 50.0, 1.0) == pytest.approx(2 * float(norm.cdf(-1.0)), abs=1e-12)
    assert leaves(-0.05, 0.05, 1.0) == pytest.approx(1.0, abs=1e-12)
    assert leaves(-0.3, 0.4, 0.1) == pytest.approx(leaves(-0.4, 0.3, 0.1), abs=1e-12)


def test_two_barriers() -> None:
    """rho = 1, equal volatilities, h 1: one price, and an account dies where it leaves a band.

    Leg a dies at P = (L - 1) / (L (1 - m)), leg b at (L + 1) / (L (1 + m)); the pair's own equity
    never moves, so under cross margin nobody dies.
    """
    margin, volatility, steps = 0.004, 0.6, 240
    leverages = (4.0, 6.0, 10.0, 15.0)
    exact = np.array([
        leaves(
            math.log((lev - 1) / (lev * (1 - margin))),
            math.log((lev + 1) / (lev * (1 + margin))),
            volatility**2 * steps * HOUR,
        )
        for lev in leverages
    ])  # fmt: skip
    assert 0.01 < exact.min() < 0.5 < exact.max() < 0.99
    market = steady(driftless((volatility, volatility), 1.0))
    run = simulation(steps, HOUR, seed=1107)
    paths = 60_000
    exchange = isolated(maintenance_tiers=((0.0, margin),))
    policies = [policy(1.0, leverage, venues=(exchange,)) for leverage in leverages]
    found = hit_share(compiled(job(market, policies, run), paths))
    assert np.all(np.abs(found - exact) < K * share_error(exact, paths))
    one_sided = np.array([
        leaves(math.log((lev - 1) / (lev * (1 - margin))), 50.0, volatility**2 * steps * HOUR)
        for lev in leverages
    ])  # fmt: skip
    assert np.all(exact - one_sided > K * share_error(exact, paths))  # both barriers are seen
    cross = [policy(1.0, lev, venues=(venue(),)) for lev in leverages]
    assert hit_share(compiled(job(market, cross, run), 2_000)).max() == 0.0
