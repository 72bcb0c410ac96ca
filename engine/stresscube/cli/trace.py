"""`stresscube trace`: one path again, as a ledger and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from stresscube.cli.as_json import emit
from stresscube.cli.console import console
from stresscube.plane import check_extension
from stresscube.text import plural
from stresscube.tracing import Traced, trace_texts
from stresscube.tracing.table import check_ending, write

BOOKS = {
    "pnl_a": ("+", "leg a"),
    "pnl_b": ("+", "leg b"),
    "fees": ("−", "fees"),
    "slippage": ("−", "slippage"),
    "funding": ("−", "funding"),
    "liquidation_cost": ("−", "liquidation"),
    "deficit": ("+", "deficit"),
}
"""Totals that final equity is made of, with their signs."""


def trace(
    run: str,
    *,
    path: str,
    settings: Sequence[str],
    out: Path | None,
    plot: Path | None,
    trust: bool,
    as_json: bool = False,
) -> None:
    """Write one path's ledger and picture; print what became of it."""
    for file, check in ((out, check_ending), (plot, check_extension)):
        if file is not None:
            check(file)
    traced = trace_texts(run, path, settings, trust=trust)
    name = f"{traced.table.attrs['name']}-path{traced.found.path}"
    ledger = out if out is not None else Path(f"{name}.csv")
    drawn = plot if plot is not None else ledger.with_suffix(".png")
    write(traced.table, ledger)
    # matplotlib takes half a second to import, so faults of the question are told first.
    from stresscube.plot import save
    from stresscube.tracing.picture import picture

    save(picture(traced), drawn)
    if as_json:
        emit(
            {
                "path": traced.found.path,
                "cell": traced.cell.words,
                "totals": traced.totals,
                "notes": list(traced.notes),
                "ledger": str(ledger),
                "plot": str(drawn),
            }
        )
        return
    _report(traced, console())
    console().print(
        escape(f"{ledger}: {plural(len(traced.table), 'row')}\n{drawn}"), soft_wrap=True
    )


def _report(traced: Traced, out: Console) -> None:
    found, totals = traced.found, traced.totals
    out.print(f"[bold]path {escape(str(found))}[/]", soft_wrap=True)
    if found.how:
        out.print(f"[dim]{escape(found.how)}[/]", soft_wrap=True)
    out.print(escape(str(traced.cell)), soft_wrap=True)
    out.print()
    out.print(escape(_books(traced)), soft_wrap=True)
    out.print(escape(_life(traced)), soft_wrap=True)
    for note in traced.notes:
        out.print(escape(note), style="dim", soft_wrap=True)
    if totals["trades"]:
        out.print()


def _books(traced: Traced) -> str:
    """Final equity, made up of what flowed."""
    text = f"final equity {traced.totals['final_equity']:.4f} = 1"
    for name, (sign, words) in BOOKS.items():
        value = traced.totals[name]
        if value:
            minus = (value < 0) != (sign == "−")
            text += f" {'−' if minus else '+'} {abs(value):.4f} {words}"
    return text


def _life(traced: Traced) -> str:
    totals = traced.totals
    days = totals["liquidation_time"]
    dead = "not liquidated" if days != days else f"liquidated after {24 * days:.4g} h"
    trades, wins = int(totals["trades"]), int(totals["wins"])
    return (
        f"{dead}; deepest drawdown {totals['max_drawdown']:.4f}; {plural(trades, 'trade')}, "
        f"{wins} won; {plural(int(totals['rebalances']), 'rebalance')}"
    )
