"""Funding prints from files: when each rate was paid, and how much."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stresscube.history.align import length
from stresscube.history.faults import HistoryError
from stresscube.history.layouts import ASSETS, VENUES, bar_times, is_text
from stresscube.history.names import asset_of, of_file
from stresscube.history.record import History, Reals, Times
from stresscube.history.series import moment
from stresscube.history.tables import Table, read_table, sha256, to_reals
from stresscube.history.times import utc

RATES = ("funding_rate", "last_funding_rate", "fundingrate", "rate", "funding")
TIMES = ("calc_time", "funding_time", "funding_rate_timestamp", "funding_timestamp")
MINUTE = 60 * 10**9
LARGEST = 0.1
"""A rate an interval beyond which it is a percentage or nonsense; exchanges cap theirs below."""


@dataclass(frozen=True, eq=False)
class Prints:
    """The prints of one asset. times: UTC [prints], rising. rates: fractions of notional paid by
    the long to the short [prints].
    """

    asset: str | None
    venue: str | None
    times: Times
    rates: Reals

    @property
    def interval(self) -> np.timedelta64:
        """The time between most neighbours."""
        lengths, counts = np.unique(np.diff(self.times), return_counts=True)
        found: Any = lengths[np.argmax(counts)]
        return found


@dataclass(frozen=True, eq=False)
class Funding:
    """Funding prints of one asset or several. hash: sha256 of the bytes read."""

    prints: tuple[Prints, ...]
    notes: tuple[str, ...] = ()
    hash: str = ""

    def of(self, asset: str, venue: str | None = None) -> Prints:
        """The prints of an asset. Raises HistoryError if there are none, or several venues'."""
        fits = [
            prints
            for prints in self.prints
            if (prints.asset is None or prints.asset == asset_of(asset))
            and (venue is None or prints.venue is None or prints.venue == venue.lower())
        ]
        if len(fits) == 1:
            return fits[0]
        known = ", ".join(
            " on ".join(word for word in (p.asset, p.venue) if word) or "one without a name"
            for p in self.prints
        )
        what = "has no funding of" if not fits else "has several fundings of"
        raise HistoryError("funding", f"{what} {asset}; there are {known}")


