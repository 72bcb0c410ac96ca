"""`stresscube status`: how far a run is, and who is writing to it."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict

import typer
from rich.markup import escape

from stresscube.cli.console import console
from stresscube.cli.errors import UNFINISHED
from stresscube.folder import one_line_faults
from stresscube.status import Status, status_of
from stresscube.text import count, plural, time_span

SHOWN = 6
"""Missing blocks that are named."""


def status(run: str, *, as_json: bool) -> None:
    """Print how far a run is.

    The exit code is 0 for a complete run and 4 for one that is not.
    """
    with one_line_faults(run, reading=True):
        found = status_of(run)
    if as_json:
        typer.echo(json.dumps({"run": str(run), "complete": found.complete, **asdict(found)}))
    else:
        _print(run, found)
    raise typer.Exit(0 if found.complete else UNFINISHED)


def _print(run: str, found: Status) -> None:
    out = console()
    state = "complete" if found.complete else f"{len(found.missing):,} missing"
    lines = [f"{run}: {found.name}, {found.finished:,} of {plural(found.blocks, 'block')}, {state}"]
    if found.missing:
        more = len(found.missing) - SHOWN
        words = " ".join(found.missing[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")
        lines.append(f"missing: {words}")
    if found.finished:
        work = f"{count(found.policy_steps)} policy-steps in {time_span(found.seconds)}"
        lines.append(f"done: {work} of computing, on {', '.join(found.devices)}")
    if found.missing and found.finished:
        left = found.seconds / found.finished * len(found.missing)
        lines.append(f"left: about {time_span(left)} of computing")
    lines.append(f"with: {', '.join(f'{name} {it}' for name, it in found.versions.items())}")
    if found.partials and not found.writers:
        swept = "the next run sweeps them"
        lines.append(f"half written: {plural(found.partials, 'object')}; {swept}")
    lines.append(f"writing now: {', '.join(found.writers) or 'nobody'}")
    if found.missing and not found.writers:
        lines.append("to go on: give the command that made it again")
    lines.append(f"to check it: stresscube verify {shlex.quote(str(run))}")
    for line in lines:
        out.print(escape(line), soft_wrap=True)
