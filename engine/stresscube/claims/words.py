"""Figures as text."""

from __future__ import annotations

from stresscube.claims.estimate import Estimate
from stresscube.claims.units import Unit
from stresscube.text import uncertain


def written(figure: Estimate, unit: Unit = Unit.NUMBER) -> str:
    """Return a figure with its standard error and unit: `12.3 ± 0.4 %`."""
    suffix, factor = unit.value
    value, error = uncertain(figure.value * factor, figure.error * factor)
    return f"{value} ± {error}{suffix}" if error else f"{value}{suffix}"


def number(value: float, unit: Unit = Unit.NUMBER) -> str:
    """Return a plain number, as of a setting, with its unit: `0.8 %`."""
    suffix, factor = unit.value
    return f"{value * factor:.4g}{suffix}"
