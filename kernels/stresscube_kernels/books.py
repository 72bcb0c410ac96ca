"""The books of an account: the fill of an order, its costs, trades and drawdown."""

from __future__ import annotations

from typing import Any, NamedTuple

from .contract import Account, Features, Policy, Tick
from .decide import Order
from .ops import Ops


class Fill(NamedTuple):
    """What the step's order did."""

    held_a: Any  # notionals after the fill, at the step's start prices
    held_b: Any
    gain_a: Any  # P&L of the leg over the whole step
    gain_b: Any
    gain_mispricing: Any  # the part of gain_b that the mispricing made
    fees: Any
    slippage: Any
    turnover: Any
    equity_before: Any  # at the fill, after closing costs, before opening costs


def fill(
    ops: Ops, features: Features, account: Account, order: Order, tick: Tick, policy: Policy
) -> Fill:
    """Fill the order `latency` into the step, at a price on the bridge of the step.

    With r the step's return and l the latency's fraction of it, the price then has moved by
    l r + sqrt(l (1 - l)) zeta, zeta a normal with the step's covariance.
    """
    venue_a, venue_b = policy.venues[0], policy.venues[-1]
    moved_a: Any = 0.0
    moved_b: Any = 0.0
    if features.latency:
        moved_a = venue_a.latency * tick.return_a + venue_a.latency_root * tick.noise_a
        moved_b = venue_b.latency * tick.return_b + venue_b.latency_root * tick.noise_b
    held_a = account.notional_a + order.leg_a
    held_b = account.notional_b + order.leg_b
    closed_a = ops.fabs(account.notional_a) * (1.0 + moved_a)
    closed_b = ops.fabs(account.notional_b) * (1.0 + moved_b)
    traded_a = ops.fabs(order.leg_a) * (1.0 + moved_a)
    traded_b = ops.fabs(order.leg_b) * (1.0 + moved_b)

    # An order that opens a trade pays for closing what was held and for opening anew; one that
    # nets a roll pays for the difference alone, which then is the closing trade's.
    both = order.opens
    if features.nets:
        nets = (policy.nets > 0.5) & order.closes & order.opens
        closed_a = ops.where(nets, traded_a, closed_a)
        closed_b = ops.where(nets, traded_b, closed_b)
        both = both & ~nets
    opened_a = ops.fabs(held_a) * (1.0 + moved_a)
    opened_b = ops.fabs(held_b) * (1.0 + moved_b)
    traded_a = ops.where(both, closed_a + opened_a, traded_a)
    traded_b = ops.where(both, closed_b + opened_b, traded_b)

    slip_a = venue_a.slippage * tick.slippage_multiplier
    slip_b = venue_b.slippage * tick.slippage_multiplier
    closing_costs = (venue_a.taker_fee + slip_a) * closed_a
    closing_costs = closing_costs + (venue_b.taker_fee + slip_b) * closed_b
    moved = account.notional_a * moved_a + account.notional_b * moved_b
    return Fill(
        held_a=held_a,
        held_b=held_b,
        gain_a=held_a * tick.return_a - order.leg_a * moved_a,
        gain_b=held_b * tick.return_b - order.leg_b * moved_b,
        gain_mispricing=held_b * tick.mispricing,
        fees=venue_a.taker_fee * traded_a + venue_b.taker_fee * traded_b,
        slippage=slip_a * traded_a + slip_b * traded_b,
        turnover=traded_a + traded_b,
        equity_before=account.equity + moved - closing_costs,
    )


def book_closed_trade(
    ops: Ops, features: Features, account: Account, order: Order, filled: Fill
) -> Account:
    """Book the trade that the order closed; note the equity at the new one's opening."""
    if features.rolls or features.spread_side:
        closed = order.closes & (account.alive > 0.5)
        account = book_trade(ops, account, closed, filled.equity_before)
    return account._replace(
        opened_equity=ops.where(order.opens, filled.equity_before, account.opened_equity)
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


def pay(ops: Ops, features: Features, account: Account, order: Order, filled: Fill) -> Account:
    """Book the step's P&L and costs, unless the account is dead (its shadow has no books)."""
    alive = account.alive
    account = account._replace(
        pnl_a=account.pnl_a + alive * filled.gain_a,
        pnl_b=account.pnl_b + alive * filled.gain_b,
        fees=account.fees + alive * filled.fees,
        slippage=account.slippage + alive * filled.slippage,
        turnover=account.turnover + alive * filled.turnover,
        rebalances=account.rebalances + ops.where(order.rebalances, alive, 0.0),
    )
    if features.mispricing:
        gain = alive * filled.gain_mispricing
        account = account._replace(pnl_mispricing=account.pnl_mispricing + gain)
    return account


def follow_drawdown(ops: Ops, account: Account, marked: Any) -> Account:
    """The deepest drawdown as a pair (trough, peak), compared by cross products: no division."""
    peak = ops.fmax(account.peak, marked)
    deeper = marked * account.deepest_peak < account.deepest_trough * peak
    return account._replace(
        peak=peak,
        deepest_trough=ops.where(deeper, marked, account.deepest_trough),
        deepest_peak=ops.where(deeper, peak, account.deepest_peak),
    )
