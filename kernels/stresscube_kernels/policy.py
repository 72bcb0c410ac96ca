"""The policy step: what one policy makes of one tick. Written once.

The order inside a step is: fill the order decided at the last step's end, mark to market,
check margin, decide the next order. `policy_open` decides at time 0, `policy_close` closes at
the horizon. Conventions are in docs/model.md, section "Policy".
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .contract import Account, Features, Outcome, Policy, Tick
from .margin import bridge_hits, margin
from .ops import Ops


class Fill(NamedTuple):
    """The order filled inside the step."""

    held_a: Any  # notionals after the fill, at the step's start prices
    held_b: Any
    gain_a: Any  # P&L of the leg over the whole step
    gain_b: Any
    fees: Any
    slippage: Any
    turnover: Any
    equity_before: Any  # at the fill, after closing costs, before opening costs


def policy_open(ops: Ops, features: Features, policy: Policy) -> Account:
    """The account at time 0, its first order decided."""
    zero = policy.leverage * 0.0
    one = zero + 1.0
    flat = Account(*([zero] * len(Account._fields)))._replace(
        equity=one,
        alive=one,
        opened_equity=one,
        peak=one,
        deepest_peak=one,
        deepest_trough=one,
    )
    return decide(ops, features, flat, policy)


def policy_step(
    ops: Ops, features: Features, account: Account, tick: Tick, policy: Policy
) -> Account:
    """One step of one account."""
    alive = account.alive
    filled = fill(ops, features, account, tick, policy)
    account = book_closed_trade(ops, features, account, filled)
    account = pay(ops, account, filled)

    margin_start = margin(ops, policy, filled.held_a, filled.held_b)
    start_equity = account.equity - filled.fees - filled.slippage
    equity = start_equity + (filled.gain_a + filled.gain_b)
    notional_a = filled.held_a + filled.held_a * tick.return_a
    notional_b = filled.held_b + filled.held_b * tick.return_b
    margin_end = margin(ops, policy, notional_a, notional_b)
    distance_start = start_equity - margin_start.required
    distance_end = equity - margin_end.required

    hit = distance_end <= 0.0
    if features.bridge:
        hit = hit | bridge_hits(ops, filled, margin_start, tick, distance_start, distance_end)
    hit = hit & (alive > 0.5)
    account = account._replace(notional_a=notional_a, notional_b=notional_b, equity=equity)
    account = liquidate(ops, features, account, policy, hit, margin_end.required)
    account = watch(ops, account, margin_end.required)
    return decide(ops, features, account, policy)


def fill(ops: Ops, features: Features, account: Account, tick: Tick, policy: Policy) -> Fill:
    """Fill the pending order `latency` into the step, at a price on the bridge of the step.

    With r the step's return and l the latency's fraction of it, the price then has moved by
    l r + sqrt(l (1 - l)) zeta, zeta a normal with the step's covariance.
    """
    venue_a, venue_b = policy.venues[0], policy.venues[-1]
    moved_a: Any = 0.0
    moved_b: Any = 0.0
    if features.latency:
        moved_a = venue_a.latency * tick.return_a + venue_a.latency_root * tick.noise_a
        moved_b = venue_b.latency * tick.return_b + venue_b.latency_root * tick.noise_b
    held_a = account.notional_a + account.order_a
    held_b = account.notional_b + account.order_b
    opens = account.order_opens > 0.5

    # An order that opens a trade pays for closing what was held and for opening anew.
    closed_a = ops.fabs(account.notional_a) * (1.0 + moved_a)
    closed_b = ops.fabs(account.notional_b) * (1.0 + moved_b)
    opened_a = ops.fabs(held_a) * (1.0 + moved_a)
    opened_b = ops.fabs(held_b) * (1.0 + moved_b)
    traded_a = ops.where(opens, closed_a + opened_a, ops.fabs(account.order_a) * (1.0 + moved_a))
    traded_b = ops.where(opens, closed_b + opened_b, ops.fabs(account.order_b) * (1.0 + moved_b))

    slip_a = venue_a.slippage * tick.slippage_multiplier
    slip_b = venue_b.slippage * tick.slippage_multiplier
    closing_costs = (venue_a.taker_fee + slip_a) * closed_a + (
        venue_b.taker_fee + slip_b
    ) * closed_b
    return Fill(
        held_a=held_a,
        held_b=held_b,
        gain_a=held_a * tick.return_a - account.order_a * moved_a,
        gain_b=held_b * tick.return_b - account.order_b * moved_b,
        fees=venue_a.taker_fee * traded_a + venue_b.taker_fee * traded_b,
        slippage=slip_a * traded_a + slip_b * traded_b,
        turnover=traded_a + traded_b,
        equity_before=account.equity
        + (account.notional_a * moved_a + account.notional_b * moved_b)
        - closing_costs,
    )


def book_closed_trade(ops: Ops, features: Features, account: Account, filled: Fill) -> Account:
    """Book the trade that the filled order closed, and note the equity at the new one's opening."""
    opens = account.order_opens > 0.5
    if features.rolls:
        closed = (account.order_closes > 0.5) & (account.alive > 0.5)
        account = book_trade(ops, account, closed, filled.equity_before)
    return account._replace(
        opened_equity=ops.where(opens, filled.equity_before, account.opened_equity)
    )


