"""How figures are written."""

from __future__ import annotations

from enum import Enum


class Unit(Enum):
    """How a figure is written; percent, points and basis points are of fractions."""

    NUMBER = ("", 1.0)
    TIMES = ("×", 1.0)
    PERCENT = (" %", 1e2)
    POINTS = (" points", 1e2)
    BASIS_POINTS = (" bp", 1e4)
