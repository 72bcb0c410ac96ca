"""The commands and their options. What they do is imported when they are called, so that
`stresscube --help` answers at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stresscube.cli.dask_option import DaskCommand
from stresscube.cli.errors import one_line_errors

app = typer.Typer(
    name="stresscube",
    help="Stress market-neutral policies: which hedge ratio, leverage and rebalance threshold "
    "survive, and what do they earn, when correlation breaks?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="A first run: stresscube run scenarios/quickstart.toml\n\n"
    "Exit codes: 0 done; 1 a run could not go on; 2 something asked for cannot be; 70 a bug; "
    "130 or 143 stopped, what was finished is kept.",
)

ScenarioFile = Annotated[Path, typer.Argument(metavar="SCENARIO", help="A scenario file (TOML).")]
RunFolder = Annotated[
    str, typer.Argument(metavar="RUN", help="What a run wrote: a folder, or s3://bucket/prefix.")
]
Backend = Annotated[
    str, typer.Option("--backend", metavar="auto|cpu|cuda|xla", help="What computes the paths.")
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
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs to read.")]


@app.command(cls=DaskCommand)
@one_line_errors
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


@app.command()
@one_line_errors
def status(run: RunFolder, as_json: Json = False) -> None:
    """Tell how far a run is and who is writing to it. Exit code 4: not complete."""
    from stresscube.cli import status as command

    command.status(run, as_json=as_json)


@app.command()
@one_line_errors
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


@app.command()
@one_line_errors
def show(
    run: RunFolder,
    where: Where = None,
    max_liquidation: Limit = 0.01,
    by: Annotated[str, typer.Option("--by", metavar="METRIC", help="What to rank by.")] = "sharpe",
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


@app.command()
@one_line_errors
def recommend(
    run: RunFolder,
    maximise: Annotated[
        str | None,
        typer.Option("--maximise", metavar="METRIC", help="What to have most of; sharpe."),
    ] = None,
    minimise: Annotated[
        str | None,
        typer.Option("--minimise", metavar="METRIC", help="What to have least of, instead."),
    ] = None,
    subject_to: Annotated[
        list[str] | None,
        typer.Option(
            "--subject-to",
            metavar="LIMIT",
            help="METRIC<NUMBER or METRIC>NUMBER: max_drawdown_quantile[0.95]<20%. May be "
            "repeated; liquidation_probability<0.01 unless given.",
        ),
    ] = None,
    case: Annotated[
        str,
        typer.Option("--case", metavar="worst|mean", help="How markets count: the worst, or all."),
    ] = "worst",
    confidence: Annotated[
        float, typer.Option("--confidence", metavar="P", help="How sure to be.")
    ] = 0.95,
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


@app.command()
@one_line_errors
def export(
    run: RunFolder,
    out: Annotated[
        Path,
        typer.Option("-o", "--out", metavar="FILE", help="Where to write; - is stdout."),
    ] = Path("-"),
    metrics: Annotated[
        list[str] | None,
        typer.Option("--metric", "-m", metavar="METRIC", help="Only these. May be repeated."),
    ] = None,
    where: Where = None,
    batches: Annotated[bool, typer.Option("--batches", help="Batch means too.")] = False,
) -> None:
    """Write the cube as CSV: one line a cell, every metric with its standard error."""
    from stresscube.cli import export as command

    command.export(run, out=out, metrics=metrics or [], where=where or [], batches=batches)


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


Data = Annotated[
    list[Path],
    typer.Argument(metavar="DATA...", help="Recorded bars: Parquet, Feather or CSV files."),
]
FundingFile = Annotated[
    Path | None, typer.Option("--funding", metavar="FILE", help="Recorded funding prints.")
]
Since = Annotated[
    str | None, typer.Option("--since", metavar="DAY", help="First day of the data to take (UTC).")
]
Until = Annotated[
    str | None, typer.Option("--until", metavar="DAY", help="Day before which the data end (UTC).")
]
Assets = Annotated[
    list[str] | None,
    typer.Option("--asset", metavar="NAME", help="A leg, where files hold several; leg a first."),
]
DataVenues = Annotated[
    list[str] | None,
    typer.Option("--venue", metavar="NAME", help="A leg's venue, where files hold several."),
]


@app.command()
@one_line_errors
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


@app.command()
@one_line_errors
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
    threads: Threads = None,
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
        )
    )


@app.command()
@one_line_errors
def report(
    run: RunFolder,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="An .html file; RUN.html unless given."),
    ] = None,
    where: Where = None,
    max_liquidation: Limit = 0.01,
    by: Annotated[str, typer.Option("--by", metavar="METRIC", help="What to rank by.")] = "sharpe",
    top: Annotated[int, typer.Option("--top", min=1, metavar="N", help="Rows of the table.")] = 10,
) -> None:
    """Write a page that answers which policy survives: opens anywhere, without a network."""
    from stresscube.cli import report as command

    command.report(run, out=out, where=where or [], max_liquidation=max_liquidation, by=by, top=top)


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


@app.command()
@one_line_errors
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
    as_json: Json = False,
) -> None:
    """Print the code that is generated for a scenario: CUDA C++, or Python for numba."""
    from stresscube.cli import kernel as command

    command.kernel(
        scenario, backend=backend, settings=tuple(settings or ()), trust=trust, as_json=as_json
    )


@app.command()
@one_line_errors
def doctor(as_json: Json = False) -> None:
    """Tell what each backend needs, what of that is here, and what installs the rest."""
    from stresscube.cli import doctor as command

    command.diagnose(as_json=as_json)


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
