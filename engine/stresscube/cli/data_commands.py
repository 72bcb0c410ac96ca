"""Commands that read recorded prices. What they do is imported when they are called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stresscube.cli.options import (
    Assets,
    Data,
    DataVenues,
    FundingFile,
    Json,
    ScenarioFile,
    Set,
    Since,
    Threads,
    Until,
)


def realism(
    scenario: ScenarioFile,
    data: Data,
    funding: FundingFile = None,
    since: Since = None,
    until: Until = None,
    assets: Assets = None,
    venues: DataVenues = None,
    settings: Set = None,
    simulations: Annotated[
        int, typer.Option("--simulations", min=20, metavar="N", help="How many simulations.")
    ] = 200,
    band: Annotated[
        float, typer.Option("--band", min=0.5, max=0.999, metavar="P", help="Share of the band.")
    ] = 0.95,
    threads: Threads = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="A picture: .png, .svg or .pdf."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Hold a scenario's market against recorded prices: every fact with a band, pass or miss."""
    from stresscube.cli import realism as command
    from stresscube.realism.recorded import Wanted

    wanted = Wanted(since, until, funding, tuple(assets or ()), tuple(venues or ()))
    command.realism(
        command.RealismOptions(
            scenario=scenario,
            data=tuple(data),
            wanted=wanted,
            settings=tuple(settings or ()),
            simulations=simulations,
            band=band,
            threads=threads,
            out=out,
            as_json=as_json,
        )
    )


def calibrate(
    data: Data,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="The scenario file to write.")
    ],
    funding: FundingFile = None,
    since: Since = None,
    until: Until = None,
    assets: Assets = None,
    venues: DataVenues = None,
    regimes: Annotated[
        str, typer.Option("--regimes", metavar="auto|N", help="Regimes of volatility; by BIC.")
    ] = "auto",
    venue_file: Annotated[
        Path | None,
        typer.Option("--venues", metavar="FILE", help="[[venues]] tables for the scenario."),
    ] = None,
    uncertainty: Annotated[
        int,
        typer.Option("--uncertainty", metavar="N", help="Write N draws of the numbers beside it."),
    ] = 0,
    draws_by: Annotated[
        str,
        typer.Option(
            "--draws-by",
            metavar="bootstrap|covariance",
            help="What draws are: refits of histories that the market makes, seconds each; or "
            "normal by the standard errors, at once.",
        ),
    ] = "bootstrap",
    threads: Threads = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file if it is there.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Fit a market to recorded prices and write it as a scenario, with standard errors."""
    from stresscube.cli import calibrate as command
    from stresscube.realism.recorded import Wanted

    wanted = Wanted(since, until, funding, tuple(assets or ()), tuple(venues or ()))
    command.calibrate(
        command.CalibrateOptions(
            data=tuple(data),
            wanted=wanted,
            out=out,
            regimes=regimes,
            venues=venue_file,
            threads=threads,
            uncertainty=uncertainty,
            draws_by=draws_by,
            overwrite=overwrite,
            as_json=as_json,
        )
    )
