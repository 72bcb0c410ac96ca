"""The tracer: a step called once with symbols, recorded as straight-line assignments.

Every arithmetic operation on a `Symbol` appends a line to its `Graph` (common subexpressions
once, constants folded) and returns the symbol of the line. `trace` keeps the lines that the
outputs need. Printers then write them in a language.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn, cast

from .fold import fold
from .lines import MASK, Constant, Helper, Input, Line, Operand, Program, needed

_WORDS = {
    "f": "a real number", "u": "an unsigned integer", "b": "a truth value", "t": "a table",
    "r": "several numbers",
}  # fmt: skip
_HERE = (__file__, str(Path(__file__).with_name("ops.py")))


class Graph:
    """The lines recorded so far."""

    def __init__(self) -> None:
        self._lines: dict[tuple[Any, ...], Line] = {}
        self._own: set[int] = set()

    def emit(self, kind: str, op: str, *operands: Operand) -> Symbol:
        """The symbol of an operation: folded, found again, or a new line."""
        if any(isinstance(o, Line) and id(o) not in self._own for o in operands):
            raise TypeError(f"{op} of a value from outside the function that is being traced")
        folded = fold(op, operands)
        if folded is not None:
            return Symbol(self, folded)
        key = (kind, op, tuple(id(o) if isinstance(o, Line) else o for o in operands))
        if key not in self._lines:
            line = Line(kind, len(self._lines), op, operands, _source())
            self._lines[key] = line
            self._own.add(id(line))
        return Symbol(self, self._lines[key])

    def needed(self, outputs: Iterable[Operand]) -> tuple[Line, ...]:
        """The lines that the outputs depend on, in order."""
        return needed(self._lines.values(), outputs)


def _source() -> tuple[str, int]:
    """File and line of the step that asked for this operation."""
    frame = sys._getframe(2)  # pyright: ignore[reportPrivateUsage]
    while frame.f_back and frame.f_code.co_filename in _HERE:
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


class Symbol:
    """A value not yet known. Arithmetic on it is recorded; asking for its truth is an error."""

    __slots__ = ("graph", "operand")
    __hash__ = None  # type: ignore[assignment]
    __array_ufunc__ = None  # numpy scalars must not swallow a symbol

    def __init__(self, graph: Graph, operand: Operand) -> None:
        self.graph = graph
        self.operand = operand

    @property
    def kind(self) -> str:
        return self.operand.kind

    def _binary(self, other: Any, names: dict[str, str], kind: str, *, swap: bool = False) -> Any:
        if self.kind not in names:
            _mixed(self.kind, other)
        right = operand_of(other, self.kind)
        pair = (right, self.operand) if swap else (self.operand, right)
        return self.graph.emit(kind or self.kind, names[self.kind], *pair)

    def __add__(self, other: Any) -> Symbol:
        return self._binary(other, {"f": "add", "u": "uadd"}, "")

    def __radd__(self, other: Any) -> Symbol:
        return self._binary(other, {"f": "add", "u": "uadd"}, "", swap=True)

    def __sub__(self, other: Any) -> Symbol:
        return self._binary(other, {"f": "sub", "u": "usub"}, "")

    def __rsub__(self, other: Any) -> Symbol:
        return self._binary(other, {"f": "sub", "u": "usub"}, "", swap=True)

    def __mul__(self, other: Any) -> Symbol:
        return self._binary(other, {"f": "mul", "u": "umul"}, "")

    def __rmul__(self, other: Any) -> Symbol:
        return self._binary(other, {"f": "mul", "u": "umul"}, "", swap=True)

    def __truediv__(self, other: Any) -> Symbol:
        return self._binary(other, {"f": "div"}, "")

    def __rtruediv__(self, other: Any) -> Symbol:
        return self._binary(other, {"f": "div"}, "", swap=True)

    def __neg__(self) -> Symbol:
        if self.kind != "f":
            _mixed(self.kind, "unary minus")
        return self.graph.emit("f", "neg", self.operand)

    def __lt__(self, other: Any) -> Symbol:
        return self._binary(other, {"f": "lt", "u": "lt"}, "b")

    def __le__(self, other: Any) -> Symbol:
        return self._binary(other, {"f": "le", "u": "le"}, "b")

    def __gt__(self, other: Any) -> Symbol:
        return self._binary(other, {"f": "gt", "u": "gt"}, "b")

    def __ge__(self, other: Any) -> Symbol:
        return self._binary(other, {"f": "ge", "u": "ge"}, "b")

    def __and__(self, other: Any) -> Symbol:
        return self._binary(other, {"b": "and", "u": "uand"}, "")

    __rand__ = __and__

    def __or__(self, other: Any) -> Symbol:
        return self._binary(other, {"b": "or", "u": "uor"}, "")

    __ror__ = __or__

    def __xor__(self, other: Any) -> Symbol:
        return self._binary(other, {"u": "uxor"}, "")

    __rxor__ = __xor__

    def __lshift__(self, other: Any) -> Symbol:
        return self._binary(other, {"u": "ushl"}, "")

    def __rshift__(self, other: Any) -> Symbol:
        return self._binary(other, {"u": "ushr"}, "")

    def __invert__(self) -> Symbol:
        if self.kind != "b":
            _mixed(self.kind, "~")
        return self.graph.emit("b", "not", self.operand)

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("a step may not compare with == or !=: use <, <=, > or >=")

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "a step may not branch on a value (if, and, or, not, min, max): use ops.where, &, |, ~"
        )


def _mixed(kind: str, other: Any) -> NoReturn:
    shown = _WORDS[other.kind] if isinstance(other, Symbol) else repr(other)
    raise TypeError(f"this operation is not defined between {_WORDS[kind]} and {shown}")


def operand_of(value: Any, kind: str) -> Operand:
    """The operand behind a symbol or a bare literal of the wanted kind."""
    if isinstance(value, Symbol):
        if value.kind != kind:
            raise TypeError(f"{_WORDS[kind]} and {_WORDS[value.kind]} do not mix")
        return value.operand
    if kind == "f" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return Constant("f", float(value))
    if kind == "u" and isinstance(value, int) and not isinstance(value, bool):
        return Constant("u", value & MASK)
    if kind == "b" and isinstance(value, bool):
        return Constant("b", value)
    raise TypeError(f"{value!r} cannot stand where {_WORDS[kind]} is needed")


def literal(value: Any) -> Operand:
    """A bare boolean or number as an operand."""
    return operand_of(value, "b" if isinstance(value, bool) else "f")


class TraceOps:
    """The operations, recorded."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def where(self, condition: Any, yes: Any, no: Any) -> Any:
        kind = next((v.kind for v in (yes, no) if isinstance(v, Symbol)), "f")
        choices = operand_of(yes, kind), operand_of(no, kind)
        return self.graph.emit(kind, "where", operand_of(condition, "b"), *choices)

    def _f(self, op: str, *values: Any) -> Symbol:
        return self.graph.emit("f", op, *(operand_of(v, "f") for v in values))

    def fmin(self, x: Any, y: Any) -> Any:
        return self._f("fmin", x, y)

    def fmax(self, x: Any, y: Any) -> Any:
        return self._f("fmax", x, y)

    def fabs(self, x: Any) -> Any:
        return self._f("fabs", x)

    def sqrt(self, x: Any) -> Any:
        return self._f("sqrt", x)

    def u32(self, value: int) -> Any:
        return Symbol(self.graph, Constant("u", value & MASK))

    def mulhi(self, x: Any, y: Any) -> Any:
        return self.graph.emit("u", "mulhi", operand_of(x, "u"), operand_of(y, "u"))

    def u2f(self, x: Any) -> Any:
        return self.graph.emit("f", "u2f", operand_of(x, "u"))

    def f2bits(self, x: Any) -> Any:
        return self.graph.emit("u", "f2bits", operand_of(x, "f"))

    def bits2f(self, x: Any) -> Any:
        return self.graph.emit("f", "bits2f", operand_of(x, "u"))

    def lookup(self, table: Any, index: Any) -> Any:
        return self.graph.emit("f", "lookup", operand_of(table, "t"), operand_of(index, "u"))

    def call(self, function: Callable[..., Any], *operands: Any) -> Any:
        given = [v.operand if isinstance(v, Symbol) else literal(v) for v in operands]
        called = helper_of(function, "".join(operand.kind for operand in given))
        made = self.graph.emit(called.kind, "call", called, *given)
        if not called.many:
            return made
        parts = enumerate(called.program.outputs)
        return tuple(
            self.graph.emit(value.kind, "item", made.operand, Constant("u", k))
            for k, (_, value) in parts
        )


