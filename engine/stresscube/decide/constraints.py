"""What is asked of a cube, as text: `sharpe`, `value_at_risk[0.99]`, `survival[24h]>0.99`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import xarray as xr

from stresscube.decide.bounds import is_share
from stresscube.errors import StresscubeError
from stresscube.policies import check_metric
from stresscube.text import label

_TERM = r"\s*(?P<metric>[A-Za-z_]\w*)\s*(?:\[(?P<at>[^\]]*)\])?\s*"
_LIMIT = re.compile(_TERM + r"(?P<sign><=|>=|<|>|≤|≥)\s*(?P<limit>.*?)\s*(?P<percent>%?)\s*")
_ALONE = re.compile(_TERM)


@dataclass(frozen=True, slots=True)
class Term:
    """A metric and, if named, a value of each further dim (quantile, level, time, leg, regime)."""

    metric: str
    at: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.metric}[{','.join(self.at)}]" if self.at else self.metric


@dataclass(frozen=True, slots=True)
class Constraint:
    """A metric that must stay below a limit, or above it."""

    term: Term
    below: bool
    limit: float

    def __str__(self) -> str:
        return f"{self.term}{'<' if self.below else '>'}{label(self.limit)}"


def parse_term(text: str, option: str = "--maximise") -> Term:
    """Return the metric that a text names.

    Raises StresscubeError.
    """
    found = _ALONE.fullmatch(text)
    if found is None:
        raise StresscubeError(
            f"{option} {text}: expected a metric, for example sharpe or value_at_risk[0.99]"
        )
    return _term(found)


def parse_constraints(texts: Iterable[str], option: str = "--subject-to") -> list[Constraint]:
    """Return the constraints that texts like `liquidation_probability<0.01` or `<1%` state.

    Raises StresscubeError, with every fault in a line of its own.
    """
    constraints: list[Constraint] = []
    faults: list[str] = []
    for text in texts:
        try:
            constraints.append(_constraint(text, f"{option} {text}"))
        except StresscubeError as fault:
            faults.append(str(fault))
    if faults:
        raise StresscubeError("\n".join(faults))
    return constraints


def check_terms(summary: xr.Dataset, terms: Iterable[Term]) -> None:
    """Raise StresscubeError for metrics that the cube lacks, every one in a line of its own."""
    faults: dict[str, None] = {}
    for term in terms:
        try:
            check_metric(summary, term.metric)
        except StresscubeError as fault:
            faults[str(fault)] = None
    if faults:
        raise StresscubeError("\n".join(faults))


def _constraint(text: str, asked: str) -> Constraint:
    found = _LIMIT.fullmatch(text)
    if found is None:
        raise StresscubeError(
            f"{asked}: expected METRIC<NUMBER or METRIC>NUMBER, "
            "for example liquidation_probability<0.01"
        )
    term = _term(found)
    try:
        limit = float(found["limit"]) / (100.0 if found["percent"] else 1.0)
    except ValueError:
        wrong = f"{found['limit'] or 'nothing'} is not a number"
        raise StresscubeError(f"{asked}: {wrong}: write a limit like 0.01 or 1%") from None
    if limit != limit or limit in (float("inf"), float("-inf")):
        raise StresscubeError(f"{asked}: the limit must be finite")
    if is_share(term.metric) and not 0.0 < limit < 1.0:
        raise StresscubeError(
            f"{asked}: {term.metric} is a share, and no number of paths shows it beyond "
            f"{label(limit)}: give a limit above 0 and below 1"
        )
    return Constraint(term, found["sign"] in ("<", "<=", "≤"), limit)


def _term(found: re.Match[str]) -> Term:
    inside = found["at"] or ""
    return Term(found["metric"], tuple(part.strip() for part in inside.split(",") if part.strip()))
