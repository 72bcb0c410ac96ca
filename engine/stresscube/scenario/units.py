"""Durations as people write them ("300ms", "1min", "8h", "30d"), held in hours."""

from __future__ import annotations

import re

HOURS_PER_YEAR = 365 * 24.0
"""A year is 365 days of 24 hours."""

SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
"""Every unit a duration may have, in seconds."""

LONGEST = 2.4e9
"""Hours; beyond any use, and short enough for every calculation."""

PATTERN = r"[0-9]+(\.[0-9]+)?(ms|s|min|h|d|w)"
"""A duration as a regular expression; the JSON Schema uses it too."""

_SHAPE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([^\s0-9.]*)", re.ASCII)
_MISNAMED = {
    "m": 'for minutes write "min"',
    "sec": 'for seconds write "s"',
    "hr": 'for hours write "h"',
    "hour": 'for hours write "h"',
    "hours": 'for hours write "h"',
    "day": 'for days write "d"',
    "days": 'for days write "d"',
    "week": 'for weeks write "w"',
    "y": 'for a year write "365d"',
}


def parse_duration(text: str) -> float:
    """Hours in a duration such as "1.5h".

    Raises ValueError with the sentence to show when `text` is not a duration.
    """
    units = ", ".join(SECONDS)
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise ValueError(f'must be a number and a unit, as in "1min" (units: {units})')
    number, unit = match.groups()
    if unit not in SECONDS:
        if not unit:
            raise ValueError(f'needs a unit, as in "{number}min" (units: {units})')
        advice = _MISNAMED.get(unit, f"units are {units}")
        raise ValueError(f'has the unknown unit "{unit}"; {advice}')
    hours = float(number) * SECONDS[unit] / 3600.0
    if hours > LONGEST:
        raise ValueError(f"is too long; at most {LONGEST / 24:.3g} days")
    return hours


def format_duration(hours: float) -> str:
    """Text whose duration is `hours` (to 12 digits), in whole units if it can be: "30min"."""
    texts = [f"{hours * 3600.0 / seconds:.12g}" for seconds in SECONDS.values()]
    plain = [
        ("." in text, float(text), text + unit)
        for text, unit in zip(texts, SECONDS, strict=True)
        if re.fullmatch(PATTERN, text + unit)
    ]
    return min(plain)[2] if hours > 0 and plain else f"{hours * 3600.0:.17f}s"


def whole_multiple(hours: float, step: float) -> int | None:
    """How many steps make `hours`, or None if no whole number (to rounding) does."""
    count = round(hours / step)
    return count if count >= 1 and abs(hours / step - count) <= 1e-9 * count else None


def years(hours: float) -> float:
    """Hours in years; infinity stays infinity."""
    return hours / HOURS_PER_YEAR
