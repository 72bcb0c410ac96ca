"""Traced programs as Python statements: what the numba printer puts into its loops."""

from __future__ import annotations

from collections.abc import Iterable

from .lines import Helper, Input, Line, Operand, Program, item, printed

FORMATS = {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "neg": "-{0}",
    "lt": "{0} < {1}",
    "le": "{0} <= {1}",
    "gt": "{0} > {1}",
    "ge": "{0} >= {1}",
    "and": "{0} & {1}",
    "or": "{0} | {1}",
    "not": "not {0}",
    "where": "select({0}, {1}, {2})",
    "fmin": "select({0} < {1}, {0}, {1})",
    "fmax": "select({0} > {1}, {0}, {1})",
    "fabs": "abs({0})",
    "sqrt": "real(math.sqrt({0}))",
    "uadd": "u32({0} + {1})",
    "usub": "u32({0} - {1})",
    "umul": "u32({0} * {1})",
    "uxor": "u32({0} ^ {1})",
    "uand": "u32({0} & {1})",
    "uor": "u32({0} | {1})",
    "ushl": "u32({0} << {1})",
    "ushr": "u32({0} >> {1})",
    "mulhi": "u32((u64({0}) * u64({1})) >> u64(32))",
    "u2f": "real({0})",
    "f2bits": "bits_of({0})",
    "bits2f": "real(float32_of({0}))",
    "lookup": "{0}[{1}]",
}

_HELPER = """
@njit(**inlined)
def {name}({arguments}):
{body}
"""


def lines(program: Program, prefix: str = "v") -> list[str]:
    """The assignments of a program; the prefix begins the names of its values."""
    return [
        f"{targets(line, prefix)} = {expression(line, prefix)}"
        for line in program.lines
        if line.op != "item"  # a call's results are unpacked at once
    ]


def targets(line: Line, prefix: str) -> str:
    """What a line assigns to."""
    called = line.operands[0] if line.op == "call" else None
    if not isinstance(called, Helper) or not called.many:
        return f"{prefix}{line.number}"
    names = [f"{prefix}{line.number}_{k}" for k in range(len(called.program.outputs))]
    return ", ".join(names) + ("," if len(names) == 1 else "")


def expression(line: Line, prefix: str) -> str:
    """What a line assigns."""
    first, *rest = (operand(value, prefix) for value in line.operands)
    if line.op == "call":
        return f"{first}({', '.join(rest)})"
    return FORMATS[line.op].format(first, *rest)


def operand(value: Operand, prefix: str = "v") -> str:
    """An operand as an expression."""
    if isinstance(value, Line):
        if value.op == "item":
            return f"{operand(value.operands[0], prefix)}_{item(value)}"
        return f"{prefix}{value.number}"
    if isinstance(value, Input):
        return value.name.replace(".", "_")
    if isinstance(value, Helper):
        return value.label
    if value.kind == "f":
        return f"real({value.value!r})"
    if value.kind == "u":
        return f"u32({value.value})"
    return repr(value.value)


def stored(value: Operand, prefix: str = "v") -> str:
    """A value on its way to the state: a selection must not become a masked store."""
    selects = isinstance(value, Line) and value.op in ("where", "fmin", "fmax")
    expressed = operand(value, prefix)
    return f"canonical({expressed})" if selects else expressed


def helpers(programs: Iterable[Program]) -> str:
    """The functions that programs call, each once.

    Raises TypeError if two have the same name and kinds.
    """
    return "".join(printed(programs, _helper).values())


def _helper(helper: Helper) -> str:
    results = [operand(value) for _, value in helper.program.outputs]
    returned = f"({', '.join(results)},)" if helper.many else results[0]
    return _HELPER.format(
        name=helper.label,
        arguments=", ".join(f"x{k}" for k in range(len(helper.kinds))),
        body=indent(1, [f"# {helper.words}", *lines(helper.program), f"return {returned}"]),
    )


def indent(depth: int, statements: Iterable[str]) -> str:
    """Statements as a block; one that is empty does nothing."""
    made = "\n".join("    " * depth + s for s in statements)
    return made or "    " * depth + "pass"
