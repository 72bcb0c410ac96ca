"""`stresscube realism`: a scenario's market beside recorded history, fact by fact."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.markup import escape
from rich.table import Table

from stresscube.calibrate.simulated import step_for
from stresscube.calibrate.write import duration
from stresscube.cli.console import console
from stresscube.cli.scenario import load_scenario
from stresscube.errors import StresscubeError
from stresscube.realism.compare import Fact, compare, verdict
from stresscube.realism.recorded import Wanted, recorded
from stresscube.runner import usable_cores
from stresscube.scenario.expand import any_market, simulation_spec

PICTURES = (".png", ".svg", ".pdf")


@dataclass(frozen=True, slots=True)
class RealismOptions:
    """What was asked for on the command line."""

    scenario: Path
    data: tuple[Path, ...]
    wanted: Wanted
    settings: tuple[str, ...] = ()
    simulations: int = 200
    band: float = 0.95
    threads: int | None = None
    out: Path | None = None
    as_json: bool = False


def realism(options: RealismOptions) -> None:
    """Print the facts; write a picture where one is wanted.

    Raises StresscubeError where the picture cannot be written, or the market is no model.
    """
    if options.out is not None:
        _check_picture(options.out)
    scenario = load_scenario(options.scenario, None, None, options.settings)
    assets = scenario.market.assets
    if scenario.market.replayed:
        raise StresscubeError(
            f'{options.scenario}: market.source = "replay": recorded history is as real as it was; '
            "realism is for simulated markets"
        )
    history, notes = recorded(options.data, assets, options.wanted, scenario.market)
    if not any(setting.startswith("simulation.step") for setting in options.settings):
        step = f"simulation.step={duration(step_for(scenario, history.step))}"
        scenario = load_scenario(options.scenario, None, None, (*options.settings, step))
    told = console(stderr=True)

    def tell(done: int, all_: int) -> None:
        if told.is_terminal:
            told.print(f"simulated {done} of {all_}", end="\r")

    found = compare(
        any_market(scenario, {}),
        simulation_spec(scenario),
        history,
        assets,
        simulations=options.simulations,
        band=options.band,
        threads=options.threads or usable_cores(),
        advance=tell,
    )
    if options.as_json:
        typer.echo(json.dumps(as_json(found), indent=1))
    else:
        _print(found, f"{scenario.name}: {options.simulations} simulations", notes)
    if options.out is not None:
        from stresscube.realism.plot import save

        save(found, f"{scenario.name}: {verdict(found)}", options.out)


def _check_picture(path: Path) -> None:
    if path.suffix not in PICTURES:
        raise StresscubeError(f"--out {path}: must end in one of {', '.join(PICTURES)}")
    if not path.parent.is_dir():
        raise StresscubeError(f"--out {path}: there is no folder {path.parent}")


def as_json(found: Sequence[Fact]) -> list[dict[str, str | float | bool]]:
    """The table as records."""
    return [
        {"fact": fact.name, "real": fact.real, "median": fact.median,
         "low": fact.limits[0], "high": fact.limits[1], "inside": fact.passes}
        for fact in found
    ]  # fmt: skip


def _print(found: tuple[Fact, ...], title: str, notes: Sequence[str]) -> None:
    out = console()
    for note in notes:
        out.print(f"[dim]{escape(note)}[/]", soft_wrap=True)
    table = Table(title=escape(title), title_justify="left", box=None, pad_edge=False)
    table.add_column("fact")
    for column in ("real", "simulated", f"{found[0].band:.0%} band", ""):
        table.add_column(column, justify="right")
    for fact in found:
        low, high = (_digits(limit) for limit in fact.limits)
        word = "pass" if fact.passes else "[bold red]miss[/]"
        numbers = (_digits(fact.real), _digits(fact.median), f"{low} to {high}")
        table.add_row(escape(fact.name), *numbers, word)
    out.print(table)
    out.print(verdict(found))


def _digits(value: float) -> str:
    """Three digits that count; funding in its own small unit."""
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
