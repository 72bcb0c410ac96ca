"""`stresscube report`: a run as one page that opens anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from stresscube.cli.as_json import emit
from stresscube.cli.console import console
from stresscube.cli.open import open_summary
from stresscube.decide.question import LIMIT
from stresscube.errors import StresscubeError
from stresscube.report.recommended import Goal
from stresscube.text import data_size
from stresscube.where import parse_where

EXTENSIONS = (".html", ".htm")


def goal_of(
    maximise: str | None,
    minimise: str | None,
    subject_to: Sequence[str] | None,
    case: str,
    confidence: float,
) -> Goal:
    """Return what is to be recommended, with the constraint that `recommend` has by itself."""
    limits = (LIMIT,) if subject_to is None else tuple(subject_to)
    return Goal(maximise, minimise, limits, case, confidence)


def report(
    run: str,
    *,
    out: Path | None,
    where: Sequence[str],
    max_liquidation: float,
    by: str,
    top: int,
    goal: Goal | None = None,
    as_json: bool = False,
) -> None:
    """Write the page of a run and say where it is and how large."""
    path = out if out is not None else Path(f"{Path(run).resolve().stem}.html")
    if path.suffix.lower() not in EXTENSIONS:
        ending = path.suffix or "no extension"
        raise StresscubeError(f"{path}: {ending} (use {', '.join(EXTENSIONS)})")
    summary = open_summary(run)
    from stresscube.report import Asked, page, sections, write

    asked = Asked(parse_where(where), max_liquidation, by, top, goal)
    text = page(summary, asked)
    write(text, path)
    size = path.stat().st_size
    if as_json:
        emit({"file": path, "bytes": size, "name": summary.attrs["name"], "holds": sections(text)})
        return
    said = f"{path}: {data_size(size)}, opens in any browser without a network"
    console().print(escape(said), soft_wrap=True)
