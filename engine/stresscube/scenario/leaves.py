"""The kinds of value a scenario file has: numbers, durations, words, pairs, probabilities."""

from __future__ import annotations

import datetime
import math
import re
from dataclasses import dataclass, field
from typing import Any, cast

from stresscube.scenario.leaf import Leaf, Wrong, each, kind
from stresscube.scenario.units import PATTERN, format_duration, parse_duration


def _bounds(low: float, high: float, low_open: bool, high_open: bool, infinite: bool) -> str:
    if math.isinf(high):
        below = "a number" if math.isinf(low) else f"more than {low:g}"
        text = below if low_open or math.isinf(low) else f"{low:g} or more"
        return f"{text}, or inf" if infinite else text
    return f"in {'(' if low_open else '['}{low:g}, {high:g}{')' if high_open else ']'}"


@dataclass(frozen=True)
class Real(Leaf):
    """A real number in a range; `words` are texts allowed besides."""

    low: float = -math.inf
    high: float = math.inf
    unit: str = "1"
    low_open: bool = False
    high_open: bool = False
    infinite: bool = False
    words: tuple[str, ...] = ()
    off: str | None = None
    """The word among `words` that means infinity (never, off)."""

    @property
    def allowed(self) -> str:
        text = _bounds(self.low, self.high, self.low_open, self.high_open, self.infinite)
        return text + "".join(f' or "{word}"' for word in self.words)

    def parse(self, value: object) -> float | str:
        if isinstance(value, str):
            return self._word(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Wrong(("", f"must be {self._number}, not {kind(value)}"))
        if value != value:
            raise Wrong(("", f"must be {self._number}, not nan"))
        inside = self.low < value if self.low_open else self.low <= value
        inside = inside and (value < self.high if self.high_open else value <= self.high)
        if not inside or (abs(value) > 1e300 and not (self.infinite and value == math.inf)):
            raise self.refuse(value)
        return float(value)

    @property
    def _number(self) -> str:
        allowed = self.allowed
        return allowed if allowed.startswith("a number") else f"a number {allowed}"

    def _word(self, value: str) -> float | str:
        if value in self.words:
            return math.inf if value == self.off else value
        try:
            float(value)
        except ValueError:
            raise Wrong(("", f"must be {self._number}, not text")) from None
        raise Wrong(("", f"must be {self._number}: remove the quotes"))

    def plain(self, value: Any) -> Any:
        return self.off if self.off is not None and value == math.inf else value

    def schema(self) -> dict[str, Any]:
        number: dict[str, Any] = {"type": "number"}
        if math.isfinite(self.low):
            number["exclusiveMinimum" if self.low_open else "minimum"] = self.low
        if math.isfinite(self.high):
            number["exclusiveMaximum" if self.high_open else "maximum"] = self.high
        if not self.words:
            return number
        return {"anyOf": [number, {"type": "string", "enum": list(self.words)}]}


@dataclass(frozen=True)
class Whole(Leaf):
    """A whole number in a closed range; `limits` says the range in words."""

    low: int
    high: int
    limits: str
    unit: str = "1"

    @property
    def allowed(self) -> str:
        return f"a whole number from {self.limits}"

    def parse(self, value: object) -> int:
        if isinstance(value, float) and value.is_integer() and self.low <= value <= self.high:
            raise Wrong(("", f"must be {self.allowed}: write {int(value)}"))
        if type(value) is not int or not self.low <= value <= self.high:
            raise self.refuse(value)
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True)
class Duration(Leaf):
    """A length of time, held in hours; the word `off`, where there is one, means infinity."""

    zero: bool = False
    off: str | None = None
    unit: str = "h"

    @property
    def allowed(self) -> str:
        zero = ', "0s" allowed' if self.zero else ""
        word = f', or "{self.off}"' if self.off else ""
        return f'a duration such as "1min"{zero}{word}'

    def parse(self, value: object) -> float:
        if not isinstance(value, str):
            hint = ""
            if isinstance(value, int | float) and not isinstance(value, bool):
                hint = ", in quotes and with a unit"
            raise Wrong(("", f"must be {self.allowed}{hint}"))
        if self.off is not None and value == self.off:
            return math.inf
        try:
            hours = parse_duration(value)
        except ValueError as error:
            other = f', or be "{self.off}"' if self.off else ""
            raise Wrong(("", f"{error}{other}")) from None
        if hours == 0.0 and not self.zero:
            raise Wrong(("", "must be longer than 0"))
        return hours

    def plain(self, value: Any) -> Any:
        return self.off if value == math.inf else format_duration(value)

    def schema(self) -> dict[str, Any]:
        pattern = f"^({PATTERN})$" if self.off is None else f"^({PATTERN}|{self.off})$"
        return {"type": "string", "pattern": pattern}


