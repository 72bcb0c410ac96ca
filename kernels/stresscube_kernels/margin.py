"""Maintenance margin of a cross account, and whether it was reached inside a step."""

from __future__ import annotations

from typing import Any, NamedTuple

from .contract import Policy, Tick, Tier
from .ops import Ops


class Margin(NamedTuple):
    """What an account must keep, and each leg's marginal rate."""

    required: Any
    unrealised: Any  # what leg b's mark adds to equity at traded prices
    rate_a: Any
    rate_b: Any


def margin(ops: Ops, policy: Policy, notional_a: Any, notional_b: Any, mark_b: Any = 0.0) -> Margin:
    """Maintenance margin of two legs, each on its venue's tiers, leg b at its mark price."""
    tiers_a, tiers_b = policy.venues[0].tiers, policy.venues[-1].tiers
    unrealised = notional_b * mark_b
    required_a, rate_a = tiered(ops, tiers_a, ops.fabs(notional_a))
    required_b, rate_b = tiered(ops, tiers_b, ops.fabs(notional_b + unrealised))
    return Margin(required_a + required_b, unrealised, rate_a, rate_b)


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


def bridge_hits(
    ops: Ops, filled: Any, start: Margin, tick: Tick, distance_start: Any, distance_end: Any
) -> Any:
    """Whether equity met margin between the step's ends.

    A Brownian bridge between distances d0 and d1 with variance v over the step touches 0 with
    probability exp(-2 d0 d1 / v). With e ~ Exp(1) that is the event e v > 2 d0 d1: no
    transcendental per policy, and one draw serves them all. dv of the distance to a leg's
    log-price is its notional less its marginal margin.
    """
    weight_a = filled.held_a - start.rate_a * ops.fabs(filled.held_a)
    weight_b = filled.held_b - start.rate_b * ops.fabs(filled.held_b)
    variance = weight_a * (weight_a * tick.variance_a + 2.0 * weight_b * tick.covariance)
    variance = variance + weight_b * weight_b * tick.variance_b
    return tick.bridge * variance > 2.0 * distance_start * distance_end
