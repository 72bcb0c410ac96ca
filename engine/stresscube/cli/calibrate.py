"""`stresscube calibrate`: from recorded bars to a scenario file."""

from __future__ import annotations

import os
import time
import tomllib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.markup import escape

from stresscube.calibrate.draws import draws_file
from stresscube.calibrate.parts import Parts
from stresscube.calibrate.run import By, Draws
from stresscube.calibrate.run import calibrate as fit_market
from stresscube.calibrate.write import POLICY
from stresscube.cli.as_json import emit
from stresscube.cli.console import console
from stresscube.errors import StresscubeError
from stresscube.realism.recorded import Wanted, prints, read
from stresscube.runner import usable_cores
from stresscube.scenario import loads
from stresscube.text import plural
from stresscube_kernels.replay import BATCHES

MOST_DRAWS = 4096
KEPT = ".part"
"""Ending of a file of the refits that are done."""
LEAST = """\
name = "least"
simulation = { paths = 1, horizon = "1d", step = "1h", seed = 1 }
market.assets = ["A", "B"]
market.regimes = [{ name = "all", volatility = [1, 1], correlation = 0 }]
"""
"""With which a file of venues is a scenario that can be checked."""


@dataclass(frozen=True, slots=True)
class CalibrateOptions:
    """What was asked for on the command line."""

    data: tuple[Path, ...]
    wanted: Wanted
    out: Path
    regimes: str = "auto"
    venues: Path | None = None
    threads: int | None = None
    uncertainty: int = 0
    draws_by: str = "bootstrap"
    overwrite: bool = False
    as_json: bool = False


def calibrate(options: CalibrateOptions) -> None:
    """Fit, tell how it goes, write the file."""
    out, told = console(), console(stderr=True)
    regimes, count, by = _count(options.regimes), _draws(options.uncertainty), _by(options)
    beside = options.out.parent / draws_file(options.out.stem)
    for place in (options.out, *([beside] if count else [])):
        _check_place(place, options.overwrite)
    venues = _venues(options.venues) if options.venues is not None else None
    history = read(options.data, options.wanted)
    for note in history.notes:
        told.print(f"[dim]{escape(note)}[/]", soft_wrap=True)
    paid = options.wanted.funding
    began = time.monotonic()

    def tell(words: str) -> None:
        told.print(f"[dim]{time.monotonic() - began:5.0f} s  {escape(words)}[/]", soft_wrap=True)

    keep = options.out.parent / f"{draws_file(options.out.stem)}{KEPT}"
    draws = Draws(count, by, keep) if count else None
    with told.status("fitting; Ctrl-C stops and writes nothing"), _kept(keep, told):
        made = fit_market(
            history,
            name=options.out.stem,
            regimes=regimes,
            prints=prints(history, paid) if paid is not None else None,
            venues=venues,
            threads=options.threads or usable_cores(),
            tell=tell,
            draws=draws,
        )
    try:
        options.out.write_text(made.text, encoding="utf-8")
        if draws:
            beside.write_text(made.draws, encoding="utf-8")
            if by == "bootstrap":
                keep.unlink(missing_ok=True)
    except OSError as error:
        raise StresscubeError(f"-o {options.out}: {error.strerror}; write elsewhere") from None
    if options.as_json:
        numbers = {"file": str(options.out), "draws": str(beside) if draws else None}
        numbers |= {"draws_said": made.said} if draws else {}
        emit(numbers | _counts(made.parts))
        return
    out.print(f"{escape(str(options.out))}: {_words(made.parts)}", soft_wrap=True)
    if draws:
        out.print(f"{escape(str(beside))}: {count} draws of its numbers", soft_wrap=True)
        out.print(f"[dim]{escape(made.said)}[/]", soft_wrap=True)


@contextmanager
def _kept(keep: Path, told: Console) -> Generator[None]:
    """Says, when the work is stopped, that refits which are done are not lost."""
    try:
        yield
    except KeyboardInterrupt:
        if keep.exists():
            told.print(f"{escape(str(keep))}: the refits that are done; the same command goes on",
                       soft_wrap=True)  # fmt: skip
        raise


def _check_place(out: Path, overwrite: bool) -> None:
    """Before a minute of work: whether the file can be written."""
    if out.is_dir():
        raise StresscubeError(f"-o {out}: is a folder; name a file, such as {out / 'pair.toml'}")
    if out.exists() and not overwrite:
        raise StresscubeError(f"-o {out}: is there already; name another file or add --overwrite")
    if not out.parent.is_dir():
        raise StresscubeError(f"-o {out}: there is no folder {out.parent}; make it first")
    if not os.access(out.parent, os.W_OK):
        raise StresscubeError(f"-o {out}: nothing can be written in {out.parent}; write elsewhere")


def _counts(parts: Parts) -> dict[str, int]:
    return {
        "regimes": len(parts.regimes.names),
        "volatility_regimes": len(parts.volatility.names) if parts.volatility else 1,
        "correlation_regimes": len(parts.correlation.names),
        "jumps": len(parts.jumps),
    }


def _words(parts: Parts) -> str:
    regimes, slow, correlations, jumps = _counts(parts).values()
    return (
        f"{plural(regimes, 'regime')}, {plural(slow, 'state')} of slow "
        f"volatility, {plural(correlations, 'correlation')}, {plural(jumps, 'kind')} of jumps"
    )


def _count(text: str) -> int | None:
    if text == "auto":
        return None
    if text.isdecimal() and 1 <= int(text) <= 8:
        return int(text)
    raise StresscubeError(f"--regimes {text}: must be auto or a whole number from 1 to 8")


def _draws(count: int) -> int:
    if count % BATCHES or not 0 <= count <= MOST_DRAWS:
        raise StresscubeError(
            f"--uncertainty {count}: must be a multiple of {BATCHES}, at most {MOST_DRAWS}"
        )
    return count


def _by(options: CalibrateOptions) -> By:
    for by in get_args(By):
        if options.draws_by == by:
            return by
    raise StresscubeError(f"--draws-by {options.draws_by}: must be {' or '.join(get_args(By))}")


def _venues(path: Path) -> tuple[str, str]:
    """The text of a file of [[venues]] tables, and the first one's name."""
    try:
        text = path.read_text(encoding="utf-8")
        tables = tomllib.loads(text)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StresscubeError(f"--venues {path}: {error}") from None
    found = tables.get("venues")
    if set(tables) != {"venues"} or not isinstance(found, list) or not found:
        raise StresscubeError(f"--venues {path}: must hold [[venues]] tables and nothing else")
    name = str(tables["venues"][0].get("name", "X"))
    loads(f"{LEAST}{text}\n{POLICY.format(venue=name)}", f"--venues {path}")
    return text, name
