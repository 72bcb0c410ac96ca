"""`stresscube show`: the best policies of a run as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stresscube.cli.as_json import emit, rows
from stresscube.cli.console import console
from stresscube.cli.open import open_summary
from stresscube.cli.tables import Column, in_one, print_fitting, table_of
from stresscube.show import Ranking, rank
from stresscube.text import label
from stresscube.where import parse_where
from stresscube.wording import (
    circumstances,
    column_title,
    estimate_words,
    footnotes,
    header_lines,
    policy_words,
    question,
)

DROPPED_FIRST = ("max_drawdown_quantile", "return_mean", "worst at", "difference_to_best")
"""Columns given up, in this order, until the table fits the terminal."""


def show(
    run: str,
    *,
    where: Sequence[str],
    max_liquidation: float,
    by: str,
    top: int,
    as_json: bool = False,
) -> None:
    """Print the best policies of a run under a liquidation limit."""
    summary = open_summary(run)
    ranking = rank(
        summary, where=parse_where(where), max_liquidation=max_liquidation, by=by, top=top
    )
    name = str(summary.attrs["name"])
    if as_json:
        emit({"name": name, **ranking_document(ranking)})
    else:
        print_ranking(ranking, console(), name=name)


def ranking_document(ranking: Ranking) -> dict[str, Any]:
    """Return a ranking as JSON has it: what was asked, the policies, what stands outside."""
    policies = rows(ranking.policies, "rank")
    for place, policy in enumerate(policies):
        if ranking.worst_at:
            policy["worst_at"] = {dim: its[place] for dim, its in ranking.worst_at.items()}
    return {
        "by": ranking.by,
        "max_liquidation": ranking.max_liquidation,
        "satisfied": ranking.satisfied,
        "fixed": ranking.fixed,
        "market": ranking.market,
        "policies": policies,
        "qualified": ranking.qualified,
        "candidates": ranking.candidates,
        "cells": ranking.cells,
        "infeasible": ranking.infeasible,
        "missing": ranking.missing,
    }


def print_ranking(ranking: Ranking, out: Console, *, name: str) -> None:
    """Print a ranking: what was asked, the table, and what stands outside it."""
    out.print(f"[bold]{escape(name)}[/]: {escape(question(ranking))}", soft_wrap=False)
    for line in circumstances(ranking):
        out.print(escape(line))
    out.print()
    print_fitting(_tables(ranking), out)
    for line in footnotes(ranking):
        out.print(escape(line), style="dim")


def _tables(ranking: Ranking) -> Iterator[tuple[Table, list[str]]]:
    """Yield the table, each time with less in it, and what is left out."""
    there = {"worst at": ranking.worst_at} | dict.fromkeys(map(str, ranking.policies.data_vars), 1)
    optional = [name for name in DROPPED_FIRST if name != ranking.by and there.get(name)]
    for dropped in range(len(optional) + 1):
        for sign in (" ± ", "±"):
            yield _table(ranking, skip=optional[:dropped], sign=sign), optional[:dropped]
    for sign in (" ± ", "±"):
        yield _table(ranking, skip=optional, sign=sign, together=True), optional


def _table(ranking: Ranking, *, skip: Sequence[str], sign: str, together: bool = False) -> Table:
    """Build the table; `together` puts all policy dims into one folded column."""
    policies = ranking.policies
    columns = [Column("#", [str(row + 1) for row in range(policies.sizes["rank"])], "dim")]
    dims = policy_words(policies, ranking.fixed)
    if together:
        columns.append(in_one(dims))
    else:
        columns += [Column(header_lines(dim), words) for dim, words in dims.items()]
    for name in (str(name) for name in policies.data_vars):
        if f"{name}_se" in policies and name not in skip:
            style = "bold" if name == ranking.by else ""
            columns.append(
                Column(column_title(policies[name]), estimate_words(policies, name, sign), style)
            )
    if "worst at" not in skip:
        columns += [
            Column(f"worst {ranking.by}\nat {dim}", [label(value) for value in values])
            for dim, values in ranking.worst_at.items()
        ]
    return table_of(columns)
