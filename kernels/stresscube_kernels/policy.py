"""The policy step: what one policy makes of one tick. Written once.

The order inside a step is: fill the order decided at the last step's end (`books.py`), mark to
market, check margin (`margin.py`), pay funding and check again, decide the next order
(`decide.py`). `policy_open` decides at time 0, `policy_close` closes at the horizon. Conventions
are in docs/model.md, section "Policy".
"""

from __future__ import annotations

from typing import Any

from . import ticks
from .books import Fill, book_closed_trade, book_trade, fill, follow_drawdown, pay
from .contract import Account, Features, Outcome, Policy, Tick
from .decide import decide
from .margin import Margin, bridge_hits, margin
from .ops import Ops


def policy_open(ops: Ops, features: Features, policy: Policy) -> Account:
    """The account at time 0, its first order decided."""
    zero = policy.leverage * 0.0
    one = zero + 1.0
    flat = Account(*([zero] * len(Account._fields)))._replace(
        equity=one,
        alive=one,
        direction=one,
        opened_equity=one,
        peak=one,
        deepest_peak=one,
        deepest_trough=one,
    )
    return decide(ops, features, flat, None, policy)


def policy_step(
    ops: Ops, features: Features, account: Account, tick: Tick, policy: Policy
) -> Account:
    """One step of one account."""
    filled = fill(ops, features, account, tick, policy)
    account = book_closed_trade(ops, features, account, filled)
    account = pay(ops, features, account, filled)

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

    hit = distance_end <= 0.0
    if features.bridge:
        touched = bridge_hits(ops, filled, start, tick, distance_start, distance_end)
        hit = hit | touched
    hit = hit & (account.alive > 0.5)
    account = liquidate(ops, features, account, policy, tick, hit, required)
    if features.funding:
        account = fund(ops, features, account, tick, policy, required)
    account = watch(ops, account, required)
    return decide(ops, features, account, tick, policy)


def liquidate(
    ops: Ops,
    features: Features,
    account: Account,
    policy: Policy,
    tick: Tick | None,
    hit: Any,
    required: Any,
) -> Account:
    """Close the account at its maintenance margin where hit; position and equity go on as shadow.

    A hit inside the step happens where equity equals margin. Without the bridge, at a jump or
    when funding is paid (tick is None) the account is found where it is, at or below.
    """
    found = ops.fmin(required, account.equity)
    closing = found
    if features.bridge and tick is not None:
        jumped = ticks.jumped(tick.state) if features.events else None
        closing = required if jumped is None else ops.where(jumped, found, required)
    penalty = policy.venues[0].liquidation_fee * ops.fabs(account.notional_a)
    penalty = penalty + policy.venues[-1].liquidation_fee * ops.fabs(account.notional_b)
    penalty = ops.fmin(penalty, ops.fmax(closing, 0.0))
    deficit = ops.fmax(-closing, 0.0)
    kept = closing - penalty + deficit
    return account._replace(
        alive=ops.where(hit, 0.0, account.alive),
        kept=ops.where(hit, kept, account.kept),
        deficit=ops.where(hit, deficit, account.deficit),
        liquidation_cost=ops.where(
            hit, account.equity - closing + penalty, account.liquidation_cost
        ),
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
    ops: Ops, features: Features, account: Account, tick: Tick, policy: Policy, required: Any
) -> Account:
    """Pay funding where it is due, on step-end notionals, and test the margin again."""
    cap_a, cap_b = policy.venues[0].funding_cap, policy.venues[-1].funding_cap
    rate_a = ops.fmax(ops.fmin(tick.funding_a, cap_a), -cap_a)
    rate_b = ops.fmax(ops.fmin(tick.funding_b, cap_b), -cap_b)
    owed = account.notional_a * rate_a + account.notional_b * rate_b
    paid = ops.where(ticks.due(ops, tick.state), owed, 0.0)
    account = account._replace(
        equity=account.equity - paid, funding=account.funding + account.alive * paid
    )
    hit = (account.equity <= required) & (account.alive > 0.5)
    return liquidate(ops, features, account, policy, None, hit, required)


def policy_close(
    ops: Ops, features: Features, account: Account, tick: Tick, policy: Policy
) -> Outcome:
    """Close at the horizon: at the last price, with costs, without latency; book the trade."""
    alive = account.alive
    living = alive > 0.5
    venue_a, venue_b = policy.venues[0], policy.venues[-1]
    traded_a, traded_b = ops.fabs(account.notional_a), ops.fabs(account.notional_b)
    fees = venue_a.taker_fee * traded_a + venue_b.taker_fee * traded_b
    slip = tick.slippage_multiplier * (venue_a.slippage * traded_a + venue_b.slippage * traded_b)
    shadow = account.equity - fees - slip
    final = ops.where(living, shadow, account.kept)
    in_trade = (traded_a + traded_b > 0.0) | ~living
    account = book_trade(ops, account, in_trade, final)
    account = follow_drawdown(ops, account, final)
    recovered = ~living & (shadow >= account.opened_equity)
    return Outcome(
        final_equity=final,
        max_drawdown=1.0 - account.deepest_trough / account.deepest_peak,
        liquidation_step=ops.where(living, 0.0, account.lived),
        shadow_equity=shadow,
        recovered=ops.where(recovered, 1.0, 0.0),
        extra_margin=account.extra_margin,
        deficit=account.deficit,
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
