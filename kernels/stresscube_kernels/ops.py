"""The operations that a step may use, and their numpy meaning.

A step is straight-line arithmetic: + - * / and unary minus on reals, < <= > >= giving
booleans, & | ~ on booleans, + - * ^ & | << >> and < >= on 32-bit unsigned integers, and the
functions of `Ops`. There is no branch on data: `ops.where` chooses. The same function then
runs under numpy (here), a tracer (`trace.py`) or any array library that offers these.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import numpy as np


class Ops(Protocol):
    """What every backend offers a step. f: real, u: 32-bit unsigned, b: boolean."""

    def where(self, condition: Any, yes: Any, no: Any) -> Any:
        """Yes where the condition (b) holds, else no (both f or both u)."""
        ...

    def fmin(self, x: Any, y: Any) -> Any:
        """The smaller of two reals."""
        ...

    def fmax(self, x: Any, y: Any) -> Any:
        """The larger of two reals."""
        ...

    def fabs(self, x: Any) -> Any:
        """The absolute value of a real."""
        ...

    def sqrt(self, x: Any) -> Any:
        """The square root of a real that is not negative."""
        ...

    def u32(self, value: int) -> Any:
        """An unsigned literal (bare literals of 2**31 and more overflow in some libraries)."""
        ...

    def mulhi(self, x: Any, y: Any) -> Any:
        """The upper 32 bits of the 64-bit product of two unsigned integers."""
        ...

    def u2f(self, x: Any) -> Any:
        """The real nearest to an unsigned integer."""
        ...

    def f2bits(self, x: Any) -> Any:
        """The bits of the float32 nearest to a real, in every precision."""
        ...

    def bits2f(self, x: Any) -> Any:
        """The real whose float32 bits these are."""
        ...

    def lookup(self, table: Any, index: Any) -> Any:
        """The entry (f) of a table (t) at an unsigned index, which must be inside it."""
        ...

    def call(self, function: Callable[..., Any], *operands: Any) -> Any:
        """function(ops, *operands), as one function of generated code: see `once`."""
        ...


_P = ParamSpec("_P")
_R = TypeVar("_R")


def once(function: Callable[Concatenate[Ops, _P], _R]) -> Callable[Concatenate[Ops, _P], _R]:
    """Let generated code hold a function of numbers once, where it would repeat its lines.

    The meaning and the machine code stay the same, because compilers put its lines back where it
    is called; but they read them once. It takes ops and numbers (no records), by position, and
    returns a number or a tuple of numbers.
    """

    @wraps(function)
    def called(ops: Ops, *operands: _P.args, **named: _P.kwargs) -> _R:
        return ops.call(function, *operands, **named)

    return called


class NumpyOps:
    """The oracle's operations, on arrays of one real dtype."""

    def __init__(self, dtype: Any = np.float64) -> None:
        self.dtype = np.dtype(dtype)

    def where(self, condition: Any, yes: Any, no: Any) -> Any:
        if isinstance(yes, float) and isinstance(no, float):
            yes = self.dtype.type(yes)  # of two Python numbers numpy would make float64
        # overloads on Any are ambiguous to the type checker
        return np.where(condition, yes, no)  # pyright: ignore[reportUnknownVariableType]

    def fmin(self, x: Any, y: Any) -> Any:
        return np.minimum(x, y)

    def fmax(self, x: Any, y: Any) -> Any:
        return np.maximum(x, y)

    def fabs(self, x: Any) -> Any:
        return np.abs(x)

    def sqrt(self, x: Any) -> Any:
        return np.sqrt(x)

    def u32(self, value: int) -> Any:
        return np.array([value], np.uint32)  # an array wraps around silently, a scalar warns

    def mulhi(self, x: Any, y: Any) -> Any:
        wide = np.multiply(x, y, dtype=np.uint64)
        return np.right_shift(wide, 32).astype(np.uint32)

    def u2f(self, x: Any) -> Any:
        return np.asarray(x).astype(self.dtype)

    def f2bits(self, x: Any) -> Any:
        return np.asarray(x, np.float32).view(np.uint32)

    def bits2f(self, x: Any) -> Any:
        return np.asarray(x, np.uint32).view(np.float32).astype(self.dtype)

    def lookup(self, table: Any, index: Any) -> Any:
        return table[np.asarray(index)]

    def call(self, function: Callable[..., Any], *operands: Any) -> Any:
        return function(self, *operands)
