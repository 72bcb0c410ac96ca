"""`stresscube calibrate`: from recorded bars to a scenario file."""

from __future__ import annotations

import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape

from stresscube.calibrate.parts import Parts
from stresscube.calibrate.run import calibrate as fit_market
from stresscube.cli.console import console
from stresscube.errors import StresscubeError
from stresscube.realism.recorded import Wanted, prints, read
from stresscube.runner import usable_cores

FUNDING_HOURS = 8.0


@dataclass(frozen=True, slots=True)
class CalibrateOptions:
    """What was asked for on the command line."""

    data: tuple[Path, ...]
    wanted: Wanted
    out: Path
    regimes: str = "auto"
    venues: Path | None = None
    threads: int | None = None


def calibrate(options: CalibrateOptions) -> None:
    """Fit, tell how it goes, write the file."""
    out, told = console(), console(stderr=True)
    regimes = _count(options.regimes)
    venues = _venues(options.venues) if options.venues is not None else None
    history = read(options.data, options.wanted)
    for note in history.notes:
        told.print(f"[dim]{escape(note)}[/]", soft_wrap=True)
    paid = options.wanted.funding
    began = time.monotonic()

    def tell(words: str) -> None:
        told.print(f"[dim]{time.monotonic() - began:5.0f} s  {escape(words)}[/]", soft_wrap=True)

    made = fit_market(
        history,
        name=options.out.stem,
        regimes=regimes,
        prints=prints(history, paid) if paid is not None else None,
        interval=FUNDING_HOURS,
        venues=venues,
        threads=options.threads or usable_cores(),
        tell=tell,
    )
    options.out.write_text(made.text, encoding="utf-8")
    out.print(f"{escape(str(options.out))}: {_words(made.parts)}", soft_wrap=True)


def _words(parts: Parts) -> str:
    slow = len(parts.volatility.names) if parts.volatility else 1
    return (
        f"{len(parts.regimes.names)} regimes, {slow} slow states of volatility, "
        f"{len(parts.correlation.names)} of correlation"
    )


def _count(text: str) -> int | None:
    if text == "auto":
        return None
    if text.isdecimal() and 1 <= int(text) <= 8:
        return int(text)
    raise StresscubeError(f"--regimes {text}: must be auto or a whole number from 1 to 8")


def _venues(path: Path) -> tuple[str, str]:
    """The text of a file of [[venues]] tables, and the first one's name."""
    try:
        text = path.read_text(encoding="utf-8")
        tables = tomllib.loads(text)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StresscubeError(f"--venues {path}: {error}") from None
    if set(tables) != {"venues"} or not tables["venues"]:
        raise StresscubeError(f"--venues {path}: must hold [[venues]] tables and nothing else")
    return text, str(tables["venues"][0].get("name", "X"))
