"""pydantic's findings in the words of this program."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from stresscube.scenario.faults import Problem, nearest, quoted, toml
from stresscube.scenario.grammar import children, keys, pattern_of, written
from stresscube.scenario.leaf import Wrong


def translated(error: ValidationError) -> tuple[list[Problem], list[str]]:
    """One problem for each thing pydantic found, and every key at fault.

    An unknown key that looks like a known one stands for it, in `needs`: that this one is
    missing is not reported again.
    """
    found = [problem for item in error.errors(include_url=False) for problem in _one(item)]
    meant = {key for problem in found for key in problem.needs}
    faulty = [problem.key for problem in found]
    missing = {written(item["loc"]) for item in error.errors() if item["type"] == "missing"}
    return [p for p in found if p.key not in meant & missing], [*faulty, *meant]


def _one(item: ErrorDetails) -> Iterator[Problem]:
    key = written(item["loc"])
    wrong = item.get("ctx", {}).get("error")
    if isinstance(wrong, Wrong):
        yield from (Problem(key + at, sentence) for at, sentence in wrong.problems)
    elif item["type"] == "missing":
        yield Problem(key, _missing(key))
    elif item["type"] == "extra_forbidden":
        yield _unknown(key)
    elif item["type"] in ("model_type", "dict_type", "model_attributes_type"):
        yield Problem(key, _table(key))
    else:
        yield Problem(key, item["msg"])


def _missing(key: str) -> str:
    entry = keys()[pattern_of(key)] if pattern_of(key) in keys() else keys()[pattern_of(key) + "[]"]
    if entry.many:
        return f"is missing; add [[{key}]]"
    if entry.model is not None:
        return f"is missing; add [{key}]" if "[" not in key else "is missing; it is a table"
    return f"is missing; as in {entry.word} = {toml(entry.example)}"


def _unknown(key: str) -> Problem:
    section, _, word = key.rpartition(".")
    known = [*children(pattern_of(section)), *(() if section else ("sweep",))]
    place = section or "the file"
    near = nearest(word, known)
    if near is not None:
        meant = f"{section}.{near}".removeprefix(".")
        return Problem(key, f'is no key of {place}; did you mean "{near}"?', (meant,))
    homes = [entry.pattern for entry in keys().values() if entry.word == word]
    if homes:
        return Problem(key, f"is no key of {place}; it belongs in {_bracketed(homes[0])}")
    return Problem(key, f"is no key of {place}, which has {quoted(known, 24)}")


def _bracketed(pattern: str) -> str:
    section = pattern.removesuffix("[]").rpartition(".")[0]
    if not section:
        return "the top of the file"
    return f"[[{section[:-2]}]]" if section.endswith("[]") else f"[{section}]"


def _table(key: str) -> str:
    pattern = pattern_of(key)
    if pattern.endswith("[]"):
        return f"must be a table: write [[{pattern[:-2]}]]"
    return f"must be a table: write [{key}]" if "[" not in key else "must be a table: { ... }"
