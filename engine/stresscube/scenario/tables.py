"""A table of the scenario file as a frozen pydantic model, and arrays of them.

Durations are held in hours, "off", "horizon" and "forever" as infinity, everything else in the
units that the descriptions name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from stresscube.scenario.leaf import Wrong
from stresscube.scenario.leaves import Text

NAME = Text(r"[A-Za-z0-9][A-Za-z0-9_-]*", 'a name of letters, digits, "-" and "_"')
FILE_NAME = Text(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", 'a name of at most 100 letters, digits, "-", "_" and "."'
)


class Table(BaseModel):
    """A table of the file: no unknown keys, never changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def key(default: Any, description: str, example: Any, title: str | None = None) -> Any:
    """A key with its default (... where the file must state it), meaning and example."""
    return Field(default, description=description, examples=[example], title=title)


@dataclass(frozen=True)
class Tables:
    """A list of `least` to `most` tables of one model."""

    model: type[BaseModel]
    most: int
    least: int = 0

    def check(self, value: object) -> tuple[Any, ...]:
        """The list as a tuple, its items not yet validated. Raises Wrong."""
        if not isinstance(value, list):
            hint = ": write [[double brackets]]" if isinstance(value, dict) else ""
            raise Wrong(("", f"must be a list of tables{hint}"))
        items = cast("list[Any]", value)
        if not self.least <= len(items) <= self.most:
            raise Wrong(("", f"must have {self.least} to {self.most} tables, has {len(items)}"))
        return tuple(items)

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.check, handler(source))
