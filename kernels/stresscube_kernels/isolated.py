"""Isolated margin: each leg is an account of its own; when one dies the other outlives it.

Equity is shared out among the legs when a position is sized, and from then on costs, funding and
P&L stay where they fall. The first death ends the account's trading. The leg that is left, the
survivor, is closed at once or held to the end of the trade, by its venue's `after_leg_death`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .books import Fill, die, watch
from .contract import Account, Features, Policy, Tick
from .legs import Leg, LegFill, fill_leg, legs
from .margin import NOWHERE, Balance, Held, Settled, hold_leg, inside_leg, settle
from .ops import Ops
from .tree import combine


class Weighed(NamedTuple):
    """One leg's margin account over a step."""

    held: Held
    balance: Balance
    found: Settled


class Survivor(NamedTuple):
    """The leg that outlived the other, over a step."""

    leg: Leg
    held_on: Any  # whether it is still wanted after the step's fill (b)
    order: Any  # notional at the decision price
    filled: LegFill
    weighed: Weighed


def hold(
    ops: Ops,
    features: Features,
    account: Account,
    filled: Fill,
    now: Any,
    tick: Tick,
    policy: Policy,
) -> Account:
    """Hold the filled legs to the step's end: mark them, check their margins, pay funding.

    At the first death both legs go on as the shadow account, and the survivor on its own.
    """
    (a, _, found_a), (b, _, found_b) = weigh(ops, features, account, filled, tick, policy)
    account = account._replace(
        notional_a=a.notional,
        notional_b=b.notional,
        equity=found_a.equity + found_b.equity,
        equity_a=found_a.equity,
        equity_b=found_b.equity,
        mark=tick.mark_b if features.mark else account.mark,
        funding=account.funding + (found_a.paid + found_b.paid),
    )
    account = outlive(ops, account, found_a, found_b)
    account = die(ops, account, first_death(ops, found_a, found_b), now)
    lacking_a = ops.fmax(a.end - found_a.equity, 0.0)
    return watch(ops, features, account, lacking_a + ops.fmax(b.end - found_b.equity, 0.0))


def weigh(
    ops: Ops, features: Features, account: Account, filled: Fill, tick: Tick, policy: Policy
) -> tuple[Weighed, Weighed]:
    """Hold the filled legs over the step and settle the account that each stands in."""
    leg_a, leg_b = legs(features, tick, policy, account.mark)
    a, b = hold_leg(ops, leg_a, filled.leg_a.held), hold_leg(ops, leg_b, filled.leg_b.held)
    living = account.alive > 0.5
    balance_a = balance_of(ops, features, leg_a, living, account.equity_a, filled.leg_a, a)
    balance_b = balance_of(ops, features, leg_b, living, account.equity_b, filled.leg_b, b)
    found_a = settle(ops, features, tick, balance_a)
    found_b = settle(ops, features, tick, balance_b)
    return Weighed(a, balance_a, found_a), Weighed(b, balance_b, found_b)


def balance_of(
    ops: Ops, features: Features, leg: Leg, living: Any, equity: Any, filled: LegFill, held: Held
) -> Balance:
    """One leg's account over a step. A leg that is not held dies only of debt."""
    start = equity - filled.fees - filled.slippage
    end = start + filled.gain
    exposed = (ops.fabs(filled.held) > 0.0) | (end < 0.0)
    inside = inside_leg(ops, leg, filled.held, 0.0) if features.intrabar else NOWHERE
    return Balance(
        living=living & exposed,
        distance=start - held.start,
        variance=held.weight * held.weight * leg.variance,
        equity=end,
        required=held.end,
        owed=held.owed,
        penalty=held.penalty,
        least=end + inside.worst,
    )


