"""The markets of a scenario: every combination of the market axes that it sweeps."""

from __future__ import annotations

import itertools

from stresscube.scenario import Scenario
from stresscube.scenario.expand import Point, axes


def market_points(scenario: Scenario) -> list[Point]:
    """{market key: value} of each market; one, with nothing in it, where none is swept."""
    swept = [axis for axis in axes(scenario) if axis.kind == "market"]
    values = itertools.product(*(axis.values for axis in swept))
    return [dict(zip((axis.key for axis in swept), row, strict=True)) for row in values]
