"""What an account makes of each regime: books around the step of any rules, kept where asked for.

A step belongs to the regime that its tick names, with what was decided at its start and what it
cost; closing at the horizon belongs to the last step's. So gains over all regimes add up to the
account's whole gain.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from . import ticks
from .books import drawdown, worth
from .contract import Account, Features, RegimeBook, Tick
from .ops import Ops
from .tree import extended, shortened

if TYPE_CHECKING:
    from .rules import Rules, Step

FIELD = "regimes"
"""The last field of accounts and outcomes: a book for each regime."""


def by_regime(rules: Rules, regimes: int) -> Rules:
    """These rules with a book for each of so many regimes.

    Raises TypeError if their account has not the fields of the built-in one.
    """
    if missing := set(Account._fields) - set(rules.account._fields):
        raise TypeError(f"metrics by regime need an account with {', '.join(sorted(missing))}")
    kind = cast("Any", type(rules.account))
    books = (RegimeBook(0.0, 0.0, 0.0, 0.0),) * regimes

    def open_account(ops: Ops, features: Features, policy: Any) -> Any:
        account = rules.open(ops, features, policy)
        zero = account.equity * 0.0
        return extended(account, FIELD, (RegimeBook(zero, zero, zero, zero),) * regimes)

    def stepping(step: Step) -> Step:
        def booked(
            ops: Ops, features: Features, account: Any, now: Any, tick: Tick, policy: Any
        ) -> Any:
            before = shortened(account, kind)
            after = step(ops, features, before, now, tick, policy)
            made = of_step(ops, features, before, after)
            return extended(after, FIELD, book(ops, account.regimes, made, tick))

        return booked

    def acting(acts: Step) -> Step:
        def called(
            ops: Ops, features: Features, account: Any, now: Any, tick: Tick, policy: Any
        ) -> Any:
            return acts(ops, features, shortened(account, kind), now, tick, policy)

        return called

    def close(ops: Ops, features: Features, account: Any, tick: Tick, policy: Any) -> Any:
        before = shortened(account, kind)
        outcome = rules.close(ops, features, before, tick, policy)
        gain = outcome.final_equity - worth(ops, features, before)
        made = RegimeBook(gain, 0.0, 0.0, outcome.max_drawdown > drawdown(before))
        return extended(outcome, FIELD, book(ops, account.regimes, made, tick))

    return replace(
        rules,
        open=open_account,
        step=stepping(rules.step),
        close=close,
        account=extended(rules.account, FIELD, books),
        outcome=extended(rules.outcome, FIELD, books),
        acts=None if rules.acts is None else acting(rules.acts),
        idle=None if rules.idle is None else stepping(rules.idle),
    )


def of_step(ops: Ops, features: Features, before: Any, after: Any) -> RegimeBook:
    """What a step did to an account; `deepest` is a truth value here."""
    lower = after.deepest_trough < before.deepest_trough
    return RegimeBook(
        gain=worth(ops, features, after) - worth(ops, features, before),
        lived=before.alive,
        liquidated=before.alive - after.alive,
        deepest=lower | (after.deepest_peak > before.deepest_peak),
    )


def book(
    ops: Ops, books: tuple[RegimeBook, ...], made: RegimeBook, tick: Tick
) -> tuple[RegimeBook, ...]:
    """The books of all regimes after what the tick's regime made."""
    here = ticks.regime(ops, tick.state)
    found: list[RegimeBook] = []
    for k, kept in enumerate(books):
        inside = (here >= ops.u32(k)) & (here < ops.u32(k + 1))
        deepest = ops.where(inside, 1.0, 0.0)
        found.append(
            RegimeBook(
                gain=kept.gain + ops.where(inside, made.gain, 0.0),
                lived=kept.lived + ops.where(inside, made.lived, 0.0),
                liquidated=kept.liquidated + ops.where(inside, made.liquidated, 0.0),
                deepest=ops.where(made.deepest, deepest, kept.deepest),
            )
        )
    return tuple(found)
