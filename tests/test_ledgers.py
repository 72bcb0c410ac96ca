"""Three-step scenarios worked out by hand, with every cost.

A step lasts one year here, so durations are numbers of steps. Equity starts at 1.
"""

from __future__ import annotations

import pytest

from markets import ledger, policy, tape_of, venue

TEN_PERCENT = ((0.0, 0.1),)


def check(book: dict[str, float], **expected: float) -> None:
    """The named outcomes as worked out, and books that close."""
    found = {name: book[name] for name in expected}
    assert found == pytest.approx(expected, abs=1e-9)
    total = 1 + book["pnl_a"] + book["pnl_b"] - book["fees"] - book["slippage"] - book["funding"]
    total += -book["liquidation_cost"] + book["deficit"]
    assert book["final_equity"] == pytest.approx(total, abs=1e-12)


def test_threshold_rebalance_and_close_at_the_horizon() -> None:
    """h 1, L 2, fee 0.1%, slippage 0.05%, threshold 5%.

    Decide: +1, -1.
    Step 1 (a +10%, b +2%, multiplier 1). Traded 2: fee .002, slip .001. P&L .1 - .02.
      E = 1 - .003 + .08 = 1.077. N = 1.1, -1.02. |1.02 - 1.1| = .08 > .05 * 1.1: rebalance to
      gross 2.12, legs of 1.06: orders -.04, -.04.
    Step 2 (b -4%, multiplier 1). Traded .08: fee .00008, slip .00004. P&L b 1.06 * .04 = .0424.
      E = 1.077 - .00012 + .0424 = 1.11928. N = 1.06, -1.0176. .0424 < .053: nothing.
    Step 3 (a -2%, b +1%, multiplier 2). P&L a -.0212, b -.010176. E = 1.087904.
      N = 1.0388, -1.027776: .011 < .052. Close 2.066576: fee .002066576, slip 2 * .0005 * that,
      the same. Final 1.083770848.
    Peak 1.11928, so drawdown 1 - 1.083770848 / 1.11928 = .031725...; step 3 ends under water.
    """
    tape = tape_of(
        {"return_a": 0.10, "return_b": 0.02},
        {"return_b": -0.04},
        {"return_a": -0.02, "return_b": 0.01, "slippage_multiplier": 2.0},
    )
    exchange = venue(taker_fee=0.001, slippage=0.0005)
    book = ledger(tape, policy(1.0, 2.0, venues=(exchange,), rebalance_threshold=0.05))
    trade = 0.083770848
    check(
        book,
        final_equity=1 + trade,
        pnl_a=0.1 - 0.0212,
        pnl_b=-0.02 + 0.0424 - 0.010176,
        fees=0.002 + 0.00008 + 0.002066576,
        slippage=0.001 + 0.00004 + 0.002066576,
        turnover=2 + 0.08 + 2.066576,
        rebalances=1,
        trades=1,
        wins=1,
        trade_sum_1=trade,
        trade_sum_2=trade**2,
        trade_sum_3=trade**3,
        trade_sum_4=trade**4,
        trade_downside=0,
        max_drawdown=1 - 1.083770848 / 1.11928,
        under_water=1,
        liquidation_step=0,
        liquidation_cost=0,
        deficit=0,
        funding=0,
        extra_margin=0,
        recovered=0,
        shadow_equity=1 + trade,
    )


