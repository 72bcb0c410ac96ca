"""Tables that fit the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from stresscube.text import label, uncertain_column


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its header, its cells as text; a folded one is broken where it is too wide."""

    header: str
    cells: list[str]
    style: str = ""
    folded: bool = False

    def add_to(self, table: Table) -> None:
        """Add the column, without its cells, to a table."""
        if self.folded:
            table.add_column(escape(self.header), overflow="fold", style=self.style)
        else:
            header = escape(self.header)
            table.add_column(header, justify="right", no_wrap=True, style=self.style)


def table_of(columns: Sequence[Column]) -> Table:
    """Return a table of columns of equal length."""
    table = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1), collapse_padding=True
    )
    for column in columns:
        column.add_to(table)
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(escape, row))
    return table


def first_that_fits(tables: Iterable[Table], out: Console) -> Table:
    """Return the first table that the width holds, or else the last."""
    table = Table()
    for table in tables:
        if _width(table, out) <= out.width:
            break
    return table


def _width(table: Table, out: Console) -> int:
    return Measurement.get(out, out.options.update(max_width=10_000), table).maximum


def in_one(dims: dict[str, list[str]], title: str = "policy") -> Column:
    """Return a folded column of what several columns hold, as `leverage=10 venue=C`."""
    rows = zip(*dims.values(), strict=True)
    texts = [" ".join(map("=".join, zip(dims, row, strict=True))) for row in rows]
    return Column(title, texts, folded=True)


def with_errors(
    values: Sequence[float],
    errors: Sequence[float],
    sign: str = " ± ",
    *,
    blank_first: bool = False,
) -> list[str]:
    """Return 'value ± error' texts, lined up at the sign."""
    pairs = uncertain_column(values, errors)
    if blank_first:
        pairs[0] = ("", "")
    width = max((len(error) for _, error in pairs), default=0)
    return [f"{value}{sign}{error:<{width}}" if error else value for value, error in pairs]


def header(name: str) -> str:
    """Break a name into lines of about equal length at its underscores."""
    first, second = "", name.replace("_", " ")
    while " " in second and len(first) < len(second.partition(" ")[2]) + 1:
        word, _, second = second.partition(" ")
        first = f"{first} {word}".strip()
    return f"{first}\n{second}" if first else second


def policy_words(policies: xr.Dataset, fixed: Iterable[str]) -> dict[str, list[str]]:
    """Return the values of each policy dim along `rank`, as text; a capped leverage as '50→20'."""
    left_out = set(fixed)
    dims = [str(dim) for dim in policies.coords if policies[dim].dims == ("rank",)]
    words = {
        dim: [label(value) for value in np.atleast_1d(policies[dim].values).tolist()]
        for dim in dims
        if dim not in left_out
    }
    if "leverage" in words and "leverage_effective" in policies:
        effective = [label(value) for value in policies["leverage_effective"].values.tolist()]
        words["leverage"] = [
            want if want == got else f"{want}→{got}"
            for want, got in zip(words["leverage"], effective, strict=True)
        ]
    return words
