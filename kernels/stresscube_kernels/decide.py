"""The decision at a step's start: close, open, rebalance, and the order that does it."""

from __future__ import annotations

from typing import Any, NamedTuple

from . import ticks
from .contract import Account, Features, Policy, Tick
from .ops import Ops


class Order(NamedTuple):
    """What is to be filled inside the step."""

    leg_a: Any  # notional at the decision price
    leg_b: Any
    opens: Any  # whether it opens a trade (b)
    closes: Any  # whether it closes one (b)
    rebalances: Any  # whether it rebalances one (b)


NOTHING = Order(0.0, 0.0, opens=False, closes=False, rebalances=False)


class Hedge(NamedTuple):
    """The target of a position: |N_b| / |N_a|, and leg a's share of gross notional."""

    ratio: Any
    share: Any


class Drift(NamedTuple):
    """How far leg b is from its hedge, in notional, and what the threshold is a fraction of."""

    away: Any
    against: Any


class Intent(NamedTuple):
    """What the rules ask for, before sizes."""

    opens: Any
    closes: Any
    rebalances: Any
    clock: Any  # whether the rebalance interval is due
    turned: Any  # whether the bias was latched or released
    direction: Any
    bias: Any
    hedge: Hedge


def acts(
    ops: Ops, features: Features, account: Account, now: Any, tick: Tick, policy: Policy
) -> Any:
    """Whether the account does anything at the start of this step (b)."""
    intent = intend(ops, features, account, now, tick, policy)
    does = intent.opens | intent.closes | intent.rebalances | intent.turned
    return does | (ops.fabs(account.rest) > 0.0) if features.isolated else does


def decide(
    ops: Ops, features: Features, account: Account, now: Any, tick: Tick, policy: Policy
) -> tuple[Account, Order]:
    """The order of this step: close at expiry or exit, open when flat, else rebalance.

    A dead account's shadow closes and rebalances but opens nothing.
    """
    intent = intend(ops, features, account, now, tick, policy)
    opens, hedge = intent.opens, intent.hedge
    gross = ops.fabs(account.notional_a) + ops.fabs(account.notional_b)
    resized = opens | (policy.to_leverage > 0.5) if features.to_leverage else opens
    size = ops.where(resized, policy.leverage * ops.fmax(account.equity, 0.0), gross)
    size = size * hedge.share * intent.direction
    moves = opens | intent.rebalances
    leg_a = ops.where(moves, size - account.notional_a, 0.0)
    leg_b = ops.where(moves, -(hedge.ratio * size) - account.notional_b, 0.0)
    until = ops.where(opens, now + policy.holding, account.until)
    if features.rolls or features.spread_side:
        only_closes = intent.closes & ~opens
        leg_a = ops.where(only_closes, -account.notional_a, leg_a)
        leg_b = ops.where(only_closes, -account.notional_b, leg_b)
        until = ops.where(only_closes, 0.0, until)
    account = account._replace(until=until, direction=intent.direction, bias=intent.bias)
    if features.isolated:
        account = share_out(ops, account, moves & resized, hedge)
    if features.interval:
        restarts = opens | (intent.clock & intent.rebalances)
        due_at = ops.where(restarts, now + policy.rebalance_interval, account.next_rebalance)
        account = account._replace(next_rebalance=due_at)
    return account, Order(leg_a, leg_b, opens, intent.closes, intent.rebalances)


def share_out(ops: Ops, account: Account, sized: Any, hedge: Hedge) -> Account:
    """Share equity out among the legs, by notional, where the position is sized anew."""
    equity_a = ops.where(sized, account.equity * hedge.share, account.equity_a)
    equity_b = ops.where(sized, account.equity - equity_a, account.equity_b)
    return account._replace(equity_a=equity_a, equity_b=equity_b)


