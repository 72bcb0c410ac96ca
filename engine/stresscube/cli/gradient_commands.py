"""Commands that follow slopes of metrics. What they do is imported when they are called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stresscube.cli import complete
from stresscube.cli.options import (
    Case,
    Confidence,
    Json,
    Maximise,
    Minimise,
    Paths,
    ScenarioFile,
    Seed,
    Set,
    SubjectTo,
    Threads,
    Trust,
    Where,
)

Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]


def sensitivities(
    scenario: ScenarioFile,
    of: Annotated[
        list[str] | None,
        typer.Option(
            "--of",
            metavar="METRIC",
            help="Which metric. May be repeated.",
            autocompletion=complete.metrics,
        ),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option("--by", metavar="KEY", help="By which number. May be repeated."),
    ] = None,
    where: Where = None,
    every: Annotated[bool, typer.Option("--all", help="Every cell, not one.")] = False,
    paths: Paths = None,
    seed: Seed = None,
    settings: Set = None,
    temperature: Annotated[
        float | None,
        typer.Option("--temperature", metavar="T", help="Soften the drift rule, not differences."),
    ] = None,
    differences: Annotated[
        bool, typer.Option("--differences", help="Central differences for every number.")
    ] = False,
    trust: Trust = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Tell by how much metrics change with numbers of the policy, its venue and the market."""
    from stresscube.cli import sensitivities_command as command

    command.sensitivities(
        scenario,
        of=of or (),
        by=by or (),
        where=where or (),
        every=every,
        paths=paths,
        seed=seed,
        settings=tuple(settings or ()),
        temperature=temperature,
        differences=differences,
        trust=trust,
        quiet=quiet,
        as_json=as_json,
    )


def optimise(
    scenario: ScenarioFile,
    maximise: Maximise = None,
    minimise: Minimise = None,
    subject_to: SubjectTo = None,
    over: Annotated[
        list[str] | None,
        typer.Option(
            "--over",
            metavar="KEY=LOW:HIGH",
            help="A number of the policy and its range. May be repeated; the ends of swept ones "
            "unless given.",
        ),
    ] = None,
    case: Case = "worst",
    confidence: Confidence = 0.95,
    starts: Annotated[int, typer.Option("--starts", metavar="N", help="Starts.")] = 6,
    iterations: Annotated[
        int, typer.Option("--iterations", metavar="N", help="Steps of each start.")
    ] = 20,
    search_paths: Annotated[
        int, typer.Option("--search-paths", metavar="N", help="New paths of each step.")
    ] = 96,
    round_paths: Annotated[
        int, typer.Option("--round-paths", metavar="N", help="Paths of exact runs before the last.")
    ] = 1024,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="Write the scenario with the policy."),
    ] = None,
    paths: Paths = None,
    seed: Seed = None,
    settings: Set = None,
    threads: Threads = None,
    trust: Trust = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Look for the best policy by gradients; confirm it and its neighbours by exact runs."""
    from stresscube.cli import optimise as command
    from stresscube.optimise import Effort

    command.optimise(
        command.OptimiseOptions(
            scenario=scenario,
            maximise=maximise,
            minimise=minimise,
            subject_to=None if subject_to is None else tuple(subject_to),
            over=tuple(over or ()),
            case=case,
            confidence=confidence,
            effort=Effort(starts, iterations, search_paths, round_paths),
            out=out,
            paths=paths,
            seed=seed,
            settings=tuple(settings or ()),
            threads=threads,
            trust=trust,
            quiet=quiet,
            as_json=as_json,
        )
    )
