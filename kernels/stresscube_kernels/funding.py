"""Perpetual funding: premium indices, and the exchanges' rule that makes rates of them.

The rule is the one that Binance and its followers publish: rate = P + clamp(I - P, +-clamp),
with P the average premium and I the interest, then the venue's cap.
"""

from __future__ import annotations

from typing import Any

from . import special
from .contract import Features, FundingRule, Premium
from .ops import Ops


def noises(
    ops: Ops, features: Features, legs: tuple[Premium, ...], words: tuple[Any, ...]
) -> tuple[Any, Any]:
    """Standard normals of leg a and leg b, correlated as their indices are."""
    first, second = special.normal(ops, words[0]), special.normal(ops, words[1])
    if not features.correlated_premiums:
        return first, second
    return first, legs[1].shared * first + legs[1].own * second


def start(premium: Premium, noise: Any) -> Any:
    """A premium index at time 0, in its long run."""
    return premium.mean + premium.std * noise


def move(premium: Premium, value: Any, noise: Any) -> Any:
    """One step of a premium index."""
    return premium.mean + premium.decay * (value - premium.mean) + premium.kick * noise


def rate(ops: Ops, rule: FundingRule, premium: Any) -> Any:
    """The rate per interval. The clamp makes the point mass at the interest rate.

    P + clamp(I - P, +-c) is I held between P - c and P + c, which gives I itself, not I up to
    rounding: two legs at the point mass have equal rates.
    """
    return ops.fmax(ops.fmin(rule.interest, premium + rule.clamp), premium - rule.clamp)