def on_bars(funding: Funding, history: History) -> tuple[Reals, NDArray[np.bool_]]:
    """Rates [bars, 2] and whether funding is due at a bar's end [bars], for both legs of a history.

    Where it is due a leg's rate is what is paid then: the sum of the prints in the bar (one at the
    instant at which a bar closes is in it), 0 where only the other leg pays. Elsewhere it is the
    last print before the bar. Raises HistoryError for a leg that has no print in the period.
    """
    bars, step = len(history), int(history.step.astype(np.int64))
    rates, dues = np.zeros((bars, 2)), np.zeros((bars, 2), bool)
    for leg in range(2):
        asset, venue = of_file(history.assets[leg])
        prints = funding.of(asset or history.assets[leg], venue or history.venues[leg])
        since = (prints.times - history.times[0]).astype(np.int64)
        bar = -(-since // step) - 1
        inside = (bar >= 0) & (bar < bars)
        if not inside.any():
            raise HistoryError("funding", f"has no print of {history.assets[leg]} in the period")
        paid = np.bincount(bar[inside], prints.rates[inside], minlength=bars)
        dues[bar[inside], leg] = True
        latest = np.searchsorted(bar, np.arange(bars)) - 1
        known = np.where(latest >= 0, prints.rates[np.maximum(latest, 0)], 0.0)
        rates[:, leg] = np.where(dues[:, leg], paid, known)
    due: NDArray[np.bool_] = dues[:, 0] | dues[:, 1]
    return np.where(due[:, None] & ~dues, 0.0, rates), due


def read_funding(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> Funding:
    """Funding prints from one file or several: Binance Vision, ccxt, freqtrade, long tables.

    Times are rounded to the minute, for exchanges print some milliseconds late. Raises
    HistoryError, in one sentence, for what is no funding.
    """
    given = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    tables = [read_table(Path(path)) for path in given]
    notes: list[str] = []
    found: dict[tuple[str | None, str | None], list[Prints]] = {}
    for table in tables:
        for prints in _prints_in(table, notes):
            found.setdefault((prints.asset, prints.venue), []).append(prints)
    made = tuple(_joined(parts, tables[0].source, notes) for parts in found.values())
    return Funding(made, tuple(notes), sha256(tables))


def _prints_in(table: Table, notes: list[str]) -> Iterable[Prints]:
    rates = _rates(table)
    times, said = _times(table)
    notes += said
    asset, venue = of_file(table.stem)
    keys = [next((n for n in names if n in table.columns and is_text(table.columns[n])), None)
            for names in (ASSETS, VENUES)]  # fmt: skip
    words = [_words(table, key, word) for key, word in zip(keys, (asset, venue), strict=True)]
    pairs = list(zip(*words, strict=True))
    for pair in dict.fromkeys(pairs):
        rows = np.array([other == pair for other in pairs])
        name = asset_of(pair[0]) if pair[0] is not None else None
        yield Prints(name, pair[1].lower() if pair[1] else None, times[rows], rates[rows])


def _words(table: Table, key: str | None, otherwise: str | None) -> list[str | None]:
    return [otherwise] * table.rows if key is None else [str(word) for word in table.columns[key]]


def _rates(table: Table) -> NDArray[np.float64]:
    name = next((name for name in RATES if name in table.columns), None)
    if name is None and "funding" in table.stem and "open" in table.columns:
        name = "open"  # freqtrade keeps rates as candles
    if name is None:
        known = ", ".join(f'"{name}"' for name in list(table.columns)[:12])
        raise HistoryError(table.source, f'has no "funding_rate"; its columns are {known}')
    rates = to_reals(table.columns[name], table.source, name)
    bad = ~np.isfinite(rates) | (np.abs(rates) > LARGEST)
    if bad.any():
        at = int(np.argmax(bad))
        raise HistoryError(
            table.source,
            f'row {at + 1} of column "{name}" holds {rates[at]:g}; a rate is a fraction of '
            f"notional (0.0001 is one basis point) within {LARGEST:g}",
        )
    return rates


def _times(table: Table) -> tuple[Times, list[str]]:
    name = next((name for name in TIMES if name in table.columns), None)
    if name is None:
        times, notes, _ = bar_times(table)
    else:
        times, notes = utc(table.columns[name], table.zones.get(name), table.source, name)
    whole = (times.astype(np.int64) + MINUTE // 2) // MINUTE * MINUTE
    return whole.astype("datetime64[ns]"), notes


def _joined(parts: list[Prints], source: str, notes: list[str]) -> Prints:
    """All prints of one asset in order, each time once."""
    times = np.concatenate([part.times for part in parts])
    rates = np.concatenate([part.rates for part in parts])
    order = np.argsort(times, kind="stable")
    times, rates = times[order], rates[order]
    again = np.flatnonzero(times[1:] == times[:-1])
    name = parts[0].asset or source
    if (rates[again] != rates[again + 1]).any():
        at = again[np.argmax(rates[again] != rates[again + 1])]
        raise HistoryError(
            source, f"has two funding rates of {name} at {moment(times[at])}; keep one venue a file"
        )
    if again.size:
        notes.append(f"funding of {name}: {again.size:,} duplicate prints dropped")
    keep = np.ones(len(times), bool)
    keep[again] = False
    times, rates = times[keep], rates[keep]
    if len(times) < 2:
        raise HistoryError(source, f"has one funding print of {name}; two are the least")
    made = Prints(parts[0].asset, parts[0].venue, times, rates)
    late = np.diff(times) > made.interval
    if late.any():
        notes.append(
            f"funding of {name}: {int(late.sum()):,} gaps longer than {length(made.interval)} "
            f"between prints, the first after {moment(times[np.argmax(late)])}"
        )
    return made
