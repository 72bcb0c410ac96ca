"""Maintenance margin tiers: [[notional floor, rate], ...], or one such list per asset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from stresscube.scenario.leaf import Leaf, Wrong, each
from stresscube.scenario.leaves import Real

TierTable: TypeAlias = tuple[tuple[float, float], ...]

MOST = 16
"""More tiers than any exchange publishes for a pair; each costs a comparison a step."""

_FLOOR = Real(0.0)
_RATE = Real(0.0, 1.0, high_open=True)


@dataclass(frozen=True)
class Tiers(Leaf):
    """Tiers ascending from notional floor 0, with rates that never fall."""

    unit: str = "[quote currency, 1]"

    @property
    def allowed(self) -> str:
        return (
            "a list of [notional floor, rate], floors ascending from 0, rates in [0, 1) and "
            "never falling, as in [[0, 0.004], [50_000, 0.005]]"
        )

    def parse(self, value: object) -> TierTable | dict[str, TierTable]:
        if isinstance(value, dict):
            tables = cast("dict[str, object]", value)
            names = [f".{name}" for name in tables]
            if not tables:
                raise self.refuse(tables)
            return dict(zip(tables, each(self._table, list(tables.values()), names), strict=True))
        return self._table(value)

    def _table(self, value: object) -> TierTable:
        rows = cast("list[object]", value)
        if not isinstance(value, list) or not rows:
            raise self.refuse(rows)
        if len(rows) > MOST:
            raise Wrong(("", f"must have at most {MOST} tiers, has {len(rows)}"))
        tiers = each(_tier, rows)
        problems = [*_floors(tiers), *_rates(tiers)]
        if problems:
            raise Wrong(*problems)
        return tiers

    def schema(self) -> dict[str, Any]:
        row = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
        table = {"type": "array", "items": row, "minItems": 1, "maxItems": MOST}
        return {"anyOf": [table, {"type": "object", "additionalProperties": table}]}

    def plain(self, value: Any) -> Any:
        return [list(tier) for tier in value]


def _tier(value: object) -> tuple[float, float]:
    row = cast("list[object]", value)
    if not isinstance(value, list) or len(row) != 2:
        raise Wrong(("", "must be [notional floor, rate]"))
    problems: list[tuple[str, str]] = []
    numbers: list[float] = []
    for index, leaf in enumerate((_FLOOR, _RATE)):
        try:
            numbers.append(cast(float, leaf.parse(row[index])))
        except Wrong as wrong:
            what = ("the notional floor", "the rate")[index]
            problems += [(f"[{index}]", f"{what} {text}") for _, text in wrong.problems]
    if problems:
        raise Wrong(*problems)
    return numbers[0], numbers[1]


def _floors(tiers: TierTable) -> list[tuple[str, str]]:
    problems: list[tuple[str, str]] = []
    if tiers[0][0] != 0.0:
        problems.append(("[0]", "the first tier must start at notional floor 0"))
    for index in range(1, len(tiers)):
        if tiers[index][0] <= tiers[index - 1][0]:
            before = tiers[index - 1][0]
            problems.append(
                (f"[{index}]", f"floors must ascend, and the tier before starts at {before:,.12g}")
            )
    return problems


def _rates(tiers: TierTable) -> list[tuple[str, str]]:
    return [
        (
            f"[{index}]",
            f"rates must not fall as notional grows, and the tier before has "
            f"{tiers[index - 1][1]:.12g}",
        )
        for index in range(1, len(tiers))
        if tiers[index][1] < tiers[index - 1][1]
    ]
