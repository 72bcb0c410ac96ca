"""Traced steps run by JAX: each line of a program becomes the same operation on JAX arrays.

Programs know the kind of every value, so no type is left to promotion: reals have the precision
of the run, words are 32-bit unsigned. 64-bit types must be on where that precision is float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .lines import Constant, Helper, Input, Line, Operand, Program, item

Operation = Callable[..., Any]


def mulhi(x: Any, y: Any) -> Any:
    """The upper half of a product by halves of 16 bits: accelerators have no 64-bit integers."""
    low, high = jnp.uint32(0xFFFF), jnp.uint32(16)
    x_low, x_high = x & low, x >> high
    y_low, y_high = y & low, y >> high
    middle = x_high * y_low + ((x_low * y_low) >> high)  # at most 2^32 - 2^16: never carries
    carried = x_low * y_high + (middle & low)
    return x_high * y_high + (middle >> high) + (carried >> high)


class Shifted(NamedTuple):
    """Tables one after the other, and where each path's begins."""

    tables: Any
    first: Any


def lookup(table: Any, index: Any) -> Any:
    """The entry of a table at an index inside it."""
    if isinstance(table, Shifted):
        return lookup(table.tables, table.first + index)
    return table.at[index].get(mode="promise_in_bounds")


def operations(real: Any) -> dict[str, Operation]:
    """What each line's operation is on arrays whose reals have this dtype."""
    bits: Operation = jax.lax.bitcast_convert_type

    def to_real(x: Any) -> Any:
        return x.astype(real)

    def to_bits(x: Any) -> Any:
        return bits(x.astype(jnp.float32), jnp.uint32)

    def from_bits(x: Any) -> Any:
        return bits(x, jnp.float32).astype(real)

    return {
        "add": jnp.add, "sub": jnp.subtract, "mul": jnp.multiply, "div": jnp.divide,
        "neg": jnp.negative, "fabs": jnp.abs, "sqrt": jnp.sqrt,
        "fmin": jnp.minimum, "fmax": jnp.maximum,
        "lt": jnp.less, "le": jnp.less_equal, "gt": jnp.greater, "ge": jnp.greater_equal,
        "and": jnp.logical_and, "or": jnp.logical_or, "not": jnp.logical_not, "where": jnp.where,
        "uadd": jnp.add, "usub": jnp.subtract, "umul": jnp.multiply, "mulhi": mulhi,
        "uand": jnp.bitwise_and, "uor": jnp.bitwise_or, "uxor": jnp.bitwise_xor,
        "ushl": jnp.left_shift, "ushr": jnp.right_shift,
        "u2f": to_real, "f2bits": to_bits, "bits2f": from_bits,
        "lookup": lookup,
    }  # fmt: skip


class Evaluator:
    """Runs programs. table: what each operation means; real: the dtype of reals."""

    def __init__(self, real: Any, table: Mapping[str, Operation] | None = None) -> None:
        self.real = np.dtype(real)
        self._table = operations(self.real) if table is None else table
        self._types = {"f": self.real, "u": np.dtype(np.uint32), "b": np.dtype(np.bool_)}

    def __call__(
        self, program: Program, given: Mapping[str, Any], known: Mapping[int, Any] | None = None
    ) -> dict[str, Any]:
        """A program's outputs by name, from its inputs by name.

        known: values of lines, by number, that stand in place of what their operations make.
        """
        known = known or {}
        made: dict[int, Any] = {}

        def value(operand: Operand) -> Any:
            match operand:
                case Constant(kind, number):
                    return jnp.asarray(number, self._types[kind])
                case Input(_, name):
                    return given[name]
                case Line():
                    return made[operand.number]
                case Helper():
                    raise TypeError(f"{operand.name} is no value")

        for line in program.lines:
            if line.number in known:
                made[line.number] = known[line.number]
            elif line.op == "call":
                made[line.number] = self._call(line, map(value, line.operands[1:]))
            elif line.op == "item":
                made[line.number] = value(line.operands[0])[item(line)]
            else:
                made[line.number] = self._table[line.op](*map(value, line.operands))
        return {name: value(operand) for name, operand in program.outputs}

    def _call(self, line: Line, operands: Iterable[Any]) -> Any:
        called = line.operands[0]
        assert isinstance(called, Helper)
        given = {f"x{k}": operand for k, operand in enumerate(operands)}
        outputs = list(self(called.program, given).values())
        return outputs if called.many else outputs[0]
