"""`stresscube recommend`: the policy to take, how sure that is, and what else would do."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stresscube import advice
from stresscube.cli.as_json import emit, rows
from stresscube.cli.console import console
from stresscube.cli.open import open_summary
from stresscube.cli.tables import Column, in_one, print_fitting, table_of
from stresscube.decide.question import LIMIT
from stresscube.decide.recommend import Recommendation
from stresscube.decide.recommend import recommend as answer
from stresscube.text import label
from stresscube.where import parse_where
from stresscube.wording import header_lines, policy_words

DROPPED_FIRST = ("worst at", "confidence", "constraints", "difference")
"""Columns given up, in this order, until the table fits the terminal."""


def recommend(
    run: str,
    *,
    maximise: str | None,
    minimise: str | None,
    subject_to: Sequence[str] | None,
    case: str,
    confidence: float,
    where: Sequence[str],
    top: int,
    as_json: bool,
) -> None:
    """Print the recommended policy of a run."""
    summary = open_summary(run)
    found = answer(
        summary,
        maximise=maximise,
        minimise=minimise,
        subject_to=[LIMIT] if subject_to is None else subject_to,
        case=case,
        where=parse_where(where),
        confidence=confidence,
        top=top,
    )
    name = str(summary.attrs.get("name", run))
    if as_json:
        emit({"name": name, **document(found)})
    else:
        print_recommendation(found, console(), name=name)


def document(found: Recommendation) -> dict[str, Any]:
    """Return a recommendation as JSON has it."""
    asked = found.question
    policies = rows(found.policies, "rank")
    own = policy_words(found.policies, ())
    constraints = [str(it) for it in asked.constraints]
    for policy in policies:
        policy["policy"] = {dim: policy.pop(dim) for dim in own}
        parts = [name for name in policy if name == "bound" or name.startswith("value")]
        columns = {name: policy.pop(name) for name in parts}
        policy["constraints"] = [
            {"constraint": it, **{name: columns[name][place] for name in parts}}
            for place, it in enumerate(constraints)
        ]
    return {
        "question": {
            "maximise" if asked.larger else "minimise": str(asked.goal),
            "subject_to": constraints,
            "case": asked.case,
            "confidence": asked.confidence,
        },
        "standing": found.standing,
        "recommended": policies[0] if found.standing == "shown" else None,
        "attained": found.attained,
        "policies": policies,
        "equals": found.equals if found.standing != "none" else None,
        "paired": found.paired,
        "deflated_sharpe": asdict(found.deflation) if found.deflation else None,
        "fixed": found.fixed,
        "market": found.market,
        "candidates": found.candidates,
        "kept": found.kept,
        "shown": found.shown,
        "paths_needed": found.paths_needed,
    }


def print_recommendation(found: Recommendation, out: Console, *, name: str) -> None:
    """Print the question, the answer with its certainty, and the policies that are as good."""
    out.print(f"[bold]{escape(name)}[/]: {escape(advice.question(found.question))}")
    for line in advice.circumstances(found):
        out.print(escape(line))
    out.print()
    first, *rest = advice.answer(found)
    out.print(f"[bold]{escape(first)}[/]")
    for text in rest:
        indented = textwrap.wrap(
            text, out.width, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False
        )
        out.print(escape("\n".join(indented)), soft_wrap=True)
    out.print()
    print_fitting(_tables(found), out)
    for line in advice.footnotes(found):
        out.print(escape(line), style="dim")


def _tables(found: Recommendation) -> Iterator[tuple[Table, list[str]]]:
    """Yield the table, each time with less in it, and what is left out."""
    there = {
        "worst at": any(str(it).startswith("goal_at_") for it in found.policies.data_vars),
        "confidence": bool(found.question.constraints),
        "constraints": bool(found.question.constraints),
    }
    optional = [name for name in DROPPED_FIRST if there.get(name, True)]
    for dropped in range(len(optional) + 1):
        for sign in (" ± ", "±"):
            yield _table(found, sign, skip=optional[:dropped]), optional[:dropped]
    yield _table(found, "±", skip=optional, together=True), optional


def _table(
    found: Recommendation, sign: str, *, skip: Sequence[str], together: bool = False
) -> Table:
    policies, dims = found.policies, policy_words(found.policies, found.fixed)
    columns = [Column("#", advice.numbers(found), "dim")]
    columns += [in_one(dims)] if together else [Column(header_lines(it), dims[it]) for it in dims]
    columns.append(
        Column(header_lines(str(found.question.goal)), advice.cells(found, "goal", sign), "bold")
    )
    if "difference" not in skip:
        cells = advice.cells(found, "difference_to_best", sign)
        columns.append(Column(header_lines("difference_to_first"), cells))
    if "worst at" not in skip:
        columns += [
            Column(f"worst\nat {str(it)[8:]}", [label(v) for v in policies[it].values.tolist()])
            for it in policies.data_vars
            if str(it).startswith("goal_at_")
        ]
    if "constraints" not in skip:
        for place, constraint in enumerate(found.question.constraints):
            cells = advice.cells(found, "value", sign, place)
            columns.append(Column(header_lines(str(constraint.term)), cells))
    if found.question.constraints and "confidence" not in skip:
        sure = map(advice.certain, policies["confidence"].values.tolist())
        columns.append(Column("confi-\ndence", [it.replace("over ", ">") for it in sure]))
    return table_of(columns)
