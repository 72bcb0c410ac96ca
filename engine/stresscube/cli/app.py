"""The program: its name, its commands in the order of its help, and its own options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from stresscube.cli import (
    cube_commands,
    data_commands,
    gradient_commands,
    other_commands,
    run_commands,
)
from stresscube.cli.dask_option import DaskCommand
from stresscube.cli.errors import one_line_errors

app = typer.Typer(
    name="stresscube",
    help="Stress market-neutral policies: which hedge ratio, leverage and rebalance threshold "
    "survive, and what do they earn, when correlation breaks?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="A first run: stresscube new first && stresscube run first.toml\n\n"
    "Exit codes: 0 done; 1 a run could not go on; 2 something asked for cannot be; 70 a bug; "
    "130 or 143 stopped, what was finished is kept.",
)

COMMANDS: dict[str, tuple[Callable[..., None], ...]] = {
    "Make a cube": (
        other_commands.new,
        run_commands.check,
        run_commands.run,
        run_commands.status,
        run_commands.verify,
    ),
    "Read it": (
        cube_commands.show,
        cube_commands.recommend,
        cube_commands.report,
        cube_commands.plot,
        cube_commands.trace,
        cube_commands.export,
    ),
    "Look for a policy": (gradient_commands.sensitivities, gradient_commands.optimise),
    "Recorded prices": (data_commands.calibrate, data_commands.realism),
    "What others say": (other_commands.claims,),
    "The program": (other_commands.schema, other_commands.kernel, other_commands.doctor),
}
"""By the panel of the help that names them."""

for panel, functions in COMMANDS.items():
    for function in functions:
        kind = DaskCommand if function is run_commands.run else None
        app.command(cls=kind, rich_help_panel=panel)(one_line_errors(function))


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
