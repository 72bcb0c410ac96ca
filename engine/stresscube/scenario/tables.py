"""Arrays of tables: how many there may be, and of which model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from stresscube.scenario.leaf import Wrong


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
