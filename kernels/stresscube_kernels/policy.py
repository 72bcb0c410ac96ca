"""The policy step: what one policy makes of one tick. Written once.

The order inside a step is: decide (`decide.py`), fill (`books.py`), mark to market, check margin
(`margin.py`), pay funding and check again; both legs in one account (`cross.py`) or each in its own
(`isolated.py`). `policy_close` closes at the horizon. Conventions are in docs/model.md, section
"Policy".

Deciding at the start of a step is deciding at the end of the one before: nothing happens between.
It is written so because most steps decide nothing: `policy_idle` is the step of an account that
`acts` said would do nothing, and backends run it where that holds for all neighbours.
"""

from __future__ import annotations

from typing import Any

from . import cross, isolated
from .books import book_closed_trade, book_trade, drawdown, fill, follow_drawdown, pay
from .closing import close_all
from .contract import Account, Features, Outcome, Policy, Tick
from .decide import NOTHING, Order, decide
from .isolated import carry_survivor
from .ops import Ops
from .witness import Carried, Witness


def policy_open(ops: Ops, features: Features, policy: Policy) -> Account:
    """The account at time 0: flat."""
    zero = policy.leverage * 0.0
    one = zero + 1.0
    return Account(*([zero] * len(Account._fields)))._replace(
        equity=one,
        equity_a=one,
        alive=one,
        direction=one,
        opened_equity=one,
        peak=one,
        deepest_peak=one,
        deepest_trough=one,
    )


def policy_step(
    ops: Ops, features: Features, account: Account, now: Any, tick: Tick, policy: Policy
) -> Account:
    """One step of one account; `now` is how many steps were before it."""
    account, order = decide(ops, features, account, now, tick, policy)
    return carry_out(ops, features, account, order, now, tick, policy)


def policy_idle(
    ops: Ops, features: Features, account: Account, now: Any, tick: Tick, policy: Policy
) -> Account:
    """The same step for an account that does not act at its start: the same numbers, sooner."""
    return carry(ops, features, account, NOTHING, now, tick, policy)


def carry_out(
    ops: Ops,
    features: Features,
    account: Account,
    order: Order,
    now: Any,
    tick: Tick,
    policy: Policy,
) -> Account:
    """Carry an account through a step that decided something; a leg that outlived the other too."""
    decided = account
    if features.isolated:
        account = carry_survivor(ops, features, account, order.closes, tick, policy)
    account = carry(ops, features, account, order, now, tick, policy)
    if isinstance(ops, Witness):
        ops.carried.append(Carried(decided, order, policy, account))
    return account


def carry(
    ops: Ops,
    features: Features,
    account: Account,
    order: Order,
    now: Any,
    tick: Tick,
    policy: Policy,
) -> Account:
    """Carry an account and its order through the step."""
    filled = fill(ops, features, account, order, tick, policy)
    account = book_closed_trade(ops, features, account, order, filled)
    account = pay(ops, features, account, order, filled, tick)
    hold = isolated.hold if features.isolated else cross.hold
    return hold(ops, features, account, filled, now, tick, policy)


def policy_close(
    ops: Ops, features: Features, account: Account, tick: Tick, policy: Policy
) -> Outcome:
    """Close at the horizon (`closing.py`) and book the trade."""
    living = account.alive > 0.5
    traded = ops.fabs(account.notional_a) + ops.fabs(account.notional_b)
    account, final, shadow = close_all(ops, features, account, tick, policy)
    account = book_trade(ops, account, (traded > 0.0) | ~living, final)
    account = follow_drawdown(ops, account, final)
    recovered = ~living & (shadow >= account.opened_equity)
    return Outcome(
        final_equity=final,
        max_drawdown=drawdown(account),
        liquidation_step=account.liquidated_at,
        shadow_equity=shadow,
        recovered=ops.where(recovered, 1.0, 0.0),
        extra_margin=account.extra_margin,
        deficit=account.deficit,
        pnl_a=account.pnl_a,
        pnl_b=account.pnl_b,
        pnl_mispricing=account.pnl_mispricing,
        fees=account.fees,
        slippage=account.slippage,
        funding=account.funding,
        liquidation_cost=account.liquidation_cost,
        turnover=account.turnover,
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
