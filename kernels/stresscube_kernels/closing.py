"""The horizon: what is still held is closed at the last price, with costs and without latency."""

from __future__ import annotations

from typing import Any, NamedTuple

from .contract import Account, Features, Policy, Tick
from .isolated import survivor_leg
from .legs import Leg, legs
from .ops import Ops


class Costs(NamedTuple):
    """What closing a notional costs."""

    fees: Any
    slippage: Any
    turnover: Any


class Closed(NamedTuple):
    """An account after everything was closed."""

    account: Account  # its books
    final: Any  # equity
    shadow: Any  # equity of the shadow account; `final` if never liquidated


def close_all(ops: Ops, features: Features, account: Account, tick: Tick, policy: Policy) -> Closed:
    """Close what the account and its shadow hold. Costs above what is left are a deficit."""
    leg_a, leg_b = legs(features, tick, policy)
    a, b = costs_of(ops, leg_a, account.notional_a), costs_of(ops, leg_b, account.notional_b)
    both = Costs(a.fees + b.fees, a.slippage + b.slippage, a.turnover + b.turnover)
    shadow = account.equity - both.fees - both.slippage
    books = account
    if features.isolated:
        own_a = account.equity_a - a.fees - a.slippage
        own_b = account.equity_b - b.fees - b.slippage
        left = ops.fmax(own_a, 0.0) + ops.fmax(own_b, 0.0)
        short = ops.fmax(-own_a, 0.0) + ops.fmax(-own_b, 0.0)
        books = close_survivor(ops, features, account, tick, policy)
    else:
        left, short = ops.fmax(shadow, 0.0), ops.fmax(-shadow, 0.0)
    living = account.alive > 0.5
    final = ops.where(living, left, books.kept)
    books = charge(books, account.alive, both)
    books = books._replace(deficit=books.deficit + ops.where(living, short, 0.0))
    return Closed(books, final, ops.where(living, final, shadow))


def costs_of(ops: Ops, leg: Leg, notional: Any) -> Costs:
    """What closing a leg costs."""
    traded = ops.fabs(notional)
    slip = leg.slippage_multiplier * (leg.venue.slippage * traded)
    return Costs(leg.venue.taker_fee * traded, slip, traded)


def charge(account: Account, alive: Any, costs: Costs) -> Account:
    """Book costs where `alive` is 1."""
    return account._replace(
        fees=account.fees + alive * costs.fees,
        slippage=account.slippage + alive * costs.slippage,
        turnover=account.turnover + alive * costs.turnover,
    )


def close_survivor(
    ops: Ops, features: Features, account: Account, tick: Tick, policy: Policy
) -> Account:
    """Close the leg that outlived the other, if it is still held."""
    leg = survivor_leg(ops, features, account, tick, policy)
    costs = costs_of(ops, leg, account.rest)
    left = account.rest_equity - costs.fees - costs.slippage
    account = charge(account, 1.0, costs)
    return account._replace(
        kept=account.kept + ops.fmax(left, 0.0),
        deficit=account.deficit + ops.fmax(-left, 0.0),
    )
