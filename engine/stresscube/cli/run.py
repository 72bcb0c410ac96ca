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
from stresscube.text import count, plural, time_span

ROWS = 5


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What was asked for on the command line."""

    scenario: Path
    out: Path | None = None
    backend: str = "auto"
    paths: int | None = None
    seed: int | None = None
    settings: tuple[str, ...] = ()
    threads: int | None = None
    memory: str | None = None
    trust: bool = False
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
            options.out,
            backend=options.backend,
            threads=options.threads,
            memory=options.memory,
            trust=options.trust,
            progress=teller,
        )
    except Interrupted as interrupted:
        blocks = len(teller.plan.blocks) if teller.plan else 0
        typer.echo(f"\nstresscube: stopped; {teller.blocks} of {blocks} blocks are kept", err=True)
        typer.echo(f"to go on: {options.command}", err=True)
        raise typer.Exit(interrupted.exit_code) from None
    if teller.plan is not None:
        threads = options.threads or usable_cores()
        rates.remember(teller.plan, threads, teller.done, teller.seconds)
    if options.as_json:
        emit(_document(folder, teller))
    elif not options.quiet:
        _report(folder, teller, options.backend)


def _report(folder: Path, teller: Meter, backend: str) -> None:
    out = console()
    summary = open_summary(folder)
    out.print(escape(_what_was_done(folder, teller)), soft_wrap=True)
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


def _document(folder: Path, teller: Meter) -> dict[str, Any]:
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


def _what_was_done(folder: Path, teller: Meter) -> str:
    plan = teller.plan
    if plan is None or teller.resumed == len(plan.blocks):
        return f"{folder} was complete already"
    cells = f"{plural(plan.cells, 'cell')} × {plural(plan.paths, 'path')}"
    speed = count(teller.done / teller.seconds) if teller.seconds else "?"
    work = f"{count(teller.done)} policy-steps in {time_span(teller.seconds)}"
    return f"{folder}: {cells}, {work} ({speed}/s)"


def _suggest(folder: Path, summary: xr.Dataset, out: Console) -> None:
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
