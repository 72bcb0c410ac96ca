"""One series of bars out of one file: sorted, each time once, prices that can be prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stresscube.history.faults import HistoryError
from stresscube.history.record import Reals, Times

FIELDS = ("open", "high", "low", "close", "volume")
MOST_CONFLICTS = 0.01
"""Of the rows: more times that stand twice with other prices, and two series are mixed up."""
MOST_CROSSED = 0.01
"""Of the bars: more of them with a low above a price, and the columns are mixed up."""
LARGEST_MOVE = 10.0
"""A factor between one close and the next beyond which it is no price of one thing."""


@dataclass(frozen=True, eq=False)
class Series:
    """The bars of one asset. times: [bars] UTC. values: name of a field -> [bars].

    asset, venue: None where nothing names them. sources: files that it comes from. notes: what
    was found.
    """

    asset: str | None
    venue: str | None
    sources: tuple[str, ...]
    times: Times
    values: dict[str, Reals]
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What messages call it."""
        words = [word for word in (self.asset, self.venue) if word]
        return " on ".join(words) or self.sources[0]


def joined(parts: Sequence[Series]) -> Series:
    """Several files of one series as one; a field that one of them lacks is lost."""
    first = parts[0]
    if len(parts) == 1:
        return first
    fields = [name for name in FIELDS if all(name in part.values for part in parts)]
    return replace(
        first,
        sources=tuple(dict.fromkeys(name for part in parts for name in part.sources)),
        times=np.concatenate([part.times for part in parts]),
        values={name: np.concatenate([part.values[name] for part in parts]) for name in fields},
        notes=tuple(note for part in parts for note in part.notes),
    )


def cleaned(series: Series) -> Series:
    """The series in order of time, each time once, with sound prices; notes say what it took.

    Raises HistoryError for what cannot be prices of one asset.
    """
    notes = list(series.notes)
    known = np.isfinite(series.values["close"])
    if not known.any():
        raise HistoryError(series.sources[0], f"{series.name} has no close at all")
    if (lost := int((~known).sum())) > 0:
        notes.append(f"{series.name}: {_bars(lost)} without a close left out")
    series = _taken(series, known)
    if (np.diff(series.times) < np.timedelta64(0)).any():
        if (np.diff(series.times) <= np.timedelta64(0)).all():
            notes.append(f"{series.name}: newest first, turned round")
        else:
            notes.append(f"{series.name}: not in order of time, sorted")
    series = _taken(series, np.argsort(series.times, kind="stable"))
    series = _without_duplicates(series, notes)
    _check_prices(series)
    series = _with_sound_ranges(series, notes)
    return replace(series, notes=tuple(notes))


def _taken(series: Series, index: NDArray[Any]) -> Series:
    values = {name: column[index] for name, column in series.values.items()}
    return replace(series, times=series.times[index], values=values)


def _without_duplicates(series: Series, notes: list[str]) -> Series:
    """Each time once, the last of several rows; files that overlap agree where they do."""
    again = np.flatnonzero(series.times[1:] == series.times[:-1])
    if not again.size:
        return series
    close = series.values["close"]
    differ = int((close[again] != close[again + 1]).sum())
    if differ > max(1.0, MOST_CONFLICTS * len(series.times)):
        at = again[np.argmax(close[again] != close[again + 1])]
        raise HistoryError(
            series.sources[0],
            f"{series.name} has {differ:,} times twice with different closes (first "
            f"{moment(series.times[at])}), as if two series were mixed; keep one venue and asset a "
            "file, or name them in columns",
        )
    words = f", {differ} with another close, of which the later row counts" if differ else ""
    notes.append(f"{series.name}: {again.size:,} duplicate times dropped{words}")
    keep = np.ones(len(series.times), bool)
    keep[again] = False
    return _taken(series, keep)


def _check_prices(series: Series) -> None:
    close = series.values["close"]
    if (close <= 0.0).any():
        at = int(np.argmax(close <= 0.0))
        raise HistoryError(
            series.sources[0],
            f"{series.name} closes at {close[at]:g} at {moment(series.times[at])}; prices must be "
            "above 0",
        )
    moves = np.abs(np.diff(np.log(close)))
    if moves.size and moves.max() > np.log(LARGEST_MOVE):
        at = int(np.argmax(moves)) + 1
        raise HistoryError(
            series.sources[0],
            f"{series.name} goes from {close[at - 1]:g} to {close[at]:g} in one bar "
            f"({moment(series.times[at])}); that is no price of one asset",
        )


def _with_sound_ranges(series: Series, notes: list[str]) -> Series:
    """High and low around open and close; they are dropped where they say nothing."""
    values = dict(series.values)
    without = {name: column for name, column in values.items() if name not in ("high", "low")}
    if not {"high", "low"} <= values.keys():
        return replace(series, values=without)
    inner = [values["close"]] + ([values["open"]] if "open" in values else [])
    top, bottom = np.maximum.reduce(inner), np.minimum.reduce(inner)
    high, low = values["high"], values["low"]
    if (~np.isfinite(high) | ~np.isfinite(low) | (low <= 0.0)).any():
        notes.append(f"{series.name}: highs and lows are incomplete and not used")
        return replace(series, values=without)
    crossed = (high < top) | (low > bottom)
    if crossed.mean() > MOST_CROSSED and crossed.sum() > 1:
        at = int(np.argmax(crossed))
        raise HistoryError(
            series.sources[0],
            f"{series.name} has {int(crossed.sum()):,} bars whose high is below or whose low is "
            f"above open or close (first {moment(series.times[at])}); the columns are mixed up",
        )
    if crossed.any():
        notes.append(
            f"{series.name}: {_bars(int(crossed.sum()))} with a range widened to the close"
        )
    values["high"], values["low"] = np.maximum(high, top), np.minimum(low, bottom)
    return replace(series, values=values)


def moment(time: Any) -> str:
    """A time for a message: 2025-05-04 15:33."""
    return str(time.astype("datetime64[m]")).replace("T", " ")


def _bars(count: int) -> str:
    return f"{count:,} bar" if count == 1 else f"{count:,} bars"
