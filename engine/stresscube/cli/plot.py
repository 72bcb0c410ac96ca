"""`stresscube plot`: a heat map of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from stresscube.cli.as_json import emit
from stresscube.cli.console import console
from stresscube.cli.open import open_summary
from stresscube.plane import check_extension, cut
from stresscube.where import parse_where


def plot(
    run: str,
    *,
    metric: str,
    x: str | None,
    y: str | None,
    out: Path | None,
    where: Sequence[str],
    max_liquidation: float,
    as_json: bool = False,
) -> None:
    """Draw a heat map into a file and say what was held fixed."""
    path = out if out is not None else Path(f"{metric}.png")
    check_extension(path)
    summary = open_summary(run)
    plane = cut(
        summary,
        metric,
        x,
        y,
        where=parse_where(where),
        max_liquidation=max_liquidation,
        names=("--x", "--y"),
    )
    # matplotlib takes half a second to import, so faults of the question are told first.
    from stresscube.plot import heat_map, save

    save(heat_map(plane), path)
    if as_json:
        held = {it.dim: {"value": it.value, "why": it.why} for it in plane.fixed}
        emit({"file": path, "metric": metric, "x": plane.x.dim, "y": plane.y.dim, "fixed": held})
        return
    fixed = f" at {', '.join(map(str, plane.fixed))}" if plane.fixed else ""
    text = f"{path}: {metric} over {plane.x.dim} and {plane.y.dim}{fixed}"
    console().print(escape(text), soft_wrap=True)
