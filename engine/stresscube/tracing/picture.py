"""The picture of a ledger: prices, drift against threshold, equity, margin, and what happened."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, NullLocator
from numpy.typing import NDArray

from stresscube.plot import GROUND, INK, PALE_INK
from stresscube.tracing import Traced

Columns = Mapping[str, NDArray[Any]]
WIDTH = 10.5
LEG_A, LEG_B, RED, GREEN = "#0b6bb0", "#c75b12", "#b3202c", "#1b7f5c"
TINTS = ("#ffffff", "#eceff3", "#dde3ea", "#fbeee0", "#e7f1e4", "#f4e3ea", "#e3e0f1", "#d5eceb")
"""Behind the prices, one for each regime, the first white."""
PANELS = {"price": 2.2, "drift": 1.3, "equity": 2.0, "margin": 1.5}
"""Inches of each; a strip of events stands below them."""
STRIP = 0.24
"""Inches of a row of events."""
KINDS = {
    "open": "open", "close": "close", "roll": "roll", "rebalance": "rebalance", "bias": "bias",
    "funding": "funding", "leg a closed": "leg closed", "leg b closed": "leg closed",
}  # fmt: skip
"""How an event begins -> its row in the strip."""
DEATH = "liquidated"
TICKS = (
    (0.001, 0.01, 0.1, 1.0),
    (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0),
    (0.01, 0.015, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0),
)
"""Margin ratios that an axis may name; the set with about four in sight does."""
LONG = 72.0
"""Hours beyond which time is told in days."""


def picture(traced: Traced) -> Figure:
    """Draw a ledger over time, its events marked."""
    about, made = traced.table.attrs, cast("Any", traced.table)
    rows: Columns = {str(name): np.asarray(made[name]) for name in made.columns}
    steps = {name: column[:-1] for name, column in rows.items()}
    kinds = _kinds(rows)
    inches = [*PANELS.values(), STRIP * max(len(kinds), 1) + 0.1]
    title, subtitle = _heading(traced)
    top, bottom = 0.42 + 0.2 * len(subtitle) + 0.18, 0.55
    height = sum(inches) + 0.16 * (len(inches) - 1) + top + bottom
    figure = Figure(figsize=(WIDTH, height), facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        len(inches), 1, height_ratios=inches, hspace=0.16 / np.mean(inches),
        left=0.95 / WIDTH, right=1 - 1.0 / WIDTH, top=1 - top / height, bottom=bottom / height,
    )  # fmt: skip
    panels = [figure.add_subplot(cell) for cell in grid]
    scale, unit = (24.0, "days") if float(rows["time"][-1]) > LONG else (1.0, "hours")
    ends = steps["time"] / scale
    starts = ends - ends[0]
    prices, drift, equity, margin, strip = panels
    _prices(prices, steps, ends, about["assets"])
    _regimes(prices, steps, ends, about["regimes"])
    _drift(drift, steps, starts)
    _equity(equity, rows, ends)
    _margin(margin, steps, ends)
    _strip(strip, rows, kinds, starts)
    for panel in panels:
        _frame(panel, last=panel is strip, end=float(ends[-1]))
    strip.set_xlabel(f"{unit} since the start", fontsize=9, color=PALE_INK)
    _deaths(panels, rows, ends)
    x = 0.16 / WIDTH
    figure.text(x, 1 - 0.14 / height, title, va="top", fontsize=13, weight="bold", color=INK)
    figure.text(
        x, 1 - 0.42 / height, "\n".join(subtitle), va="top", fontsize=9, color=PALE_INK,
        linespacing=1.35,
    )  # fmt: skip
    return figure


def _heading(traced: Traced) -> tuple[str, list[str]]:
    title = f"Path {traced.found}"
    words = f"{traced.table.attrs['name']} · {traced.cell}"
    return title, textwrap.wrap(words, 130, break_long_words=False)


def _prices(axes: Axes, steps: Columns, ends: Any, assets: Sequence[str]) -> None:
    for name, colour, asset in zip("ab", (LEG_A, LEG_B), assets, strict=True):
        price = steps[f"price_{name}"]
        axes.plot(np.r_[0.0, ends], np.r_[100.0, price], color=colour, linewidth=1.1, zorder=3)
        _name(axes, price[-1], asset, colour)
    _part(axes, [float(steps[f"price_{name}"][-1]) for name in "ab"])
    axes.set_ylabel("price", fontsize=9, color=PALE_INK)


def _regimes(axes: Axes, steps: Columns, ends: Any, known: Sequence[str]) -> None:
    """Tint the regimes other than the first; name them above the panel."""
    regimes = steps["regime"].astype(str)
    changes = np.flatnonzero(regimes[1:] != regimes[:-1]) + 1
    edges = [0, *changes.tolist(), len(regimes)]
    times = np.r_[0.0, ends]
    for first, last in itertools.pairwise(edges):
        tint = TINTS[known.index(regimes[first]) % len(TINTS)]
        axes.axvspan(times[first], times[last], color=tint, linewidth=0, zorder=0)
    if len(known) == 1:
        return
    patches = [
        Patch(facecolor=TINTS[k % len(TINTS)], edgecolor="#aab2bc", linewidth=0.6, label=name)
        for k, name in enumerate(known)
    ]
    axes.legend(
        handles=patches, loc="lower right", bbox_to_anchor=(1.0, 0.995), ncols=len(known),
        frameon=False, fontsize=8, labelcolor=PALE_INK, handlelength=1.2, borderaxespad=0.1,
        columnspacing=1.2,
    )  # fmt: skip


def _drift(axes: Axes, steps: Columns, starts: Any) -> None:
    drift = 100.0 * steps["drift"]
    threshold = 100.0 * steps["threshold"]
    axes.set_ylabel("drift, %", fontsize=9, color=PALE_INK)
    if not np.isfinite(drift).any():
        _say(axes, "no open hedge to drift from")
        return
    axes.plot(starts, drift, color=INK, linewidth=0.9, zorder=3)
    finite = np.isfinite(threshold)
    if finite.any():
        axes.plot(starts, np.where(finite, threshold, np.nan), "--", color=RED, linewidth=1.0)
        _name(axes, float(threshold[finite][-1]), "threshold", RED)
    here = _has(steps, "rebalance") & np.isfinite(drift)
    axes.plot(starts[here], drift[here], "o", color=GREEN, markersize=3.2, zorder=4)
    if here.any():
        axes.annotate(
            "● rebalance", (1.0, 0.93), xycoords="axes fraction", xytext=(5, 0), va="top",
            textcoords="offset points", color=GREEN, fontsize=8.5,
        )  # fmt: skip
    axes.set_ylim(0, None)


def _equity(axes: Axes, rows: Columns, ends: Any) -> None:
    times = np.r_[0.0, ends, ends[-1]]
    equity = np.r_[1.0, rows["equity"]]
    axes.axhline(1.0, color="#c3c9d0", linewidth=0.8, zorder=1)
    axes.plot(times, equity, color=INK, linewidth=1.2, zorder=3)
    shadow = np.r_[np.nan, rows["shadow_equity"]]
    named = {"equity": (float(equity[-1]), INK)}
    if np.isfinite(shadow).any():
        axes.plot(times, shadow, ":", color=PALE_INK, linewidth=1.2, zorder=2)
        named["shadow"] = (float(shadow[-1]), PALE_INK)
    for name, (value, colour) in named.items():
        _name(axes, value, f"{name} {value:.3f}", colour)
    _part(axes, [value for value, _ in named.values()])
    axes.set_ylabel("equity", fontsize=9, color=PALE_INK)


def _margin(axes: Axes, steps: Columns, ends: Any) -> None:
    axes.set_ylabel("margin over equity", fontsize=9, color=PALE_INK)
    isolated = any(np.isfinite(steps[f"margin_ratio_{leg}"]).any() for leg in "ab")
    lines = {"margin_ratio": ("", INK)}
    if isolated:
        lines = {"margin_ratio_a": ("leg a", LEG_A), "margin_ratio_b": ("leg b", LEG_B)}
    shown: list[float] = []
    for name, (words, colour) in lines.items():
        ratio = steps[name]
        ratio = np.where(np.isfinite(ratio) & (ratio > 0.0), np.minimum(ratio, 3.0), np.nan)
        if not np.isfinite(ratio).any():
            continue
        axes.plot(ends, ratio, color=colour, linewidth=1.0, zorder=3, label=words)
        shown += [float(np.nanquantile(ratio, 0.005)), float(np.nanmax(ratio))]
    if not shown:
        _say(axes, "no margin: no position is open")
        return
    axes.axhline(1.0, linestyle="--", color=RED, linewidth=1.0, zorder=2)
    _name(axes, 1.0, "liquidation", RED)
    if isolated:
        axes.legend(
            loc="upper left", bbox_to_anchor=(0.0, 0.84), ncols=2, frameon=False, fontsize=8,
            labelcolor=PALE_INK, borderaxespad=0.1, handlelength=1.2,
        )  # fmt: skip
    low, high = 0.8 * min(shown), max(1.5, 1.2 * max(shown))
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    found = ([t for t in ticks if low <= t <= high] for ticks in TICKS)
    axes.set_yticks(min(found, key=lambda ticks: abs(len(ticks) - 4)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(_percent))


def _percent(value: float, _: object) -> str:
    return f"{100 * value:g}%"


def _kinds(rows: Columns) -> list[str]:
    """The rows of the strip: kinds of events that there are."""
    kinds = dict.fromkeys(KINDS.values())
    return [kind for kind in kinds if any(_has(rows, start).any() for start in _starts(kind))]


def _starts(kind: str) -> list[str]:
    return [start for start, name in KINDS.items() if name == kind]


def _has(rows: Columns, start: str) -> Any:
    """Whether a row has an event that begins so."""
    return np.array(
        [any(part.startswith(start) for part in str(text).split("; ")) for text in rows["event"]]
    )


def _strip(axes: Axes, rows: Columns, kinds: Sequence[str], starts: Any) -> None:
    times = np.r_[starts, 2 * starts[-1] - starts[-2] if len(starts) > 1 else starts[-1]]
    segments: list[list[tuple[float, float]]] = []
    for level, kind in enumerate(kinds):
        here = np.logical_or.reduce([_has(rows, start) for start in _starts(kind)])
        segments += [[(x, level - 0.34), (x, level + 0.34)] for x in times[here].tolist()]
    axes.add_collection(
        LineCollection(segments, colors=GREEN, linewidths=1.0, clip_on=False, zorder=5)
    )
    axes.set_yticks(range(len(kinds)), list(kinds))
    axes.set_ylim(max(len(kinds), 1) - 0.5, -0.5)
    if not kinds:
        _say(axes, "nothing happened")


def _deaths(panels: Sequence[Axes], rows: Columns, ends: Any) -> None:
    """A line through every panel where the account or a leg was liquidated."""
    found = [DEATH in str(event) for event in rows["event"][:-1]]
    for step in np.flatnonzero(found):
        parts = str(rows["event"][step]).split("; ")
        words = ", ".join(part for part in parts if DEATH in part)
        for axes in panels:
            axes.axvline(ends[step], color=RED, linewidth=1.0, zorder=6)
        share = float(ends[step] / ends[-1])
        panels[0].annotate(
            words, (ends[step], 0.96), xycoords=("data", "axes fraction"), va="top",
            xytext=(-4 if share > 0.5 else 4, 0), textcoords="offset points",
            ha="right" if share > 0.5 else "left", color=RED, fontsize=8.5, zorder=7,
            bbox={"facecolor": "white", "alpha": 0.85, "linewidth": 0, "pad": 1.5},
        )  # fmt: skip


def _frame(axes: Axes, *, last: bool, end: float) -> None:
    axes.set_xlim(0.0, end)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#c3c9d0")
    axes.tick_params(length=2.5, color="#c3c9d0", labelsize=8.5, labelcolor=PALE_INK)
    axes.tick_params(axis="x", labelbottom=last)
    axes.grid(axis="x", color=GROUND, linewidth=0.8, zorder=0)
    axes.yaxis.set_label_coords(-0.066, 0.5)


def _name(axes: Axes, value: float, words: str, colour: str) -> None:
    """Write what a line is to the right of its end."""
    axes.annotate(
        words, (1.0, value), xycoords=("axes fraction", "data"), xytext=(5, 0),
        textcoords="offset points", va="center", fontsize=8.5, color=colour, annotation_clip=False,
    )  # fmt: skip


def _part(axes: Axes, values: Sequence[float]) -> None:
    """Move two names apart where their lines end close together."""
    low, high = axes.get_ylim()
    if len(values) != 2 or abs(values[0] - values[1]) > 0.09 * (high - low):
        return
    for text, value in zip(axes.texts[-2:], values, strict=True):
        text.set_verticalalignment("bottom" if value >= max(values) else "top")


def _say(axes: Axes, words: str) -> None:
    axes.set_yticks([])
    axes.text(
        0.5, 0.5, words, ha="center", va="center", transform=axes.transAxes, fontsize=9,
        color=PALE_INK,
    )  # fmt: skip
