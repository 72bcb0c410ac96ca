"""Whether a parameter moves decisions, with which outcomes jump: pathwise derivatives miss jumps.

Entries, exits, latches and clocks have no smooth meaning: a trade is open or not, long leg a or
short. The drift rule can be made smooth, at the price of being another rule (`xla_soft.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

from .contract import Features, Shape
from .lines import Program
from .programs import programs
from .rules import PAIR
from .xla_soft import reads

DECISIONS = ("account.until", "account.direction", "account.bias")
DRIFT = ("policy.rebalance_threshold", "tick.return_a", "tick.return_b")
"""What a drift in notional and its threshold are made of, besides decisions.

|N_b| / (h |N_a|) is 1 after every order, and from there on the product of (1 + r_b) / (1 + r_a): by
whatever else the legs are sized, it cancels.
"""
CERTAIN = frozenset({"account.alive"})
"""What never changes in the account of a path that is only weighed."""


def moves_decisions(changed: set[str]) -> bool:
    """Whether an entry, an exit, a side or a latch is among what is reached."""
    return bool(changed.intersection(DECISIONS))


def moves_drift(features: Features, changed: set[str]) -> bool:
    """Whether what is reached moves when the drift rule fires. In equity, anything may."""
    return features.by_equity or bool(changed.intersection(DRIFT))


def reached(shape: Shape, market: Iterable[str], policy: Iterable[str]) -> set[str]:
    """What changes of these fields of market and policy records reach: fields, with their records.

    Of policies that are not built in nothing is known, so theirs reach every decision.
    """
    if shape.rules != PAIR:
        return {*DECISIONS, *DRIFT}
    made = programs(shape)
    changed = {f"market.{name}" for name in market}
    _spread(changed, made.market_start)
    while _spread(changed, made.market_step):
        pass
    if _spread(changed, made.market_start):
        raise AssertionError("a start reads no state")
    changed |= {f"policy.{name}" for name in policy}
    while _spread(changed, made.policy_step):
        pass
    return changed


def _spread(changed: set[str], program: Program) -> bool:
    """Add what a program makes of what is changed; whether that is anything new."""
    found = {name for name, operand in program.outputs if reads(operand) & changed} - CERTAIN
    new = found - changed
    changed |= found
    return bool(new)
