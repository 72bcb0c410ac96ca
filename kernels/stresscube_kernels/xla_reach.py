"""Whether a parameter moves decisions that have no smooth meaning: entries, exits, latches, clocks.

A trade is open or not, long leg a or short. Where a number that a parameter changes is compared to
decide that, outcomes jump with the parameter and pathwise derivatives miss the jumps.
"""

from __future__ import annotations

from collections.abc import Iterable

from .contract import Shape
from .lines import Program
from .programs import programs
from .rules import PAIR
from .xla_soft import reads

DECISIONS = ("account.until", "account.direction", "account.bias")
CERTAIN = frozenset({"account.alive"})
"""What never changes in the account of a path that is only weighed."""


def moves_decisions(shape: Shape, market: Iterable[str], policy: Iterable[str]) -> bool:
    """Whether changes of these fields of market and policy records reach a decision.

    Of policies that are not built in nothing is known, so theirs count as reached.
    """
    if shape.rules != PAIR:
        return True
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
    return bool(changed.intersection(DECISIONS))


def _spread(changed: set[str], program: Program) -> bool:
    """Add what a program makes of what is changed; whether that is anything new."""
    found = {name for name, operand in program.outputs if reads(operand) & changed} - CERTAIN
    new = found - changed
    changed |= found
    return bool(new)
