"""Trying a user's step before anything relies on it: called once with symbols, then looked at."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from stresscube.scenario.explain import explained, place_of
from stresscube.scenario.faults import Fault, ScenarioError
from stresscube.scenario.policy import Scenario
from stresscube.scenario.user_code import Function
from stresscube_kernels.contract import Features, Tick
from stresscube_kernels.lines import Constant, Input, Program
from stresscube_kernels.own import read_fields
from stresscube_kernels.rules import NO_ACCOUNT, NO_STATE
from stresscube_kernels.trace import Symbol, TraceOps
from stresscube_kernels.tree import leaves, names

LARGEST = 1e38
"""Beyond this a float32 is infinite."""
KINDS = {"b": "a truth value; write ops.where(it, 1.0, 0.0)", "u": "an integer; write ops.u2f(it)"}
NO_TICK = Tick(*([0.0] * len(Tick._fields)))
Check = Callable[[Any], Iterator[str]]
Finding = tuple[str, str]
"""Where below the table that names the code, and a sentence."""


class Misbehaved(ScenarioError):
    """A step of a user's that went wrong when it was called."""

    def __init__(self, scenario: Scenario, section: str, sentence: str) -> None:
        place = getattr(scenario, section).step
        super().__init__([Fault(scenario.source, f"{section}.step", place, sentence)])


def guarded(
    function: Function, scenario: Scenario, section: str, check: Check
) -> Callable[..., Any]:
    """The function, its faults in one sentence: Misbehaved for an exception or a wrong result.

    section: that names it. check: yields what is wrong with a result of tracing.
    """
    file = function.file

    def called(ops: Any, *arguments: Any, **parameters: Any) -> Any:
        try:
            made = function.call(ops, *arguments, **parameters)
        except Exception as error:
            sentence = explained(error, file.name, file.path)
            raise Misbehaved(scenario, section, sentence) from error
        if isinstance(ops, TraceOps):
            for wrong in check(made):
                raise Misbehaved(scenario, section, f"{function.words} {wrong}")
        return made

    return called


def account_check(memory: Any) -> Check:
    """What a policy step must return: an account, and the memory if it has one."""
    parts = [("account", NO_ACCOUNT)]
    return _check([*parts, ("memory", memory)] if memory != () else parts)


def path_check(memory: Any) -> Check:
    """What a market step must return: the state, the tick, and the memory if it has one."""
    parts: list[tuple[str, Any]] = [("state", NO_STATE), ("tick", NO_TICK)]
    return _check([*parts, ("memory", memory)] if memory != () else parts)


def truth_check(made: Any) -> Iterator[str]:
    """What a function must return that tells whether an account acts."""
    if not (made.kind == "b" if isinstance(made, Symbol) else isinstance(made, bool)):
        yield "must return a truth value, such as a comparison"


def policy_findings(
    function: Function,
    given: Sequence[str],
    programs: Sequence[Program],
    scenario: Scenario,
    features: Features,
) -> Iterator[Finding]:
    """What a traced policy step does that it should not, or does not do that it should."""
    yield from _constants(function, programs)
    read = read_fields(programs, "tick")
    yield from _hidden(function, programs, features)
    if "z" in read and (sentence := _no_spread(scenario)):
        yield "step", f"{function.words} reads tick.z, and {sentence}"
    used = read_fields(programs, "policy")
    yield from _unused(function, given, used)


EXTREMES = ("variance_a", "variance_b", "covariance", "bridge", "mispricing")
"""Fields in which a tick holds a bar's lows and highs, where those decide liquidation."""
BUILT_IN = ("margin.py", "legs.py", "cross.py", "isolated.py", "decide.py", "ticks.py")
"""Files of the kernels that know what such a tick holds."""


def _hidden(
    function: Function, programs: Sequence[Program], features: Features
) -> Iterator[Finding]:
    """Fields that mean something else on a recorded history, read by other code than the pair's."""
    held: dict[str, str] = dict.fromkeys(EXTREMES if features.intrabar else (), LOWS_AND_HIGHS)
    if features.prints:
        held["mark_b"] = GAP
    if not held:
        return
    inputs = {f"tick.{field}": field for field in held}
    for program in programs:
        read: list[tuple[Any, tuple[str, int]]] = [
            (operand, line.source) for line in program.lines for operand in line.operands
        ]
        read += [(operand, (function.file.path, 0)) for _, operand in program.outputs]
        for operand, source in read:
            field = inputs.get(operand.name) if isinstance(operand, Input) else None
            if field is None or _is_built_in(source[0]):
                continue
            whole = source[1] == 0 or source[0] != function.file.path
            place = function.words if whole else place_of(
                source, function.file.name, function.file.path
            )  # fmt: skip
            yield "step", f"{place} reads tick.{field}, {held[field]}"
            return


LOWS_AND_HIGHS = (
    "which holds the bar's lows and highs here; leave it out, or set market.replay.ranges = false"
)
GAP = "which no recorded history has: its mark is the price; leave it out"


