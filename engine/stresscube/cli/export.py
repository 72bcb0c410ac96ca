"""`stresscube export`: a run's cube as CSV."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from stresscube.cli.open import open_summary
from stresscube.errors import RunError
from stresscube.export import write_csv
from stresscube.where import parse_where


def export(
    run: str, *, out: Path, metrics: Sequence[str], where: Sequence[str], batches: bool
) -> None:
    """Write one line a cell to a file, or to stdout if it is called `-`."""
    summary = open_summary(run)
    chosen = parse_where(where)
    if str(out) == "-":
        write_csv(summary, sys.stdout, metrics=metrics, where=chosen, batches=batches)
        return
    try:
        with out.open("w", newline="", encoding="utf-8") as file:
            rows, columns = write_csv(summary, file, metrics=metrics, where=chosen, batches=batches)
    except OSError as error:
        raise RunError(f"{out}: cannot be written: {error.strerror or error}") from error
    typer.echo(f"{out}: {rows:,} cells, {columns:,} columns")
