"""Records as flat lists of named scalars, and back: what memory layouts and tracers need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

Record = TypeVar("Record", bound=tuple[Any, ...])


def leaves(record: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """(name, leaf) of a tree of NamedTuples and tuples, in field order.

    Names join the path with underscores: `venues_0_tiers_1_rate`.
    """
    if not isinstance(record, tuple):
        yield name, record
        return
    names = getattr(record, "_fields", None) or [str(k) for k in range(len(record))]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    for part, child in zip(names, record, strict=True):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        yield from leaves(child, f"{name}_{part}" if name else part)


def names(record: Any) -> list[str]:
    """The names of a record's leaves."""
    return [name for name, _ in leaves(record)]


def values(record: Any) -> list[Any]:
    """A record's leaves."""
    return [value for _, value in leaves(record)]


def rebuild(template: Record, flat: Iterator[Any]) -> Record:
    """A record of the template's shape from its leaves in order."""
    parts = [
        rebuild(child, flat) if isinstance(child, tuple) else next(flat)  # pyright: ignore[reportUnknownArgumentType]
        for child in template
    ]
    made: Any = type(template)
    return made(*parts) if hasattr(template, "_fields") else made(parts)
