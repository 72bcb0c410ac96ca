"""Which columns of a table are which: the layouts that exchanges and tools write.

A long table names asset or venue in columns; a wide one in the names of its columns (btc_close);
a plain one has nothing but times and a column of closes an asset; everything else is one series
with a close, whose asset the file's name tells.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas
from numpy.typing import NDArray

from stresscube.history.faults import HistoryError
from stresscube.history.names import asset_of, of_file
from stresscube.history.series import FIELDS, Series
from stresscube.history.tables import Table, to_reals
from stresscube.history.times import utc

pd: Any = pandas  # its types are partial, and what comes out of it is checked anyway

TIMES = (
    *("open_time", "timestamp", "date", "datetime", "time", "unix", "ts", "start", "start_time"),
    *("bar_time", "date_time", "timestamp_utc", "t", "index", "kline_open_time"),
)
"""Columns that tell when a bar opens, the first that there is."""
CLOSE_TIME = "close_time"
ASSETS = ("coin", "asset", "symbol", "pair", "base", "ticker", "instrument", "market_symbol")
VENUES = ("venue", "exchange", "market", "platform")
CLOSES = ("close", "c", "price", "last", "close_price")
SHORT = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
_WIDE = re.compile(r"(?P<name>.+)_(?P<field>open|high|low|close|volume)")
_WIDE_TURNED = re.compile(r"(?P<field>open|high|low|close|volume)_(?P<name>.+)")
_IGNORED = re.compile(r"unnamed_\d+|level_0|index|adj_close|close_time|datetime|date|unix|time")


def series_in(table: Table) -> list[Series]:
    """The series of bars that a table holds, uncleaned. Raises HistoryError if it has none."""
    times, notes, used = bar_times(table)
    columns = {name: column for name, column in table.columns.items() if name not in used}
    asset, venue = of_file(table.stem)
    found = _long(table, times, columns, asset, venue)
    if not found and (close := next((name for name in CLOSES if name in columns), None)):
        values = _fields(table, columns, close)
        found = [Series(asset, venue, (table.source,), times, values)]
    if not found:
        found = _wide(table, times, columns, venue) or _plain(table, times, columns, venue)
    if not found:
        known = ", ".join(f'"{name}"' for name in list(table.columns)[:12])
        raise HistoryError(
            table.source,
            f"has no closes: its columns are {known}; a close is called close, NAME_close or, "
            "beside a time alone, NAME",
        )
    first = found[0]
    said = Series(first.asset, first.venue, first.sources, first.times, first.values, tuple(notes))
    return [said, *found[1:]]


def bar_times(table: Table) -> tuple[NDArray[np.datetime64], list[str], set[str]]:
    """When each bar opens; notes; and the columns that are no values."""
    names = [name for name in TIMES if name in table.columns]
    text = [name for name in names if table.columns[name].dtype.kind in "MOUT"]
    if names:
        name = names[0] if names[0] in ("open_time", "timestamp") or not text else text[0]
        times, notes = utc(table.columns[name], table.zones.get(name), table.source, name)
        return times, notes, {*names, CLOSE_TIME}
    if CLOSE_TIME in table.columns:
        times, notes = _opens(table)
        return times, notes, {CLOSE_TIME}
    known = ", ".join(f'"{name}"' for name in list(table.columns)[:12])
    raise HistoryError(
        table.source, f'has no column of times such as "timestamp"; its columns are {known}'
    )


def _opens(table: Table) -> tuple[NDArray[np.datetime64], list[str]]:
    """Opens from the times at which bars close, which exchanges write a millisecond early."""
    column, zone = table.columns[CLOSE_TIME], table.zones.get(CLOSE_TIME)
    closes, notes = utc(column, zone, table.source, CLOSE_TIME)
    second = np.timedelta64(10**9, "ns")
    ends = ((closes.astype(np.int64) + 5 * 10**8) // 10**9) * second + np.datetime64(0, "ns")
    gaps = np.abs(np.diff(np.sort(ends)))
    gaps = gaps[gaps > np.timedelta64(0)]
    if not gaps.size:
        raise HistoryError(table.source, "has one bar, from which no length of a bar can be told")
    lengths, counts = np.unique(gaps, return_counts=True)
    notes.append(f"{table.source}: times are those of closes; bars open one bar earlier")
    return ends - lengths[np.argmax(counts)], notes


def _long(
    table: Table,
    times: NDArray[np.datetime64],
    columns: dict[str, NDArray[Any]],
    asset: str | None,
    venue: str | None,
) -> list[Series]:
    """A series for each asset and venue that columns name."""
    close = next((name for name in CLOSES if name in columns), None)
    by_asset = next((name for name in ASSETS if name in columns and is_text(columns[name])), None)
    by_venue = next((name for name in VENUES if name in columns and is_text(columns[name])), None)
    if close is None or (by_asset is None and by_venue is None):
        return []
    words = [columns[name].astype(str) for name in (by_asset, by_venue) if name]
    pairs = pd.MultiIndex.from_arrays(words)
    codes, keys = pairs.factorize()
    values = _fields(table, columns, close)
    found: list[Series] = []
    for code, found_key in enumerate(keys):
        rows = codes == code
        parts = dict(zip((name for name in (by_asset, by_venue) if name), found_key, strict=True))
        here = asset_of(parts[by_asset]) if by_asset else asset
        there = parts[by_venue].lower() if by_venue else venue
        mine = {name: column[rows] for name, column in values.items()}
        found.append(Series(here, there, (table.source,), times[rows], mine))
    return found


def _fields(table: Table, columns: dict[str, NDArray[Any]], close: str) -> dict[str, Any]:
    """The fields of a bar by name, close being the column of that name."""
    short = close == "c"
    made = {"close": to_reals(columns[close], table.source, close)}
    for name, column in columns.items():
        field = SHORT.get(name, name) if short else name
        if field in FIELDS and field not in made:
            made[field] = to_reals(column, table.source, name)
    if "volume" not in made and (name := next((n for n in columns if n.startswith("vol")), None)):
        made["volume"] = to_reals(columns[name], table.source, name)
    return made


def _wide(
    table: Table,
    times: NDArray[np.datetime64],
    columns: dict[str, NDArray[Any]],
    venue: str | None,
) -> list[Series]:
    """A series for each prefix (or ending) of columns such as btc_close."""
    found: dict[str, dict[str, Any]] = {}
    for name, column in columns.items():
        match = _WIDE.fullmatch(name) or _WIDE_TURNED.fullmatch(name)
        if match:
            values = to_reals(column, table.source, name)
            found.setdefault(match["name"], {})[match["field"]] = values
    return [
        Series(*_named(name, venue), (table.source,), times, values)
        for name, values in found.items()
        if "close" in values
    ]


def _plain(
    table: Table,
    times: NDArray[np.datetime64],
    columns: dict[str, NDArray[Any]],
    venue: str | None,
) -> list[Series]:
    """A series for every other column of numbers."""
    names = [name for name in columns if not _IGNORED.fullmatch(name)]
    numbers = [name for name in names if not is_text(columns[name])]
    if len(numbers) < len(names) or not numbers:
        return []
    return [
        Series(
            *((None, venue) if name in ("first", "second") else _named(name, venue)),
            (table.source,),
            times,
            {"close": to_reals(columns[name], table.source, name)},
        )
        for name in numbers
    ]


def _named(column: str, venue: str | None) -> tuple[str | None, str | None]:
    """Asset and venue in a column's name."""
    asset, there = of_file(column)
    return asset or column.upper(), there or venue


def is_text(column: NDArray[Any]) -> bool:
    """Whether a column holds words."""
    if column.dtype.kind in "OUT":
        numbers = pd.to_numeric(pd.Series(column), errors="coerce")
        return bool(numbers.isna().all())
    return False
