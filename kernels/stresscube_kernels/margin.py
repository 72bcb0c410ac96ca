"""A margin account over one step: what it must keep, whether it is closed, and what that leaves."""

from __future__ import annotations

from typing import Any, NamedTuple

from . import ticks
from .contract import Features, Tick, Tier
from .legs import Leg
from .ops import Ops


class Margin(NamedTuple):
    """What one leg asks of the account that holds it."""

    required: Any  # maintenance margin, less what the mark adds to equity at traded prices
    rate: Any  # of the tier that binds


def margin(ops: Ops, tiers: tuple[Tier, ...], notional: Any, mark: Any = 0.0) -> Margin:
    """Maintenance margin of a leg at its mark price, which is (1 + mark) times the traded one."""
    unrealised = notional * mark
    required, rate = tiered(ops, tiers, ops.fabs(notional + unrealised))
    return Margin(required - unrealised, rate)


def tiered(ops: Ops, tiers: tuple[Tier, ...], notional: Any) -> tuple[Any, Any]:
    """max_k(rate_k N - deduction_k) and the rate of the branch that binds.

    With deductions that make the exchange's table continuous this is the table itself,
    because the rates ascend: a convex function is the maximum of its tangents.
    """
    required = tiers[0].rate * notional - tiers[0].deduction
    rate = tiers[0].rate
    for tier in tiers[1:]:
        branch = tier.rate * notional - tier.deduction
        rate = ops.where(branch > required, tier.rate, rate)
        required = ops.fmax(required, branch)
    return required, rate


class Held(NamedTuple):
    """A leg held over a step: what it is at the end, and what it asks of its account."""

    notional: Any  # at the step's end
    weight: Any  # change of the distance to margin with the leg's log-price
    start: Any  # margin required at start prices
    end: Any  # and at the step's end
    owed: Any  # funding at the step's end, if it is due
    penalty: Any  # liquidation fee in full


def hold_leg(ops: Ops, leg: Leg, held: Any) -> Held:
    """Hold a notional, filled and at its start price, to the step's end."""
    start = margin(ops, leg.venue.tiers, held, leg.mark_before)
    notional = held + held * leg.change
    return Held(
        notional=notional,
        weight=held - start.rate * ops.fabs(held),
        start=start.required,
        end=margin(ops, leg.venue.tiers, notional, leg.mark).required,
        owed=owed(ops, leg, notional),
        penalty=leg.venue.liquidation_fee * ops.fabs(notional),
    )


def owed(ops: Ops, leg: Leg, notional: Any) -> Any:
    """The funding of a leg at its venue's cap."""
    cap = leg.venue.funding_cap
    return notional * ops.fmax(ops.fmin(leg.funding, cap), -cap)


class Inside(NamedTuple):
    """What a leg does to equity less margin inside the step, against where the step ends."""

    worst: Any  # at the leg's own worst price
    beside: Any  # while the other leg is at its worst


NOWHERE = Inside(0.0, 0.0)


def inside_leg(ops: Ops, leg: Leg, held: Any, coincidence: Any) -> Inside:
    """What the lows and highs of a step do to a leg (no mark, that is a simulated market's).

    Equity less margin rises with a long leg's price and falls with a short one's, for margin rates
    are below 1: it is least at the low of one and the high of the other. The price at which a leg
    stands while the other is at its worst lies between its own best and worst; the data do not
    tell where.
    """
    long = held > 0.0
    worst = ops.where(long, leg.low, leg.high)
    best = ops.where(long, leg.high, leg.low)

    def against_end(change: Any) -> Any:
        moved = held + held * change
        return held * (change - leg.change) - margin(ops, leg.venue.tiers, moved).required

    beside = coincidence * worst + (1.0 - coincidence) * best
    return Inside(against_end(worst), against_end(beside))


class Balance(NamedTuple):
    """A margin account over one step, before anything is done about it."""

    living: Any  # whether it can be closed (b)
    distance: Any  # equity less margin just after the fill and its costs, at start prices
    variance: Any  # of the change of that distance over the step, diffusion only
    equity: Any  # at the step's end, before funding
    required: Any  # margin then
    owed: Any  # funding then, if it is due
    penalty: Any  # liquidation fee, if equity suffices
    least: Any = 0.0  # equity less margin inside the step, where the tick holds extremes


class Settled(NamedTuple):
    """What became of a margin account in a step."""

    hit: Any  # whether it was closed (b)
    equity: Any  # at the step's end, after funding, as if it had not been closed
    paid: Any  # funding
    kept: Any  # what closing it leaves, never below 0
    cost: Any  # equity that the closing took, its fee included
    short: Any  # what was lacking to 0


def settle(ops: Ops, features: Features, tick: Tick, balance: Balance) -> Settled:
    """Test an account's margin over the step, pay its funding, test again, close it where hit.

    An account hit inside the step owes no funding.
    """
    touched = balance.living & is_hit(ops, features, tick, balance)
    closing = closing_equity(ops, features, tick, balance)
    hit, before, equity, paid = touched, balance.equity, balance.equity, 0.0
    if features.funding:
        owed = ops.where(ticks.due(ops, tick.state), balance.owed, 0.0)
        equity = balance.equity - owed
        paid = ops.where(balance.living & ~touched, owed, 0.0)
        hit = touched | (balance.living & (equity <= balance.required))
        before = ops.where(touched, before, equity)
        closing = ops.where(touched, closing, ops.fmin(balance.required, equity))
    if features.bridge and not (features.events or features.funding or features.mark):
        fee = ops.fmin(balance.penalty, closing)  # closing is a margin, so never negative
        return Settled(hit, equity, paid, closing - fee, before - closing + fee, 0.0)
    fee = ops.fmin(balance.penalty, ops.fmax(closing, 0.0))
    short = ops.fmax(-closing, 0.0)
    return Settled(hit, equity, paid, closing - fee + short, before - closing + fee, short)


def is_hit(ops: Ops, features: Features, tick: Tick, balance: Balance) -> Any:
    """Whether equity met margin at the step's end, or between its ends (b).

    A Brownian bridge between distances d0 and d1 with variance v over the step touches 0 with
    probability exp(-2 d0 d1 / v). With e ~ Exp(1) that is the event e v > 2 d0 d1: no
    transcendental per policy, and one draw serves them all. Where the tick holds the step's lows
    and highs, they tell instead.
    """
    distance = balance.equity - balance.required
    touched = distance <= 0.0
    if features.intrabar:
        return touched | (ops.fmin(balance.distance, balance.least) <= 0.0)
    if not features.bridge:
        return touched
    return touched | (tick.bridge * balance.variance > 2.0 * balance.distance * distance)


def closing_equity(ops: Ops, features: Features, tick: Tick, balance: Balance) -> Any:
    """Where a hit account is closed: at its margin, which it met inside the step.

    Without the bridge, where a jump fell (at the step's end) and in recorded history, it is found
    where it is.
    """
    if features.bridge and not features.events:
        return balance.required
    lower = ops.fmin(balance.required, balance.equity)
    if not features.bridge:
        return lower
    return ops.where(ticks.jumped(tick.state), lower, balance.required)
