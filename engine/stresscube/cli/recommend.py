"""`stresscube recommend`: the policy to take, how sure that is, and what else would do."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stresscube.cli.as_json import emit, rows
from stresscube.cli.console import console
from stresscube.cli.open import open_summary
from stresscube.cli.tables import Column, first_that_fits, in_one, table_of
from stresscube.decide.question import LIMIT, Question
from stresscube.decide.recommend import SHARPES, Deflation, Recommendation
from stresscube.decide.recommend import recommend as answer
from stresscube.text import label, listing, plural, uncertain
from stresscube.where import parse_where
from stresscube.wording import header_lines, policy_words, with_errors

DROPPED_FIRST = ("worst at", "confidence", "constraints", "difference")
"""Columns given up, in this order, until the table fits the terminal."""

GAINS = (*SHARPES, "return_mean", "sortino", "trade_return_mean", "trade_sortino")
"""What is 0 for an account that does not trade."""


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
    out.print(f"[bold]{escape(name)}[/]: {escape(_question(found.question))}")
    for line in _circumstances(found):
        out.print(escape(line))
    out.print()
    first, *rest = _answer(found)
    out.print(f"[bold]{escape(first)}[/]")
    for text in rest:
        indented = textwrap.wrap(
            text, out.width, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False
        )
        out.print(escape("\n".join(indented)), soft_wrap=True)
    out.print()
    out.print(first_that_fits(_tables(found), out))
    for line in _footnotes(found):
        out.print(escape(line), style="dim")


def _question(asked: Question) -> str:
    aim = "maximise" if asked.larger else "minimise"
    limits = " and ".join(map(str, asked.constraints))
    return f"{aim} {asked.goal}" + (f" subject to {limits}" if limits else "")


def _circumstances(found: Recommendation) -> list[str]:
    lines: list[str] = []
    if found.fixed:
        fixed = ", ".join(f"{dim} = {label(value)}" for dim, value in found.fixed.items())
        lines.append(f"at {fixed}")
    if found.market:
        market = "; ".join(f"{dim} = {listing(values)}" for dim, values in found.market.items())
        worst = found.question.case == "worst"
        lines.append(f"{'at the worst' if worst else 'as the mean'} over {market}")
    return lines


def _answer(found: Recommendation) -> list[str]:
    """Return the answer: the policy, or that there is none, and what is known of it."""
    asked = found.question
    every = f"{asked.confidence:.6g} confidence"
    words = {dim: its[0] for dim, its in policy_words(found.policies, found.fixed).items()}
    policy = ", ".join(f"{dim} = {word}" for dim, word in words.items()) or "the only policy"
    if found.standing == "shown":
        first = f"take {policy}"
    elif found.standing == "estimated":
        first = f"no policy is shown to keep the constraints with {every}"
    else:
        first = "no policy keeps the constraints, not even by the estimates"
    lines = [first]
    if found.standing != "shown":
        nearest = "best by the estimates" if found.standing == "estimated" else "the nearest"
        lines.append(f"{nearest}: {policy}")
    lines.append(_goal(found))
    lines += _constraints(found)
    if found.deflation is not None:
        lines.append(_deflation(found.deflation))
    return lines


def _goal(found: Recommendation) -> str:
    value, error = uncertain(*(float(found.policies[it].values[0]) for it in ("goal", "goal_se")))
    asked = found.question
    side = "at least" if asked.larger else "at most"
    text = (
        f"{asked.goal} {value}{f' ± {error}' if error else ''}; {side} {label(found.attained, 3)} "
        f"with {asked.confidence:.6g} confidence"
    )
    gain = asked.larger and asked.goal.metric in GAINS
    if gain and float(found.policies["goal"].values[0]) < 0:
        text += "; below 0: not trading is better"
    return text


def _constraints(found: Recommendation) -> list[str]:
    """Return a line a constraint, and one for the confidence that all hold."""
    policies, asked = found.policies, found.question
    if not asked.constraints:
        return []
    where = "at every market point" if asked.case == "worst" and found.market else ""
    lines: list[str] = []
    for place, constraint in enumerate(asked.constraints):
        value, error, bound = (
            float(policies[it].values[0, place]) for it in ("value", "value_se", "bound")
        )
        number, spread = uncertain(value, error)
        side = "at most" if constraint.below else "at least"
        lines.append(
            f"{constraint}: {number}{f' ± {spread}' if spread else ''}, {side} {bound:.3g} "
            f"{where}".rstrip()
            + f" with {asked.confidence:.6g} confidence"
        )
    alone, chosen = (
        float(policies[it].values[0]) for it in ("confidence", "confidence_after_choice")
    )
    holds = "it holds" if len(asked.constraints) == 1 else "all hold"
    text = (
        f"{holds} with {certain(alone)} confidence, {certain(chosen)} after the choice among "
        f"{plural(found.candidates, 'policy').replace('policys', 'policies')}"
    )
    if found.standing == "estimated" and math.isfinite(found.paths_needed):
        text += f"; about {_round_up(found.paths_needed):,} paths would do, if estimates stay"
    return [*lines, text]


def certain(confidence: float) -> str:
    """Return a confidence without rounding it up to 1."""
    return "over 0.9999" if confidence > 0.9999 else f"{math.floor(confidence * 1e4) / 1e4:g}"


def _round_up(paths: float) -> int:
    """Return a number of paths to two digits, rounded up."""
    unit = 10 ** max(math.floor(math.log10(max(paths, 1.0))) - 1, 0)
    return math.ceil(paths / unit) * unit


def _deflation(found: Deflation) -> str:
    luck = found.luck
    return (
        f"deflated Sharpe ratio {found.probability:.2g}: the probability that {found.metric} "
        f"is above {luck.maximum:.2g}, what the luckiest of {luck.trials:,} policies worth nothing "
        f"would show; they count as {luck.effective:.2g} independent ones"
    )


def _tables(found: Recommendation) -> Iterator[Table]:
    """Yield the table, each time with less in it."""
    for dropped in range(len(DROPPED_FIRST) + 1):
        for sign in (" ± ", "±"):
            yield _table(found, sign, skip=DROPPED_FIRST[:dropped])
    yield _table(found, "±", skip=DROPPED_FIRST, together=True)


def _table(
    found: Recommendation, sign: str, *, skip: Sequence[str], together: bool = False
) -> Table:
    policies, dims = found.policies, policy_words(found.policies, found.fixed)
    columns = [Column("#", _numbers(found), "dim")]
    columns += [in_one(dims)] if together else [Column(header_lines(it), dims[it]) for it in dims]
    columns.append(
        Column(header_lines(str(found.question.goal)), _cells(found, "goal", sign), "bold")
    )
    if "difference" not in skip:
        cells = _cells(found, "difference_to_best", sign)
        columns.append(Column(header_lines("difference_to_first"), cells))
    if "worst at" not in skip:
        columns += [
            Column(f"worst\nat {str(it)[8:]}", [label(v) for v in policies[it].values.tolist()])
            for it in policies.data_vars
            if str(it).startswith("goal_at_")
        ]
    if "constraints" not in skip:
        for place, constraint in enumerate(found.question.constraints):
            cells = _cells(found, "value", sign, place)
            columns.append(Column(header_lines(str(constraint.term)), cells))
    if found.question.constraints and "confidence" not in skip:
        sure = [certain(it).replace("over ", ">") for it in policies["confidence"].values.tolist()]
        columns.append(Column("confi-\ndence", sure))
    return table_of(columns)


def _numbers(found: Recommendation) -> list[str]:
    """Return the row numbers, with = for those that cannot be told apart from the first."""
    apart = found.policies["apart"].values.tolist()
    equal = [not it and row > 0 and found.standing != "none" for row, it in enumerate(apart)]
    marks = ["=" if it else " " if any(equal) else "" for it in equal]
    return [f"{row + 1}{mark}" for row, mark in enumerate(marks)]


def _cells(found: Recommendation, name: str, sign: str, place: int | None = None) -> list[str]:
    values, errors = (found.policies[it].values for it in (name, f"{name}_se"))
    if place is not None:
        values, errors = values[:, place], errors[:, place]
    first = name == "difference_to_best"
    return with_errors(values.tolist(), errors.tolist(), sign, blank_first=first)


def _footnotes(found: Recommendation) -> list[str]:
    """Return what the signs mean and what stands outside the table."""
    asked = found.question
    among = f"{found.candidates:,} policies judged"
    lines = [
        f"{among}: {found.kept:,} keep the constraints by the estimates, "
        f"{found.shown:,} are shown to with {asked.confidence:.6g} confidence."
    ]
    if found.standing != "none":
        paired = "paired errors" if found.paired else "unpaired errors: no batch means"
        lines.append(
            f"= cannot be told apart from the first ({found.equals:,} in all; "
            f"{asked.confidence:.6g} confidence, {paired})."
        )
    worst = asked.case == "worst" and bool(found.market)
    more = "; a difference is worst market against worst market" if worst else ""
    return [*lines, f"± one standard error{more}."]
