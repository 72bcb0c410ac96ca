"""`stresscube run`: from a scenario file to a stress cube, and what to look at next."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
import xarray as xr
from rich.console import Console
from rich.markup import escape

from stresscube.backends import automatic
from stresscube.cli import rates
from stresscube.cli.as_json import emit
from stresscube.cli.console import console
from stresscube.cli.errors import stop
from stresscube.cli.open import open_summary
from stresscube.cli.progress import Meter, meter
from stresscube.cli.scenario import load_scenario
from stresscube.cli.show import print_ranking, ranking_document
from stresscube.errors import Interrupted, StresscubeError
from stresscube.plane import default_sides
from stresscube.policies import LIQUIDATION
from stresscube.runner import run as run_scenario
from stresscube.runner import usable_cores
from stresscube.show import rank
from stresscube.status import status_of
from stresscube.store.objects import Place
from stresscube.text import count, plural, time_span

ROWS = 5


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What was asked for on the command line."""

    scenario: Path
    out: Place | None = None
    backend: str = "auto"
    paths: int | None = None
    seed: int | None = None
    settings: tuple[str, ...] = ()
    threads: int | None = None
    memory: str | None = None
    trust: bool = False
    shard: str | None = None
    dask: str | None = None
    quiet: bool = False
    as_json: bool = False

    @property
    def command(self) -> str:
        """The command that does this again, for a shell."""
        words = ["stresscube", "run", str(self.scenario)]
        words += ["-o", str(self.out)] if self.out is not None else []
        words += ["--backend", self.backend] if self.backend != "auto" else []
        words += ["--paths", str(self.paths)] if self.paths is not None else []
        words += ["--seed", str(self.seed)] if self.seed is not None else []
        for setting in self.settings:
            words += ["--set", setting]
        words += ["--threads", str(self.threads)] if self.threads is not None else []
        words += ["--memory", self.memory] if self.memory is not None else []
        words += ["--trust"] if self.trust else []
        words += ["--shard", self.shard] if self.shard is not None else []
        words += ["--dask", self.dask] if self.dask is not None else []
        words += ["--quiet"] if self.quiet else []
        words += ["--json"] if self.as_json else []
        return shlex.join(words)


def run(options: RunOptions) -> None:
    """Run a scenario; print the best policies and the commands to look further."""
    scenario = load_scenario(options.scenario, options.paths, options.seed, options.settings)
    teller = meter(console(stderr=True), quiet=options.quiet)
    try:
        folder = run_scenario(
            scenario,
            f"{scenario.name}.run" if options.out is None else options.out,
            backend=options.backend,
            threads=options.threads,
            memory=options.memory,
            trust=options.trust,
            shard=options.shard,
            dask=options.dask,
            progress=teller,
        )
    except Interrupted as interrupted:
        kept = f"{teller.blocks} of {teller.mine} blocks are kept"
        typer.echo(f"\nstresscube: stopped; {kept}", err=True)
        typer.echo(f"to go on: {options.command}", err=True)
        raise typer.Exit(interrupted.exit_code) from None
    if teller.plan is not None and options.dask is None:
        threads = options.threads or usable_cores()
        rates.remember(teller.plan, threads, teller.done, teller.seconds)
    if options.as_json:
        emit(_document(folder, teller))
        return
    if options.quiet:
        return
    if options.shard is None:
        console().print(escape(_what_was_done(folder, teller)), soft_wrap=True)
    elif not _report_part(folder, teller, options.shard):
        return
    _report(folder, options.backend)


def _report_part(folder: Place, teller: Meter, shard: str) -> bool:
    """Say what a shard did; return whether the whole run is complete."""
    found = status_of(folder)
    out = console()
    blocks = f"{plural(teller.mine, 'block')} done, {teller.resumed} of them before"
    out.print(escape(f"shard {shard} of {folder}: {blocks}"), soft_wrap=True)
    whole = f"the run has {found.finished:,} of its {plural(found.blocks, 'block')}"
    out.print(escape(whole if not found.complete else f"{whole}: it is complete"), soft_wrap=True)
    return found.complete


def _report(folder: Place, backend: str) -> None:
    out = console()
    summary = open_summary(folder)
    if "data" in summary.attrs:
        out.print(escape(_what_was_read(summary)), soft_wrap=True)
    if backend == "auto":
        taken, reason = automatic()
        out.print(f"[dim]backend {taken.name}: {escape(reason)}[/]", soft_wrap=True)
    out.print()
    try:
        ranking = rank(summary, top=ROWS)
    except StresscubeError as error:
        stop(str(error), 0)
    print_ranking(ranking, out, name=str(summary.attrs["name"]))
    _suggest(folder, summary, out)


def _document(folder: Place, teller: Meter) -> dict[str, Any]:
    """Return what `--json` prints: what was done and the best policies."""
    summary = open_summary(folder)
    plan = teller.plan
    found: dict[str, Any] = {
        "run": folder,
        "name": summary.attrs["name"],
        "paths": summary.attrs["paths"],
        "policy_steps": teller.done,
        "seconds": teller.seconds,
        "blocks_kept_from_before": teller.resumed,
        "cells": None if plan is None else plan.cells,
        "ranking": None,
    }
    try:
        return found | {"ranking": ranking_document(rank(summary, top=ROWS))}
    except StresscubeError as error:
        return found | {"no_ranking": str(error)}


def _what_was_done(folder: Place, teller: Meter) -> str:
    plan = teller.plan
    if plan is None or teller.resumed == teller.mine:
        return f"{folder} was complete already"
    cells = f"{plural(plan.cells, 'cell')} × {plural(plan.paths, 'path')}"
    speed = count(teller.done / teller.seconds) if teller.seconds else "?"
    work = f"{count(teller.done)} policy-steps in {time_span(teller.seconds)}"
    return f"{folder}: {cells}, {work} ({speed}/s)"


def _what_was_read(summary: xr.Dataset) -> str:
    """Say what a replay was cut from, and where its oddities are listed."""
    notes = len(summary.attrs["data_notes"])
    listed = f"; {plural(notes, 'note')} on it: stresscube check" if notes else ""
    return f"data: {summary.attrs['data']}{listed}"


def _suggest(folder: Place, summary: xr.Dataset, out: Console) -> None:
    """Print commands that go on from here."""
    run_folder = shlex.quote(str(folder))
    lines = [f"stresscube show {run_folder} --top 20", f"stresscube recommend {run_folder}"]
    sides = default_sides(summary, LIQUIDATION)
    if sides is not None:
        lines.append(f"stresscube plot {run_folder} --x {sides[0]} --y {sides[1]} -o plot.png")
    out.print()
    out.print("[bold]next[/]:")
    for line in lines:
        out.print(f"  {escape(line)}", soft_wrap=True)
