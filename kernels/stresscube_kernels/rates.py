"""Rates and half-lives over one step."""

from __future__ import annotations

import math


def decay(half_life: float, step: float) -> float:
    """What is left after one step of an exponential decay; 0 for a half-life of 0."""
    return 0.5 ** (step / half_life) if half_life > 0.0 else 0.0


def event_probability(intensity: float, step: float) -> float:
    """The probability of an event in a step, at most one being counted."""
    return -math.expm1(-intensity * step)
