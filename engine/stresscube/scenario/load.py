"""Read a scenario: every fault of a file at once, or a valid Scenario."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stresscube.scenario import checks, overrides, sweep
from stresscube.scenario.faults import Fault, Problem, ScenarioError
from stresscube.scenario.grammar import lookup, touches
from stresscube.scenario.mend import mended
from stresscube.scenario.policy import Document, Scenario
from stresscube.scenario.reading import read_text, read_toml
from stresscube.scenario.translate import translated


def load(path: str | PathLike[str], overrides: Iterable[str] = ()) -> Scenario:
    """The scenario in a TOML file.

    overrides: "dotted.key=value" texts laid over the file, as in
    "market.regimes.stress.correlation=0.3". Raises ScenarioError with all faults.
    """
    return loads(read_text(Path(path)), str(path), overrides)


def loads(text: str, source: str = "<text>", overrides: Iterable[str] = ()) -> Scenario:
    """The scenario in a TOML text; `source` names it in messages. Raises ScenarioError."""
    return _scenario(text, source, tuple(overrides))


def _scenario(text: str, source: str, texts: tuple[str, ...]) -> Scenario:
    raw = read_toml(text, source)
    changed, faults = overrides.apply(raw, texts)
    body = {key: value for key, value in raw.items() if key != "sweep"}
    document, problems, bad = _document(body)
    values: dict[str, tuple[float | str, ...]] = {}
    idle: list[Fault] = []
    if document is not None:
        found = sweep.parse(raw.get("sweep", {}), document)
        crossed = [*checks.problems(document), *found.problems]
        problems += [problem for problem in crossed if not _spoilt(problem, bad)]
        values = found.values
        idle = overrides.unused(raw, changed, found.places)
    problems.sort(key=lambda problem: _section(problem.key))
    faults += [_fault(problem, raw, source, changed) for problem in problems]
    faults += idle
    if faults or document is None:
        raise ScenarioError({str(fault): fault for fault in faults}.values())
    fields = {name: getattr(document, name) for name in Document.model_fields}
    return Scenario.model_construct(
        **fields, sweep=values, source=source, text=text, overrides=texts
    )


def _document(body: dict[str, Any]) -> tuple[Document | None, list[Problem], list[str]]:
    """The document, the problems of its single values, and the keys at fault.

    Where values are at fault the document is the nearest valid one, so that what does not
    depend on them can still be checked; None if there is none.
    """
    try:
        return Document.model_validate(body), [], []
    except ValidationError as error:
        problems, faulty = translated(error)
        body, bad = mended(copy.deepcopy(body), faulty)
    try:
        return Document.model_validate(body), problems, bad
    except ValidationError:
        return None, problems, bad


def _spoilt(problem: Problem, bad: list[str]) -> bool:
    return any(touches(key, other) for key in (problem.key, *problem.needs) for other in bad)


def _section(key: str) -> int:
    """Where a key's section stands in the grammar; unknown ones come first."""
    sections = [*Document.model_fields, "sweep"]
    section = re.split(r"[.\[]", key)[0]
    return sections.index(section) if section in sections else -1


def _fault(problem: Problem, raw: dict[str, Any], source: str, changed: list[str]) -> Fault:
    here, value = lookup(raw, problem.key)
    if not here:
        value = problem.value
    origin = overrides.SOURCE if overrides.covers(changed, problem.key) else source
    return Fault(origin, problem.key, value, problem.sentence)
