"""Commands that read a finished cube. What they do is imported when they are called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stresscube.cli import complete
from stresscube.cli.options import (
    By,
    Case,
    Confidence,
    Json,
    Limit,
    Maximise,
    Minimise,
    RunFolder,
    SubjectTo,
    Trust,
    Where,
)


def show(
    run: RunFolder,
    where: Where = None,
    max_liquidation: Limit = 0.01,
    by: By = "sharpe",
    top: Annotated[int, typer.Option("--top", min=1, metavar="N", help="Rows.")] = 10,
    as_json: Json = False,
) -> None:
    """Show the best policies under a liquidation limit, with error bars."""
    from stresscube.cli import show as command

    command.show(
        run,
        where=where or [],
        max_liquidation=max_liquidation,
        by=by,
        top=top,
        as_json=as_json,
    )


def recommend(
    run: RunFolder,
    maximise: Maximise = None,
    minimise: Minimise = None,
    subject_to: SubjectTo = None,
    case: Case = "worst",
    confidence: Confidence = 0.95,
    where: Where = None,
    top: Annotated[int, typer.Option("--top", min=1, metavar="N", help="Rows.")] = 10,
    as_json: Json = False,
) -> None:
    """Recommend a policy over all markets at once, and say how sure that is."""
    from stresscube.cli import recommend as command

    command.recommend(
        run,
        maximise=maximise,
        minimise=minimise,
        subject_to=subject_to,
        case=case,
        confidence=confidence,
        where=where or [],
        top=top,
        as_json=as_json,
    )


def report(
    run: RunFolder,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="An .html file; RUN.html unless given."),
    ] = None,
    where: Where = None,
    max_liquidation: Limit = 0.01,
    by: By = "sharpe",
    top: Annotated[int, typer.Option("--top", min=1, metavar="N", help="Rows of the table.")] = 10,
    maximise: Maximise = None,
    minimise: Minimise = None,
    subject_to: SubjectTo = None,
    case: Case = "worst",
    confidence: Confidence = 0.95,
    as_json: Json = False,
) -> None:
    """Write a page that answers which policy survives: opens anywhere, without a network.

    With --maximise, --minimise or --subject-to it begins with what `stresscube recommend` answers.
    """
    from stresscube.cli import report as command

    goal = None
    if maximise is not None or minimise is not None or subject_to is not None:
        goal = command.goal_of(maximise, minimise, subject_to, case, confidence)
    command.report(
        run,
        out=out,
        where=where or [],
        max_liquidation=max_liquidation,
        by=by,
        top=top,
        goal=goal,
        as_json=as_json,
    )


def export(
    run: RunFolder,
    out: Annotated[
        Path,
        typer.Option("-o", "--out", metavar="FILE", help="Where to write; - is stdout."),
    ] = Path("-"),
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            "-m",
            metavar="METRIC",
            help="Only these. May be repeated.",
            autocompletion=complete.metrics,
        ),
    ] = None,
    where: Where = None,
    batches: Annotated[bool, typer.Option("--batches", help="Batch means too.")] = False,
    as_json: Json = False,
) -> None:
    """Write the cube as CSV: one line a cell, every metric with its standard error."""
    from stresscube.cli import export as command

    command.export(
        run,
        out=out,
        metrics=metrics or [],
        where=where or [],
        batches=batches,
        as_json=as_json,
    )


def plot(
    run: RunFolder,
    metric: Annotated[
        str,
        typer.Option(
            "--metric",
            "-m",
            metavar="METRIC",
            help="What to draw.",
            autocompletion=complete.metrics,
        ),
    ] = "liquidation_probability",
    x: Annotated[
        str | None,
        typer.Option(
            "--x",
            metavar="DIM",
            help="Across.",
            autocompletion=complete.dims,
        ),
    ] = None,
    y: Annotated[
        str | None,
        typer.Option(
            "--y",
            metavar="DIM",
            help="Upwards.",
            autocompletion=complete.dims,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="A .png, .svg or .pdf file."),
    ] = None,
    where: Where = None,
    max_liquidation: Limit = 0.01,
    as_json: Json = False,
) -> None:
    """Draw a heat map of a metric over two dims of the cube."""
    from stresscube.cli import plot as command

    command.plot(
        run,
        metric=metric,
        x=x,
        y=y,
        out=out,
        where=where or [],
        max_liquidation=max_liquidation,
        as_json=as_json,
    )


def trace(
    run: RunFolder,
    path: Annotated[
        str,
        typer.Option(
            "--path",
            metavar="N|worst|median|liquidated",
            help="Which path.",
            autocompletion=complete.one_of("worst", "median", "liquidated"),
        ),
    ] = "worst",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Which cell: --set leverage=10. May be repeated.",
            autocompletion=complete.cells,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="The ledger, a .csv or .parquet file."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="The picture, a .png, .svg or .pdf file."),
    ] = None,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Regenerate one path: a ledger of all that happened to its account, and a picture."""
    from stresscube.cli import trace as command

    command.trace(
        run,
        path=path,
        settings=settings or [],
        out=out,
        plot=plot,
        trust=trust,
        as_json=as_json,
    )