def book_trade(ops: Ops, account: Account, closed: Any, equity: Any) -> Account:
    """Add one trade's return to the sums, where `closed` holds."""
    trade = ops.where(closed, equity / account.opened_equity - 1.0, 0.0)
    square = trade * trade
    loss = ops.fmin(trade, 0.0)
    return account._replace(
        trades=account.trades + ops.where(closed, 1.0, 0.0),
        wins=account.wins + ops.where(trade > 0.0, 1.0, 0.0),
        trade_sum_1=account.trade_sum_1 + trade,
        trade_sum_2=account.trade_sum_2 + square,
        trade_sum_3=account.trade_sum_3 + square * trade,
        trade_sum_4=account.trade_sum_4 + square * square,
        trade_downside=account.trade_downside + loss * loss,
    )


def pay(ops: Ops, account: Account, filled: Fill) -> Account:
    """Book the step's P&L and costs, unless the account is dead (its shadow has no books)."""
    alive = account.alive
    rebalances = (
        (ops.fabs(account.order_a) + ops.fabs(account.order_b) > 0.0)
        & (account.order_opens < 0.5)
        & (account.order_closes < 0.5)
    )
    return account._replace(
        pnl_a=account.pnl_a + alive * filled.gain_a,
        pnl_b=account.pnl_b + alive * filled.gain_b,
        fees=account.fees + alive * filled.fees,
        slippage=account.slippage + alive * filled.slippage,
        turnover=account.turnover + alive * filled.turnover,
        rebalances=account.rebalances + ops.where(rebalances, alive, 0.0),
        lived=account.lived + alive,
    )


def liquidate(
    ops: Ops, features: Features, account: Account, policy: Policy, hit: Any, required: Any
) -> Account:
    """Close the account at its maintenance margin where hit; position and equity go on as shadow.

    A hit inside the step happens where equity equals margin; without the bridge the account
    is found at or below it.
    """
    closing = required if features.bridge else ops.fmin(required, account.equity)
    penalty = policy.venues[0].liquidation_fee * ops.fabs(account.notional_a)
    penalty = penalty + policy.venues[-1].liquidation_fee * ops.fabs(account.notional_b)
    penalty = ops.fmin(penalty, ops.fmax(closing, 0.0))
    deficit = ops.fmax(-closing, 0.0)
    kept = closing - penalty + deficit
    return account._replace(
        alive=ops.where(hit, 0.0, account.alive),
        kept=ops.where(hit, kept, account.kept),
        deficit=ops.where(hit, deficit, account.deficit),
        liquidation_cost=ops.where(
            hit, account.equity - closing + penalty, account.liquidation_cost
        ),
    )


def watch(ops: Ops, account: Account, required: Any) -> Account:
    """Follow the drawdown of the account and the margin its shadow lacks."""
    living = account.alive > 0.5
    shortfall = ops.fmax(account.extra_margin, required - account.equity)
    marked = ops.where(living, account.equity, account.kept)
    account = follow_drawdown(ops, account, marked)
    return account._replace(
        under_water=account.under_water + ops.where(marked < account.peak, 1.0, 0.0),
        extra_margin=ops.where(living, account.extra_margin, shortfall),
    )