def trace(build: Callable[[TraceOps, Callable[[str, str], Symbol]], dict[str, Any]]) -> Program:
    """Record what `build(ops, declare)` computes; it returns its outputs by name.

    declare(name, kind) makes an input. Outputs that are bare numbers are reals.
    """
    graph = Graph()

    def declare(name: str, kind: str) -> Symbol:
        return Symbol(graph, Input(kind, name))

    outputs = tuple(
        (name, value.operand if isinstance(value, Symbol) else literal(value))
        for name, value in build(TraceOps(graph), declare).items()
    )
    return Program(graph.needed(operand for _, operand in outputs), outputs)


@lru_cache(maxsize=256)
def helper_of(function: Callable[..., Any], kinds: str) -> Helper:
    """The trace of `function(ops, *numbers)`, which returns a number or a tuple of them.

    Raises TypeError if it uses a step's value that is not among its arguments.
    """
    names = [f"x{k}" for k in range(len(kinds))]
    name = re.sub(r"\W", "", function.__name__).strip("_")
    found: list[Any] = []

    def build(ops: TraceOps, declare: Callable[[str, str], Symbol]) -> dict[str, Any]:
        found.append(function(ops, *map(declare, names, kinds)))
        made = cast("tuple[Any, ...]", found[0] if type(found[0]) is tuple else (found[0],))
        return {f"y{k}": value for k, value in enumerate(made)}

    program = trace(build)
    if foreign := {i.name for i in program.inputs} - set(names):
        raise TypeError(f"{name} uses what is not among its arguments: {', '.join(foreign)}")
    words = (function.__doc__ or "").strip().partition("\n")[0]
    return Helper(name, kinds, program, type(found[0]) is tuple, words)
