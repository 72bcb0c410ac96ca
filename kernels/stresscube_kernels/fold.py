"""What an operation comes to before any code runs: constants, and what changes nothing."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from .lines import MASK, Constant, Operand

_FLOAT: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
}
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
_UNSIGNED: dict[str, Callable[[int, int], int]] = {
    "uadd": lambda x, y: (x + y) & MASK,
    "usub": lambda x, y: (x - y) & MASK,
    "umul": lambda x, y: (x * y) & MASK,
    "uxor": operator.xor,
    "uand": operator.and_,
    "uor": operator.or_,
    "ushl": lambda x, y: (x << y) & MASK,
    "ushr": operator.rshift,
    "mulhi": lambda x, y: (x * y) >> 32,
}
_REAL: dict[str, Callable[..., Any]] = {
    "neg": operator.neg,
    "fabs": abs,
    "fmin": min,
    "fmax": max,
    "sqrt": math.sqrt,
}


def fold(op: str, operands: tuple[Operand, ...]) -> Operand | None:
    """What an operation comes to without running it, if that is plain."""
    constants = [o.value if isinstance(o, Constant) else None for o in operands]
    known: list[Any] = [c for c in constants if c is not None]
    if len(known) == len(constants) and (value := _evaluate(op, known)) is not None:
        return value
    return _simplify(op, operands, constants)


def _evaluate(op: str, known: list[Any]) -> Operand | None:
    """An operation on constants."""
    if op in _FLOAT:
        return Constant("f", _FLOAT[op](*known))
    if op in _REAL:
        return Constant("f", _REAL[op](*known))
    if op in _UNSIGNED:
        return Constant("u", _UNSIGNED[op](*known))
    if op in _COMPARE:
        return Constant("b", _COMPARE[op](*known))
    if op == "not":
        return Constant("b", not known[0])
    return None


def _simplify(op: str, operands: tuple[Operand, ...], constants: list[Any]) -> Operand | None:
    """x + 0, x * 1, x * 0 (no infinity or NaN enters a kernel) and choices already made."""
    first, last = operands[0], operands[-1]
    head, tail = constants[0], constants[-1]
    zero = Constant("f", 0.0)
    result: Operand | None = None
    match op:
        case "add" | "sub" if tail == 0.0:
            result = first
        case "add" if head == 0.0:
            result = last
        case "mul" if head == 0.0 or tail == 0.0:
            result = zero
        case "mul" if head == 1.0:
            result = last
        case "mul" | "div" if tail == 1.0:
            result = first
        case "div" if head == 0.0:
            result = zero
        case "where" if head is not None:
            result = operands[1] if head else last
        case "where" if operands[1] == last:
            result = last
        case "and" if head is not None or tail is not None:
            result = _and(operands, constants)
        case "or" if head is not None or tail is not None:
            result = _or(operands, constants)
        case _:
            pass
    return result


def _and(operands: tuple[Operand, ...], constants: list[Any]) -> Operand:
    known, other = (0, 1) if constants[0] is not None else (1, 0)
    return operands[other] if constants[known] else Constant("b", value=False)


def _or(operands: tuple[Operand, ...], constants: list[Any]) -> Operand:
    known, other = (0, 1) if constants[0] is not None else (1, 0)
    return Constant("b", value=True) if constants[known] else operands[other]
