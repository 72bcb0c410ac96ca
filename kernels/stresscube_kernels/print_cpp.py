"""The C++ printer: traced programs as structs and inline functions, plain enough to read.

The host skeleton (`native/host.cpp`) and the GPU's include the same text. Each group of
assignments is headed by the Python line that it comes from.
"""

from __future__ import annotations

import linecache
from collections.abc import Sequence
from pathlib import Path

from . import contract
from .programs import Programs, market_places
from .trace import Constant, Input, Line, Operand, Program

NATIVE = Path(__file__).parent / "native"
TYPES = {"f": "real", "u": "uint32_t", "b": "mask", "t": "const real *"}

_FORMATS = {
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
    "not": "!{0}",
    "where": "where({0}, {1}, {2})",
    "fmin": "minimum({0}, {1})",
    "fmax": "maximum({0}, {1})",
    "fabs": "magnitude({0})",
    "sqrt": "root({0})",
    "uadd": "{0} + {1}",
    "usub": "{0} - {1}",
    "umul": "{0} * {1}",
    "uxor": "{0} ^ {1}",
    "uand": "{0} & {1}",
    "uor": "{0} | {1}",
    "ushl": "{0} << {1}",
    "ushr": "{0} >> {1}",
    "mulhi": "mulhi({0}, {1})",
    "u2f": "real({0})",
    "f2bits": "bits_of(float({0}))",
    "bits2f": "real(float32_of({0}))",
    "lookup": "{0}[{1}]",
}


def host_source(programs: Programs, precision: str, lanes: int = 64) -> str:
    """One self-contained translation unit for the host compiler."""
    return _unit(programs, precision, "host.cpp", {"LANES": lanes})


def cuda_source(
    programs: Programs, precision: str, threads: int = 128, policies_per_thread: int = 2
) -> str:
    """One self-contained translation unit for nvcc or NVRTC."""
    sizes = {"THREADS": threads, "POLICIES_PER_THREAD": policies_per_thread}
    return _unit(programs, precision, "device.cu", sizes)


def _unit(programs: Programs, precision: str, skeleton: str, sizes: dict[str, int]) -> str:
    """Prelude, generated steps and skeleton in one text: nothing is left to include."""
    real = {"float32": "float", "float64": "double"}[precision]
    return "\n".join(
        [
            f"#define REAL {real}",
            *(f"#define {name} {value}" for name, value in sizes.items()),
            (NATIVE / "prelude.h").read_text().replace("#pragma once\n", ""),
            steps(programs),
            (NATIVE / skeleton).read_text(),
        ]
    )


def steps(programs: Programs) -> str:
    """The records and the five steps."""
    policy = [(name, "f") for name in programs.policy_fields]
    market = list(programs.market_fields)
    records: dict[str, list[tuple[str, str]]] = {
        "State": _reals(contract.MarketState._fields),
        "Tick": _reals(contract.Tick._fields),
        "Policy": policy,
        "Account": _reals(programs.account_fields),
        "Outcome": _reals(contract.Outcome._fields),
    }
    parts = [_struct("Market", market), _load_market(market)]
    parts.append(_struct("Draw", [(name, "u") for name in contract.Draw._fields]))
    for name, fields in records.items():
        parts += [_struct(name, fields), _size(name, fields), _load(name, fields)]
        parts.append(_store(f"store_{name.lower()}", name, [f for f, _ in fields]))
    parts += [
        _function(
            "start_market", programs.market_start, ["State &state", _in("Market"), _in("Draw")]
        ),
        _function(
            "step_market",
            programs.market_step,
            ["State &state", "Tick &tick", _in("Market"), _in("Draw")],
        ),
        _function("open_account", programs.policy_open, ["Account &account", _in("Policy")]),
        *_account_steps(programs),
        _function(
            "close_account",
            programs.policy_close,
            ["Outcome &outcome", _in("Account"), _in("Tick"), _in("Policy")],
        ),
    ]
    return "\n".join(parts)


