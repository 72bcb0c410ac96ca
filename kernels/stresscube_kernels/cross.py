"""Cross margin: both legs stand in one account."""

from __future__ import annotations

from typing import Any, NamedTuple

from . import ticks
from .books import Fill, die, watch
from .contract import Account, Features, Policy, Tick
from .legs import legs
from .margin import Balance, Held, Settled, hold_leg, inside_leg, settle
from .ops import Ops


class Weighed(NamedTuple):
    """The one margin account over a step, and the legs in it."""

    a: Held
    b: Held
    balance: Balance
    found: Settled


def hold(
    ops: Ops,
    features: Features,
    account: Account,
    filled: Fill,
    now: Any,
    tick: Tick,
    policy: Policy,
) -> Account:
    """Hold the filled legs to the step's end: mark them, check their margin, pay funding.

    Where the account is closed, position and equity go on as the shadow account.
    """
    a, b, balance, found = weigh(ops, features, account, filled, tick, policy)
    account = account._replace(
        notional_a=a.notional,
        notional_b=b.notional,
        equity=found.equity,
        mark=tick.mark_b if features.mark else account.mark,
        funding=account.funding + found.paid,
    )
    account = die(ops, account, found, now)
    return watch(ops, features, account, balance.required - found.equity)


def weigh(
    ops: Ops, features: Features, account: Account, filled: Fill, tick: Tick, policy: Policy
) -> Weighed:
    """Hold the filled legs over the step and settle the account that they stand in."""
    leg_a, leg_b = legs(features, tick, policy, account.mark)
    a, b = hold_leg(ops, leg_a, filled.leg_a.held), hold_leg(ops, leg_b, filled.leg_b.held)
    equity = account.equity - filled.fees - filled.slippage
    variance = a.weight * (a.weight * tick.variance_a + 2.0 * b.weight * tick.covariance)
    required = a.end + b.end
    balance = Balance(
        living=account.alive > 0.5,
        distance=equity - (a.start + b.start),
        variance=variance + b.weight * b.weight * tick.variance_b,
        equity=equity + (filled.leg_a.gain + filled.leg_b.gain),
        required=required,
        owed=a.owed + b.owed,
        penalty=a.penalty + b.penalty,
    )
    if features.intrabar:
        together = ticks.extremes(tick).coincidence
        in_a = inside_leg(ops, leg_a, filled.leg_a.held, together)
        in_b = inside_leg(ops, leg_b, filled.leg_b.held, together)
        dip = ops.fmin(in_a.worst + in_b.beside, in_a.beside + in_b.worst)
        balance = balance._replace(least=balance.equity + dip)
    return Weighed(a, b, balance, settle(ops, features, tick, balance))
