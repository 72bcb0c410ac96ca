"""Records as flat lists of named scalars, and back: what memory layouts and tracers need."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, TypeVar, cast

Record = TypeVar("Record", bound=tuple[Any, ...])


def leaves(record: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """(name, leaf) of a tree of NamedTuples and tuples, in field order.

    Names join the path with underscores: `venues_0_tiers_1_rate`.
    """
    if not isinstance(record, tuple):
        yield name, record
        return
    children = cast("tuple[Any, ...]", record)
    parts = getattr(children, "_fields", None) or [str(k) for k in range(len(children))]
    for part, child in zip(parts, children, strict=True):
        yield from leaves(child, f"{name}_{part}" if name else part)


def names(record: Any) -> list[str]:
    """The names of a record's leaves."""
    return [name for name, _ in leaves(record)]


def values(record: Any) -> list[Any]:
    """A record's leaves."""
    return [value for _, value in leaves(record)]


def rebuild(template: Record, flat: Iterator[Any]) -> Record:
    """A record of the template's shape from its leaves in order."""
    parts: list[Any] = [
        rebuild(cast("tuple[Any, ...]", child), flat) if isinstance(child, tuple) else next(flat)
        for child in template
    ]
    return like(template, parts)


def like(template: Any, parts: list[Any]) -> Any:
    """A record or tuple of the template's type from its children."""
    made = cast("Callable[..., Any]", type(template))
    return made(*parts) if hasattr(template, "_fields") else made(parts)


def combine(make: Callable[..., Any], *records: Record) -> Record:
    """A record whose leaves are `make` of the leaves at the same place in records of one shape."""
    columns = zip(*(values(record) for record in records), strict=True)
    return rebuild(records[0], (make(*column) for column in columns))


def extended(base: Any, field: str, value: Any) -> Any:
    """A record with one more field at its end. What uses only the others takes it as it is."""
    return _type(type(base).__name__, (*base._fields, field))(*base, value)


def shortened(longer: Any, base: Any) -> Any:
    """The record of type `base` inside one that was extended."""
    return base(*longer[: len(base._fields)])


def record(fields: Sequence[str], values: Iterable[Any]) -> Any:
    """A record of these fields."""
    return _type("Record", tuple(fields))(*values)


@cache
def _type(name: str, fields: tuple[str, ...]) -> Any:
    return namedtuple(name, fields)  # pyright: ignore[reportUntypedNamedTuple]
