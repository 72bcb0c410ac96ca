"""What is wrong with a scenario file: one line a fault, and the sentences they share."""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from stresscube.errors import StresscubeError

LONGEST = 60
"""Characters of a value that a message shows."""


class _Absent:
    """Stands for the value of a key that the file does not have."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()


@dataclass(frozen=True)
class Fault:
    """One fault: `source: key = value: sentence`. key "" speaks of the whole source."""

    source: str
    key: str
    value: Any
    sentence: str

    def __str__(self) -> str:
        if not self.key:
            line = f"{self.source}: {self.sentence}"
        elif isinstance(self.value, _Absent):
            line = f"{self.source}: {self.key}: {self.sentence}"
        else:
            line = f"{self.source}: {self.key} = {toml(self.value)}: {self.sentence}"
        return _printable(line)


@dataclass(frozen=True)
class Problem:
    """A fault before its source is known.

    needs: other keys that it speaks of; where one of them is at fault itself, this is
    not reported. value: shown if the file does not state the key. idle: whether all that is
    wrong is that something would do nothing.
    """

    key: str
    sentence: str
    needs: tuple[str, ...] = ()
    value: Any = ABSENT
    idle: bool = False


class ScenarioError(StresscubeError):
    """A scenario cannot be used. `faults` are all of them; str() has one line for each."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


def toml(value: object) -> str:
    """A value as a TOML file would have it, on one line and not too long."""
    text = _toml(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 4].rstrip() + " ..."


def quoted(words: Iterable[str], most: int = 8) -> str:
    """'"a", "b", "c"' for a message."""
    names = [f'"{word}"' for word in words]
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """'did you mean "x"?', or "" if nothing is near."""
    near = nearest(word, candidates)
    return f'did you mean "{near}"?' if near else ""


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that `word` most looks like, or None if none is near."""
    near = difflib.get_close_matches(word, list(candidates), n=1, cutoff=0.6)
    return near[0] if near else None


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{_printable(escaped)}"'
    if isinstance(value, list | tuple):
        items = cast("list[object]", value)
        return "[" + ", ".join(_toml(item) for item in items[:LONGEST]) + "]"
    if isinstance(value, dict):
        table = cast("dict[str, object]", value)
        pairs = [f"{_bare(name)} = {_toml(item)}" for name, item in list(table.items())[:LONGEST]]
        return "{ " + ", ".join(pairs) + " }" if pairs else "{}"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return repr(value)


def _printable(text: str) -> str:
    """Text on one line: what cannot be printed is escaped as TOML does."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04X}" for c in text)


def _bare(name: str) -> str:
    bare = name.isascii() and name.replace("-", "_").isidentifier()
    return name if bare or name.isdigit() else _toml(name)
