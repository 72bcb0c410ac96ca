"""The policy step: what one policy makes of one tick. Written once.

The order inside a step is: decide (`decide.py`), fill (`books.py`), mark to market, check margin
(`margin.py`), pay funding and check again. `policy_close` closes at the horizon. Conventions are
in docs/model.md, section "Policy".

Deciding at the start of a step is deciding at the end of the one before: nothing happens between.
It is written so because most steps decide nothing: `policy_idle` is the step of an account that
`acts` said would do nothing, and backends run it where that holds for all neighbours.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from . import ticks
from .books import book_closed_trade, book_trade, fill, follow_drawdown, pay
from .contract import Account, Features, Outcome, Policy, Tick
from .decide import NOTHING, Order, decide
from .margin import bridge_hits, margin
from .ops import Ops


def policy_open(ops: Ops, features: Features, policy: Policy) -> Account:
    """The account at time 0: flat."""
    zero = policy.leverage * 0.0
    one = zero + 1.0
    return Account(*([zero] * len(Account._fields)))._replace(
        equity=one,
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
    return carry(ops, features, account, order, now, tick, policy)


def policy_idle(
    ops: Ops, features: Features, account: Account, now: Any, tick: Tick, policy: Policy
) -> Account:
    """The same step for an account that does not act at its start: the same numbers, sooner."""
    return carry(ops, features, account, NOTHING, now, tick, policy)


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
    account = pay(ops, features, account, order, filled)

    start_equity = account.equity - filled.fees - filled.slippage
    mark_before = account.mark if features.mark else 0.0
    start = margin(ops, policy, filled.held_a, filled.held_b, mark_before)
    distance_start = start_equity + start.unrealised - start.required
    account = account._replace(
        notional_a=filled.held_a + filled.held_a * tick.return_a,
        notional_b=filled.held_b + filled.held_b * tick.return_b,
        equity=start_equity + (filled.gain_a + filled.gain_b),
        mark=tick.mark_b if features.mark else account.mark,
    )
    mark_now = tick.mark_b if features.mark else 0.0
    end = margin(ops, policy, account.notional_a, account.notional_b, mark_now)
    required = end.required - end.unrealised
    distance_end = account.equity - required

    touched = distance_end <= 0.0
    if features.bridge:
        touched = touched | bridge_hits(ops, filled, start, tick, distance_start, distance_end)
    touched = touched & (account.alive > 0.5)
    found = closing_equity(ops, features, tick, touched, account.equity, required)
    account, found = fund(ops, features, account, tick, policy, found, required)
    account = liquidate(ops, features, account, policy, found, now)
    return watch(ops, account, required)


class Found(NamedTuple):
    """An account at its margin check: whether it is closed, with what equity before and after."""

    hit: Any
    before: Any
    closing: Any


def closing_equity(
    ops: Ops, features: Features, tick: Tick, hit: Any, equity: Any, required: Any
) -> Found:
    """Where a hit account is closed: at its margin, which it met inside the step.

    Without the bridge, and where a jump fell (at the step's end), it is found where it is.
    """
    if not features.bridge:
        return Found(hit, equity, ops.fmin(required, equity))
    if not features.events:
        return Found(hit, equity, required)
    lower = ops.fmin(required, equity)
    return Found(hit, equity, ops.where(ticks.jumped(tick.state), lower, required))


def liquidate(
    ops: Ops, features: Features, account: Account, policy: Policy, found: Found, now: Any
) -> Account:
    """Close the account where hit; position and equity go on as the shadow account."""
    hit, closing = found.hit, found.closing
    fee_a, fee_b = policy.venues[0].liquidation_fee, policy.venues[-1].liquidation_fee
    penalty = fee_a * ops.fabs(account.notional_a) + fee_b * ops.fabs(account.notional_b)
    if features.bridge and not (features.events or features.funding or features.mark):
        penalty = ops.fmin(penalty, closing)  # closing is a margin, so never negative: no deficit
        kept = closing - penalty
        deficit = account.deficit
    else:
        penalty = ops.fmin(penalty, ops.fmax(closing, 0.0))
        short = ops.fmax(-closing, 0.0)
        kept = closing - penalty + short
        deficit = ops.where(hit, short, account.deficit)
    cost = found.before - closing + penalty
    return account._replace(
        alive=ops.where(hit, 0.0, account.alive),
        kept=ops.where(hit, kept, account.kept),
        deficit=deficit,
        liquidation_cost=ops.where(hit, cost, account.liquidation_cost),
        liquidated_at=ops.where(hit, now + 1.0, account.liquidated_at),
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


def fund(
    ops: Ops,
    features: Features,
    account: Account,
    tick: Tick,
    policy: Policy,
    found: Found,
    required: Any,
) -> tuple[Account, Found]:
    """Pay funding where it is due, on step-end notionals, and test the margin again.

    An account hit inside the step owes none; its shadow does.
    """
    if not features.funding:
        return account, found
    cap_a, cap_b = policy.venues[0].funding_cap, policy.venues[-1].funding_cap
    rate_a = ops.fmax(ops.fmin(tick.funding_a, cap_a), -cap_a)
    rate_b = ops.fmax(ops.fmin(tick.funding_b, cap_b), -cap_b)
    owed = account.notional_a * rate_a + account.notional_b * rate_b
    owed = ops.where(ticks.due(ops, tick.state), owed, 0.0)
    equity = account.equity - owed
    paid = ops.where(found.hit, 0.0, account.alive * owed)
    again = (equity <= required) & (account.alive > 0.5)
    account = account._replace(equity=equity, funding=account.funding + paid)
    return account, Found(
        found.hit | again,
        ops.where(found.hit, found.before, equity),
        ops.where(found.hit, found.closing, ops.fmin(required, equity)),
    )


def policy_close(
    ops: Ops, features: Features, account: Account, tick: Tick, policy: Policy
) -> Outcome:
    """Close at the horizon: at the last price, with costs, without latency; book the trade.

    Costs that exceed what is left are a deficit.
    """
    alive = account.alive
    living = alive > 0.5
    venue_a, venue_b = policy.venues[0], policy.venues[-1]
    traded_a, traded_b = ops.fabs(account.notional_a), ops.fabs(account.notional_b)
    fees = venue_a.taker_fee * traded_a + venue_b.taker_fee * traded_b
    slip = tick.slippage_multiplier * (venue_a.slippage * traded_a + venue_b.slippage * traded_b)
    shadow = account.equity - fees - slip
    final = ops.where(living, ops.fmax(shadow, 0.0), account.kept)
    deficit = account.deficit + ops.where(living, ops.fmax(-shadow, 0.0), 0.0)
    in_trade = (traded_a + traded_b > 0.0) | ~living
    account = book_trade(ops, account, in_trade, final)
    account = follow_drawdown(ops, account, final)
    recovered = ~living & (shadow >= account.opened_equity)
    return Outcome(
        final_equity=final,
        max_drawdown=1.0 - account.deepest_trough / account.deepest_peak,
        liquidation_step=account.liquidated_at,
        shadow_equity=ops.where(living, final, shadow),
        recovered=ops.where(recovered, 1.0, 0.0),
        extra_margin=account.extra_margin,
        deficit=deficit,
        pnl_a=account.pnl_a,
        pnl_b=account.pnl_b,
        pnl_mispricing=account.pnl_mispricing,
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