def _account_steps(programs: Programs) -> list[str]:
    """The whole step and the idle one (the whole one again, where rules have no other).

    They take the tick and the following one, and say whether the account acts at the next start.
    """
    parameters = [
        "Account &account", "mask &acts", _in("Clock"), _in("Tick"), "const Tick &following",
        _in("Policy"),
    ]  # fmt: skip
    idle = programs.policy_idle
    parts = ["struct Clock {\n  real now;  // steps before this one\n};\n"]
    for name, program in (("step_account", programs.policy_step), ("idle_account", idle)):
        if program is not None:
            parts.append(_function(name, program, parameters))
            changed = changed_fields(program)
            store = _store(f"store_{name}", "Account", programs.account_fields, changed)
            parts.append(store)
    parts.append(f"constexpr bool MAY_IDLE = {'false' if idle is None else 'true'};\n")
    if idle is None:
        parts.append(
            "#define idle_account step_account\n#define store_idle_account store_step_account\n"
        )
    return parts


def changed_fields(program: Program) -> list[str]:
    """The account fields that a step changes: the others need no store."""
    return [
        name.split(".")[1]
        for name, value in program.outputs
        if name != "acts" and not (isinstance(value, Input) and value.name == name)
    ]


def _reals(fields: Sequence[str]) -> list[tuple[str, str]]:
    return [(field, "f") for field in fields]


def _in(name: str) -> str:
    return f"const {name} &{name.lower()}"


def _struct(name: str, fields: Sequence[tuple[str, str]]) -> str:
    body = "\n".join(f"  {TYPES[kind]} {field};" for field, kind in fields)
    aligned = "alignas(16) " if name == "Tick" else ""
    return f"struct {aligned}{name} {{\n{body}\n}};\n"


def _size(name: str, fields: Sequence[tuple[str, str]]) -> str:
    return f"constexpr int {name.upper()}_FIELDS = {len(fields)};\n"


def _load(name: str, fields: Sequence[tuple[str, str]]) -> str:
    values = ",\n".join(f"      at[{k} * stride]" for k in range(len(fields)))
    return (
        f"STEP {name} load_{name.lower()}(const real *at, int64_t stride) {{\n"
        f"  return {{\n{values},\n  }};\n}}\n"
    )


def _store(
    function: str, name: str, fields: Sequence[str], only: Sequence[str] | None = None
) -> str:
    record = name.lower()
    body = "\n".join(
        f"  at[{k} * stride] = {record}.{field};"
        for k, field in enumerate(fields)
        if only is None or field in only
    )
    return (
        f"STEP void {function}(real *at, int64_t stride, const {name} &{record}) {{\n{body}\n}}\n"
    )


def _load_market(fields: Sequence[tuple[str, str]]) -> str:
    body = "\n".join(f"      {place}," for _, place in market_places(fields))
    return (
        "STEP Market load_market(const real *reals, const uint32_t *words, const real *table) {\n"
        f"  return {{\n{body}\n  }};\n}}\n"
    )


def _function(name: str, program: Program, parameters: Sequence[str]) -> str:
    """One step; outputs are stored last, so records may be read and written in place."""
    body: list[str] = []
    source: tuple[str, int] | None = None
    for line in program.lines:
        if line.source != source:
            source = line.source
            body.append(f"  // {_quote(*source)}")
        value = _FORMATS[line.op].format(*(operand(o) for o in line.operands))
        body.append(f"  const {TYPES[line.kind]} v{line.number} = {value};")
    stores: list[str] = []
    for k, (target, value) in enumerate(program.outputs):
        if isinstance(value, Input) and value.name != target:  # it may be overwritten below
            body.append(f"  const {TYPES[value.kind]} kept{k} = {value.name};")
            stores.append(f"  {target} = kept{k};")
        elif not isinstance(value, Input):
            stores.append(f"  {target} = {operand(value)};")
    body += stores
    joined = "\n".join(body)
    return f"STEP void {name}({', '.join(parameters)}) {{\n{joined}\n}}\n"


def _quote(file: str, number: int) -> str:
    """A Python source line, for a comment."""
    text = linecache.getline(file, number).strip()
    return f"{Path(file).name}:{number}  {text}".replace("\\", "").rstrip()


def operand(value: Operand) -> str:
    """An operand as a C++ expression."""
    if isinstance(value, Line):
        return f"v{value.number}"
    if isinstance(value, Input):
        return value.name
    assert isinstance(value, Constant)
    if value.kind == "f":
        return f"real({value.value!r})"
    if value.kind == "u":
        return f"uint32_t({value.value}u)"
    return "true" if value.value else "false"
