"""`stresscube verify`: whether a run is as it was written, and mending what is not."""

from __future__ import annotations

import json
import shlex
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from stresscube.cli.console import console
from stresscube.cli.errors import DAMAGED, UNFINISHED
from stresscube.cli.progress import meter
from stresscube.text import plural
from stresscube.verdict import Told, Verdict
from stresscube.verdict import verify as verify_run

SHOWN = 20
"""Damaged objects that are named."""


def verify(
    run: str,
    *,
    recompute: int,
    repair: bool,
    threads: int | None,
    memory: str | None,
    trust: bool,
    as_json: bool,
) -> None:
    """Verify a run and print what is damaged.

    The exit code is 0 for a sound and complete run, 3 where there is damage still, 4 for a sound
    run with blocks missing.
    """
    err = console(stderr=True)
    with _told(err, quiet=as_json) as told:
        found = verify_run(
            run,
            recompute=recompute,
            repair=repair,
            threads=threads,
            memory=memory,
            trust=trust,
            told=told,
            progress=meter(err, quiet=as_json),
        )
    if as_json:
        typer.echo(json.dumps(_content(run, found)))
    else:
        _print(run, found)
    raise typer.Exit(DAMAGED if found.damage else 0 if found.complete else UNFINISHED)


@contextmanager
def _told(out: Console, *, quiet: bool) -> Generator[Told]:
    """Give what shows how far the reading is, on a terminal."""
    if quiet or not out.is_terminal:
        yield lambda done, blocks: None
        return
    with Progress(*Progress.get_default_columns(), console=out, transient=True) as bar:
        task = bar.add_task("reading")
        yield lambda done, blocks: bar.update(task, completed=done, total=blocks)


def _print(run: str, found: Verdict) -> None:
    out = console()
    audit = found.audit
    lines = [
        f"{run}: {len(audit.finished):,} of {plural(audit.blocks, 'block')} finished, "
        f"{plural(audit.chunks, 'chunk')} decoded and hashed"
    ]
    lines += [f"mended: {damage}" for damage in found.mended[:SHOWN]]
    lines += _more(len(found.mended))
    lines += [f"damaged: {damage}" for damage in found.damage[:SHOWN]]
    lines += _more(len(found.damage))
    lines += [str(it) for it in found.recomputed]
    if found.damage:
        lines.append(f"to mend it: stresscube verify {shlex.quote(str(run))} --repair")
    elif found.complete:
        lines.append("sound and complete")
    else:
        lines.append("sound as far as it goes; to go on, give the command that made it again")
    for line in lines:
        out.print(escape(line), soft_wrap=True)


def _more(count: int) -> list[str]:
    return [f"and {count - SHOWN:,} more"] if count > SHOWN else []


def _content(run: str, found: Verdict) -> dict[str, object]:
    return {
        "run": str(run),
        "blocks": found.audit.blocks,
        "finished": len(found.audit.finished),
        "chunks": found.audit.chunks,
        "complete": found.complete,
        "damage": [asdict(it) for it in found.damage],
        "mended": [asdict(it) for it in found.mended],
        "recomputed": [asdict(it) for it in found.recomputed],
    }
