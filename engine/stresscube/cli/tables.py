"""Tables that fit the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table


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


def print_fitting(tables: Iterable[tuple[Table, list[str]]], out: Console) -> None:
    """Print the first table that the width holds, or else the last, and name what it lacks."""
    table, lacking = Table(), list[str]()
    for fitting in tables:
        table, lacking = fitting
        if _width(table, out) <= out.width:
            break
    out.print(table)
    if lacking:
        names = ", ".join(name.replace("_", " ") for name in lacking)
        out.print(escape(f"left out for the width: {names} (--json has all)."), style="dim")


def _width(table: Table, out: Console) -> int:
    return Measurement.get(out, out.options.update(max_width=10_000), table).maximum


def in_one(dims: dict[str, list[str]], title: str = "policy") -> Column:
    """Return a folded column of what several columns hold, as `leverage=10 venue=C`."""
    rows = zip(*dims.values(), strict=True)
    texts = [" ".join(map("=".join, zip(dims, row, strict=True))) for row in rows]
    return Column(title, texts, folded=True)
