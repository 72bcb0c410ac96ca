"""Heat maps of a plane of the cube."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PatchCollection, QuadMesh
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from stresscube.errors import RunError
from stresscube.plane import Plane, check_extension
from stresscube.policies import less_is_better
from stresscube.text import label, uncertain

Box = tuple[float, float, float, float]

DPI = 160
INK = "#1b1f24"
PALE_INK = "#59636e"
GROUND = "#eef0f3"
HATCH = "#b9c0c8"
MARGIN = 0.16
LETTER = 0.092
LINE = 0.18
RIGHT = 1.15
LARGEST = (9.0, 6.0)
SMALLEST = (3.6, 1.3)
"""Inches that all cells together may take and at least take, across and upwards."""
CELL = (1.0, 0.66)
"""Inches of a cell, where there is room."""
SMALL = 0.2
"""Inches of a cell below which no gaps are drawn."""
ROOM = (0.7, 0.42)
"""Inches that a cell needs to hold its value and error."""


def _part(name: str, first: float, last: float) -> LinearSegmentedColormap:
    """Return a part of a colour map, without the ends that drown dark numbers."""
    shades = mpl.colormaps[name](np.linspace(first, last, 256))
    return LinearSegmentedColormap.from_list(f"{name}_part", shades)


LOSS = _part("magma_r", 0.02, 0.82)
GAIN = _part("viridis", 0.1, 1.0)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, SVG or PDF, by the file's extension.

    Raises StresscubeError for another extension, RunError if the file cannot be written.
    """
    check_extension(path)
    undated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    try:
        with mpl.rc_context({"svg.hashsalt": "stresscube"}):
            figure.savefig(path, dpi=DPI, metadata=undated.get(path.suffix.lower()))
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror or error}") from error


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the cells stand in the figure, in inches; titles as lines.

    turned: whether the words below the cells stand upright.
    """

    left: float
    bottom: float
    width: float
    height: float
    right: float
    top: float
    x_title: str
    y_title: str
    turned: bool

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the figure."""
        return self.left + self.width + self.right, self.bottom + self.height + self.top

    def box(self, x: float, y: float, width: float, height: float) -> Box:
        """Return a box given in inches as fractions of the figure."""
        across, up = self.size
        return x / across, y / up, width / across, height / up


