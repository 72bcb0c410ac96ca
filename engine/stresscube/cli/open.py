"""Opening a run for a command: what is missing of it is told in one line."""

from __future__ import annotations

import warnings

import typer
import xarray as xr

from stresscube.errors import NoRun
from stresscube.store.local import LocalObjects
from stresscube.store.objects import Place, objects_at
from stresscube.store.reader import IncompleteRun, open_run


def open_summary(run: Place) -> xr.Dataset:
    """Return a run's summary; say on stderr if blocks are missing.

    Raises RunError if there is no run.
    """
    objects = objects_at(run)
    if isinstance(objects, LocalObjects) and not objects.root.exists():
        raise NoRun(f"{run}: no such run folder")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", IncompleteRun)
        tree = open_run(run)
    for warning in caught:
        if issubclass(warning.category, IncompleteRun):
            typer.echo(f"stresscube: {warning.message}", err=True)
    return tree["summary"].to_dataset()
