"""Commands about scenarios and the program. What they do is imported when they are called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stresscube.cli import complete
from stresscube.cli.options import (
    Backend,
    Json,
    Paths,
    ScenarioFile,
    Set,
    Threads,
    Trust,
)


def new(
    name: Annotated[
        Path | None,
        typer.Argument(
            metavar="[NAME]", help="The file, NAME.toml; the template's name unless given."
        ),
    ] = None,
    template: Annotated[
        str,
        typer.Option(
            "--template",
            "-t",
            metavar="two-coins|two-venues|crash|replay",
            help="What it is about.",
            autocompletion=complete.one_of("two-coins", "two-venues", "crash", "replay"),
        ),
    ] = "two-coins",
    as_json: Json = False,
) -> None:
    """Write a commented scenario to start from. It runs as it is."""
    from stresscube.cli import new as command

    command.new(name, template=template, as_json=as_json)


def schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from stresscube.cli import schema as command

    command.schema()


def kernel(
    scenario: ScenarioFile,
    backend: Annotated[
        str,
        typer.Option(
            "--backend",
            metavar="cpu|cuda",
            help="Whose code.",
            autocompletion=complete.one_of("cpu", "cuda"),
        ),
    ] = "cuda",
    settings: Set = None,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Print the code that is generated for a scenario: CUDA C++, or Python for numba."""
    from stresscube.cli import kernel as command

    command.kernel(
        scenario, backend=backend, settings=tuple(settings or ()), trust=trust, as_json=as_json
    )


def doctor(as_json: Json = False) -> None:
    """Tell what each backend needs, what of that is here, and what installs the rest."""
    from stresscube.cli import doctor as command

    command.diagnose(as_json=as_json)


def claims(
    scenarios: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="The claims' scenarios."),
    ] = Path("scenarios/claims"),
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help="Only this claim. May be repeated."),
    ] = None,
    paths: Paths = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="The page to write: docs/claims.md."),
    ] = None,
    runs: Annotated[
        Path, typer.Option("--runs", metavar="DIR", help="Where the runs are kept.")
    ] = Path("runs/claims"),
    check: Annotated[
        bool,
        typer.Option("--check", help="Only tell whether the page is up to date. Exit code 1: no."),
    ] = False,
    backend: Backend = "auto",
    threads: Threads = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
    as_json: Json = False,
) -> None:
    """Put the claims of an article on market-neutral trading to the test, each with a verdict."""
    from stresscube.cli import claims as command

    command.claims(
        command.ClaimsOptions(
            scenarios=scenarios,
            runs=runs,
            only=tuple(only or ()),
            out=out,
            paths=paths,
            backend=backend,
            threads=threads,
            check=check,
            quiet=quiet,
            as_json=as_json,
        )
    )