def test_latency_and_rolls_that_pay_both_turns() -> None:
    """h 1/2, L 3, fee 1%, slippage 0.5% (1.5% together), latency 0.2, a new trade every step.

    The price at a fill has moved by r_l = .2 r + .4 zeta.
    Decide: +2, -1.
    Step 1. a: r .1, zeta .05, r_l .04. b: r -.05, zeta .1, r_l .03.
      P&L a 2 (.1 - .04) = .12; b -1 (-.05 - .03) = .08. Traded 2 * 1.04 + 1.03 = 3.11: .04665.
      E = 1.15335. N = 2.2, -.95. Expired: new legs 2 E = 2.3067 and -E = -1.15335,
      orders .1067, -.20335.
    Step 2. a: r -.05, zeta 0, r_l -.01. b: r .02, zeta .01, r_l .008.
      Closing 2.2 * .99 + .95 * 1.008 = 3.1356: .047034. Opening 2.3067 * .99 + 1.15335 * 1.008
      = 3.4462098: .051693147. At the fill, with the closing turn paid and the opening not:
      1.15335 - .022 - .0076 - .047034 = 1.076716, which ends trade 1 (+.076716) and begins 2.
      P&L a 2.3067 * -.05 - .1067 * -.01 = -.114268; b -1.15335 * .02 + .20335 * .008 = -.0214402.
      E = 1.15335 - .098727147 - .1357082 = .918914653. N = 2.191365, -1.176417.
      Expired: new legs 1.837829306, -.918914653; orders -.353535694, .257502347.
    Step 3. a: r 0, zeta -.1, r_l -.04. b: nothing.
      Closing 2.191365 * .96 + 1.176417 = 3.2801274: .049201911. Opening 1.837829306 * .96 +
      .918914653 = 2.68323078676: .0402484618014. At the fill .918914653 - .0876546 - .049201911
      = .782058142: trade 2 made .782058142 / 1.076716 - 1.
      P&L a 0 - (-.353535694)(-.04) = -.01414142776. E = .918914653 - .0894503728014
      - .01414142776 = .8153228524386.
      Close at the horizon 2.756743959: .041351159385. Final .7739716930536; trade 3 made
      .7739716930536 / .782058142 - 1.
    """
    tape = tape_of(
        {"return_a": 0.1, "noise_a": 0.05, "return_b": -0.05, "noise_b": 0.1},
        {"return_a": -0.05, "return_b": 0.02, "noise_b": 0.01},
        {"noise_a": -0.1},
    )
    exchange = venue(taker_fee=0.01, slippage=0.005, latency=0.2)
    book = ledger(tape, policy(0.5, 3.0, venues=(exchange,), holding=1.0))
    traded = 3.11 + 3.1356 + 3.4462098 + 3.2801274 + 2.68323078676 + 2.756743959
    first, second = 0.076716, 0.782058142 / 1.076716 - 1
    third = 0.7739716930536 / 0.782058142 - 1
    check(
        book,
        final_equity=0.7739716930536,
        pnl_a=0.12 - 0.114268 - 0.01414142776,
        pnl_b=0.08 - 0.0214402,
        fees=0.01 * traded,
        slippage=0.005 * traded,
        turnover=traded,
        rebalances=0,
        trades=3,
        wins=1,
        trade_sum_1=first + second + third,
        trade_sum_2=first**2 + second**2 + third**2,
        trade_sum_3=first**3 + second**3 + third**3,
        trade_sum_4=first**4 + second**4 + third**4,
        trade_downside=second**2 + third**2,
        max_drawdown=1 - 0.7739716930536 / 1.15335,
        under_water=2,
    )


def test_interval_rebalance() -> None:
    """h 1, L 2, fee 1%, every 2 steps whatever the drift.

    Step 1 (a +20%): fee .02, E = 1.18; N = 1.2, -1. Not due.
    Step 2 (b +10%): E = 1.08; N = 1.2, -1.1. Due: gross 2.3, legs 1.15: orders -.05, -.05.
    Step 3 (a +10%): fee .001; E = 1.08 - .001 + .115 = 1.194; N = 1.265, -1.15. Not due.
      Close 2.415: .02415. Final 1.16985.
    """
    tape = tape_of({"return_a": 0.2}, {"return_b": 0.1}, {"return_a": 0.1})
    spec = policy(1.0, 2.0, venues=(venue(taker_fee=0.01),), rebalance_interval=2.0)
    check(
        ledger(tape, spec),
        final_equity=1.16985,
        pnl_a=0.2 + 0.115,
        pnl_b=-0.1,
        fees=0.02 + 0.001 + 0.02415,
        turnover=2 + 0.1 + 2.415,
        rebalances=1,
        trades=1,
        max_drawdown=1 - 1.08 / 1.18,
        under_water=1,
    )


def test_what_is_decided_at_the_horizon_never_fills() -> None:
    """h 1, L 2, fee 1%, rebalanced every step.

    Step 1 (a +20%): fee .02, P&L .2. N = 1.2, -1: orders -.1, -.1.
    Step 2 (a -10%): fee .002, P&L -.11. N = .99, -1.1: orders +.055, +.055.
    Step 3 (a +10%): fee .0011, P&L .1045. N = 1.1495, -1.045: orders that never fill, nor count.
      Close 2.1945: .021945. Final 1 + .2 - .11 + .1045 - .02 - .002 - .0011 - .021945 = 1.149455.
    """
    tape = tape_of({"return_a": 0.2}, {"return_a": -0.1}, {"return_a": 0.1})
    spec = policy(1.0, 2.0, venues=(venue(taker_fee=0.01),), rebalance_interval=1.0)
    check(
        ledger(tape, spec),
        final_equity=1.149455,
        pnl_a=0.1945,
        fees=0.02 + 0.002 + 0.0011 + 0.021945,
        turnover=2 + 0.2 + 0.11 + 2.1945,
        rebalances=2,
    )