def intend(
    ops: Ops, features: Features, account: Account, now: Any, tick: Tick, policy: Policy
) -> Intent:
    """Apply the rules in their order: expiry or exit, rebalance, entry."""
    flat = account.until < 0.5
    closes: Any = False
    ends = flat
    if features.rolls or features.spread_side:
        closes = leaves(ops, features, account, now, tick, policy)
        ends = flat | closes
    opens = ends & (account.alive > 0.5)
    direction: Any = 1.0
    if features.spread_side or features.funding_side:
        side, enters = choose_side(ops, features, tick, policy)
        opens = opens & enters
        direction = ops.where(opens, side, account.direction)
    bias, turned = lean(ops, features, account, tick, policy)
    hedge = target(ops, features, bias * direction, policy)
    clock: Any = False
    due = drifted(ops, features, account, hedge, policy)
    if features.bias:
        due = due | turned
    if features.interval:
        clock = now > account.next_rebalance - 0.5
        due = due | clock
    return Intent(opens, closes, due & ~ends, clock, turned, direction, bias, hedge)


def leaves(
    ops: Ops, features: Features, account: Account, now: Any, tick: Tick, policy: Policy
) -> Any:
    """Whether the trade's holding is over, or its spread has come back (b)."""
    in_trade = account.until > 0.5
    over = in_trade & (now > account.until - 0.5)
    if not features.spread_side:
        return over
    back = account.direction * tick.z <= policy.exit_z
    return over | (in_trade & trades_spread(policy) & back)


def trades_spread(policy: Policy) -> Any:
    """Whether the side is decided by the spread (b)."""
    return (policy.side > 0.5) & (policy.side < 1.5)


def choose_side(ops: Ops, features: Features, tick: Tick, policy: Policy) -> tuple[Any, Any]:
    """Which leg a new trade is long (1: leg a), and whether the entry rule holds (b)."""
    side = policy.side * 0.0 + 1.0
    enters = policy.side > -0.5
    if features.spread_side:
        by_spread = trades_spread(policy)
        side = ops.where(by_spread & (tick.z < 0.0), -1.0, side)
        enters = ~by_spread | (ops.fabs(tick.z) >= policy.entry_z)
    if features.funding_side:
        pays_a = (policy.side > 1.5) & gap_is_up(features, tick)
        side = ops.where(pays_a, -1.0, side)
    return side, enters


def gap_is_up(features: Features, tick: Tick) -> Any:
    """Whether leg a's funding rate is above leg b's, as far as is known (b)."""
    if features.prints:
        return ticks.funding_gap(features, tick) > 0.0
    return tick.funding_a > tick.funding_b


def lean(
    ops: Ops, features: Features, account: Account, tick: Tick, policy: Policy
) -> tuple[Any, Any]:
    """The directional bias now, and whether it was just latched or released (b).

    Latched when vol_ratio rises above the trigger, in the direction of the trend then: the long
    leg is favoured in a rising market, the short leg in a falling one.
    """
    if not features.bias:
        return account.bias, False
    hot = ops.fabs(tick.trend) > policy.bias_trigger
    latched = ops.fabs(account.bias) > 0.5
    trend = ops.where(tick.trend < 0.0, -1.0, 1.0)
    bias = ops.where(hot, ops.where(latched, account.bias, trend), 0.0)
    return bias, ops.fabs(bias - account.bias) > 0.5


def target(ops: Ops, features: Features, favours_a: Any, policy: Policy) -> Hedge:
    """The hedge that the policy wants now: its own, or leaning to the favoured leg."""
    if not features.bias:
        return Hedge(policy.hedge_ratio, policy.leg_share)
    ratio = ops.where(favours_a > 0.5, policy.lowered_ratio, policy.hedge_ratio)
    share = ops.where(favours_a > 0.5, policy.lowered_share, policy.leg_share)
    return Hedge(
        ops.where(favours_a < -0.5, policy.raised_ratio, ratio),
        ops.where(favours_a < -0.5, policy.raised_share, share),
    )


def drifted(ops: Ops, features: Features, account: Account, hedge: Hedge, policy: Policy) -> Any:
    """Whether leg b has drifted from its hedge by more than the threshold (b).

    A single leg (ratio 0) never has: 0 > 0.
    """
    drift = drift_of(ops, features, account, hedge, policy)
    return drift.away > policy.rebalance_threshold * drift.against


def drift_of(ops: Ops, features: Features, account: Account, hedge: Hedge, policy: Policy) -> Drift:
    """How far leg b has drifted from its hedge."""
    wanted = hedge.ratio * ops.fabs(account.notional_a)
    away = ops.fabs(ops.fabs(account.notional_b) - wanted)
    against = wanted
    if features.by_equity:
        against = ops.where(policy.by_equity > 0.5, account.equity, wanted)
    return Drift(away, against)
