"""One value of a scenario file: parsed, explained and described in one place.

A leaf turns a TOML value into the value the program uses or raises `Wrong` with the
sentences to show. The error messages, the JSON Schema and the reference in
scenarios/README.md all come from leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


class Wrong(ValueError):
    """A value that is not allowed: pairs of (where inside the value, sentence)."""

    def __init__(self, *problems: tuple[str, str]) -> None:
        super().__init__("; ".join(sentence for _, sentence in problems))
        self.problems = problems


def kind(value: object) -> str:
    """What a TOML value is, in words."""
    names: dict[type, str] = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "a table",
    }
    return names.get(type(value), "a date or time")


class Leaf:
    """One kind of value. `unit` is its physical unit, "" where it has none."""

    unit: str = ""

    @property
    def allowed(self) -> str:
        """What is allowed, to follow "must be"."""
        raise NotImplementedError

    def parse(self, value: object) -> Any:
        """The value the program uses. Raises Wrong."""
        raise NotImplementedError

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the value in the file."""
        raise NotImplementedError

    def plain(self, value: Any) -> Any:
        """A parsed value as the file would have it, for defaults; None if it has no text."""
        return value

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def refuse(self, value: object, at: str = "") -> Wrong:
        """The usual complaint, with a hint when only the kind of value is wrong."""
        return Wrong((at, f"must be {self.allowed}"))


def each(
    parse: Callable[[object], Any], values: list[object], at: list[str] | None = None
) -> tuple[Any, ...]:
    """Parse every value; raise the problems of all of them together."""
    places = at if at is not None else [f"[{index}]" for index in range(len(values))]
    parsed: list[Any] = []
    problems: list[tuple[str, str]] = []
    for place, value in zip(places, values, strict=True):
        try:
            parsed.append(parse(value))
        except Wrong as wrong:
            problems += [(place + inner, sentence) for inner, sentence in wrong.problems]
    if problems:
        raise Wrong(*problems)
    return tuple(parsed)