# One long leg of 5 with a margin of 10%, a fee of 1% and a liquidation fee of 2%: after the fill
# equity is .95 and margin .5, so d0 = .45. The bridge's weight is 5 * .9 = 4.5; with a variance
# of .04, v = .81.
LONG = policy(
    0.0, 5.0, venues=(venue(taker_fee=0.01, maintenance_tiers=TEN_PERCENT, liquidation_fee=0.02),)
)  # fmt: skip


def test_liquidation_inside_a_step_and_a_shadow_that_recovers() -> None:
    """Step 1 (-5%, e .3): E = .70, N = 4.75, M = .475, d1 = .225 > 0. But e v = .243 >
    2 * .45 * .225 = .2025: hit. Closed at E_c = M = .475; fee 2% of 4.75 = .095; kept .38. Cost
    .70 - .475 + .095 = .32.
    The shadow goes on from .70 with 4.75. Step 2 (-8%): E = .32, N = 4.37, M = .437: it lacks .117.
    Step 3 (+20%): E = 1.194, N = 5.244; close at .05244: 1.14156 >= 1, recovered. None of that is
    in the books. The account holds .38 from step 1 on: drawdown .62, three steps under water.
    """
    tape = tape_of(
        {"return_a": -0.05, "bridge": 0.3, "variance_a": 0.04},
        {"return_a": -0.08},
        {"return_a": 0.2},
    )
    check(
        ledger(tape, LONG),
        final_equity=0.38,
        liquidation_step=1,
        liquidation_cost=0.32,
        deficit=0,
        pnl_a=-0.25,
        pnl_b=0,
        fees=0.05,
        turnover=5,
        shadow_equity=1.14156,
        recovered=1,
        extra_margin=0.117,
        max_drawdown=0.62,
        under_water=3,
        trades=1,
        wins=0,
        trade_sum_1=-0.62,
        trade_sum_2=0.3844,
        trade_sum_3=-0.238328,
        trade_sum_4=0.14776336,
        trade_downside=0.3844,
    )
    # Without the bridge nobody looks inside: .70 > .475, .32 < .437 dies at the end of step 2,
    # where it is: E_c = .32, fee 2% of 4.37 = .0874, kept .2326.
    check(
        ledger(tape, LONG, bridge=False),
        final_equity=0.2326,
        liquidation_step=2,
        liquidation_cost=0.0874,
        pnl_a=-0.25 - 0.38,
        recovered=1,
        shadow_equity=1.14156,
        extra_margin=0.117,
        trade_sum_1=0.2326 - 1,
    )


def test_a_draw_just_below_leaves_the_account_alive() -> None:
    """As above with e .249: e v = .20169 < .2025. Step 2 (+10%): N 5.225; close .05225."""
    tape = tape_of({"return_a": -0.05, "bridge": 0.249, "variance_a": 0.04}, {"return_a": 0.1}, {})
    check(ledger(tape, LONG), liquidation_step=0, final_equity=0.70 + 0.475 - 0.05225)


def test_liquidation_at_the_end_of_a_step() -> None:
    """Step 1 (-12%): E = .95 - .6 = .35, N = 4.4, M = .44: d1 < 0. Fee 2% of 4.4 = .088.

    With the bridge, equity met margin inside the step: E_c = .44, kept .352, cost
    .35 - .44 + .088 = -.002. Without, the account is found at E_c = .35: kept .262, cost .088.
    """
    tape = tape_of({"return_a": -0.12}, {}, {})
    same = {"liquidation_step": 1.0, "deficit": 0.0, "extra_margin": 0.09, "recovered": 0.0}
    # The shadow keeps 4.4 to the end and pays .044 to close.
    same["shadow_equity"] = 0.35 - 0.044
    check(ledger(tape, LONG), final_equity=0.352, liquidation_cost=-0.002, **same)
    check(ledger(tape, LONG, bridge=False), final_equity=0.262, liquidation_cost=0.088, **same)