def _is_built_in(path: str) -> bool:
    file = Path(path)
    return file.parent.name == "stresscube_kernels" and file.name in BUILT_IN


def _no_spread(scenario: Scenario) -> str | None:
    """Why nothing fills z, or None."""
    market = scenario.market
    if market.replayed:
        lacking = market.replay is None or market.replay.spread_half_life == math.inf
        return "there is none; state market.replay.spread_half_life" if lacking else None
    reverts = any(regime.mispricing for regime in market.regimes)
    return None if reverts else "no regime has mispricing; add it"


def market_findings(
    function: Function, given: Sequence[str], program: Program, features: Features
) -> Iterator[Finding]:
    """The same of a market step. features: what the tables of the scenario switch on."""
    yield from _constants(function, [program])
    yield from _unused(function, given, read_fields([program], "market"))
    made = dict(program.outputs)
    zero = {field for field in Tick._fields if made[f"tick.{field}"] == Constant("f", 0.0)}
    for fields, wanted, why in NEEDED:
        if (wanted == "" or getattr(features, wanted)) and zero >= set(fields):
            words = f"{function.words} returns a tick without {' and '.join(fields)}"
            yield "step", f"{words}; {why}"
    for fields, feature, mend in SWITCHED:
        if not getattr(features, feature) and not zero >= set(fields):
            words = f"{function.words} states {' and '.join(fields)}, which nothing reads here"
            yield "step", f"{words}; {mend}"


DIFFUSION = "state them, as toolbox.diffusion does"
BRIDGE = "with simulation.bridge they find liquidations inside a step"
NEEDED = (
    (("variance_a", "variance_b"), "bridge", f"{BRIDGE}; {DIFFUSION}, or switch the bridge off"),
    (("bridge",), "bridge", f"{BRIDGE}; {DIFFUSION}, or switch the bridge off"),
    (("noise_a", "noise_b"), "latency", f"fills after a latency take them; {DIFFUSION}"),
    (("slippage_multiplier",), "", "write 1.0 where there is nothing to multiply"),
)  # fmt: skip
"""Fields of a tick, the feature that needs one of them ("": all code does), and what to do."""
ADD = "add it to the regimes, so that the policies' code has it"
SWITCHED = (
    (("funding_a", "funding_b"), "funding", f"funding is off; {ADD}"),
    (("mispricing",), "mispricing", f"mispricing is off; {ADD}"),
    (("mark_b",), "mark", "mark_smoothing is off; switch it on"),
)
"""Fields of a tick, the feature without which nothing reads them, and what to do."""


def _check(parts: Sequence[tuple[str, Any]]) -> Check:
    """A check that results are records like these, of real numbers."""
    words = ", ".join(word for word, _ in parts)
    wanted = f"({words})" if len(parts) > 1 else f"the {words}"

    def check(made: Any) -> Iterator[str]:
        several = isinstance(made, tuple) and not hasattr(cast("Any", made), "_fields")
        results: list[Any] = list(cast("tuple[Any, ...]", made)) if several else [made]
        if len(results) != len(parts):
            yield f"must return {wanted}, and returns {_listed(results)}"
            return
        for (word, template), result in zip(parts, results, strict=True):
            if names(result) != names(template):
                like = type(template).__name__ if hasattr(template, "_fields") else NUMBER
                yield f"must return {wanted}; its {word} must be {like}, not {_kind(result)}"
                return
            for name, leaf in leaves(result):
                if (kind := _kind(leaf)) != NUMBER:
                    yield f"returns {word}{f'.{name}' if name else ''} as {kind}"

    return check


NUMBER = "a number"


def _kind(value: Any) -> str:
    """What a part of a result is, in words."""
    if isinstance(value, Symbol):
        return KINDS.get(value.kind, NUMBER)
    if isinstance(value, bool):
        return KINDS["b"]
    if value is None:
        return "nothing"
    return NUMBER if isinstance(value, int | float) else type(value).__name__


def _listed(results: Sequence[Any]) -> str:
    kinds = [_kind(result).partition(";")[0] for result in results]
    return f"({', '.join(kinds)})" if len(kinds) > 1 else kinds[0]


def _constants(function: Function, programs: Sequence[Program]) -> Iterator[Finding]:
    """Numbers that have no place in a kernel: compilers may assume that there are none."""
    for program in programs:
        found = [(line.operands, line.source) for line in program.lines]
        found.append((tuple(operand for _, operand in program.outputs), ("", 0)))
        for operands, source in found:
            bad = [o for o in operands if isinstance(o, Constant) and not abs(o.value) < LARGEST]
            if bad:
                place = place_of(source, function.file.name, function.file.path)
                number = bad[0].value
                yield "step", f"{place}: {number} is no number for a kernel; write 1e30 for never"
                return


def _unused(function: Function, given: Sequence[str], used: frozenset[str]) -> Iterator[Finding]:
    for name in given:
        if f"parameters_{name}" not in used:
            yield f"parameters.{name}", f"is taken by {function.words}, which does not use it"
