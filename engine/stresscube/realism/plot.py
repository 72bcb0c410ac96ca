"""A picture of every fact: the simulations as a histogram, the history as a line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from stresscube.realism.compare import Fact

ACROSS = 5
SIZE = (2.5, 1.5)
PASS, MISS, PALE = "#2f6f4f", "#b3261e", "#9aa5b1"


def picture(found: Sequence[Fact], title: str) -> Figure:
    """One small panel a fact."""
    rows = -(-len(found) // ACROSS)
    figure = Figure(figsize=(SIZE[0] * ACROSS, SIZE[1] * rows + 0.5), layout="constrained")
    figure.suptitle(title, fontsize=11)
    panels = figure.subplots(rows, ACROSS, squeeze=False).ravel()
    for axes, fact in zip(panels, found, strict=False):
        colour = PASS if fact.passes else MISS
        axes.hist(fact.simulated, bins=24, color=PALE)
        for limit in fact.limits:
            axes.axvline(limit, color=PALE, linewidth=0.8, linestyle="--")
        axes.axvline(fact.real, color=colour, linewidth=1.8)
        axes.set_title(fact.name, fontsize=7, color=colour)
        axes.tick_params(labelsize=6)
        axes.set_yticks([])
        axes.spines[["left", "top", "right"]].set_visible(False)
    for axes in panels[len(found) :]:
        axes.set_visible(False)
    return figure


def save(found: Sequence[Fact], title: str, path: Path) -> None:
    """Write the picture; the suffix of the path says how."""
    figure = picture(found, title)
    figure.savefig(path, dpi=130)