def test_deficit() -> None:
    """Step 1 (-25%): E = .95 - 1.25 = -.30, N = 3.75, M = .375.

    Without the bridge E_c = -.30: nothing left to pay the fee, deficit .30, kept 0, cost 0.
    With it E_c = .375, fee .075, kept .30, cost -.30 - .375 + .075 = -.60, no deficit.
    """
    tape = tape_of({"return_a": -0.25}, {}, {})
    check(
        ledger(tape, LONG, bridge=False),
        final_equity=0,
        deficit=0.3,
        liquidation_cost=0,
        max_drawdown=1,
        trade_sum_1=-1,
        extra_margin=0.675,
    )
    check(ledger(tape, LONG), final_equity=0.3, deficit=0, liquidation_cost=-0.6, trade_sum_1=-0.7)


def test_liquidation_fee_takes_no_more_than_there_is() -> None:
    """Fee 20%: .88 of 4.4, but only E_c = .35 is left. Kept 0, cost .35, and no deficit."""
    greedy = venue(taker_fee=0.01, maintenance_tiers=TEN_PERCENT, liquidation_fee=0.2)
    tape = tape_of({"return_a": -0.12}, {}, {})
    book = ledger(tape, policy(0.0, 5.0, venues=(greedy,)), bridge=False)
    check(book, final_equity=0, liquidation_cost=0.35, deficit=0, trade_sum_1=-1)


def test_costs_at_the_fill_can_liquidate() -> None:
    """Margin 19%, fee 2%: after the fill E = .9 < M = .95, so d0 < 0 and the bridge hits at once,
    though the step ends well (+10%: E 1.4, N 5.5, M 1.045). Kept 1.045, cost 1.4 - 1.045."""
    tight = venue(taker_fee=0.02, maintenance_tiers=((0.0, 0.19),))
    tape = tape_of({"return_a": 0.1}, {}, {})
    book = ledger(tape, policy(0.0, 5.0, venues=(tight,)))
    check(book, final_equity=1.045, liquidation_step=1, liquidation_cost=0.355)


def test_a_shadow_closes_with_its_trade_and_opens_nothing() -> None:
    """As the shadow above, held for 2 steps: at the end of step 2 (E .32, N 4.37) it expires.

    Step 3: closed at its start, fee .0437. The +20% is no longer earned: .2763, not recovered.
    """
    tape = tape_of(
        {"return_a": -0.05, "bridge": 0.3, "variance_a": 0.04},
        {"return_a": -0.08},
        {"return_a": 0.2},
    )
    spec = policy(0.0, 5.0, venues=LONG.venues, holding=2.0)
    check(
        ledger(tape, spec),
        final_equity=0.38,
        shadow_equity=0.2763,
        recovered=0,
        extra_margin=0.117,
        trades=1,
        fees=0.05,
        turnover=5,
    )


def test_a_shadow_rebalances_at_its_own_cost() -> None:
    """h 1, L 4, margin 10%, fee 1%, liquidation fee 2%, threshold 10%.

    Step 1 (a -20%, e 2, variance of a .04): legs 2, -2, cost .04, E = .96 - .4 = .56; N = 1.6, -2;
      M = .36. d0 = .96 - .4 = .56, d1 = .20; w = 1.8, -2.2, only a moves: v = 3.24 * .04 = .1296;
      e v = .2592 > 2 * .56 * .2 = .224: hit. Kept .36 - 2% of 3.6 = .288, cost .56 - .288 = .272.
      The shadow has drifted (.4 > .16): gross 3.6, legs 1.8, orders +.2, +.2.
    Step 2 (a +10%): its cost .004, E = .56 - .004 + .18 = .736; N = 1.98, -1.8 (.18 < .198).
    Step 3 (b -20%): E = 1.096; N = 1.98, -1.44. Close 3.42: .0342. 1.0618: recovered.
    The account's own books: fee .04, no rebalance.
    """
    tape = tape_of(
        {"return_a": -0.2, "bridge": 2.0, "variance_a": 0.04}, {"return_a": 0.1}, {"return_b": -0.2}
    )
    spec = policy(1.0, 4.0, venues=LONG.venues, rebalance_threshold=0.1)
    check(
        ledger(tape, spec),
        final_equity=0.288,
        liquidation_cost=0.272,
        shadow_equity=1.0618,
        recovered=1,
        extra_margin=0,
        rebalances=0,
        fees=0.04,
        turnover=4,
    )


