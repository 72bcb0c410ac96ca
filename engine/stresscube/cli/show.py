"""`stresscube show`: the best policies of a run as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from stresscube.cli.console import console
from stresscube.cli.open import open_summary
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


def show(run: Path, *, where: Sequence[str], max_liquidation: float, by: str, top: int) -> None:
    """Print the best policies of a run under a liquidation limit."""
    summary = open_summary(run)
    ranking = rank(
        summary, where=parse_where(where), max_liquidation=max_liquidation, by=by, top=top
    )
    print_ranking(ranking, console(), name=str(summary.attrs["name"]))


def print_ranking(ranking: Ranking, out: Console, *, name: str) -> None:
    """Print a ranking: what was asked, the table, and what stands outside it."""
    out.print(f"[bold]{escape(name)}[/]: {escape(question(ranking))}", soft_wrap=False)
    for line in circumstances(ranking):
        out.print(escape(line))
    out.print()
    out.print(_fitting_table(ranking, out))
    for line in footnotes(ranking):
        out.print(escape(line), style="dim")


def _fitting_table(ranking: Ranking, out: Console) -> Table:
    """Return the table with as many columns as the width holds."""
    optional = [name for name in DROPPED_FIRST if name != ranking.by]
    for dropped in range(len(optional) + 1):
        for sign in (" ± ", "±"):
            table = _table(ranking, skip=optional[:dropped], sign=sign)
            if _width(table, out) <= out.width:
                return table
    return _table(ranking, skip=optional, sign=" ± ", together=True)


def _width(table: Table, out: Console) -> int:
    return Measurement.get(out, out.options.update(max_width=10_000), table).maximum


def _table(ranking: Ranking, *, skip: Sequence[str], sign: str, together: bool = False) -> Table:
    """Build the table; `together` puts all policy dims into one folded column."""
    policies = ranking.policies
    table = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1), collapse_padding=True
    )
    columns = [_Column("#", [str(row + 1) for row in range(policies.sizes["rank"])], "dim")]
    dims = policy_words(ranking)
    if together:
        rows = zip(*dims.values(), strict=True)
        texts = [" ".join(map("=".join, zip(dims, row, strict=True))) for row in rows]
        columns.append(_Column("policy", texts, folded=True))
    else:
        columns += [_Column(header_lines(dim), words) for dim, words in dims.items()]
    for name in (str(name) for name in policies.data_vars):
        if f"{name}_se" in policies and name not in skip:
            style = "bold" if name == ranking.by else ""
            words = estimate_words(policies, name, sign)
            columns.append(_Column(column_title(policies[name]), words, style))
    if "worst at" not in skip:
        columns += [
            _Column(f"worst {ranking.by}\nat {dim}", [label(value) for value in values])
            for dim, values in ranking.worst_at.items()
        ]
    for column in columns:
        column.add_to(table)
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(escape, row))
    return table


@dataclass(frozen=True, slots=True)
class _Column:
    header: str
    cells: list[str]
    style: str = ""
    folded: bool = False

    def add_to(self, table: Table) -> None:
        if self.folded:
            table.add_column(escape(self.header), overflow="fold", style=self.style)
        else:
            header = escape(self.header)
            table.add_column(header, justify="right", no_wrap=True, style=self.style)
