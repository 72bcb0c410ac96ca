"""`stresscube export`: a run's cube as CSV."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from stresscube.cli.as_json import emit
from stresscube.cli.open import open_summary
from stresscube.errors import RunError, StresscubeError
from stresscube.export import write_csv
from stresscube.where import parse_where


def export(
    run: str,
    *,
    out: Path,
    metrics: Sequence[str],
    where: Sequence[str],
    batches: bool,
    as_json: bool = False,
) -> None:
    """Write one line a cell to a file, or to stdout if it is called `-`."""
    if as_json and str(out) == "-":
        raise StresscubeError("--json tells what was written to a file: name it with -o FILE")
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
    if as_json:
        emit({"file": out, "cells": rows, "columns": columns})
        return
    typer.echo(f"{out}: {rows:,} cells, {columns:,} columns")
