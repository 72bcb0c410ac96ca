"""Commands that follow slopes of metrics. What they do is imported when they are called."""

from __future__ import annotations

from typing import Annotated

import typer

from stresscube.cli import complete
from stresscube.cli.options import (
    Json,
    Paths,
    ScenarioFile,
    Seed,
    Set,
    Trust,
    Where,
)


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
        typer.Option("--temperature", metavar="T", help="How soft the drift rule is made."),
    ] = None,
    differences: Annotated[
        bool, typer.Option("--differences", help="Central differences for every number.")
    ] = False,
    trust: Trust = False,
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
        as_json=as_json,
    )