def test_the_second_of_two_trades_is_liquidated() -> None:
    """L 5, margin 10%, liquidation fee 2%, nothing else, a new trade every step.

    Step 1 (+10%): E = 1.5, N = 5.5. Expired: N = 7.5, order +2. Trade 1: +.5.
    Step 2 (-12%): E = 1.5 - .9 = .6, N = 6.6, M = .66: hit. Kept .66 - .132 = .528, cost .072.
      The trade opened at 1.5 counts once: .528 / 1.5 - 1 = -.648. It lacks .06.
      The shadow expires too, and closes at the start of step 3 with .6 < 1.5: not recovered.
    """
    exchange = venue(maintenance_tiers=TEN_PERCENT, liquidation_fee=0.02)
    tape = tape_of({"return_a": 0.1}, {"return_a": -0.12}, {"return_a": 0.5})
    check(
        ledger(tape, policy(0.0, 5.0, venues=(exchange,), holding=1.0)),
        final_equity=0.528,
        liquidation_step=2,
        liquidation_cost=0.072,
        trades=2,
        wins=1,
        trade_sum_1=0.5 - 0.648,
        trade_sum_2=0.25 + 0.419904,
        trade_downside=0.419904,
        shadow_equity=0.6,
        recovered=0,
        extra_margin=0.06,
        max_drawdown=0.648,
        under_water=2,
        turnover=5 + 5.5 + 7.5,
    )


def test_two_venues_charge_their_own_leg() -> None:
    """Fees 1% on a, 2% on b; a +10%. Open .01 + .02; close 1.1 * .01 + .02. Final 1.039."""
    venues = (venue("x", taker_fee=0.01), venue("y", taker_fee=0.02))
    tape = tape_of({"return_a": 0.1})
    check(ledger(tape, policy(1.0, 2.0, venues=venues)), final_equity=1.039, fees=0.03 + 0.031)


def test_two_venues_take_their_own_liquidation_fee() -> None:
    """Legs 2, -2; margin 10%; b +40%: E = .2, N = 2, -2.8, M = .48. Kept .48 - .02 - .14."""
    venues = tuple(
        venue(name, maintenance_tiers=TEN_PERCENT, liquidation_fee=fee)
        for name, fee in (("x", 0.01), ("y", 0.05))
    )
    tape = tape_of({"return_b": 0.4})
    check(ledger(tape, policy(1.0, 4.0, venues=venues)), final_equity=0.32, liquidation_step=1)


def test_a_single_leg_is_never_rebalanced() -> None:
    """h 0, threshold 0 and the interval every step: nothing to restore. 1.1 * 1.1 * 1.1."""
    tape = tape_of(*[{"return_a": 0.1}] * 3)
    spec = policy(0.0, 1.0, rebalance_threshold=0.0, rebalance_interval=1.0)
    check(ledger(tape, spec), final_equity=1.331, rebalances=0, turnover=1 + 1.331)


def test_expiry_comes_before_a_rebalance() -> None:
    """Threshold 0 and a trade a step: each decision rolls, none rebalances."""
    tape = tape_of({"return_a": 0.1}, {"return_a": 0.1}, {"return_a": 0.1})
    book = ledger(tape, policy(1.0, 2.0, rebalance_threshold=0.0, holding=1.0))
    check(book, rebalances=0, trades=3, wins=3, final_equity=1.1**3, trade_sum_1=0.3)


def test_a_due_interval_counts_where_nothing_trades() -> None:
    """Nothing moves in 4 steps: due at the start of 3 of them, and only opening and closing pay."""
    spec = policy(1.0, 2.0, venues=(venue(taker_fee=0.01),), rebalance_interval=1.0)
    check(ledger(tape_of({}, {}, {}, {}), spec), rebalances=3, turnover=4, fees=0.04, trades=1)


def test_the_interval_clock_restarts_with_a_trade() -> None:
    """Every 2 steps, trades of 3 steps: due at the ends of steps 2 and 5, not of 4.

    a moves in step 1 and b in step 5, so that a clock that ran on would find nothing to do at 4,
    and a new trade to open at 6.
    """
    tape = tape_of({"return_a": 0.1}, {}, {}, {}, {"return_b": 0.1}, {}, {})
    spec = policy(1.0, 2.0, rebalance_interval=2.0, holding=3.0)
    check(ledger(tape, spec), rebalances=2, trades=3)


def test_the_venues_cap_comes_before_sizing() -> None:
    tape = tape_of({"return_a": 0.1})
    book = ledger(tape, policy(0.0, 10.0, venues=(venue(max_leverage=3.0),)))
    check(book, final_equity=1.3, turnover=3 + 3.3)
