"""Options and arguments that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stresscube.cli import complete

ScenarioFile = Annotated[
    Path,
    typer.Argument(
        metavar="SCENARIO", help="A scenario file (TOML).", autocompletion=complete.scenarios
    ),
]
RunFolder = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="What a run wrote: a folder, or s3://bucket/prefix.",
        autocompletion=complete.runs,
    ),
]
Backend = Annotated[
    str,
    typer.Option(
        "--backend",
        metavar="auto|cpu|cuda|xla",
        help="What computes the paths.",
        autocompletion=complete.one_of("auto", "cpu", "cuda", "xla"),
    ),
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
        autocompletion=complete.cells,
    ),
]
Limit = Annotated[
    float,
    typer.Option(
        "--max-liquidation", min=0.0, max=1.0, metavar="P", help="Highest liquidation probability."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs to read.")]
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
By = Annotated[
    str,
    typer.Option(
        "--by", metavar="METRIC", help="What to rank by.", autocompletion=complete.metrics
    ),
]
Maximise = Annotated[
    str | None,
    typer.Option(
        "--maximise",
        metavar="METRIC",
        help="What to have most of; sharpe.",
        autocompletion=complete.metrics,
    ),
]
Minimise = Annotated[
    str | None,
    typer.Option(
        "--minimise",
        metavar="METRIC",
        help="What to have least of, instead.",
        autocompletion=complete.metrics,
    ),
]
SubjectTo = Annotated[
    list[str] | None,
    typer.Option(
        "--subject-to",
        metavar="LIMIT",
        help="METRIC<NUMBER or METRIC>NUMBER: max_drawdown_quantile[0.95]<20%. May be "
        "repeated; liquidation_probability<0.01 unless given.",
        autocompletion=complete.metrics,
    ),
]
Case = Annotated[
    str,
    typer.Option(
        "--case",
        metavar="worst|mean",
        help="How markets count: the worst, or all.",
        autocompletion=complete.one_of("worst", "mean"),
    ),
]
Confidence = Annotated[float, typer.Option("--confidence", metavar="P", help="How sure to be.")]
