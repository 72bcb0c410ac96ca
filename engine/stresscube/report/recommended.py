"""The recommendation on the page: the words of `stresscube recommend`, and its table."""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr

from stresscube import advice
from stresscube.decide import Recommendation, recommend
from stresscube.decide.question import LIMIT
from stresscube.report.asked import Table
from stresscube.text import label
from stresscube.where import Where
from stresscube.wording import policy_words


@dataclass(frozen=True, slots=True)
class Goal:
    """What `stresscube recommend` is asked, as it takes it."""

    maximise: str | None = None
    minimise: str | None = None
    subject_to: tuple[str, ...] = (LIMIT,)
    case: str = "worst"
    confidence: float = 0.95


@dataclass(frozen=True, slots=True)
class Recommended:
    """question; headline: the policy, or that there is none; lines: what is known of it.

    table: the policies that are as good, best first; notes: what its signs mean.
    """

    question: str
    headline: str
    lines: tuple[str, ...]
    table: Table
    notes: tuple[str, ...]


def recommended(summary: xr.Dataset, goal: Goal, where: Where, top: int) -> Recommended:
    """Return what the page says. Raises StresscubeError where `stresscube recommend` would."""
    found = recommend(
        summary,
        maximise=goal.maximise,
        minimise=goal.minimise,
        subject_to=goal.subject_to,
        case=goal.case,
        where=where,
        confidence=goal.confidence,
        top=top,
    )
    headline, *lines = advice.answer(found)
    return Recommended(
        question=advice.question(found.question),
        headline=headline,
        lines=(*advice.circumstances(found), *lines),
        table=_table(found),
        notes=tuple(advice.footnotes(found)),
    )


def _table(found: Recommendation) -> Table:
    policies = found.policies
    columns: dict[str, list[str]] = {"#": [it.strip() for it in advice.numbers(found)]}
    columns |= {
        dim.replace("_", " "): words for dim, words in policy_words(policies, found.fixed).items()
    }
    columns[_words(str(found.question.goal))] = advice.cells(found, "goal", " ± ")
    columns["difference to first"] = advice.cells(found, "difference_to_best", " ± ")
    for name in (str(it) for it in policies.data_vars if str(it).startswith("goal_at_")):
        values = policies[name].values.tolist()
        columns[f"worst at {_words(name[8:])}"] = [label(it) for it in values]
    for place, constraint in enumerate(found.question.constraints):
        columns[_words(str(constraint.term))] = advice.cells(found, "value", " ± ", place)
    if found.question.constraints:
        sure = policies["confidence"].values.tolist()
        columns["confidence"] = [advice.certain(it) for it in sure]
    cells = ([cell.strip().replace("-", "−") for cell in column] for column in columns.values())
    return Table("Best policies, as recommended", tuple(columns), tuple(zip(*cells, strict=True)))


def _words(name: str) -> str:
    return name.replace("_", " ")
