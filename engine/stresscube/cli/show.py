"""`stresscube show`: the best policies of a run as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import xarray as xr
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from stresscube.cli.console import console
from stresscube.cli.open import open_summary
from stresscube.policies import LIQUIDATION
from stresscube.show import Ranking, rank
from stresscube.text import label, listing, plural, uncertain_column
from stresscube.where import parse_where

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
    dims = _policy_words(ranking)
    if together:
        rows = zip(*dims.values(), strict=True)
        texts = [" ".join(map("=".join, zip(dims, row, strict=True))) for row in rows]
        columns.append(_Column("policy", texts, folded=True))
    else:
        columns += [_Column(_header(dim), words) for dim, words in dims.items()]
    for name in (str(name) for name in policies.data_vars):
        if f"{name}_se" in policies and name not in skip:
            style = "bold" if name == ranking.by else ""
            columns.append(_Column(_title(policies[name]), _cells(policies, name, sign), style))
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


def _policy_words(ranking: Ranking) -> dict[str, list[str]]:
    """Return the values of each policy dim, as text; a leverage that a cap clips as '50→20'."""
    policies = ranking.policies
    dims = [str(dim) for dim in policies.coords if str(dim) not in ranking.fixed]
    words = {dim: [label(value) for value in policies[dim].values.tolist()] for dim in dims}
    if "leverage" in words and "leverage_effective" in policies:
        effective = [label(value) for value in policies["leverage_effective"].values.tolist()]
        asked = words["leverage"]
        words["leverage"] = [
            want if want == got else f"{want}→{got}"
            for want, got in zip(asked, effective, strict=True)
        ]
    return words


def _cells(policies: xr.Dataset, name: str, sign: str) -> list[str]:
    """Return 'value ± error' texts, lined up at the sign."""
    pairs = uncertain_column(policies[name].values.tolist(), policies[f"{name}_se"].values.tolist())
    if name == "difference_to_best":
        pairs[0] = ("", "")
    width = max((len(error) for _, error in pairs), default=0)
    few = policies["few_events"].values if name == LIQUIDATION and "few_events" in policies else ()
    cells = [f"{value}{sign}{error:<{width}}" if error else value for value, error in pairs]
    marks = ["*" if mark else " " for mark in few] if any(few) else [""] * len(cells)
    return [cell + mark for cell, mark in zip(cells, marks, strict=True)]


def _title(metric: xr.DataArray) -> str:
    name = str(metric.name)
    if "quantile" not in metric.attrs:
        return _header(name)
    stem = name.removesuffix("_quantile").replace("_", " ")
    return f"{stem}\n{label(metric.attrs['quantile'])} quantile"


def _header(name: str) -> str:
    """Break a name into lines of about equal length at its underscores."""
    first, second = "", name.replace("_", " ")
    while " " in second and len(first) < len(second.partition(" ")[2]) + 1:
        word, _, second = second.partition(" ")
        first = f"{first} {word}".strip()
    return f"{first}\n{second}" if first else second


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
    if any("→" in word for word in _policy_words(ranking).get("leverage", [])):
        lines.append("→ the leverage that the venue's cap leaves.")
    if "few_events" in policies and bool(policies["few_events"].any()):
        lines.append("* fewer than 10 liquidations seen.")
    return lines
