"""The commands and their options. What they do is imported when they are called, so that
`stresscube --help` answers at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stresscube.cli.errors import one_line_errors

app = typer.Typer(
    name="stresscube",
    help="Stress market-neutral policies: which hedge ratio, leverage and rebalance threshold "
    "survive, and what do they earn, when correlation breaks?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="A first run: stresscube run scenarios/quickstart.toml",
)

ScenarioFile = Annotated[Path, typer.Argument(metavar="SCENARIO", help="A scenario file (TOML).")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The folder that a run wrote.")]
Backend = Annotated[
    str, typer.Option("--backend", metavar="auto|cpu|cuda", help="What computes the paths.")
]
Paths = Annotated[
    int | None,
    typer.Option("--paths", min=1, metavar="N", help="Paths, instead of the scenario's."),
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", min=0, metavar="N", help="Random seed, instead of the scenario's."),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a key of the scenario: --set policy.leverage=5. May be repeated.",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option("--threads", min=1, metavar="N", help="Threads; all cores unless given."),
]
Memory = Annotated[
    str | None,
    typer.Option("--memory", metavar="SIZE", help="Memory to stay within: 4GB, 512MB."),
]
Trust = Annotated[
    bool,
    typer.Option("--trust", help="Run the Python code that the scenario names. Read it first."),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="NAME=VALUE",
        help="Only these cells: --where venue=C or --where leverage=5,10. May be repeated.",
    ),
]
Limit = Annotated[
    float,
    typer.Option(
        "--max-liquidation", min=0.0, max=1.0, metavar="P", help="Highest liquidation probability."
    ),
]


@app.command()
@one_line_errors
def run(
    scenario: ScenarioFile,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="Where to write; NAME.run unless given."),
    ] = None,
    backend: Backend = "auto",
    paths: Paths = None,
    seed: Seed = None,
    settings: Set = None,
    threads: Threads = None,
    memory: Memory = None,
    trust: Trust = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
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
        quiet=quiet,
    )
    command.run(options)


@app.command()
@one_line_errors
def check(
    scenario: ScenarioFile,
    backend: Backend = "auto",
    paths: Paths = None,
    seed: Seed = None,
    settings: Set = None,
    threads: Threads = None,
    memory: Memory = None,
    trust: Trust = False,
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
    )


@app.command()
@one_line_errors
def show(
    run: RunFolder,
    where: Where = None,
    max_liquidation: Limit = 0.01,
    by: Annotated[str, typer.Option("--by", metavar="METRIC", help="What to rank by.")] = "sharpe",
    top: Annotated[int, typer.Option("--top", min=1, metavar="N", help="Rows.")] = 10,
) -> None:
    """Show the best policies under a liquidation limit, with error bars."""
    from stresscube.cli import show as command

    command.show(run, where=where or [], max_liquidation=max_liquidation, by=by, top=top)


@app.command()
@one_line_errors
def plot(
    run: RunFolder,
    metric: Annotated[
        str, typer.Option("--metric", "-m", metavar="METRIC", help="What to draw.")
    ] = "liquidation_probability",
    x: Annotated[str | None, typer.Option("--x", metavar="DIM", help="Across.")] = None,
    y: Annotated[str | None, typer.Option("--y", metavar="DIM", help="Upwards.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="A .png, .svg or .pdf file."),
    ] = None,
    where: Where = None,
    max_liquidation: Limit = 0.01,
) -> None:
    """Draw a heat map of a metric over two dims of the cube."""
    from stresscube.cli import plot as command

    command.plot(
        run, metric=metric, x=x, y=y, out=out, where=where or [], max_liquidation=max_liquidation
    )


@app.command()
@one_line_errors
def trace(
    run: RunFolder,
    path: Annotated[
        str,
        typer.Option("--path", metavar="N|worst|median|liquidated", help="Which path."),
    ] = "worst",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Which cell: --set leverage=10. May be repeated.",
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
) -> None:
    """Regenerate one path: a ledger of all that happened to its account, and a picture."""
    from stresscube.cli import trace as command

    command.trace(run, path=path, settings=settings or [], out=out, plot=plot, trust=trust)


@app.command()
@one_line_errors
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from stresscube.cli import schema as command

    command.schema()


@app.command()
@one_line_errors
def kernel(
    scenario: ScenarioFile,
    backend: Annotated[
        str, typer.Option("--backend", metavar="cpu|cuda", help="Whose code.")
    ] = "cuda",
    settings: Set = None,
    trust: Trust = False,
) -> None:
    """Print the code that is generated for a scenario: CUDA C++, or Python for numba."""
    from stresscube.cli import kernel as command

    command.kernel(scenario, backend=backend, settings=tuple(settings or ()), trust=trust)


@app.command()
@one_line_errors
def doctor() -> None:
    """Tell what each backend needs, what of that is here, and what installs the rest."""
    from stresscube.cli import doctor as command

    command.diagnose()


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"stresscube {version('stresscube')}")
        except PackageNotFoundError:
            typer.echo("stresscube (not installed)")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Options of the program itself."""


def main() -> None:
    """Run the command line."""
    app(prog_name="stresscube")