@dataclass(frozen=True)
class Choice(Leaf):
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def allowed(self) -> str:
        quoted = [f'"{word}"' for word in self.words]
        return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if quoted[1:] else quoted)

    def parse(self, value: object) -> str:
        if not isinstance(value, str) or value not in self.words:
            raise self.refuse(value)
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.words)}


@dataclass(frozen=True)
class Switch(Leaf):
    """true or false."""

    @property
    def allowed(self) -> str:
        return "true or false, without quotes"

    def parse(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise self.refuse(value)
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Text(Leaf):
    """Text; `pattern` and what it means in words where not everything goes."""

    pattern: str = r"(?s:.*)"
    meaning: str = "text"

    @property
    def allowed(self) -> str:
        return self.meaning

    def parse(self, value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(self.pattern, value, re.ASCII):
            raise self.refuse(value)
        return value

    def schema(self) -> dict[str, Any]:
        anything = {"type": "string"}
        return anything if self.meaning == "text" else anything | {"pattern": f"^{self.pattern}$"}


@dataclass(frozen=True)
class FileName(Leaf):
    """A file, by its name relative to the scenario file's folder."""

    @property
    def allowed(self) -> str:
        return "the name of a file, in quotes"

    def parse(self, value: object) -> str:
        if not isinstance(value, str) or not value.strip() or "\0" in value:
            raise self.refuse(value)
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


@dataclass(frozen=True)
class Files(Leaf):
    """A list of files, by names relative to the scenario file's folder."""

    most: int = 1000

    @property
    def allowed(self) -> str:
        return "a list of files"

    def parse(self, value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise self.refuse(value)
        names = cast("list[object]", value)
        if len(names) > self.most:
            raise Wrong(("", f"has {len(names):,} files; at most {self.most:,}"))
        return cast("tuple[str, ...]", each(FileName().parse, names))

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string"}, "maxItems": self.most}

    def plain(self, value: Any) -> Any:
        return list(value)


@dataclass(frozen=True)
class Moment(Leaf):
    """A date or a time, UTC unless it says otherwise; held as ISO 8601 text in UTC."""

    @property
    def allowed(self) -> str:
        return "a date such as 2025-05-04, or a time such as 2025-05-04T15:30:00Z"

    def parse(self, value: object) -> str:
        if isinstance(value, str):
            try:
                value = datetime.datetime.fromisoformat(value)
            except ValueError:
                raise self.refuse(value) from None
        if isinstance(value, datetime.datetime):
            aware = value if value.tzinfo else value.replace(tzinfo=datetime.UTC)
            return aware.astimezone(datetime.UTC).replace(tzinfo=None).isoformat()
        if isinstance(value, datetime.date):
            return f"{value.isoformat()}T00:00:00"
        raise self.refuse(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d([T ].*)?$"}


@dataclass(frozen=True)
class Pair(Leaf):
    """Two values of one kind, for leg a and leg b."""

    item: Leaf
    unit: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "unit", self.item.unit)

    @property
    def allowed(self) -> str:
        return f"a list of two, one for each leg, each {self.item.allowed}"

    def parse(self, value: object) -> tuple[Any, Any]:
        values = cast("list[object]", value)
        if not isinstance(value, list) or len(values) != 2:
            raise Wrong(("", f"must be {self.allowed}"))
        return cast("tuple[Any, Any]", each(self.item.parse, values))

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.item.schema(), "minItems": 2, "maxItems": 2}

    def plain(self, value: Any) -> Any:
        return [self.item.plain(item) for item in value]


@dataclass(frozen=True)
class Shares(Leaf):
    """A table of probabilities by name that sum to 1."""

    unit: str = "1"

    @property
    def allowed(self) -> str:
        return "a table of probabilities by name that sum to 1, as in { stress = 1.0 }"

    def parse(self, value: object) -> dict[str, float]:
        if not isinstance(value, dict):
            raise self.refuse(value)
        table = cast("dict[str, object]", value)
        shares = each(Real(0.0, 1.0).parse, list(table.values()), [f".{name}" for name in table])
        total = math.fsum(shares)
        if abs(total - 1.0) > 1e-9:
            raise Wrong(("", f"probabilities must sum to 1, these sum to {total:.12g}"))
        return dict(zip(table, (share / total for share in shares), strict=True))

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": Real(0.0, 1.0).schema()}
