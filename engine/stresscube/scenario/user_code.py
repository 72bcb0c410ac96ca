"""A user's Python file: read, run, and its functions looked at before anything calls them."""

from __future__ import annotations

import hashlib
import inspect
import linecache
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from stresscube.scenario.explain import explained
from stresscube.scenario.faults import did_you_mean, quoted
from stresscube_kernels.tree import names, values

LARGEST = 1_000_000
"""Bytes of a file of rules; they are a thousand times smaller."""
ARGUMENTS = {
    "market": ("ops", "features", "market", "state", "draw"),
    "policy": ("ops", "features", "account", "now", "tick", "policy"),
}
"""What a step takes first."""
MEMORY = "memory"


class Unusable(Exception):
    """Code that cannot be used: (where below the table that names it, sentence) for each reason."""

    def __init__(self, *problems: tuple[str, str]) -> None:
        super().__init__("; ".join(sentence for _, sentence in problems))
        self.problems = problems


@dataclass(frozen=True)
class File:
    """A file that was run. name: as the scenario has it. path: as Python's messages have it."""

    name: str
    path: str
    text: str
    module: ModuleType


@dataclass(frozen=True)
class Function:
    """A function of a file that takes what a step takes.

    memory: what it remembers at time 0; () for nothing. parameters: their names; required: of
    those that it cannot do without.
    """

    file: File
    name: str
    call: Callable[..., Any]
    memory: Any
    parameters: tuple[str, ...]
    required: tuple[str, ...]

    @property
    def words(self) -> str:
        """How messages call it."""
        return f"{self.name} of {self.file.name}"


def read(path: Path, name: str) -> str:
    """The text of a file of code. Raises Unusable."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        near = did_you_mean(path.name, _beside(path))
        sentence = f"there is no file {name}, seen from the scenario's folder"
        raise _refused(f"{sentence}{f'; {near}' if near else ''}") from None
    except OSError as error:
        raise _refused(f"{name} cannot be read: {error.strerror or error}") from None
    if len(data) > LARGEST:
        raise _refused(f"{name} is larger than {LARGEST:,} bytes; this is no file of rules")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise _refused(f"{name} is no UTF-8 text; save it as UTF-8") from None


def run(name: str, path: str, text: str) -> File:
    """Run the text of a file as a module of its own. Raises Unusable."""
    digest = hashlib.sha256(f"{path}\0{text}".encode()).hexdigest()[:16]
    module = ModuleType(f"stresscube_own_{digest}")
    module.__file__ = path
    lines = text.splitlines(keepends=True)
    linecache.cache[path] = (len(text), None, lines, path)
    sys.modules[module.__name__] = module
    try:
        exec(compile(text, path, "exec", dont_inherit=True), module.__dict__)
    except (Exception, SystemExit) as error:
        raise _refused(explained(error, name, path)) from error
    return File(name, path, text, module)


def function_of(file: File, name: str, section: str) -> Function:
    """The function of a file, looked at. Raises Unusable."""
    call = getattr(file.module, name, None)
    if call is None:
        known = [key for key, value in vars(file.module).items() if inspect.isfunction(value)]
        hint = did_you_mean(name, known) or (f"it has {quoted(known)}" if known else "it has none")
        raise _refused(f"{file.name} has no function {name}; {hint}")
    try:
        taken = tuple(inspect.signature(call).parameters.values())
    except (TypeError, ValueError):
        raise _refused(f"{name} of {file.name} is no function") from None
    memory = _memory(f"{name} of {file.name}", taken, ARGUMENTS[section])
    named = [it for it in taken if it.kind is inspect.Parameter.KEYWORD_ONLY]
    required = tuple(it.name for it in named if it.default is inspect.Parameter.empty)
    return Function(file, name, call, memory, tuple(it.name for it in named), required)


def _memory(words: str, taken: Sequence[inspect.Parameter], wanted: tuple[str, ...]) -> Any:
    """The memory of a function that takes these arguments, () for none. Raises Unusable."""
    named = inspect.Parameter.KEYWORD_ONLY
    starred = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    given = [it for it in taken if it.kind is not named]
    found = tuple(it.name.lstrip("_") for it in given)
    if any(it.kind in starred for it in given) or found not in (wanted, (*wanted, MEMORY)):
        raise _refused(
            f"{words} must take ({', '.join(wanted)}), then {MEMORY}=... if it remembers "
            f"something, then its parameters after *; it takes ({', '.join(map(str, taken))})"
        )
    if len(given) == len(wanted):
        return ()
    memory = given[-1].default
    if reason := _no_memory(memory):
        raise _refused(f"{words}: {reason}")
    return memory


def companions(step: Function) -> tuple[Function, Function] | None:
    """The functions that tell when a policy acts and step it when it does not, if there are any.

    Raises Unusable if there is one alone, or if they do not take what the step takes.
    """
    words = [f"{step.name}_acts", f"{step.name}_idle"]
    there = [word for word in words if hasattr(step.file.module, word)]
    if not there:
        return None
    if len(there) == 1:
        (missing,) = {*words} - {*there}
        raise _refused(f"{step.file.name} has {there[0]} and no {missing}; they go together")
    acts, idle = (function_of(step.file, word, "policy") for word in words)
    for other in (acts, idle):
        same = set(other.parameters) == set(step.parameters) and other.memory == step.memory
        if not same:
            raise _refused(f"{other.words} must take what {step.name} takes, memory and parameters")
    return acts, idle


def misfits(step: Function, given: Iterable[str]) -> Unusable | None:
    """What the table of parameters has too much or too little of, or None."""
    there = list(given)
    problems = [
        (f"parameters.{name}", f"is missing, and {step.words} takes it")
        for name in step.required
        if name not in there
    ]
    for name in there:
        if name not in step.parameters:
            hint = did_you_mean(name, step.parameters) or _takes(step.parameters)
            problems.append((f"parameters.{name}", f"is nothing that {step.words} takes; {hint}"))
    return Unusable(*problems) if problems else None


def _takes(parameters: tuple[str, ...]) -> str:
    return f"it takes {quoted(parameters)}" if parameters else "it takes no parameters"


def _no_memory(memory: Any) -> str | None:
    """What is wrong with a memory at time 0, or None."""
    if memory is inspect.Parameter.empty:
        return "memory must have a default, which is the memory at time 0, as in memory=0.0"
    leaves: list[Any] = values(memory)
    if not leaves or not all(isinstance(leaf, int | float) for leaf in leaves):
        return "memory must be a number or a NamedTuple of numbers"
    if any(isinstance(leaf, bool) or not math.isfinite(leaf) for leaf in leaves):
        return "memory must be of finite numbers; write 1.0 and 0.0 for true and false"
    found = names(memory)
    if len({*found}) < len(found) or not all(name.isascii() for name in found):
        return "memory must have fields of different names, in letters, digits and _"
    return None


def _beside(path: Path) -> list[str]:
    try:
        return sorted(item.name for item in path.parent.glob("*.py"))
    except OSError:
        return []


def _refused(sentence: str) -> Unusable:
    return Unusable(("step", sentence))
