"""A part of a run for one process of many that need not know of each other."""

from __future__ import annotations

import re
from dataclasses import dataclass

from stresscube.errors import StresscubeError
from stresscube.plan import Plan


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` of `count`, from 1: every `count`-th block, beginning with that one.

    Neighbouring blocks cost about the same, so dealing them out in turn gives even parts.
    """

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def blocks(self, plan: Plan) -> frozenset[int]:
        """Return the indices of its blocks; none if there are fewer blocks than shards."""
        return frozenset(range(self.number - 1, len(plan.blocks), self.count))


def parse_shard(text: str) -> Shard:
    """Return the shard of a text such as "3/8".

    Raises StresscubeError for anything else.
    """
    match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
    if match is None:
        raise StresscubeError(f"--shard {text}: expected a part and their number, such as 3/8")
    number, count = int(match[1]), int(match[2])
    if not 1 <= number <= count:
        advice = f"; where an index counts from 0, add 1 to it: 1/{count}" if number == 0 else ""
        raise StresscubeError(f"--shard {text}: parts count from 1 to {count}{advice}")
    return Shard(number, count)