def first_death(ops: Ops, a: Settled, b: Settled) -> Settled:
    """What the deaths of the step did to both accounts together."""
    return Settled(
        hit=a.hit | b.hit,
        equity=a.equity + b.equity,
        paid=a.paid + b.paid,
        kept=ops.where(a.hit, a.kept, 0.0) + ops.where(b.hit, b.kept, 0.0),
        cost=ops.where(a.hit, a.cost, 0.0) + ops.where(b.hit, b.cost, 0.0),
        short=ops.where(a.hit, a.short, 0.0) + ops.where(b.hit, b.short, 0.0),
    )


def outlive(ops: Ops, account: Account, a: Settled, b: Settled) -> Account:
    """Note the leg that outlives the other, where one does."""
    a_lives, b_lives = b.hit & ~a.hit, a.hit & ~b.hit
    rest = ops.where(a_lives, account.notional_a, account.rest)
    equity = ops.where(a_lives, a.equity, account.rest_equity)  # of a leg not held, too
    return account._replace(
        rest=ops.where(b_lives, account.notional_b, rest),
        rest_equity=ops.where(b_lives, b.equity, equity),
        rest_is_b=ops.where(b_lives, 1.0, account.rest_is_b),
    )


def survives(ops: Ops, account: Account) -> Any:
    """Whether a leg that outlived the other is still held (b)."""
    return ops.fabs(account.rest) > 0.0


def carry_survivor(
    ops: Ops, features: Features, account: Account, closes: Any, tick: Tick, policy: Policy
) -> Account:
    """Carry the survivor through a step: close it, or hold it and check its margin.

    closes: whether the trade that it was part of ends at this step's start (b).
    """
    _, held_on, _, filled, (held, _, found) = weigh_survivor(
        ops, features, account, closes, tick, policy
    )
    stays = held_on & ~found.hit
    left = ops.where(found.hit, found.kept, found.equity)
    is_b = account.rest_is_b > 0.5
    account = account._replace(
        rest=ops.where(stays, held.notional, 0.0),
        rest_equity=ops.where(stays, found.equity, 0.0),
        kept=account.kept + ops.where(stays, 0.0, left),
        liquidation_cost=account.liquidation_cost + ops.where(found.hit, found.cost, 0.0),
        deficit=account.deficit + ops.where(found.hit, found.short, 0.0),
        pnl_a=account.pnl_a + ops.where(is_b, 0.0, filled.gain),
        pnl_b=account.pnl_b + ops.where(is_b, filled.gain, 0.0),
        fees=account.fees + filled.fees,
        slippage=account.slippage + filled.slippage,
        funding=account.funding + found.paid,
        turnover=account.turnover + filled.turnover,
    )
    if features.mispricing:
        gain = ops.where(is_b, filled.held * tick.mispricing, 0.0)
        account = account._replace(pnl_mispricing=account.pnl_mispricing + gain)
    return account


def weigh_survivor(
    ops: Ops, features: Features, account: Account, closes: Any, tick: Tick, policy: Policy
) -> Survivor:
    """Close the survivor or hold it over the step, and settle the account that it stands in."""
    leg = survivor_leg(ops, features, account, tick, policy)
    held_on = ops.where(closes, 0.0, leg.venue.holds_survivor) > 0.5
    order = ops.where(held_on, 0.0, -account.rest)
    filled = fill_leg(ops, features, leg, account.rest, order, both=False, nets=False)
    held = hold_leg(ops, leg, filled.held)
    lives = survives(ops, account)
    balance = balance_of(ops, features, leg, lives, account.rest_equity, filled, held)
    found = settle(ops, features, tick, balance)
    return Survivor(leg, held_on, order, filled, Weighed(held, balance, found))


def survivor_leg(ops: Ops, features: Features, account: Account, tick: Tick, policy: Policy) -> Leg:
    """The step of the leg that survives."""
    is_b = account.rest_is_b > 0.5

    def either(a: Any, b: Any) -> Any:
        return ops.where(is_b, b, a)

    return combine(either, *legs(features, tick, policy, account.mark))
