"""From figures to verdicts: what is shown at three standard errors, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import Enum

from stresscube.claims.estimate import Estimate

SIGMAS = 3.0
"""Standard errors by which a figure must lie on one side of a bound to count as shown."""


class Verdict(Enum):
    """What became of a claim in one market."""

    HOLDS = "holds"
    ONLY_IF = "holds only if"
    FAILS = "does not hold"
    UNSETTLED = "not settled"


def side(figure: Estimate, bound: float) -> int:
    """Return 1 if the figure is shown above the bound, -1 if below, 0 if neither.

    An unknown figure, or one that equals the bound, is neither.
    """
    distance = figure.value - bound
    if math.isnan(distance) or math.isnan(figure.error):
        return 0
    if abs(distance) <= SIGMAS * figure.error:
        return 0
    return (distance > 0.0) - (distance < 0.0)


def above(figure: Estimate, bound: float = 0.0) -> Verdict:
    """Judge the claim that the figure is above the bound."""
    return {1: Verdict.HOLDS, 0: Verdict.UNSETTLED, -1: Verdict.FAILS}[side(figure, bound)]


def below(figure: Estimate, bound: float = 0.0) -> Verdict:
    """Judge the claim that the figure is below the bound."""
    return {-1: Verdict.HOLDS, 0: Verdict.UNSETTLED, 1: Verdict.FAILS}[side(figure, bound)]


def between(figure: Estimate, low: float, high: float) -> Verdict:
    """Judge the claim that the figure lies in a range."""
    return every((above(figure, low), below(figure, high)))


def every(verdicts: Iterable[Verdict]) -> Verdict:
    """Judge a claim of which all parts must hold; one that fails decides."""
    found = tuple(verdicts)
    for verdict in (Verdict.FAILS, Verdict.UNSETTLED, Verdict.ONLY_IF):
        if verdict in found:
            return verdict
    return Verdict.HOLDS if found else Verdict.UNSETTLED


def or_only_if(verdict: Verdict, elsewhere: Iterable[Verdict]) -> Verdict:
    """Judge a claim that fails as stated, and was looked for under other assumptions."""
    if verdict is not Verdict.HOLDS and Verdict.HOLDS in tuple(elsewhere):
        return Verdict.ONLY_IF
    return verdict
