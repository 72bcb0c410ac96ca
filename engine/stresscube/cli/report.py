"""`stresscube report`: a run as one page that opens anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from stresscube.cli.console import console
from stresscube.cli.open import open_summary
from stresscube.errors import StresscubeError
from stresscube.text import data_size
from stresscube.where import parse_where

EXTENSIONS = (".html", ".htm")


def report(
    run: str,
    *,
    out: Path | None,
    where: Sequence[str],
    max_liquidation: float,
    by: str,
    top: int,
) -> None:
    """Write the page of a run and say where it is and how large."""
    path = out if out is not None else Path(f"{Path(run).resolve().stem}.html")
    if path.suffix.lower() not in EXTENSIONS:
        ending = path.suffix or "no extension"
        raise StresscubeError(f"{path}: {ending} (use {', '.join(EXTENSIONS)})")
    summary = open_summary(run)
    from stresscube.report import Asked, page, write

    asked = Asked(where=parse_where(where), max_liquidation=max_liquidation, by=by, top=top)
    write(page(summary, asked), path)
    text = f"{path}: {data_size(path.stat().st_size)}, opens in any browser without a network"
    console().print(escape(text), soft_wrap=True)
