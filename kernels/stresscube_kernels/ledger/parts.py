"""What each leg did in each step: its fill, its margin, its funding and its death."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import cross, isolated, ticks
from ..books import fill
from ..isolated import Survivor, survives, weigh_survivor
from ..legs import LegFill, legs, moved_by
from ..margin import Balance, Held, Settled, is_hit
from ..rules import RECORDED
from .life import Life, Rows

CAUSES = ("inside the step", "in a jump", "at the step's end", "by funding")
"""How an account can meet its margin."""


class LegPart(NamedTuple):
    """One leg's steps; NaN or 0 where it has no part in them."""

    order: Rows  # notional at the decision price
    moved: Rows  # what its price had moved by at the fill
    turnover: Rows
    fees: Rows
    slippage: Rows
    funding: Rows
    notional: Rows  # that the account holds at the step's end
    margin: Rows
    ratio: Rows  # of margin to equity, where the leg has an account of its own
    hit: Rows  # whether that account was closed (b)
    cause: Rows  # index into CAUSES, where it was


class Parts(NamedTuple):
    """Both legs, and what stands in one account: under isolated margin the worse leg's."""

    a: LegPart
    b: LegPart
    ratio: Rows
    hit: Rows  # whether the account was closed (b)
    cause: Rows


def parts(life: Life) -> Parts:
    """Both legs of every step, by the functions that the step itself is made of."""
    ops, features, tick, policy = life.ops, life.shape.features, life.tick, life.policy
    filled = fill(ops, features, life.decided, life.order, tick, policy)
    given = (ops, features, life.decided, filled, tick, policy)
    lived = life.before.alive > 0.5
    if not features.isolated:
        a, b, balance, found = cross.weigh(*given)
        ratio, hit = _ratio(balance, found), found.hit & lived
        cause = _cause(life, balance)
        none = np.full_like(ratio, np.nan)
        whole = (none, np.zeros_like(hit), cause)
        return Parts(
            _leg(life, 0, filled.leg_a, a, balance, whole),
            _leg(life, 1, filled.leg_b, b, balance, whole),
            np.where(lived & life.seen, ratio, np.nan), hit, cause,
        )  # fmt: skip
    made: list[LegPart] = []
    rest = weigh_survivor(ops, features, life.decided, life.order.closes, tick, policy)
    for leg, (its, weighed) in enumerate(
        zip((filled.leg_a, filled.leg_b), isolated.weigh(*given), strict=True)
    ):
        held, balance, found = weighed
        own = (_own_ratio(weighed), found.hit & lived, _cause(life, balance))
        made.append(_with_rest(life, leg, _leg(life, leg, its, held, balance, own), rest))
    a, b = made
    worse = np.fmax(a.ratio, b.ratio)
    return Parts(a, b, worse, (a.hit | b.hit) & lived, np.where(a.hit, a.cause, b.cause))


def _leg(
    life: Life, leg: int, filled: LegFill, held: Held, balance: Balance, own: tuple[Rows, ...]
) -> LegPart:
    """A leg of the account while it lives. own: ratio, hit and cause of the leg's own account."""
    lived = life.before.alive > 0.5
    order = (life.order.leg_a, life.order.leg_b)[leg]
    notional = (life.after.notional_a, life.after.notional_b)[leg]
    ratio, hit, cause = own

    def known(value: Any, otherwise: float = 0.0) -> Rows:
        return np.where(life.seen, np.where(lived, value, otherwise), np.nan)

    return LegPart(
        order=known(order),
        moved=known(_moved(life, leg)),
        turnover=known(filled.turnover),
        fees=known(filled.fees),
        slippage=known(filled.slippage),
        funding=known(np.where(_pays(life, balance), held.owed, 0.0)),
        notional=np.where(life.after.alive > 0.5, notional, 0.0),
        margin=known(held.end, np.nan),
        ratio=known(ratio, np.nan),
        hit=hit & life.seen,
        cause=cause,
    )


def _with_rest(life: Life, leg: int, part: LegPart, rest: Survivor) -> LegPart:
    """The same with the steps in which the leg outlives the other."""
    is_b = life.before.rest_is_b > 0.5
    here = survives(life.ops, life.before) & (is_b if leg else ~is_b)
    goes_on = survives(life.ops, life.after) & ((life.after.rest_is_b > 0.5) == bool(leg))
    filled, (held, balance, found) = rest.filled, rest.weighed
    mine = LegPart(
        order=rest.order,
        moved=_moved(life, leg),
        turnover=filled.turnover,
        fees=filled.fees,
        slippage=filled.slippage,
        funding=np.where(_pays(life, balance), held.owed, 0.0),
        notional=part.notional,
        margin=held.end,
        ratio=_own_ratio(rest.weighed),
        hit=found.hit,
        cause=_cause(life, balance),
    )
    chosen = LegPart(*(np.where(here & life.seen, x, y) for x, y in zip(mine, part, strict=True)))
    return chosen._replace(notional=np.where(goes_on, life.after.rest, part.notional))


def _moved(life: Life, leg: int) -> Rows:
    its = legs(life.shape.features, life.tick, life.policy)[leg]
    return np.broadcast_to(moved_by(life.shape.features, its), life.seen.shape)


def _pays(life: Life, balance: Balance) -> Rows:
    """Whether funding was paid from an account."""
    ops, features, tick = life.ops, life.shape.features, life.tick
    if not features.funding:
        return np.zeros_like(life.seen)
    return balance.living & ~is_hit(ops, features, tick, balance) & ticks.due(ops, tick.state)


def _ratio(balance: Balance, found: Settled) -> Rows:
    """Margin over equity at the step's end, after funding."""
    ratio = np.full(found.equity.shape, np.inf)
    return np.divide(balance.required, found.equity, out=ratio, where=found.equity > 0.0)


def _own_ratio(weighed: isolated.Weighed) -> Rows:
    exposed = weighed.balance.living & (weighed.held.notional != 0.0)
    return np.where(exposed, _ratio(weighed.balance, weighed.found), np.nan)


def _cause(life: Life, balance: Balance) -> Rows:
    """How the account met its margin, an index into CAUSES, if it did."""
    ops, features, tick = life.ops, life.shape.features, life.tick
    touched = is_hit(ops, features, tick, balance)
    at_the_end = balance.equity <= balance.required
    in_a_jump = at_the_end & jumps(life)
    return np.select([~touched, in_a_jump, at_the_end], [3, 1, 2], 0)


def jumps(life: Life) -> Rows:
    """Where a jump, spike or shock fell; the steps of recorded history are not told apart."""
    found = ticks.jumped(life.tick.state)
    return found & (life.shape.market != RECORDED)
