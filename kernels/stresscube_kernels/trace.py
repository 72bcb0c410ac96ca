"""The tracer: a step called once with symbols, recorded as straight-line assignments.

Every arithmetic operation on a `Symbol` appends a line to its `Graph` (common subexpressions
once, constants folded) and returns the symbol of the line. `trace` keeps the lines that the
outputs need. Printers then write them in a language.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

KINDS = ("f", "u", "b", "t")  # real, unsigned 32-bit, boolean, table of reals
_WORDS = {
    "f": "a real number", "u": "an unsigned integer", "b": "a truth value", "t": "a table",
}  # fmt: skip
MASK = 0xFFFFFFFF
_HERE = (__file__, str(Path(__file__).with_name("ops.py")))


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal operand."""

    kind: str
    value: float | int | bool


@dataclass(frozen=True, slots=True)
class Input:
    """An operand that the caller of the generated code supplies."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Line:
    """One assignment: `v<number> = op(operands)`; source is the Python line it comes from,
    (file, number)."""

    kind: str
    number: int
    op: str
    operands: tuple[Operand, ...]
    source: tuple[str, int]


Operand = Constant | Input | Line


@dataclass(frozen=True, slots=True)
class Program:
    """A traced step: the lines, in order, and the operand behind each output name."""

    lines: tuple[Line, ...]
    outputs: tuple[tuple[str, Operand], ...]

    @property
    def inputs(self) -> list[Input]:
        """The inputs that are read, in order of first use."""
        seen: dict[Input, None] = {}
        operands = [o for line in self.lines for o in line.operands]
        for operand in [*operands, *(o for _, o in self.outputs)]:
            if isinstance(operand, Input):
                seen[operand] = None
        return list(seen)


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


class Graph:
    """The lines recorded so far."""

    def __init__(self) -> None:
        self._lines: dict[tuple[Any, ...], Line] = {}

    def emit(self, kind: str, op: str, *operands: Operand) -> Symbol:
        """The symbol of an operation: folded, found again, or a new line."""
        folded = _fold(op, operands)
        if folded is not None:
            return Symbol(self, folded)
        key = (kind, op, tuple(id(o) if isinstance(o, Line) else o for o in operands))
        if key not in self._lines:
            number = len(self._lines)
            self._lines[key] = Line(kind, number, op, operands, _source())
        return Symbol(self, self._lines[key])

    def needed(self, outputs: Iterable[Operand]) -> tuple[Line, ...]:
        """The lines that the outputs depend on, in order."""
        wanted: set[int] = {o.number for o in outputs if isinstance(o, Line)}
        kept: list[Line] = []
        for line in reversed(self._lines.values()):
            if line.number in wanted:
                wanted.update(o.number for o in line.operands if isinstance(o, Line))
                kept.append(line)
        return tuple(reversed(kept))


def _source() -> tuple[str, int]:
    """File and line of the step that asked for this operation."""
    frame = sys._getframe(2)  # pyright: ignore[reportPrivateUsage]
    while frame.f_back and frame.f_code.co_filename in _HERE:
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def _fold(op: str, operands: tuple[Operand, ...]) -> Operand | None:
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
