"""Soft operations: what a step's lines are when some of their truth values are probabilities.

A truth value is then a real from 0 to 1, `and` a product, `or` its counterpart, and `where` the
mean of both choices. Values that are certain stay booleans, so that what is not soft costs nothing
and is exact.

Two comparisons of a policy step are soft. Whether the bridge touched the margin, e v > 2 d0 d1, is
the probability that an Exp(1) draw e makes it so: exp(-2 d0 d1 / v), without any temperature. And
whether positions have drifted too far is a smooth step, as wide as the temperature says. All
other comparisons are those of clocks, signals and flags, which small changes of a parameter do not
move (`xla_reach.py` tells where they do), or choose between numbers that are equal at the border.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax.numpy as jnp

from .lines import Input, Line, Operand, Program, needed
from .xla_ops import Operation, operations

COMPARISONS = ("lt", "le", "gt", "ge")
POSITIONS = ("account.notional_a", "account.notional_b")
MONEY = frozenset({*POSITIONS, "account.equity"})
BRIDGE = "tick.bridge"
TEMPERATURE = Input("f", "soft.temperature")


def soft_operations(real: Any) -> dict[str, Operation]:
    """What each line's operation is where truth values may be probabilities."""

    def is_certain(*values: Any) -> bool:
        return all(value.dtype == jnp.bool_ for value in values)

    def both(x: Any, y: Any) -> Any:
        return jnp.logical_and(x, y) if is_certain(x, y) else x.astype(real) * y.astype(real)

    def either(x: Any, y: Any) -> Any:
        if is_certain(x, y):
            return jnp.logical_or(x, y)
        p, q = x.astype(real), y.astype(real)
        return p + q - p * q

    def contrary(x: Any) -> Any:
        return jnp.logical_not(x) if is_certain(x) else 1.0 - x

    def where(condition: Any, yes: Any, no: Any) -> Any:
        if is_certain(condition):
            return jnp.where(condition, yes, no)
        return condition * yes + (1.0 - condition) * no

    return operations(real) | {
        "and": both, "or": either, "not": contrary, "where": where, "sqrt": root,
        "exceeds": exceeds, "touches": touches,
    }  # fmt: skip


def root(x: Any) -> Any:
    """The square root; at 0 its derivative is 0, as of what stays there."""
    moves = x > 0.0
    return jnp.where(moves, jnp.sqrt(jnp.where(moves, x, 1.0)), 0.0)


def exceeds(x: Any, limit: Any, temperature: Any) -> Any:
    """x > limit as a smooth step that leaves 0 and reaches 1 at limit (1 -+ temperature).

    The step is the integral of Epanechnikov's (1969) kernel. Outside it nothing is soft, so a step
    that is far from its limit is the hard one, to the bit.
    """
    width = temperature * jnp.abs(limit)
    wide = width > 0.0
    place = jnp.clip((x - limit) / jnp.where(wide, width, 1.0), -1.0, 1.0)
    soft = 0.5 + place * (0.75 - 0.25 * place * place)
    return jnp.where(wide, soft, (x > limit).astype(soft.dtype))


def touches(variance: Any, product: Any) -> Any:
    """P(e variance > product) for e ~ Exp(1): certain where the product is negative."""
    moves = variance > 0.0
    rate = jnp.maximum(product, 0.0) / jnp.where(moves, variance, 1.0)
    # e^-64 is nothing beside a path's weight of 1, and products of less are denormal: slow
    found = jnp.where(rate < 64.0, jnp.exp(-jnp.minimum(rate, 64.0)), 0.0)
    return jnp.where(moves, found, (product < 0.0).astype(found.dtype))


def softened(program: Program) -> Program:
    """A policy step whose drift and bridge comparisons are soft.

    It has a further input, `soft.temperature`.
    """
    positions = [operand for name, operand in program.outputs if name in POSITIONS]
    moving = {line.number for line in needed(program.lines, positions)}
    return replace(program, lines=tuple(_soft(line, moving) for line in program.lines))


def _soft(line: Line, moving: set[int]) -> Line:
    if bridge := _bridge(line):
        return replace(line, op="touches", kind="f", operands=bridge)
    if line.op in COMPARISONS and line.number in moving and MONEY & reads(line):
        if line.op != "gt":
            raise TypeError(f"{line.op} of positions has no soft meaning")
        return replace(line, op="exceeds", kind="f", operands=(*line.operands, TEMPERATURE))
    return line


def _bridge(line: Line) -> tuple[Operand, Operand] | None:
    """Variance and product of e variance > product, where the line is that."""
    if line.op != "gt" or not isinstance(left := line.operands[0], Line) or left.op != "mul":
        return None
    first, second = left.operands
    if isinstance(first, Input) and first.name == BRIDGE:
        return second, line.operands[1]
    return None


def reads(operand: Operand) -> set[str]:
    """The names of all inputs that a value is made of."""
    seen: set[int] = set()
    found: set[str] = set()
    left: list[Operand] = [operand]
    while left:
        match left.pop():
            case Input(_, name):
                found.add(name)
            case Line() as line if line.number not in seen:
                seen.add(line.number)
                left += line.operands
            case _:
                pass
    return found


def deaths(program: Program) -> tuple[Line, ...]:
    """The lines of a softened step that say whether a margin account was touched inside the step.

    One under cross margin, leg a's and leg b's under isolated; none without the bridge. Each is
    `living & (distance <= 0 | bridge)`.
    """
    alive = dict(program.outputs)["account.alive"]
    assert isinstance(alive, Line)
    assert alive.op == "where"
    return tuple(line for line in _conditions(alive.operands[0], program) if _is_touch(line))


def _conditions(operand: Operand, program: Program) -> list[Line]:
    """The lines of a truth value that are joined by `or`, and that value itself."""
    by_number = {line.number: line for line in program.lines}
    found: list[Line] = []
    left = [operand]
    while left:
        here = left.pop()
        if isinstance(here, Line):
            line = by_number[here.number]
            found.append(line)
            if line.op == "or":
                left += reversed(line.operands)
    return found


def _is_touch(line: Line) -> bool:
    """Whether it joins, by `and`, who lives and whether the bridge touched."""

    def met(operand: Operand) -> bool:
        if not isinstance(operand, Line) or operand.op != "or":
            return False
        return any(isinstance(o, Line) and _bridge(o) is not None for o in operand.operands)

    return line.op == "and" and any(map(met, line.operands))
