"""`stresscube claims`: run the article's claims and write what becomes of them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape

from stresscube.claims.catalogue import CLAIMS, chosen
from stresscube.claims.claim import Claim, Finding, overall
from stresscube.claims.conditions import condition, lacking
from stresscube.claims.page import MARKETS, Tested, page, stale, unconditioned
from stresscube.claims.studies import How, run_study, stamp
from stresscube.claims.verdicts import Verdict
from stresscube.claims.words import written
from stresscube.cli.as_json import emit
from stresscube.cli.console import console
from stresscube.cli.errors import stop
from stresscube.cli.progress import meter
from stresscube.errors import Interrupted, StresscubeError
from stresscube.text import plural

WITHOUT = "no condition is known under which it would hold"


@dataclass(frozen=True, slots=True)
class ClaimsOptions:
    """What was asked for on the command line."""

    scenarios: Path
    runs: Path
    only: tuple[str, ...] = ()
    out: Path | None = None
    paths: int | None = None
    backend: str = "auto"
    threads: int | None = None
    check: bool = False
    quiet: bool = False
    as_json: bool = False

    @property
    def command(self) -> str:
        """The command that does this again, for a shell."""
        words = ["stresscube", "claims", str(self.scenarios), "--runs", str(self.runs)]
        for name in self.only:
            words += ["--only", name]
        words += ["--paths", str(self.paths)] if self.paths is not None else []
        words += ["--backend", self.backend] if self.backend != "auto" else []
        words += ["--threads", str(self.threads)] if self.threads is not None else []
        words += ["-o", str(self.out)] if self.out is not None else []
        return shlex.join(words)


def claims(options: ClaimsOptions) -> None:
    """Run the claims asked for, print their verdicts, and write the page if there is a place."""
    asked = chosen(list(options.only))
    if options.check:
        _check(options)
        return
    if options.out is not None and options.only:
        names = ", ".join(options.only)
        raise StresscubeError(f"--only {names}: -o writes the page of all claims (leave out one)")
    tested = tuple(_run(asked, options))
    if options.out is not None:
        options.out.write_text(page(tested), encoding="utf-8")
    if options.as_json:
        emit({"claims": [document(it) for it in tested]})
    elif not options.quiet:
        _print(tested, options.out)
    without = [words for it in tested for words in lacking(it.findings)]
    if options.out is not None and without:
        stop(f"{options.out}: {WITHOUT}: {'; '.join(without)}", 1)


def document(tested: Tested) -> dict[str, Any]:
    """Return what `--json` prints of a claim."""
    return {
        "claim": tested.claim.name,
        "title": tested.claim.title,
        "sentence": tested.claim.sentence,
        "verdict": overall(tested.findings).value,
        "findings": [
            {
                "market": it.market.value,
                "question": it.question,
                "figure": None if it.figure is None else it.figure.value,
                "standard_error": None if it.figure is None else it.figure.error,
                "verdict": it.verdict.value,
                "why": it.why,
                "depends": it.depends,
                "tried": [
                    {
                        "setting": f"{trial.place} {trial.label}".strip(),
                        "figure": trial.figure.value,
                        "standard_error": trial.figure.error,
                        "verdict": trial.verdict.value,
                        "market_altered": trial.altered,
                    }
                    for trial in it.tried
                ],
                "never": it.never,
            }
            for it in tested.findings
        ],
        "runs": [
            {
                "run": name,
                "settings": study.settings,
                "paths": paths,
                "seed": seed,
                "digest": of.scenario,
                "step": of.step,
            }
            for name, study, paths, seed, of in tested.runs
        ],
    }


def _run(asked: tuple[Claim, ...], options: ClaimsOptions) -> Iterator[Tested]:
    """Run claim after claim; what is complete from before is only opened."""
    err = console(stderr=True)
    how = How(
        options.scenarios,
        options.runs,
        options.paths,
        options.backend,
        options.threads,
        lambda: meter(err, quiet=options.quiet),
    )
    for place, claim in enumerate(asked):
        if not options.quiet:
            err.print(f"[dim]{place + 1} of {len(asked)}: {claim.name}[/]")
        try:
            cubes = [run_study(claim, study, how) for study in claim.studies]
        except Interrupted as interrupted:
            typer.echo(f"\nstresscube: stopped; {plural(place, 'claim')} done", err=True)
            typer.echo(f"to go on: {options.command}", err=True)
            raise typer.Exit(interrupted.exit_code) from None
        simulations = (it.scenario.simulation for cube in cubes for it in cube.family())
        runs = tuple(
            (name, study, it.paths, it.seed, stamp(claim, study, how.scenarios))
            for (name, study), it in zip(claim.runs(), simulations, strict=True)
        )
        yield Tested(claim, claim.findings(cubes), runs)


def _check(options: ClaimsOptions) -> None:
    """Say whether the page is of scenarios and steps as they are; exit with 1 if not."""
    if options.out is None:
        raise StresscubeError("--check: name the page to check with -o")
    try:
        text = options.out.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise StresscubeError(f"{options.out}: no such file, so nothing to check") from None
    changed = stale(text, CLAIMS, options.scenarios)
    if changed:
        stop(f"{options.out}: out of date: {'; '.join(changed)}", 1)
    if without := unconditioned(text):
        stop(f"{options.out}: {WITHOUT}: {'; '.join(without)}", 1)
    console().print(escape(f"{options.out}: up to date"), soft_wrap=True)


def _print(tested: tuple[Tested, ...], written_to: Path | None) -> None:
    out = console()
    for it in tested:
        out.print(f"[bold]{escape(it.claim.title)}[/]", soft_wrap=True)
        for finding in it.findings:
            out.print(f"  {escape(_line(finding))}", soft_wrap=True)
            if finding.verdict is not Verdict.HOLDS:
                words = condition(finding).replace("**", "")
                out.print(f"    [dim]{escape(words)}[/]", soft_wrap=True)
    if written_to is not None:
        out.print(escape(f"written to {written_to}"), soft_wrap=True)


def _line(finding: Finding) -> str:
    figure = "" if finding.figure is None else f": {written(finding.figure, finding.unit)}"
    return f"{finding.verdict.value} · {MARKETS[finding.market]}: {finding.question}{figure}"
