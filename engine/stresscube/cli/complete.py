"""What a shell offers when Tab is pressed. Only small files are read, nothing large is imported."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

from stresscube.text import label

METRICS = "cube.zarr/summary"
PLAN = "_control/plan.json"
ERROR = "_se"
"""What the names of errors end with; a metric is what has one."""


def runs(incomplete: str) -> list[str]:
    """Folders that hold a run, and folders in between."""
    return [f"{it}" if _is_run(it) else f"{it}/" for it in _entries(incomplete) if it.is_dir()]


def scenarios(incomplete: str) -> list[str]:
    """TOML files, and folders in between."""
    found = [it for it in _entries(incomplete) if it.is_dir() or it.suffix == ".toml"]
    return [f"{it}/" if it.is_dir() else f"{it}" for it in found if not _is_run(it)]


def one_of(*words: str) -> Callable[[str], list[str]]:
    """Return a completion of fixed words."""

    def complete(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return complete


def metrics(ctx: typer.Context, incomplete: str) -> list[str]:
    """Metrics of the run that was named before."""
    folder = _run(ctx) / METRICS
    names = {it.name for it in folder.iterdir()} if folder.is_dir() else set[str]()
    found = (it.removesuffix(ERROR) for it in names if it.endswith(ERROR))
    return sorted(it for it in found if it in names and it.startswith(incomplete))


def dims(ctx: typer.Context, incomplete: str) -> list[str]:
    """Swept dims of the run that was named before."""
    return [name for name, _ in _axes(ctx) if name.startswith(incomplete)]


def cells(ctx: typer.Context, incomplete: str) -> list[str]:
    """NAME=VALUE of every swept dim of the run that was named before."""
    texts = (f"{name}={label(value)}" for name, values in _axes(ctx) for value in values)
    return [it for it in texts if it.startswith(incomplete)]


def _axes(ctx: typer.Context) -> Iterator[tuple[str, list[Any]]]:
    try:
        axes = json.loads((_run(ctx) / PLAN).read_text("utf-8"))["axes"]
        yield from ((axis["name"], axis["values"]) for axis in axes)
    except (OSError, ValueError, KeyError, TypeError):
        return


def _run(ctx: typer.Context) -> Path:
    """The run on the line so far; after an option that has no value yet it is among the rest."""
    named = ctx.params.get("run") or next(iter(ctx.args), "")
    return Path(str(named))


def _is_run(folder: Path) -> bool:
    return (folder / PLAN).is_file()


def _entries(incomplete: str) -> list[Path]:
    """What a path that is being typed may become; hidden names only if asked for."""
    folder, _, start = incomplete.rpartition("/")
    parent = Path(folder or ("/" if incomplete.startswith("/") else "."))
    try:
        found = sorted(it for it in parent.iterdir() if it.name.startswith(start))
    except OSError:
        return []
    return [it for it in found if start or not it.name.startswith(".")]
