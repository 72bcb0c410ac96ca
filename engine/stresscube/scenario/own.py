"""Code that a scenario names: read, run, tried, and made known to the kernels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stresscube.scenario import probe, user_code
from stresscube.scenario.code import Code, Parameters
from stresscube.scenario.expand import any_market, policy_spec, simulation_spec
from stresscube.scenario.faults import ABSENT, Fault, ScenarioError
from stresscube.scenario.policy import Scenario
from stresscube.scenario.trust import named
from stresscube.scenario.user_code import File, Function, Unusable
from stresscube_kernels import rules
from stresscube_kernels.contract import Shape
from stresscube_kernels.lines import Program
from stresscube_kernels.numba_lines import helpers, lines, operand
from stresscube_kernels.own import (
    Own,
    market_rules,
    policy_rules,
    traced_market,
    traced_policy,
)
from stresscube_kernels.pack import shape_of


def with_code(scenario: Scenario, texts: Mapping[str, str] | None = None) -> Scenario:
    """The scenario with the code that it names, which is run here.

    texts: {"market" or "policy": the text of its file}; the files are read unless given. Raises
    ScenarioError, with every fault that the code has, if it cannot be used.
    """
    return _with_code(scenario, texts or {})


def restore(scenario: Scenario) -> None:
    """Make trusted code known that was read by another process.

    Raises ScenarioError if it computes something else here.
    """
    made = _with_code(scenario, {code.section: code.text for code in scenario.code})
    for here, there in zip(made.code, scenario.code, strict=True):
        if here.rules != there.rules:
            sentence = "computes something else here than where the run was planned"
            raise ScenarioError([Fault(scenario.source, here.key, here.place, sentence)])


@dataclass(frozen=True)
class Step:
    """A function of a section ("market" or "policy"), and the parameters that it is given."""

    section: str
    place: str
    function: Function
    companions: tuple[Function, Function] | None
    given: tuple[str, ...]


def _with_code(scenario: Scenario, texts: Mapping[str, str]) -> Scenario:
    """texts: {section: the text of its file}, where that is known."""
    faults: list[Fault] = []
    steps: list[Step] = []
    files: dict[str, File] = {}
    for section, place in named(scenario).items():
        try:
            steps.append(_step(scenario, section, place, texts.get(section), files))
        except Unusable as unusable:
            faults += _faults(scenario, section, unusable.problems)
    shape = _shape(scenario)
    code: list[Code] = []
    for step in steps:
        try:
            code.append(_tried(scenario, step, shape))
        except Unusable as unusable:
            faults += _faults(scenario, step.section, unusable.problems)
        except probe.Misbehaved as error:
            faults += error.faults
    if faults:
        raise ScenarioError({str(fault): fault for fault in faults}.values())
    return scenario.model_copy(update={"code": tuple(code)})


def _step(
    scenario: Scenario, section: str, place: str, text: str | None, files: dict[str, File]
) -> Step:
    name, _, word = place.rpartition(":")
    if name not in files:
        path = _folder(scenario) / name
        known = user_code.read(path, name) if text is None else text
        files[name] = user_code.run(name, str(path), known)
    function = user_code.function_of(files[name], word, section)
    given = tuple(sorted(getattr(scenario, section).parameters))
    if misfits := user_code.misfits(function, given):
        raise misfits
    others = user_code.companions(function) if section == "policy" else None
    return Step(section, place, function, others, given)


def _folder(scenario: Scenario) -> Path:
    """Where the scenario's file is; the current folder if it is none."""
    return Path() if scenario.source == "<text>" else Path(scenario.source).parent


def _tried(scenario: Scenario, step: Step, shape: Shape) -> Code:
    """Trace a step, look at what it does, and register its rules. Raises Unusable, Misbehaved."""
    own = _guarded(scenario, step)
    programs: Sequence[Program]
    found: Iterator[probe.Finding]
    if step.section == "policy":
        programs = traced_policy(policy_rules(own), shape)
        found = probe.policy_findings(step.function, step.given, programs, scenario)
    else:
        programs = [traced_market(market_rules(own), shape)]
        found = probe.market_findings(step.function, step.given, programs[0], shape.features)
    if problems := tuple(found):
        raise Unusable(*problems)
    text = step.function.file.text
    own = replace(own, name=f"{step.place} {_digest(step, text, programs)}")
    if not rules.is_known(own.name):
        if step.section == "policy":
            rules.register(policy_rules(own))
        else:
            rules.register_market(market_rules(own))
    return Code(step.section, step.place, text, own.name)


def _guarded(scenario: Scenario, step: Step) -> Own:
    memory, section = step.function.memory, step.section
    check = (probe.account_check if section == "policy" else probe.path_check)(memory)
    own = Own(
        name="",
        step=probe.guarded(step.function, scenario, section, check),
        memory=memory,
        parameters=step.given,
    )
    if step.companions is None:
        return own
    acts, idle = step.companions
    return replace(
        own,
        acts=probe.guarded(acts, scenario, section, probe.truth_check),
        idle=probe.guarded(idle, scenario, section, check),
    )


def _digest(step: Step, text: str, programs: Sequence[Program]) -> str:
    """Of the text and of what it computes: what it imports or reads may change without it."""
    total = hashlib.sha256("\0".join([step.place, text, *step.given]).encode())
    total.update(helpers(programs).encode())
    for program in programs:
        outputs = (f"{name} = {operand(value)}" for name, value in program.outputs)
        total.update("\n".join([*lines(program), *outputs]).encode())
    return total.hexdigest()[:16]


def _shape(scenario: Scenario) -> Shape:
    """The code of the scenario as it stands, without what it names, latency wherever it may be."""
    plain: dict[str, Any] = {"step": None, "parameters": {}}
    bare = scenario.model_copy(
        update={
            "market": scenario.market.model_copy(update=plain),
            "policy": scenario.policy.model_copy(update=plain),
        }
    )
    shape = shape_of(any_market(bare, {}), [policy_spec(bare, {})], simulation_spec(bare))
    delayed = any(venue.latency > 0.0 for venue in scenario.venues)
    return shape._replace(features=shape.features._replace(latency=delayed))


def _faults(
    scenario: Scenario, section: str, problems: Sequence[tuple[str, str]]
) -> Iterator[Fault]:
    table: Any = getattr(scenario, section)
    for at, sentence in problems:
        _, _, name = at.partition(".")
        given = Parameters().plain(table.parameters)
        shown = table.step if at == "step" else given.get(name, ABSENT)
        yield Fault(scenario.source, f"{section}.{at}", shown, sentence)
