"""Every key of a scenario file in one flat table, and the way keys are written.

A key is written `market.regimes[1].correlation`; its pattern, `market.regimes[].correlation`,
is the same for every item of a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, cast, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stresscube.scenario.leaf import Leaf
from stresscube.scenario.policy import Document
from stresscube.scenario.tables import Tables


@dataclass(frozen=True)
class Key:
    """One key: a value (`leaf`), a table (`model`) or a list of `tables` (of `model`)."""

    pattern: str
    info: FieldInfo
    leaf: Leaf | None
    model: type[BaseModel] | None
    tables: Tables | None

    @property
    def word(self) -> str:
        """The last word of the key."""
        return self.pattern.removesuffix("[]").rpartition(".")[2]

    @property
    def many(self) -> bool:
        """Whether it is a list of tables."""
        return self.tables is not None

    @property
    def required(self) -> bool:
        """Whether a file must state it."""
        return self.info.is_required()

    @property
    def example(self) -> Any:
        """A value as the file would have it."""
        examples = self.info.examples or [None]
        return examples[0]


@cache
def keys() -> dict[str, Key]:
    """Every key by its pattern, in the order of the grammar."""
    return {entry.pattern: entry for entry in _walk(Document, "")}


def children(pattern: str) -> dict[str, Key]:
    """The keys directly inside the table or list of tables `pattern` ("" for the file)."""
    inside = f"{pattern}." if pattern else ""
    return {
        entry.word: entry
        for entry in keys().values()
        if entry.pattern.startswith(inside) and "." not in entry.pattern[len(inside) :]
    }


def written(location: tuple[int | str, ...]) -> str:
    """('market', 'regimes', 1) as "market.regimes[1]"."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".")


def pattern_of(key: str) -> str:
    """The pattern of a key: its indices left out."""
    return re.sub(r"\[\d+\]", "[]", key)


def lookup(raw: object, key: str) -> tuple[bool, Any]:
    """Whether `key` stands in the raw file, and its value there."""
    value: Any = raw
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", key):
        if name and isinstance(value, dict) and name in value:
            value = cast("dict[str, Any]", value)[name]
        elif index and isinstance(value, list) and int(index) < len(cast("list[Any]", value)):
            value = cast("list[Any]", value)[int(index)]
        else:
            return False, None
    return True, value


def touches(key: str, other: str) -> bool:
    """Whether one key is the other or lies inside it."""
    short, long = sorted((key, other), key=len)
    return long == short or (long.startswith(short) and long[len(short)] in ".[")


def _walk(model: type[BaseModel], inside: str) -> Iterator[Key]:
    for name, info in model.model_fields.items():
        leaf = next((item for item in info.metadata if isinstance(item, Leaf)), None)
        tables = next((item for item in info.metadata if isinstance(item, Tables)), None)
        child = tables.model if tables else _model(info.annotation)
        pattern = f"{inside}{name}{'[]' if tables else ''}"
        yield Key(pattern, info, leaf, child, tables)
        if child is not None:
            yield from _walk(child, f"{pattern}.")


def _model(annotation: object) -> type[BaseModel] | None:
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None