def heat_map(plane: Plane) -> Figure:
    """Draw a plane: colour and number per cell, the infeasible region hatched.

    A line parts the cells within the liquidation limit from those beyond it.
    """
    legend = _legend_entries(plane)
    layout = _layout(plane, bool(legend))
    title, subtitle = _heading(plane, layout.size[0])
    layout = replace(layout, top=0.3 + 0.27 * len(title) + 0.2 * len(subtitle))
    figure = Figure(figsize=layout.size, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes(layout.box(layout.left, layout.bottom, layout.width, layout.height))
    mesh = _cells(axes, plane)
    _colour_bar(figure, mesh, layout)
    rows, columns = plane.values.shape
    if layout.width / columns >= ROOM[0] and layout.height / rows >= ROOM[1]:
        _numbers(axes, mesh, plane)
    _frame(axes, plane, layout)
    _boundary(axes, plane)
    _write_heading(figure, title, subtitle, layout)
    if legend:
        _write_legend(figure, legend, layout)
    return figure


def _layout(plane: Plane, legend: bool) -> Layout:
    """Return the layout that holds the cells, their labels and, below, the legend."""
    rows, columns = plane.values.shape
    width = max(min(columns * CELL[0], LARGEST[0]), SMALLEST[0])
    height = max(min(rows * CELL[1], LARGEST[1]), SMALLEST[1])
    x_title = textwrap.fill(plane.x.title, width=int(width / LETTER))
    y_title = textwrap.fill(plane.y.title, width=int(height / LETTER))
    x_long, y_long = (LETTER * max(map(len, side.words)) for side in (plane.x, plane.y))
    turned = x_long > 0.95 * width / min(columns, 10)
    left = 0.66 + y_long + LINE * y_title.count("\n")
    bottom = (1.08 if legend else 0.78) + LINE * x_title.count("\n") + (x_long if turned else 0)
    return Layout(left, bottom, width, height, RIGHT, 1.0, x_title, y_title, turned)


def _heading(plane: Plane, width: float) -> tuple[list[str], list[str]]:
    """Return title and subtitle as lines; a `name = value` is never broken."""
    title = textwrap.wrap(plane.title[0].upper() + plane.title[1:], width=int(width / 0.135))
    subtitle: list[str] = []
    for part in [plane.scenario, *map(str, plane.fixed)]:
        longer = f"{subtitle[-1]} · {part}" if subtitle else part
        if subtitle and len(longer) * 0.08 > width:
            subtitle.append(part)
        elif part:
            subtitle[-1:] = [longer]
    return title, subtitle


def _cells(axes: Axes, plane: Plane) -> QuadMesh:
    """Colour the cells; infeasible ones are hatched, others without a value pale."""
    rows, columns = plane.values.shape
    axes.add_patch(Rectangle((0, 0), columns, rows, facecolor=GROUND, linewidth=0, zorder=0))
    hatched = [Rectangle((x, y), 1, 1) for y, x in np.argwhere(~plane.feasible).tolist()]
    axes.add_collection(
        PatchCollection(
            hatched, facecolor=GROUND, edgecolor=HATCH, linewidth=0, hatch="////", zorder=0.5
        )
    )
    colours, norm = _scale(plane)
    gap = 1.5 if min(LARGEST[0] / columns, LARGEST[1] / rows) > SMALL else 0.0
    return axes.pcolormesh(
        np.arange(columns + 1, dtype=np.float64),
        np.arange(rows + 1, dtype=np.float64),
        np.ma.masked_invalid(plane.values),
        cmap=colours,
        norm=norm,
        edgecolors="white" if gap else "none",
        linewidth=gap,
        zorder=1,
    )


def _scale(plane: Plane) -> tuple[Colormap, Normalize]:
    """Return colours that stay apart for every kind of colour vision, dark or red for bad.

    A metric of both signs gets two colours that meet at 0. Probabilities of losses are spread
    by their root, so that small ones, which matter, are told apart.
    """
    known = plane.values[np.isfinite(plane.values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if low < 0 < high:
        reach = max(-low, high)
        return mpl.colormaps["RdBu_r" if less_is_better(plane.metric) else "RdBu"], Normalize(
            -reach, reach
        )
    colours = LOSS if less_is_better(plane.metric) else GAIN
    if "probability" in plane.metric and colours is LOSS:
        return colours, PowerNorm(0.5, 0.0, max(high, 2 * plane.max_liquidation, 1e-6))
    if low == high:
        low, high = low - 0.5, high + 0.5
    return colours, Normalize(low, high)


def _colour_bar(figure: Figure, mesh: QuadMesh, layout: Layout) -> None:
    x = layout.left + layout.width + 0.22
    height = min(layout.height, 3.6)
    y = layout.bottom + layout.height - height
    bar = figure.colorbar(mesh, cax=figure.add_axes(layout.box(x, y, 0.16, height)))
    bar.outline.set_visible(False)  # pyright: ignore
    bar.ax.tick_params(length=0, labelsize=8.5, labelcolor=PALE_INK)


def _numbers(axes: Axes, mesh: QuadMesh, plane: Plane) -> None:
    """Write value and error into each cell, dark on light and light on dark."""
    colours = mesh.to_rgba(plane.values)
    for (row, column), value in np.ndenumerate(plane.values):
        if not np.isfinite(value):
            continue
        ink = readable_on(colours[row, column])
        texts = uncertain(value, float(plane.errors[row, column]))
        number, error = (text.replace("-", "−") for text in texts)
        style: dict[str, Any] = {"ha": "center", "va": "center", "color": ink, "zorder": 4}
        axes.text(column + 0.5, row + (0.57 if error else 0.5), number, fontsize=10, **style)
        axes.text(column + 0.5, row + 0.26, f"± {error}" if error else "", fontsize=7.5, **style)


def readable_on(colour: npt.NDArray[np.float64]) -> str:
    """Return black or white, whichever has the higher contrast (WCAG 2.2): 4.58 at least."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour[:3]
    )
    lightness = 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05
    return "white" if 1.05 / lightness > lightness / 0.05 else "black"


def _frame(axes: Axes, plane: Plane, layout: Layout) -> None:
    """Label the sides; where cells are narrow, only as many as fit."""
    axes.spines[:].set_visible(False)
    rows, columns = plane.values.shape
    axes.set_xlim(0, columns)
    axes.set_ylim(0, rows)
    long = LETTER * max(map(len, plane.x.words))
    across = int(layout.width / (0.24 if layout.turned else max(long + 0.12, 0.3)))
    for axis, side, most in (
        (axes.xaxis, plane.x, across),
        (axes.yaxis, plane.y, int(layout.height / 0.24)),
    ):
        every = -(-len(side.words) // max(most, 1))
        axis.set_ticks(np.arange(0, len(side.words), every) + 0.5, side.words[::every])
    axes.tick_params(length=0, labelsize=10, labelcolor=INK, pad=5)
    axes.tick_params(axis="x", labelrotation=90 if layout.turned else 0)
    axes.set_xlabel(layout.x_title, fontsize=10.5, color=PALE_INK, labelpad=7)
    axes.set_ylabel(layout.y_title, fontsize=10.5, color=PALE_INK, labelpad=9)


def _boundary(axes: Axes, plane: Plane) -> None:
    """Draw the line between cells within the liquidation limit and cells beyond it."""
    lines = _boundary_lines(plane)
    axes.add_collection(
        LineCollection(lines, colors=INK, linewidths=2.4, capstyle="projecting", zorder=3)
    )


def _boundary_lines(plane: Plane) -> list[list[tuple[int, int]]]:
    """Return the edges, as ((x, y), (x, y)), that part a cell within from one beyond."""
    known = np.isfinite(plane.values)
    across = known[:, 1:] & known[:, :-1] & (plane.over[:, 1:] != plane.over[:, :-1])
    upwards = known[1:] & known[:-1] & (plane.over[1:] != plane.over[:-1])
    upright = [[(x + 1, y), (x + 1, y + 1)] for y, x in np.argwhere(across).tolist()]
    level = [[(x, y + 1), (x + 1, y + 1)] for y, x in np.argwhere(upwards).tolist()]
    return upright + level


def _write_heading(figure: Figure, title: list[str], subtitle: list[str], layout: Layout) -> None:
    across, up = layout.size
    x = MARGIN / across
    figure.text(
        x=x, va="top", y=1 - 0.17 / up, s="\n".join(title), fontsize=14, weight="bold", color=INK
    )
    y = 1 - (0.22 + 0.27 * len(title)) / up
    figure.text(
        x=x, va="top", y=y, s="\n".join(subtitle), fontsize=9.5, color=PALE_INK, linespacing=1.35
    )


def _legend_entries(plane: Plane) -> list[Patch | Line2D]:
    """Return what needs explaining: the hatching and the line, where there are any."""
    known = np.isfinite(plane.values)
    entries: list[Patch | Line2D] = []
    if not plane.feasible.all():
        text = "infeasible: margin exceeds equity"
        entries.append(Patch(facecolor=GROUND, edgecolor=HATCH, hatch="////", lw=0, label=text))
    if (plane.feasible & ~known).any():
        entries.append(Patch(facecolor=GROUND, lw=0, label="no value"))
    if _boundary_lines(plane):
        text = f"liquidation probability {label(plane.max_liquidation)}"
        entries.append(Line2D([], [], color=INK, linewidth=2.4, label=text))
    return entries


def _write_legend(figure: Figure, entries: list[Patch | Line2D], layout: Layout) -> None:
    across, up = layout.size
    figure.legend(
        handles=entries,
        loc="lower left",
        bbox_to_anchor=(MARGIN / across, 0.12 / up),
        ncols=3,
        frameon=False,
        fontsize=9,
        labelcolor=PALE_INK,
        borderpad=0,
        borderaxespad=0,
        columnspacing=1.6,
        handlelength=1.8,
    )
