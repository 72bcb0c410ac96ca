"""The books of an account: the fill of an order, its costs, trades and drawdown."""

from __future__ import annotations

from typing import Any, NamedTuple

from .contract import Account, Features, Policy, Tick
from .decide import Order
from .legs import LegFill, fill_leg, legs
from .margin import Settled
from .ops import Ops


class Fill(NamedTuple):
    """What the step's order did to both legs, and the equity at the fill."""

    leg_a: LegFill
    leg_b: LegFill
    fees: Any
    slippage: Any
    equity: Any  # at the fill, after closing costs, before opening costs


def fill(
    ops: Ops, features: Features, account: Account, order: Order, tick: Tick, policy: Policy
) -> Fill:
    """Fill the order of both legs."""
    both, nets = order.opens, False
    if features.nets:
        nets = (policy.nets > 0.5) & order.closes & order.opens
        both = both & ~nets
    at_a, at_b = legs(features, tick, policy)
    a = fill_leg(ops, features, at_a, account.notional_a, order.leg_a, both=both, nets=nets)
    b = fill_leg(ops, features, at_b, account.notional_b, order.leg_b, both=both, nets=nets)
    moved, closing_costs = a.moved + b.moved, a.closing_cost + b.closing_cost
    return Fill(
        leg_a=a,
        leg_b=b,
        fees=a.fees + b.fees,
        slippage=a.slippage + b.slippage,
        equity=account.equity + moved - closing_costs,
    )


def book_closed_trade(
    ops: Ops, features: Features, account: Account, order: Order, filled: Fill
) -> Account:
    """Book the trade that the order closed; note the equity at the new one's opening."""
    if features.rolls or features.spread_side:
        closed = order.closes & (account.alive > 0.5)
        account = book_trade(ops, account, closed, filled.equity)
    return account._replace(
        opened_equity=ops.where(order.opens, filled.equity, account.opened_equity)
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


def pay(
    ops: Ops, features: Features, account: Account, order: Order, filled: Fill, tick: Tick
) -> Account:
    """Book the step's P&L and costs, unless the account is dead (its shadow has no books)."""
    alive = account.alive
    account = account._replace(
        pnl_a=account.pnl_a + alive * filled.leg_a.gain,
        pnl_b=account.pnl_b + alive * filled.leg_b.gain,
        fees=account.fees + alive * filled.fees,
        slippage=account.slippage + alive * filled.slippage,
        turnover=account.turnover + alive * (filled.leg_a.turnover + filled.leg_b.turnover),
        rebalances=account.rebalances + ops.where(order.rebalances, alive, 0.0),
    )
    if features.mispricing:
        gain = alive * (filled.leg_b.held * tick.mispricing)
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


def die(ops: Ops, account: Account, found: Settled, now: Any) -> Account:
    """Close the account where hit; position and equity go on as the shadow account."""
    return account._replace(
        alive=ops.where(found.hit, 0.0, account.alive),
        kept=ops.where(found.hit, found.kept, account.kept),
        deficit=account.deficit + ops.where(found.hit, found.short, 0.0),
        liquidation_cost=ops.where(found.hit, found.cost, account.liquidation_cost),
        liquidated_at=ops.where(found.hit, now + 1.0, account.liquidated_at),
    )


def worth(ops: Ops, features: Features, account: Account) -> Any:
    """What the account comes to at market prices: its equity, or what a liquidation left."""
    left = account.kept + account.rest_equity if features.isolated else account.kept
    return ops.where(account.alive > 0.5, account.equity, left)


def drawdown(account: Account) -> Any:
    """The deepest drawdown, as a fraction of the peak before it."""
    return 1.0 - account.deepest_trough / account.deepest_peak


def watch(ops: Ops, features: Features, account: Account, lacking: Any) -> Account:
    """Follow the drawdown of the account, and the margin that its shadow lacks."""
    living = account.alive > 0.5
    marked = worth(ops, features, account)
    account = follow_drawdown(ops, account, marked)
    lacked = ops.fmax(account.extra_margin, lacking)
    return account._replace(
        under_water=account.under_water + ops.where(marked < account.peak, 1.0, 0.0),
        extra_margin=ops.where(living, account.extra_margin, lacked),
    )
