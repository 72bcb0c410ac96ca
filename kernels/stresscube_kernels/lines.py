"""What a traced step is: assignments in single static form, and the helpers that they call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

KINDS = ("f", "u", "b", "t")  # real, unsigned 32-bit, boolean, table of reals
MASK = 0xFFFFFFFF


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


@dataclass(frozen=True, slots=True, eq=False)
class Helper:
    """A function that lines call: op `call`, operands the helper and its arguments.

    Its program's inputs are x0, x1, ... (of the kinds named); its outputs y0, y1, ... Where they
    are a tuple, op `item` takes one.
    """

    name: str
    kinds: str
    program: Program
    many: bool
    words: str  # what it is, in a line

    @property
    def kind(self) -> str:
        """The kind of a call: its one output's, or r, a record of several."""
        return "r" if self.many else self.program.outputs[0][1].kind

    @property
    def label(self) -> str:
        """What generated code calls it."""
        return f"{self.name}_{self.kinds}"


Operand = Constant | Input | Line | Helper


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

    @property
    def helpers(self) -> list[Helper]:
        """The helpers that its lines call, those that they call themselves first."""
        seen: dict[Helper, None] = {}
        for line in self.lines:
            if line.op == "call" and isinstance(called := line.operands[0], Helper):
                seen |= dict.fromkeys([*called.program.helpers, called])
        return list(seen)


def needed(lines: Iterable[Line], outputs: Iterable[Operand]) -> tuple[Line, ...]:
    """The lines that the outputs depend on, in order."""
    wanted: set[int] = {o.number for o in outputs if isinstance(o, Line)}
    kept: list[Line] = []
    for line in reversed(tuple(lines)):
        if line.number in wanted:
            wanted.update(o.number for o in line.operands if isinstance(o, Line))
            kept.append(line)
    return tuple(reversed(kept))


def without(program: Program, output: str) -> Program:
    """A program less one output, and what only that needs."""
    outputs = tuple((name, operand) for name, operand in program.outputs if name != output)
    return Program(needed(program.lines, (operand for _, operand in outputs)), outputs)


def item(line: Line) -> int:
    """Which output of a call an `item` line takes."""
    _, which = line.operands
    assert isinstance(which, Constant)
    return int(which.value)


def printed(programs: Iterable[Program], write: Callable[[Helper], str]) -> dict[str, str]:
    """The text of every helper that programs call, by label, those that they call first.

    Raises TypeError if two helpers would have the same label.
    """
    made: dict[str, str] = {}
    for helper in dict.fromkeys(h for program in programs for h in program.helpers):
        text = write(helper)
        if made.setdefault(helper.label, text) != text:
            raise TypeError(f"two functions marked `once` have the name {helper.name}: rename one")
    return made