def follow_drawdown(ops: Ops, account: Account, marked: Any) -> Account:
    """The deepest drawdown as a pair (trough, peak), compared by cross products: no division."""
    peak = ops.fmax(account.peak, marked)
    deeper = marked * account.deepest_peak < account.deepest_trough * peak
    return account._replace(
        peak=peak,
        deepest_trough=ops.where(deeper, marked, account.deepest_trough),
        deepest_peak=ops.where(deeper, peak, account.deepest_peak),
    )


def decide(ops: Ops, features: Features, account: Account, policy: Policy) -> Account:
    """The order for the next step: close at expiry, open when flat, else rebalance.

    A dead account's shadow closes and rebalances but opens nothing.
    """
    flat = account.hold < 0.5
    expires = flat
    closes: Any = None
    if features.rolls:
        closes = (account.hold > 0.5) & (account.hold < 1.5)
        expires = flat | closes
    opens = expires & (account.alive > 0.5)
    gross = ops.fabs(account.notional_a) + ops.fabs(account.notional_b)
    wait = account.wait - 1.0
    drifted = drift(ops, account, policy)
    if features.interval:
        due = wait < 0.5
        drifted = drifted | due
        wait = ops.where(due | opens, policy.rebalance_interval, wait)
    rebalances = drifted & ~expires

    size = ops.where(opens, policy.leverage * account.equity, gross) * policy.leg_share
    moves = opens | rebalances
    order_a = ops.where(moves, size - account.notional_a, 0.0)
    order_b = ops.where(moves, -(policy.hedge_ratio * size) - account.notional_b, 0.0)
    hold = ops.where(opens, policy.holding, ops.fmax(account.hold - 1.0, 0.0))
    if features.rolls:
        order_a = ops.where(closes & ~opens, -account.notional_a, order_a)
        order_b = ops.where(closes & ~opens, -account.notional_b, order_b)
    return account._replace(
        order_a=order_a,
        order_b=order_b,
        order_opens=ops.where(opens, 1.0, 0.0),
        order_closes=ops.where(closes, 1.0, 0.0) if features.rolls else account.order_closes,
        hold=hold,
        wait=wait if features.interval else account.wait,
    )


def drift(ops: Ops, account: Account, policy: Policy) -> Any:
    """Whether leg b has drifted from its hedge by more than the threshold.

    A single leg (hedge ratio 0) never has: 0 > 0.
    """
    hedge = policy.hedge_ratio * ops.fabs(account.notional_a)
    away = ops.fabs(ops.fabs(account.notional_b) - hedge)
    return away > policy.rebalance_threshold * hedge


def policy_close(
    ops: Ops, features: Features, account: Account, tick: Tick, policy: Policy
) -> Outcome:
    """Close at the horizon: at the last price, with costs, without latency; book the trade."""
    alive = account.alive
    living = alive > 0.5
    venue_a, venue_b = policy.venues[0], policy.venues[-1]
    traded_a, traded_b = ops.fabs(account.notional_a), ops.fabs(account.notional_b)
    fees = venue_a.taker_fee * traded_a + venue_b.taker_fee * traded_b
    slip = tick.slippage_multiplier * (venue_a.slippage * traded_a + venue_b.slippage * traded_b)
    shadow = account.equity - fees - slip
    final = ops.where(living, shadow, account.kept)
    in_trade = (traded_a + traded_b > 0.0) | ~living
    account = book_trade(ops, account, in_trade, final)
    account = follow_drawdown(ops, account, final)
    recovered = ~living & (shadow >= account.opened_equity)
    return Outcome(
        final_equity=final,
        max_drawdown=1.0 - account.deepest_trough / account.deepest_peak,
        liquidation_step=ops.where(living, 0.0, account.lived),
        shadow_equity=shadow,
        recovered=ops.where(recovered, 1.0, 0.0),
        extra_margin=account.extra_margin,
        deficit=account.deficit,
        pnl_a=account.pnl_a,
        pnl_b=account.pnl_b,
        fees=account.fees + alive * fees,
        slippage=account.slippage + alive * slip,
        funding=account.funding,
        liquidation_cost=account.liquidation_cost,
        turnover=account.turnover + alive * (traded_a + traded_b),
        under_water=account.under_water,
        rebalances=account.rebalances,
        trades=account.trades,
        wins=account.wins,
        trade_sum_1=account.trade_sum_1,
        trade_sum_2=account.trade_sum_2,
        trade_sum_3=account.trade_sum_3,
        trade_sum_4=account.trade_sum_4,
        trade_downside=account.trade_downside,
    )
