"""One leg of a pair: what the tick says of it, and its part of an order's fill."""

from __future__ import annotations

from typing import Any, NamedTuple

from . import ticks
from .contract import Features, Policy, Tick, Venue
from .ops import Ops


class Leg(NamedTuple):
    """What happens to one leg in one step, and the venue that it is held on."""

    change: Any  # simple return over the step
    noise: Any  # execution noise, a normal with the step's standard deviation
    variance: Any  # of the step's diffusive return
    funding: Any  # rate that its holder is to pay, before the venue's cap
    mark: Any  # mark price over traded price at the step's end, less 1
    mark_before: Any  # the same at the step's start
    slippage_multiplier: Any
    venue: Venue
    low: Any = 0.0  # furthest returns inside the step, where the tick holds them
    high: Any = 0.0


def legs(features: Features, tick: Tick, policy: Policy, mark_before: Any = 0.0) -> tuple[Leg, Leg]:
    """Leg a and leg b of a step. Only leg b, which carries the mispricing, has a mark."""
    marks = (tick.mark_b, mark_before) if features.mark else (0.0, 0.0)
    moves_a = (tick.return_a, tick.noise_a, tick.variance_a, tick.funding_a)
    moves_b = (tick.return_b, tick.noise_b, tick.variance_b, tick.funding_b)
    venue_a, venue_b = policy.venues[0], policy.venues[-1]
    a = Leg(*moves_a, 0.0, 0.0, tick.slippage_multiplier, venue_a)
    b = Leg(*moves_b, *marks, tick.slippage_multiplier, venue_b)
    if not features.intrabar:
        return a, b
    inside = ticks.extremes(tick)
    return (
        a._replace(variance=0.0, low=inside.low_a, high=inside.high_a),
        b._replace(variance=0.0, low=inside.low_b, high=inside.high_b),
    )


class LegFill(NamedTuple):
    """What a leg's part of an order did."""

    held: Any  # notional after the fill, at the step's start price
    gain: Any  # P&L over the whole step
    fees: Any
    slippage: Any
    turnover: Any  # traded notional
    moved: Any  # what the leg held before gained from decision to fill
    closing_cost: Any  # of trading out of what was held


def moved_by(features: Features, leg: Leg) -> Any:
    """What the leg's price has moved by when an order fills, as a fraction."""
    if not features.latency:
        return 0.0
    return leg.venue.latency * leg.change + leg.venue.latency_root * leg.noise


def fill_leg(
    ops: Ops, features: Features, leg: Leg, notional: Any, order: Any, *, both: Any, nets: Any
) -> LegFill:
    """Fill an order `latency` into the step, at a price on the bridge of the step.

    With r the step's return and l the latency's fraction of it, the price then has moved by
    l r + sqrt(l (1 - l)) zeta, zeta a normal with the step's covariance.

    An order that opens a trade (`both`) pays for closing what was held and for opening anew. One
    that nets a roll (`nets`) pays for the difference alone, which is the closing trade's.
    """
    moved = moved_by(features, leg)
    held = notional + order
    traded = ops.fabs(order) * (1.0 + moved)
    closed = ops.fabs(notional) * (1.0 + moved)
    if features.nets:
        closed = ops.where(nets, traded, closed)
    opened = ops.fabs(held) * (1.0 + moved)
    traded = ops.where(both, closed + opened, traded)
    slip = leg.venue.slippage * leg.slippage_multiplier
    return LegFill(
        held=held,
        gain=held * leg.change - order * moved,
        fees=leg.venue.taker_fee * traded,
        slippage=slip * traded,
        turnover=traded,
        moved=notional * moved,
        closing_cost=(leg.venue.taker_fee + slip) * closed,
    )
