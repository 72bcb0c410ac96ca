"""Opening a run for a command: what is missing of it is told in one line."""

from __future__ import annotations

import warnings
from pathlib import Path

import typer
import xarray as xr

from stresscube.errors import RunError
from stresscube.store.reader import IncompleteRun, open_run


def open_summary(run: Path) -> xr.Dataset:
    """Return a run's summary; say on stderr if blocks are missing.

    Raises RunError if there is no run.
    """
    if not run.exists():
        raise RunError(f"{run}: no such run folder")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", IncompleteRun)
        tree = open_run(run)
    for warning in caught:
        if issubclass(warning.category, IncompleteRun):
            typer.echo(f"stresscube: {warning.message}", err=True)
    return tree["summary"].to_dataset()
