"""Commands that compute and look after a run. What they do is imported when they are called."""

from __future__ import annotations

from typing import Annotated

import typer

from stresscube.cli.options import (
    Backend,
    Json,
    Memory,
    Paths,
    RunFolder,
    ScenarioFile,
    Seed,
    Set,
    Threads,
    Trust,
)


def run(
    scenario: ScenarioFile,
    out: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--out",
            metavar="DIR",
            help="Where to write: a folder, NAME.run unless given, or s3://bucket/prefix.",
        ),
    ] = None,
    backend: Backend = "auto",
    paths: Paths = None,
    seed: Seed = None,
    settings: Set = None,
    threads: Threads = None,
    memory: Memory = None,
    trust: Trust = False,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            metavar="I/N",
            help="Only part I of N, from 1: for job arrays. Any machine may take any part.",
        ),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(
            "--dask",
            metavar="[ADDRESS]",
            help="Compute on a Dask cluster: the scheduler's address, or a cluster started here. "
            "--threads and --memory are each worker's.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
    as_json: Json = False,
) -> None:
    """Run a scenario and write its stress cube; run it again to go on after a stop."""
    from stresscube.cli import run as command

    options = command.RunOptions(
        scenario=scenario,
        out=out,
        backend=backend,
        paths=paths,
        seed=seed,
        settings=tuple(settings or ()),
        threads=threads,
        memory=memory,
        trust=trust,
        shard=shard,
        dask=dask,
        quiet=quiet,
        as_json=as_json,
    )
    command.run(options)


def status(run: RunFolder, as_json: Json = False) -> None:
    """Tell how far a run is and who is writing to it. Exit code 4: not complete."""
    from stresscube.cli import status as command

    command.status(run, as_json=as_json)


def verify(
    run: RunFolder,
    recompute: Annotated[
        int,
        typer.Option(
            "--recompute", min=0, metavar="K", help="Compute K random blocks again and compare."
        ),
    ] = 0,
    repair: Annotated[
        bool, typer.Option("--repair", help="Compute what is damaged again, and nothing else.")
    ] = False,
    threads: Threads = None,
    memory: Memory = None,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Decode and hash all of a run and name what is damaged. Exit code 3: damage."""
    from stresscube.cli import verify as command

    command.verify(
        run,
        recompute=recompute,
        repair=repair,
        threads=threads,
        memory=memory,
        trust=trust,
        as_json=as_json,
    )


def check(
    scenario: ScenarioFile,
    backend: Backend = "auto",
    paths: Paths = None,
    seed: Seed = None,
    settings: Set = None,
    threads: Threads = None,
    memory: Memory = None,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Show what a run would compute, how large it gets and how long it takes."""
    from stresscube.cli import check as command

    command.check(
        scenario,
        backend=backend,
        paths=paths,
        seed=seed,
        settings=tuple(settings or ()),
        threads=threads,
        memory=memory,
        trust=trust,
        as_json=as_json,
    )
