"""[sweep]: which keys vary, and over what values. Each value passes the key's own rules."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from stresscube.scenario import checks, combinations, replay_checks
from stresscube.scenario.chains import STATIONARY
from stresscube.scenario.code import SECTIONS
from stresscube.scenario.dotted import BadKey, Target, replaced, resolve
from stresscube.scenario.faults import Problem, did_you_mean
from stresscube.scenario.grammar import lookup
from stresscube.scenario.leaf import Wrong
from stresscube.scenario.leaves import Duration, Real
from stresscube.scenario.policy import Document

RESERVED = ("quantile", "time", "leg", "batch", "path", "regime")
"""Dimensions that the cube has of its own."""

RANGE = "{ start, stop, num, log }"
MOST_VALUES = 10_000

Value = float | str


@dataclass(frozen=True)
class Sweep:
    """What [sweep] says, and what is wrong with it.

    places: where a swept value stands in the document -> its key in [sweep].
    """

    values: dict[str, tuple[Value, ...]]
    places: dict[str, str]
    problems: tuple[Problem, ...]


def parse(raw: object, document: Document) -> Sweep:
    """Read [sweep] against a valid document; never raises."""
    if not isinstance(raw, dict):
        return Sweep({}, {}, (Problem("sweep", "must be a table: write [sweep]"),))
    values: dict[str, tuple[Value, ...]] = {}
    places: dict[str, str] = {}
    problems: list[Problem] = []
    entries = flatten(cast("dict[str, Any]", raw))
    known = checks.of_the_market(document)
    for key, entry in entries.items():
        try:
            target = resolve(document, key)
        except BadKey as bad:
            problems.append(Problem(f"sweep.{key}", str(bad), bad.needs, entry))
            continue
        if (sentence := replay_checks.idle(document.market, target)) is not None:
            problems.append(Problem(f"sweep.{key}", sentence, ("market.source",), entry))
            continue
        places[target.at] = key
        found = _axis(target, entry, document, problems, known)
        if found is not None:
            values[key] = found
    problems += _same_dimension(list(values), entries)
    if not problems:
        problems += _lasting(document, values, entries, known)
    faulty = [key for key in entries if key not in values]
    problems += combinations.problems(document, values, faulty)
    return Sweep(values, places, tuple(problems))


def flatten(raw: dict[str, Any]) -> dict[str, Any]:
    """Write nested tables, which dotted keys without quotes make, as one dotted key each."""
    flat: dict[str, Any] = {}
    for key, entry in raw.items():
        if isinstance(entry, dict) and key in ("market", "venues", "simulation", "policy"):
            flat |= {f"{key}.{inner}": item for inner, item in _deep(cast("dict[str, Any]", entry))}
        else:
            flat[key] = entry
    return flat


def dimension(key: str) -> str:
    """The cube's name of an axis: the last two words of a dotted key, [0] written _0.

    A parameter of code goes by its own name.
    """
    if key.startswith(tuple(f"{section}.parameters." for section in SECTIONS)):
        return key.rpartition(".")[2]
    return re.sub(r"\[(\d+)\]", r"_\1", "_".join(key.split(".")[-2:]))


def _deep(table: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, entry in table.items():
        if isinstance(entry, dict) and not _is_range(cast("dict[str, Any]", entry)):
            for inner, item in _deep(cast("dict[str, Any]", entry)):
                yield f"{key}.{inner}", item
        else:
            yield key, entry


def _is_range(table: dict[str, Any]) -> bool:
    """Whether a table is a range, and not one of keys of which one happens to be named `stop`."""
    ends = (table[name] for name in ("start", "stop", "num") if name in table)
    return any(not isinstance(end, list | dict) for end in ends)


def _axis(
    target: Target,
    entry: object,
    document: Document,
    problems: list[Problem],
    known: list[Problem],
) -> tuple[Value, ...] | None:
    at = f"sweep.{target.key}"
    try:
        values = _entries(target, entry)
    except Wrong as wrong:
        for where, sentence in wrong.problems:
            shown = lookup(entry, where)[1] if where else entry
            problems.append(Problem(at + where, sentence, value=shown))
        return None
    parsed: list[Value] = []
    faults = len(problems)
    for index, value in enumerate(values):
        here = f"{at}[{index}]"
        try:
            item = target.leaf.parse(value)
        except Wrong as wrong:
            problems += [Problem(here, text, value=value) for _, text in wrong.problems]
            continue
        if item in parsed:
            first = parsed.index(item)
            problems.append(
                Problem(here, f"stands at {at}[{first}] already; each value once", value=value)
            )
        else:
            if target.market:
                changed = replaced(document, target.path, item)
                found = checks.brought(changed, known, target.at, here)
            else:
                found = checks.policy_value(document, target.key, item, here)
            problems += [Problem(p.key, p.sentence, p.needs, value) for p in found]
        parsed.append(item)
    return tuple(parsed) if len(problems) == faults else None


def _entries(target: Target, entry: object) -> list[Any]:
    """The values of an axis as the file would list them. Raises Wrong."""
    if isinstance(entry, dict):
        return _range(target, cast("dict[str, Any]", entry))
    values = cast("list[Any]", entry)
    if not isinstance(entry, list):
        raise Wrong(("", f"must be a list of values or {RANGE}"))
    if not values:
        raise Wrong(("", "has no values; give at least one, or remove the line"))
    if len(values) > MOST_VALUES:
        raise Wrong(("", f"has {len(values):,} values; at most {MOST_VALUES:,}"))
    return values


def _range(target: Target, table: dict[str, Any]) -> list[Any]:
    if not isinstance(target.leaf, Real | Duration):
        raise Wrong(("", "takes words, so it must be a list of values"))
    problems = [_unknown(name) for name in table if name not in ("start", "stop", "num", "log")]
    missing = [name for name in ("start", "stop", "num") if name not in table]
    if missing:
        problems.append(("", f"needs {' and '.join(missing)}, as in {RANGE}"))
    ends: list[float] = []
    for name in ("start", "stop"):
        if name in table:
            problems += _end(target.leaf, name, table[name], ends)
    num, log = table.get("num", 2), table.get("log", False)
    if type(num) is not int or not 2 <= num <= MOST_VALUES:
        problems.append((".num", f"must be a whole number from 2 to {MOST_VALUES:,}"))
    if not isinstance(log, bool):
        problems.append((".log", "must be true or false, without quotes"))
    elif log and ends[1:] and min(ends) <= 0:
        problems.append(("", "log needs start and stop above 0"))
    if ends[1:] and ends[0] == ends[1]:
        problems.append(("", "start and stop must differ"))
    if problems:
        raise Wrong(*problems)
    return [target.leaf.plain(value) for value in _spread(ends[0], ends[1], num, log)]


def _unknown(name: str) -> tuple[str, str]:
    hint = did_you_mean(name, ("start", "stop", "num", "log"))
    return f".{name}", f"is no key of a range {RANGE}{f'; {hint}' if hint else ''}"


def _end(
    leaf: Real | Duration, name: str, value: object, ends: list[float]
) -> list[tuple[str, str]]:
    try:
        end = leaf.parse(value)
    except Wrong as wrong:
        return [(f".{name}", sentence) for _, sentence in wrong.problems]
    if isinstance(end, str) or math.isinf(end):
        return [(f".{name}", "must be finite; list such a value by itself")]
    ends.append(end)
    return []


def _spread(start: float, stop: float, num: int, log: bool) -> list[float]:
    """`num` values from start to stop, evenly or by a constant factor, to 12 digits."""
    shares = [index / (num - 1) for index in range(num)]
    if log:
        inner = [start * (stop / start) ** share for share in shares]
    else:
        inner = [start + (stop - start) * share for share in shares]
    return [start, *(float(f"{value:.12g}") for value in inner[1:-1]), stop]


def _lasting(
    document: Document,
    values: dict[str, tuple[Value, ...]],
    entries: dict[str, Any],
    known: list[Problem],
) -> Iterator[Problem]:
    """Whether axes that each may make a regime last for ever are too many together.

    A state that lasts adds an end to its chain and takes none away, so the case of all that can
    last is the worst.
    """
    found: list[str] = []
    changed = document
    for key, listed in values.items():
        target = resolve(document, key)
        extreme = {"mean_duration": math.inf}.get(str(target.path[-1]), STATIONARY)
        if target.market and extreme in listed:
            found.append(key)
            changed = replaced(changed, target.path, extreme)
    if len(found) > 1:
        at = f"sweep.{found[0]}"
        for p in checks.brought(changed, known, "", at, "with the other axes"):
            yield Problem(p.key, p.sentence, p.needs, entries[found[0]])


def _same_dimension(keys: list[str], entries: dict[str, Any]) -> Iterator[Problem]:
    names = [dimension(key) for key in keys]
    for index, (key, name) in enumerate(zip(keys, names, strict=True)):
        if name in names[:index]:
            other = keys[names.index(name)]
            renamed = "the parameter" if ".parameters." in key + other else "one of the regimes"
            yield Problem(
                f"sweep.{key}",
                f'would share the dimension "{name}" with sweep.{other}; '
                f"rename {renamed}, or sweep one of the two",
                value=entries[key],
            )
        if name in RESERVED:
            sentence = f'would be the dimension "{name}", which the cube has already'
            yield Problem(f"sweep.{key}", sentence, value=entries[key])
