"""`stresscube show`: the best policies of a run as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import xarray as xr
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stresscube.cli.as_json import emit, rows
from stresscube.cli.console import console
from stresscube.cli.open import open_summary
from stresscube.cli.tables import (
    Column,
    first_that_fits,
    header,
    in_one,
    policy_words,
    table_of,
    with_errors,
)
from stresscube.policies import LIQUIDATION
from stresscube.show import Ranking, rank
from stresscube.text import label, listing, plural
from stresscube.where import parse_where

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
    out.print(f"[bold]{escape(name)}[/]: {escape(_question(ranking))}", soft_wrap=False)
    for line in _circumstances(ranking):
        out.print(escape(line))
    out.print()
    out.print(_fitting_table(ranking, out))
    for line in _footnotes(ranking):
        out.print(escape(line), style="dim")


def _question(ranking: Ranking) -> str:
    limit = label(ranking.max_liquidation)
    if ranking.satisfied:
        return f"best by {ranking.by}, liquidation probability at most {limit}"
    return f"no policy keeps liquidation probability within {limit}; the safest:"


def _circumstances(ranking: Ranking) -> list[str]:
    lines: list[str] = []
    if ranking.fixed:
        fixed = ", ".join(f"{dim} = {label(value)}" for dim, value in ranking.fixed.items())
        lines.append(f"at {fixed}")
    if ranking.market:
        market = "; ".join(f"{dim} = {listing(values)}" for dim, values in ranking.market.items())
        lines.append(f"each number is the worst over {market}")
    return lines


def _fitting_table(ranking: Ranking, out: Console) -> Table:
    """Return the table with as many columns as the width holds."""
    return first_that_fits(_tables(ranking), out)


def _tables(ranking: Ranking) -> Iterator[Table]:
    """Yield the table, each time with less in it."""
    optional = [name for name in DROPPED_FIRST if name != ranking.by]
    for dropped in range(len(optional) + 1):
        for sign in (" ± ", "±"):
            yield _table(ranking, skip=optional[:dropped], sign=sign)
    yield _table(ranking, skip=optional, sign=" ± ", together=True)


def _table(ranking: Ranking, *, skip: Sequence[str], sign: str, together: bool = False) -> Table:
    """Build the table; `together` puts all policy dims into one folded column."""
    policies = ranking.policies
    columns = [Column("#", [str(row + 1) for row in range(policies.sizes["rank"])], "dim")]
    dims = policy_words(policies, ranking.fixed)
    if together:
        columns.append(in_one(dims))
    else:
        columns += [Column(header(dim), words) for dim, words in dims.items()]
    for name in (str(name) for name in policies.data_vars):
        if f"{name}_se" in policies and name not in skip:
            style = "bold" if name == ranking.by else ""
            columns.append(Column(_title(policies[name]), _cells(policies, name, sign), style))
    if "worst at" not in skip:
        columns += [
            Column(f"worst {ranking.by}\nat {dim}", [label(value) for value in values])
            for dim, values in ranking.worst_at.items()
        ]
    return table_of(columns)


def _cells(policies: xr.Dataset, name: str, sign: str) -> list[str]:
    """Return 'value ± error' texts; too few liquidations are marked."""
    cells = with_errors(
        policies[name].values.tolist(),
        policies[f"{name}_se"].values.tolist(),
        sign,
        blank_first=name == "difference_to_best",
    )
    few = policies["few_events"].values if name == LIQUIDATION and "few_events" in policies else ()
    marks = ["*" if mark else " " for mark in few] if any(few) else [""] * len(cells)
    return [cell + mark for cell, mark in zip(cells, marks, strict=True)]


def _title(metric: xr.DataArray) -> str:
    name = str(metric.name)
    if "quantile" not in metric.attrs:
        return header(name)
    stem = name.removesuffix("_quantile").replace("_", " ")
    return f"{stem}\n{label(metric.attrs['quantile'])} quantile"


def _footnotes(ranking: Ranking) -> list[str]:
    """Return what stands outside the table and what its signs mean, one thing a line."""
    policies = ranking.policies
    keep = "policy keeps" if ranking.candidates == 1 else "policies keep"
    lines = [f"{ranking.qualified:,} of {ranking.candidates:,} {keep} the limit."]
    if ranking.infeasible:
        share = f"{ranking.infeasible:,} of {plural(ranking.cells, 'cell')}"
        lines.append(f"{share} infeasible: margin exceeds equity at opening.")
    if ranking.missing:
        share = f"{ranking.missing:,} of {plural(ranking.cells, 'cell')}"
        lines.append(f"{share} not run yet: their policies are left out.")
    lines.append("± one standard error; a difference to the best is paired: same paths.")
    if any("→" in word for word in policy_words(policies, ranking.fixed).get("leverage", [])):
        lines.append("→ the leverage that the venue's cap leaves.")
    if "few_events" in policies and bool(policies["few_events"].any()):
        lines.append("* fewer than 10 liquidations seen.")
    return lines
