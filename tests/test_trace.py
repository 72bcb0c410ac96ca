"""The tracer records what a step computes, and refuses what a kernel could not run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from printers import Arrays, Table, by_cpp, by_numba, by_numpy, kinds_of, program_of
from stresscube_kernels import numba_lines, print_cpp
from stresscube_kernels.lines import Constant, Input, Line
from stresscube_kernels.ops import Ops, once


def traced(function: Callable[..., Any], kinds: str = "ff") -> Any:
    """The program of a function of one output."""
    return program_of(lambda ops, *inputs: (function(ops, *inputs),), kinds)


def only_output(function: Callable[..., Any], kinds: str = "ff") -> Any:
    program = traced(function, kinds)
    assert program.lines == ()
    return program.outputs[0][1]


@pytest.mark.parametrize(
    "mixed",
    [
        lambda ops, f, u: f + u,
        lambda ops, f, u: u * f,
        lambda ops, f, u: f < u,
        lambda ops, f, u: f & u,
        lambda ops, f, u: f ^ f,
        lambda ops, f, u: f << 1,
        lambda ops, f, u: u / u,
        lambda ops, f, u: -u,
        lambda ops, f, u: ~u,
        lambda ops, f, u: u + 1.5,
        lambda ops, f, u: f + True,
        lambda ops, f, u: f + (f < 1.0),
        lambda ops, f, u: (f < 1.0) + (f < 2.0),
        lambda ops, f, u: (f < 1.0) < (f < 2.0),
        lambda ops, f, u: (f < 1.0) & u,
        lambda ops, f, u: ops.where(f, f, f),
        lambda ops, f, u: ops.where(f < 1.0, f, u),
        lambda ops, f, u: ops.fmin(f, u),
        lambda ops, f, u: ops.sqrt(u),
        lambda ops, f, u: ops.u2f(f),
        lambda ops, f, u: ops.f2bits(u),
        lambda ops, f, u: ops.mulhi(u, f),
        lambda ops, f, u: f + "1",
        lambda ops, f, u: ops.lookup(f, u),
        lambda ops, f, u: ops.lookup(1.0, u),
    ],
)
def test_kinds_do_not_mix(mixed: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"mix|not defined|cannot stand"):
        traced(mixed, "fu")


@pytest.mark.parametrize(
    "mixed",
    [
        lambda ops, f, u, t: ops.lookup(t, f),
        lambda ops, f, u, t: ops.lookup(t, 1.0),
        lambda ops, f, u, t: ops.lookup(t, t),
        lambda ops, f, u, t: t + f,
        lambda ops, f, u, t: f + t,
        lambda ops, f, u, t: t + t,
        lambda ops, f, u, t: t < f,
        lambda ops, f, u, t: -t,
        lambda ops, f, u, t: ops.fabs(t),
        lambda ops, f, u, t: ops.where(f < 1.0, f, t),
    ],
)
def test_a_table_is_only_looked_up(mixed: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"mix|not defined|cannot stand"):
        traced(mixed, "fut")


@pytest.mark.parametrize(
    "branching",
    [
        lambda ops, x, y: x if x < y else y,
        lambda ops, x, y: x and y,
        lambda ops, x, y: x or y,
        lambda ops, x, y: not x,
        lambda ops, x, y: min(x, y),
        lambda ops, x, y: 0.0 < x < 1.0,
        lambda ops, x, y: sorted([x, y])[0],
    ],
)
def test_no_branch_on_a_value(branching: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"ops\.where"):
        traced(branching)


def test_no_equality() -> None:
    with pytest.raises(TypeError, match="=="):
        traced(lambda ops, x, y: ops.where(x == y, x, y))
    with pytest.raises(TypeError, match="=="):
        traced(lambda ops, x, y: ops.where(x != y, x, y))


def test_a_common_subexpression_is_one_line() -> None:
    program = traced(lambda ops, x, y: (x + y) * (x + y) - ops.sqrt(x + y))
    assert [line.op for line in program.lines] == ["add", "mul", "sqrt", "sub"]


def test_different_expressions_are_not_merged() -> None:
    program = traced(lambda ops, x, y: (x - y) * (y - x))
    assert [line.op for line in program.lines] == ["sub", "sub", "mul"]


def test_dead_code_is_dropped() -> None:
    def wasteful(ops: Ops, x: Any, y: Any) -> Any:
        ops.sqrt(x * y)
        return ops.where(x < y, x, y) + 0.0 * ops.sqrt(y)

    program = traced(wasteful)
    assert [line.op for line in program.lines] == ["lt", "where"]
    assert [i.name for i in program.inputs] == ["in.x0", "in.x1"]


@pytest.mark.parametrize(
    "same",
    [
        lambda ops, x, y: x + 0.0,
        lambda ops, x, y: 0.0 + x,
        lambda ops, x, y: x - 0.0,
        lambda ops, x, y: x * 1.0,
        lambda ops, x, y: 1.0 * x,
        lambda ops, x, y: x / 1.0,
        lambda ops, x, y: x + y * 0.0,
        lambda ops, x, y: x + 0.0 / y,
        lambda ops, x, y: ops.where(x < y, x, x),
        lambda ops, x, y: ops.where(ops.u32(1) < ops.u32(2), x, y),
        lambda ops, x, y: ops.where(ops.u32(2) < ops.u32(1), y, x),
        lambda ops, x, y: ops.where((x < y) | (ops.u32(1) < ops.u32(2)), x, y),
        lambda ops, x, y: ops.where((ops.u32(2) < ops.u32(1)) & (x < y), y, x),
    ],
)
def test_what_changes_nothing_is_folded(same: Callable[..., Any]) -> None:
    assert only_output(same) == Input("f", "in.x0")


@pytest.mark.parametrize(
    ("constant", "value"),
    [
        (lambda ops: ops.fmax(ops.fabs(-3.0), 2.0) / 2.0, 1.5),
        (lambda ops: ops.sqrt(16.0), 4.0),
        (lambda ops: -ops.fmin(1.0, 2.0), -1.0),
        (lambda ops: ops.u32(2**32 - 1) + 2, 1),
        (lambda ops: ops.u32(1) - 2, 2**32 - 1),
        (lambda ops: ops.u32(0x10000) * 0x10001, 0x10000),
        (lambda ops: ops.mulhi(ops.u32(2**31), ops.u32(6)), 3),
        (lambda ops: (ops.u32(0xF0) >> 4) ^ (ops.u32(1) << 31), 2**31 + 15),
    ],
)
def test_constants_are_folded(constant: Callable[[Ops], Any], value: float) -> None:
    found = only_output(lambda ops, x, y: constant(ops))
    assert isinstance(found, Constant)
    assert found.value == value


def test_lines_know_the_python_line_they_come_from() -> None:
    program = traced(lambda ops, x, y: x * y)
    assert program.lines[0].source[0] == __file__


def test_operands_come_before_their_use() -> None:
    program = program_of(every_operation, KINDS)
    for line in program.lines:
        assert all(o.number < line.number for o in line.operands if isinstance(o, Line))


KINDS = "ffuut"
TABLE = 37


def every_operation(ops: Ops, x: Any, y: Any, u: Any, v: Any, t: Any) -> tuple[Any, ...]:
    """Each operation at least once; the integers come last. t: a table of TABLE entries."""
    low, high = x < y, x > 0.5
    return (
        x + y,
        x - y,
        x * y,
        x / (y + 3.0),
        -x,
        ops.fmin(x, y),
        ops.fmax(x, y),
        ops.fabs(x),
        ops.sqrt(y + 1.0),
        ops.where(low & high, x, y),
        ops.where(low | ~high, x, y),
        ops.where((x <= y) & (y >= 0.25), 1.0, 2.0),
        ops.where((u <= v) | (u >= ops.u32(2**31)), 1.0, 2.0),
        ops.u2f(u),
        ops.bits2f(ops.f2bits(x)),
        ops.lookup(t, ops.mulhi(u, ops.u32(TABLE))) * y,
        ops.f2bits(x),
        u + v,
        u - v,
        u * v,
        u ^ v,
        u & v,
        u | v,
        u << 3,
        u >> ops.u32(5),
        ops.mulhi(u, v),
        ops.where(u < v, u, v),
        ops.where(u > v, ops.u32(1), v),
    )


def operation_inputs(precision: str) -> Arrays:
    rng = np.random.default_rng(4)
    reals = [rng.uniform(-1, 1, 1000).astype(precision) for _ in range(2)]
    words = [rng.integers(2**32, size=1000, dtype=np.uint32) for _ in range(2)]
    return [*reals, *words, Table(rng.uniform(-1, 1, TABLE).astype(precision))]


def test_every_operation_is_in_the_table_above() -> None:
    assert kinds_of(operation_inputs("float32")) == KINDS
    used = {line.op for line in program_of(every_operation, KINDS).lines}
    assert used == set(numba_lines.FORMATS) == set(print_cpp._FORMATS)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_numba_runs_every_operation(precision: str) -> None:
    inputs = operation_inputs(precision)
    same_as_numpy(by_numba(every_operation, inputs, precision), inputs, precision)


@pytest.mark.needs("compiler")
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_cpp_runs_every_operation(precision: str, tmp_path: Path) -> None:
    inputs = operation_inputs(precision)
    same_as_numpy(by_cpp(every_operation, inputs, precision, tmp_path), inputs, precision)


def same_as_numpy(
    found: list[NDArray[Any]],
    inputs: Arrays,
    precision: str,
    function: Callable[..., Any] = every_operation,
) -> None:
    """Integers and choices exactly; division and root to 2 units of the last place."""
    expected = by_numpy(function, inputs, precision)
    for k, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        if theirs.dtype == np.uint32:
            assert np.array_equal(ours, theirs), k
        else:
            np.testing.assert_allclose(
                ours, theirs, rtol=2 * float(np.finfo(precision).eps), err_msg=str(k)
            )


def test_an_output_that_is_another_input_survives_in_place_stores() -> None:
    """C++ records are read and written in place: y0 = x1 and y1 = x0 must swap."""

    def swap(ops: Ops, x: Any, y: Any) -> tuple[Any, ...]:
        return y, x

    program = program_of(swap, "ff")
    text = print_cpp._function("swap", program, ["Out &out", "const In &in"])
    first_store = text.index("out.y0 =")
    assert text.index("= in.x1;") < first_store
    assert text.index("= in.x0;") < first_store


# --- functions that generated code holds once ------------------------------------------------


@once
def halved(ops: Ops, x: Any) -> Any:
    return x * 0.5


@once
def turned(ops: Ops, x: Any, u: Any) -> tuple[Any, ...]:
    """Of two kinds; calls another; hands an argument back as it is."""
    return halved(ops, x) + 1.0, u ^ ops.u32(5), x


@once
def entry(ops: Ops, table: Any, index: Any) -> tuple[Any, ...]:
    """One number, in a tuple."""
    return (ops.lookup(table, index),)


def calling(ops: Ops, x: Any, y: Any, u: Any, v: Any, t: Any) -> tuple[Any, ...]:
    first, second = turned(ops, x, u), turned(ops, y, v)
    looked = entry(ops, t, ops.mulhi(u, ops.u32(TABLE)))
    return (
        first[0] * second[0],
        halved(ops, first[0]) + halved(ops, 3.0),
        second[2],
        looked[0] - 1.0,
        first[1],
        second[1] + u,
    )


def test_a_function_marked_once_is_called() -> None:
    program = program_of(calling, KINDS)
    assert [helper.label for helper in program.helpers] == ["halved_f", "turned_fu", "entry_tu"]
    calls = [line for line in program.lines if line.op == "call"]
    assert len(calls) == 5  # turned and halved twice, entry once
    assert numba_lines.helpers([program, program]).count("def halved_f(") == 1
    assert print_cpp.helpers([program, program]).count("STEP real halved_f(") == 1


def test_equal_calls_are_one_line_and_unused_ones_none() -> None:
    def wasteful(ops: Ops, x: Any, u: Any) -> tuple[Any, ...]:
        halved(ops, x * 3.0)
        return turned(ops, x, u)[0], turned(ops, x, u)[1]

    program = program_of(wasteful, "fu")
    assert [line.op for line in program.lines] == ["call", "item", "item"]


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_numba_runs_what_is_called(precision: str) -> None:
    inputs = operation_inputs(precision)
    same_as_numpy(by_numba(calling, inputs, precision), inputs, precision, calling)


@pytest.mark.needs("compiler")
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_cpp_runs_what_is_called(precision: str, tmp_path: Path) -> None:
    inputs = operation_inputs(precision)
    same_as_numpy(by_cpp(calling, inputs, precision, tmp_path), inputs, precision, calling)


def test_a_called_function_uses_its_arguments_only() -> None:
    def captured(ops: Ops, x: Any, y: Any) -> Any:
        return ops.call(lambda ops, x: x * y, x)

    def captured_line(ops: Ops, x: Any, y: Any) -> Any:
        both = x + y
        return ops.call(lambda ops, x: x * both, x)

    with pytest.raises(TypeError, match="not among its arguments"):
        traced(captured)
    with pytest.raises(TypeError, match="outside the function"):
        traced(captured_line)


def test_two_functions_of_one_name_are_refused() -> None:
    def scaled(by: float) -> Any:
        def scale(ops: Ops, x: Any) -> Any:
            return x * by

        return once(scale)

    same = program_of(lambda ops, x: (scaled(2.0)(ops, x), scaled(2.0)(ops, x + 1.0)), "f")
    assert numba_lines.helpers([same]).count("def scale_f(") == 1
    other = program_of(lambda ops, x: (scaled(2.0)(ops, x), scaled(3.0)(ops, x)), "f")
    for write in (numba_lines.helpers, print_cpp.helpers):
        with pytest.raises(TypeError, match="have the name scale: rename one"):
            write([other])
