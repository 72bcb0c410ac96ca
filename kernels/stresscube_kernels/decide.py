"""The decision at a step's end: close, open, rebalance, and the order that does it."""

from __future__ import annotations

from typing import Any, NamedTuple

from .contract import Account, Features, Policy, Tick
from .ops import Ops


class Hedge(NamedTuple):
    """The target of a position: |N_b| / |N_a|, and leg a's share of gross notional."""

    ratio: Any
    share: Any


def decide(
    ops: Ops, features: Features, account: Account, tick: Tick | None, policy: Policy
) -> Account:
    """The order for the next step: close at expiry or exit, open when flat, else rebalance.

    A dead account's shadow closes and rebalances but opens nothing. At time 0 there is no tick
    yet, and a policy whose side is decided by a signal waits for the first one.
    """
    flat = account.hold < 0.5
    ends = flat
    closes: Any = None
    if features.rolls or features.spread_side:
        closes = leaves(ops, features, account, tick, policy)
        ends = flat | closes
    opens = ends & (account.alive > 0.5)
    signed = features.spread_side or features.funding_side
    direction: Any = 1.0
    if signed:
        side, enters = choose_side(ops, features, tick, policy)
        opens = opens & enters
        direction = ops.where(opens, side, account.direction)
        account = account._replace(direction=direction)

    wait = account.wait - 1.0
    due = False
    if features.bias and tick is not None:
        account, due = lean(ops, account, tick, policy)
    hedge = target(ops, features, account, direction, policy)
    due = drifted(ops, features, account, hedge, policy) | due
    if features.interval:
        clock = wait < 0.5
        due = due | clock
        wait = ops.where(clock | opens, policy.rebalance_interval, wait)
    moves = opens | (due & ~ends)

    gross = ops.fabs(account.notional_a) + ops.fabs(account.notional_b)
    resized = opens
    if features.to_leverage:
        resized = resized | (policy.to_leverage > 0.5)
    size = ops.where(resized, policy.leverage * account.equity, gross) * hedge.share * direction
    order_a = ops.where(moves, size - account.notional_a, 0.0)
    order_b = ops.where(moves, -(hedge.ratio * size) - account.notional_b, 0.0)
    hold = ops.where(opens, policy.holding, ops.fmax(account.hold - 1.0, 0.0))
    if closes is not None:
        only_closes = closes & ~opens
        order_a = ops.where(only_closes, -account.notional_a, order_a)
        order_b = ops.where(only_closes, -account.notional_b, order_b)
        hold = ops.where(only_closes, 0.0, hold) if features.spread_side else hold
    return account._replace(
        order_a=order_a,
        order_b=order_b,
        order_opens=ops.where(opens, 1.0, 0.0),
        order_closes=account.order_closes if closes is None else ops.where(closes, 1.0, 0.0),
        hold=hold,
        wait=wait if features.interval else account.wait,
    )


def leaves(
    ops: Ops, features: Features, account: Account, tick: Tick | None, policy: Policy
) -> Any:
    """Whether the trade's holding is over, or its spread has come back (b)."""
    in_trade = account.hold > 0.5
    over = in_trade & (account.hold < 1.5)
    if not features.spread_side or tick is None:
        return over
    by_spread = (policy.side > 0.5) & (policy.side < 1.5)
    return over | (in_trade & by_spread & (account.direction * tick.z <= policy.exit_z))


def choose_side(
    ops: Ops, features: Features, tick: Tick | None, policy: Policy
) -> tuple[Any, Any]:
    """Which leg a new trade is long (1: leg a), and whether the entry rule holds (b)."""
    fixed = policy.side < 0.5
    if tick is None:
        return 1.0, fixed
    by_spread = (policy.side > 0.5) & (policy.side < 1.5)
    side: Any = 1.0
    enters = fixed | ~fixed
    if features.spread_side:
        side = ops.where(by_spread & (tick.z < 0.0), -1.0, side)
        enters = ~by_spread | (ops.fabs(tick.z) >= policy.entry_z)
    if features.funding_side:
        pays_a = (policy.side > 1.5) & (tick.funding_a > tick.funding_b)
        side = ops.where(pays_a, -1.0, side)
    return side, enters


def lean(ops: Ops, account: Account, tick: Tick, policy: Policy) -> tuple[Account, Any]:
    """Latch or release the directional bias; whether that changed (b).

    Latched when vol_ratio rises above the trigger, in the direction of the trend then: the long
    leg is favoured in a rising market, the short leg in a falling one.
    """
    hot = ops.fabs(tick.trend) > policy.bias_trigger
    latched = ops.fabs(account.bias) > 0.5
    trend = ops.where(tick.trend < 0.0, -1.0, 1.0)
    bias = ops.where(hot, ops.where(latched, account.bias, trend), 0.0)
    changed = ops.fabs(bias - account.bias) > 0.5
    return account._replace(bias=bias), changed


def target(ops: Ops, features: Features, account: Account, direction: Any, policy: Policy) -> Hedge:
    """The hedge that the policy wants now: its own, or leaning to the favoured leg."""
    if not features.bias:
        return Hedge(policy.hedge_ratio, policy.leg_share)
    favours_a = account.bias * direction
    ratio = ops.where(favours_a > 0.5, policy.lowered_ratio, policy.hedge_ratio)
    share = ops.where(favours_a > 0.5, policy.lowered_share, policy.leg_share)
    return Hedge(
        ops.where(favours_a < -0.5, policy.raised_ratio, ratio),
        ops.where(favours_a < -0.5, policy.raised_share, share),
    )


def drifted(ops: Ops, features: Features, account: Account, hedge: Hedge, policy: Policy) -> Any:
    """Whether leg b has drifted from its hedge by more than the threshold (b).

    Against the hedge itself a single leg (ratio 0) never has: 0 > 0.
    """
    wanted = hedge.ratio * ops.fabs(account.notional_a)
    away = ops.fabs(ops.fabs(account.notional_b) - wanted)
    against = wanted
    if features.by_equity:
        against = ops.where(policy.by_equity > 0.5, account.equity, wanted)
    return away > policy.rebalance_threshold * against
