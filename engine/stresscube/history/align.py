"""Two series on one grid of times: the common period, holes filled, what was odd said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stresscube.history.faults import HistoryError
from stresscube.history.record import HOUR, History, Reals, Times
from stresscube.history.series import Series, moment

MOST_MISSING = 0.2
"""Of the bars of the common period: a leg that lacks more is no history of it."""
FEWEST = 3
"""Bars of the common period; fewer have no two returns."""
ODD = 12.0
"""Robust standard deviations (1.4826 times the median absolute return) of an outlier."""
REDUCED = {"high": np.maximum, "low": np.minimum, "volume": np.add}
LONGEST_STILL = 5
"""Bars with the same close and no volume, after which a series is said to stand still."""


def aligned(legs: tuple[Series, Series], assets: tuple[str, str], digest: str) -> History:
    """Both legs on one grid. Raises HistoryError where they have too little in common."""
    notes = [note for leg in dict.fromkeys(legs) for note in leg.notes]
    steps = [bar_length(leg) for leg in legs]
    step = max(steps)
    if steps[0] != steps[1]:
        words = " and ".join(f"{leg.name} {length(s)}" for leg, s in zip(legs, steps, strict=True))
        notes.append(f"bars of different length ({words}) made bars of {length(step)}")
        legs = (resampled(legs[0], step), resampled(legs[1], step))
    offset = (legs[0].times[0] - legs[1].times[0]) % step
    if offset:
        raise HistoryError(
            legs[1].sources[0],
            f"bars of {legs[1].name} open {length(offset)} apart from those of {legs[0].name}; "
            "shift one of them",
        )
    first = max(leg.times[0] for leg in legs)
    last = min(leg.times[-1] for leg in legs)
    if last - first < (FEWEST - 1) * step:
        spans = "; ".join(
            f"{leg.name} from {moment(leg.times[0])} to {moment(leg.times[-1])}" for leg in legs
        )
        raise HistoryError(legs[1].sources[0], f"the legs share too little time: {spans}")
    times: Times = first + step * np.arange(int((last - first) // step) + 1)
    placed = [_placed(leg, times, step, notes) for leg in legs]
    for leg, values in zip(legs, placed, strict=True):
        notes += _oddities(leg, times, values)
    if np.array_equal(placed[0]["close"], placed[1]["close"]):
        raise HistoryError(legs[0].sources[0], "both legs have the same closes: name two series")

    def both(name: str) -> Reals | None:
        if not all(name in values for values in placed):
            return None
        return np.stack([values[name] for values in placed], axis=1)

    close = both("close")
    assert close is not None
    return History(
        times=times,
        close=close,
        step=step,
        assets=assets,
        venues=(legs[0].venue, legs[1].venue),
        open=both("open"),
        high=both("high"),
        low=both("low"),
        volume=both("volume"),
        filled=np.stack([values["filled"] for values in placed], axis=1).astype(bool),
        notes=tuple(dict.fromkeys(notes)),
        hash=digest,
        sources=tuple(dict.fromkeys(name for leg in legs for name in leg.sources)),
    )


def bar_length(series: Series) -> np.timedelta64:
    """The length of a series' bars: the time between most neighbours.

    Raises HistoryError unless nearly all times stand on a grid of that length.
    """
    gaps = np.diff(series.times)
    if not gaps.size:
        raise HistoryError(series.sources[0], f"{series.name} has a single bar")
    lengths, counts = np.unique(gaps, return_counts=True)
    step: Any = lengths[np.argmax(counts)]
    off = (gaps % step) != np.timedelta64(0)
    if off.any() and off.mean() > 0.001:
        at = int(np.argmax(off)) + 1
        raise HistoryError(
            series.sources[0],
            f"{series.name} has no regular bars: most are {length(step)} apart, but the one of "
            f"{moment(series.times[at])} is not; make bars of the ticks first",
        )
    if off.any():
        at = int(np.argmax(off)) + 1
        raise HistoryError(
            series.sources[0],
            f"the bar of {series.name} at {moment(series.times[at])} stands between bars of "
            f"{length(step)}; remove it",
        )
    return step


def resampled(series: Series, step: np.timedelta64) -> Series:
    """A series in longer bars that begin at multiples of their length since 1970."""
    whole = np.int64(step.astype(np.int64))
    bar = series.times.astype(np.int64) // whole
    starts = np.flatnonzero(np.diff(bar, prepend=bar[0] - 1))
    ends = np.append(starts[1:], len(bar)) - 1
    parts: dict[str, Reals] = {}
    for name, column in series.values.items():
        if name in REDUCED:
            parts[name] = REDUCED[name].reduceat(column, starts)
        else:
            parts[name] = column[starts if name == "open" else ends]
    opened = (bar[starts] * whole).astype("datetime64[ns]")
    return replace(series, times=opened, values=parts)


def part(history: History, start: str | None, end: str | None) -> History:
    """The bars of a history that open at or after start and close at or before end (ISO, UTC).

    Raises HistoryError if fewer than three are left.
    """
    times = history.times
    keep = np.ones(len(times), bool)
    if start is not None:
        keep &= times >= np.datetime64(start)
    if end is not None:
        keep &= times + history.step <= np.datetime64(end)
    if keep.sum() < FEWEST:
        first, last = history.period
        raise HistoryError(
            history.sources[0] if history.sources else "the history",
            f"has {int(keep.sum())} bars between {start or 'its start'} and {end or 'its end'}; "
            f"its own period is {moment(first)} to {moment(last)}",
        )
    return _sliced(history, np.flatnonzero(keep))


def coarser(history: History, step: np.timedelta64) -> History:
    """A history in longer bars, a whole number of its own each; half a bar at an end is left out.

    Bars begin at multiples of their length since 1970. A bar counts as filled if all of it is.
    """
    step = step.astype("timedelta64[ns]")
    if step == history.step:
        return history
    count = int(step // history.step)
    whole = int(step.astype(np.int64))
    bar = history.times.astype(np.int64) // whole
    first = np.argmax(history.times.astype(np.int64) % whole == 0)
    bars = (len(bar) - first) // count
    if bars < FEWEST:
        first_time, last_time = history.period
        raise HistoryError(
            history.sources[0] if history.sources else "the history",
            f"has {bars} bars of {length(step)} between {moment(first_time)} and "
            f"{moment(last_time)}; {FEWEST} are the least",
        )
    history = _sliced(history, np.arange(first, first + bars * count))

    def folded(name: str) -> Reals | None:
        column = getattr(history, name)
        if column is None:
            return None
        grouped = column.reshape(bars, count, 2)
        if name in REDUCED:
            return REDUCED[name].reduce(grouped, axis=1)
        return grouped[:, 0 if name == "open" else -1]

    close = folded("close")
    assert close is not None
    return replace(
        history,
        times=history.times[::count],
        close=close,
        step=step,
        open=folded("open"),
        high=folded("high"),
        low=folded("low"),
        volume=folded("volume"),
        filled=history.filled.reshape(bars, count, 2).all(axis=1),
    )


def _sliced(history: History, index: NDArray[Any]) -> History:
    columns: dict[str, Any] = {
        name: None if (column := getattr(history, name)) is None else column[index]
        for name in ("times", "close", "open", "high", "low", "volume", "filled")
    }
    return replace(history, **columns)


def _placed(
    series: Series, times: NDArray[np.datetime64], step: np.timedelta64, notes: list[str]
) -> dict[str, Any]:
    """A leg's values at every time of the grid; what it lacks stands still."""
    inside = (series.times >= times[0]) & (series.times <= times[-1])
    where = ((series.times[inside] - times[0]) // step).astype(np.int64)
    filled = np.ones(len(times), bool)
    filled[where] = False
    made: dict[str, Any] = {}
    for name, column in series.values.items():
        placed = np.full(len(times), np.nan)
        placed[where] = column[inside]
        made[name] = placed
    if filled.mean() > MOST_MISSING:
        raise HistoryError(
            series.sources[0],
            f"{series.name} lacks {filled.mean():.0%} of the bars between {moment(times[0])} and "
            f"{moment(times[-1])}; take another series or a shorter period",
        )
    latest = np.maximum.accumulate(np.where(filled, 0, np.arange(len(times))))
    made["close"] = made["close"][latest]
    for name in ("open", "high", "low"):
        if name in made:
            made[name] = np.where(filled, made["close"], made[name])
    if "volume" in made:
        made["volume"] = np.where(filled, 0.0, made["volume"])
    if filled.any():
        notes.append(_hole_note(series, times, step, filled))
    return made | {"filled": filled}


def _hole_note(
    series: Series,
    times: NDArray[np.datetime64],
    step: np.timedelta64,
    filled: NDArray[np.bool_],
) -> str:
    edges = np.diff(np.concatenate([[0], filled.astype(np.int8), [0]]))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    longest = int(np.argmax(ends - starts))
    bars, holes = int(filled.sum()), len(starts)
    return (
        f"{series.name}: {bars:,} {'bar' if bars == 1 else 'bars'} missing in {holes:,} "
        f"{'gap' if holes == 1 else 'gaps'}, the longest {length((ends - starts)[longest] * step)} "
        f"from {moment(times[starts[longest]])}; filled with the close before"
    )


def _oddities(series: Series, times: NDArray[np.datetime64], values: dict[str, Any]) -> list[str]:
    """Sentences on returns that look like bad ticks, and on stretches that stand still."""
    notes: list[str] = []
    returns = np.diff(np.log(values["close"]))
    scale = 1.4826 * np.median(np.abs(returns[returns != 0.0])) if (returns != 0.0).any() else 0.0
    odd = np.abs(returns) > ODD * scale if scale > 0.0 else np.zeros(len(returns), bool)
    if odd.any():
        at = int(np.argmax(np.abs(returns)))
        back = odd[:-1] & (np.abs(returns[:-1] + returns[1:]) < 0.2 * np.abs(returns[:-1]))
        turned = f", {int(back.sum())} taken back by the next bar" if back.any() else ""
        count = int(odd.sum())
        notes.append(
            f"{series.name}: {count:,} {'return' if count == 1 else 'returns'} beyond {ODD:g} "
            f"robust standard deviations{turned}, the largest {np.expm1(returns[at]):+.2%} at "
            f"{moment(times[at + 1])}; kept"
        )
    still = np.concatenate([[False], returns == 0.0]) & ~values["filled"]
    if "volume" in values:
        still &= values["volume"] == 0.0
        run = longest_run(still)
        if run >= LONGEST_STILL:
            notes.append(
                f"{series.name}: {int(still.sum()):,} bars without trades, up to {run:,} in a row, "
                "as if filled by the source"
            )
    return notes


def longest_run(flags: NDArray[np.bool_]) -> int:
    """The most neighbours that are true."""
    edges = np.diff(np.concatenate([[0], flags.astype(np.int8), [0]]))
    lengths = np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)
    return int(lengths.max(initial=0))


def length(time: Any) -> str:
    """A length of time as files write it: 30s, 1min, 8h, 2d."""
    seconds = float(time / HOUR) * 3600.0
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size and seconds % size == 0.0:
            return f"{seconds / size:.12g}{unit}"
    return f"{seconds:.12g}s"
