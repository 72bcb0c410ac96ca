"""News jumps: what a step's log-returns gain when one falls into it."""

from __future__ import annotations

from typing import Any, NamedTuple

from . import special
from .contract import Jump, LegJump
from .ops import Ops


class Jumped(NamedTuple):
    """Log-jumps of the legs, and 1 where there was one."""

    leg_a: Any
    leg_b: Any
    happened: Any


def happens(ops: Ops, word: Any, probability: Any) -> Any:
    """Whether an event of a probability in units of 2^-31 falls into the step (b)."""
    return (word >> ops.u32(1)) < probability


def joint(ops: Ops, jump: Jump, words: tuple[Any, ...]) -> Jumped:
    """A jump of both legs, normal sizes."""
    occurs, size_a, size_b, _ = words
    happened = happens(ops, occurs, jump.probability)
    first, second = special.normal(ops, size_a), special.normal(ops, size_b)
    root = ops.sqrt(1.0 - jump.correlation * jump.correlation)
    other = jump.correlation * first + root * second
    return Jumped(
        ops.where(happened, jump.mean_a + jump.std_a * first, 0.0),
        ops.where(happened, jump.mean_b + jump.std_b * other, 0.0),
        ops.where(happened, 1.0, 0.0),
    )


def alone(ops: Ops, jumps: tuple[LegJump, ...], words: tuple[Any, ...]) -> Jumped:
    """A jump of each leg by itself."""
    occurs_a, size_a, occurs_b, size_b = words
    sizes = (size_a, size_b)
    happened = [
        happens(ops, occurs, jump.probability)
        for occurs, jump in zip((occurs_a, occurs_b), jumps, strict=True)
    ]
    moves = [
        ops.where(hit, jump.mean + jump.std * special.normal(ops, size), 0.0)
        for hit, jump, size in zip(happened, jumps, sizes, strict=True)
    ]
    return Jumped(moves[0], moves[1], ops.where(happened[0] | happened[1], 1.0, 0.0))
