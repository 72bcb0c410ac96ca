"""Keys of a scenario that name Python code, and the numbers that the code takes.

Reading a scenario runs none of it: see `trust.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, cast

from stresscube.scenario.leaf import Leaf, Wrong, each, kind
from stresscube.scenario.leaves import Duration, Real
from stresscube.scenario.units import PATTERN, format_duration

SECTIONS = ("market", "policy")
"""Tables that may name a step of one's own, in the order of their faults."""
PLACE = r"[^/:\\][^:\\]*\.py:[A-Za-z_][A-Za-z0-9_]*"
LARGEST = 1e30
"""What kernels take for never; float32 has room for little more."""
NUMBER = Real(-LARGEST, LARGEST)
LENGTH = Duration(zero=True)


@dataclass(frozen=True)
class Parameter:
    """A number of the code; a duration is in hours."""

    value: float
    duration: bool = False

    @property
    def leaf(self) -> Real | Duration:
        """What other values it may have."""
        return LENGTH if self.duration else NUMBER


@dataclass(frozen=True)
class Code:
    """Code that was read, tried and is trusted.

    section: "market" or "policy". place: as the scenario names it. text: of the file. rules: the
    name that the kernels know it by; it holds a digest of the text and of what it computes.
    """

    section: str
    place: str
    text: str
    rules: str

    @property
    def key(self) -> str:
        """The key that names it."""
        return f"{self.section}.step"


@dataclass(frozen=True)
class Place(Leaf):
    """A function in a Python file."""

    @property
    def allowed(self) -> str:
        return (
            'a path from this file to a Python file, and a function in it, as in "my_rules.py:step"'
        )

    def parse(self, value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(PLACE, value):
            raise self.refuse(value)
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{PLACE}$"}


@dataclass(frozen=True)
class Parameters(Leaf):
    """A table of numbers and durations by name."""

    unit: str = "1"

    @property
    def allowed(self) -> str:
        return 'a table of numbers and durations by name, as in { stop = 0.1, wait = "2h" }'

    def parse(self, value: object) -> dict[str, Parameter]:
        if not isinstance(value, dict):
            raise self.refuse(value)
        table = cast("dict[str, object]", value)
        pairs = each(_named, list(table.items()), [f".{name}" for name in table])
        return dict(pairs)

    def plain(self, value: Any) -> Any:
        return {
            name: format_duration(p.value) if p.duration and p.value else p.value
            for name, p in value.items()
        }

    def schema(self) -> dict[str, Any]:
        number, length = {"type": "number"}, {"type": "string", "pattern": f"^({PATTERN})$"}
        return {"type": "object", "additionalProperties": {"anyOf": [number, length]}}


def _named(item: object) -> tuple[str, Parameter]:
    name, value = cast("tuple[str, object]", item)
    if not name.isascii() or not name.isidentifier():
        raise Wrong(("", "must have a name of letters, digits and _, not beginning with a digit"))
    if isinstance(value, str):
        return name, Parameter(LENGTH.parse(value), duration=True)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Wrong(("", f'must be a number or a duration such as "1min", not {kind(value)}'))
    return name, Parameter(cast(float, NUMBER.parse(value)))
