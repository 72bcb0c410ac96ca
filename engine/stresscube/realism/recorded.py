"""Recorded history as the series that facts are computed of: which period, which legs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stresscube import history
from stresscube.errors import StresscubeError
from stresscube.history import History
from stresscube.history.funding import on_bars
from stresscube.realism.facts import Series
from stresscube.scenario.schema import Market

EIGHT_HOURS = 8.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of the data to take. since, until: UTC days or times; until is left out itself."""

    since: str | None = None
    until: str | None = None
    funding: Path | None = None
    assets: tuple[str, ...] = ()
    venues: tuple[str, ...] = ()


def read(data: Sequence[Path], wanted: Wanted) -> History:
    """The two legs' bars in the period wanted."""
    found = history.read(data, assets=wanted.assets or None, venues=wanted.venues or None)
    return within(found, wanted)


def within(found: History, wanted: Wanted) -> History:
    """The bars of a period. Raises StresscubeError if they are too few to compare."""
    keep = np.ones(len(found), bool)
    if wanted.since is not None:
        keep &= found.times >= _moment(wanted.since, "--since")
    if wanted.until is not None:
        keep &= found.times < _moment(wanted.until, "--until")
    if keep.sum() < 100:
        raise StresscubeError(
            f"data: {int(keep.sum())} bars in the period wanted, and 100 are the least; the data "
            f"go from {found.times[0]} to {found.times[-1]}"
        )
    from dataclasses import replace

    parts = {
        name: None if getattr(found, name) is None else getattr(found, name)[keep]
        for name in ("open", "high", "low", "volume")
    }
    filled = found.filled[keep] if len(found.filled) == len(keep) else found.filled
    return replace(found, times=found.times[keep], close=found.close[keep], filled=filled, **parts)


def prints(found: History, path: Path) -> np.ndarray:
    """Funding of both legs [prints, 2] where it was paid."""
    rates, due = on_bars(history.read_funding(path), found)
    return rates[due]


def recorded(
    data: Sequence[Path], assets: tuple[str, str], wanted: Wanted, market: Market
) -> tuple[Series, tuple[str, ...]]:
    """The series that a scenario's market is compared with, and what was odd in the files."""
    found = read(data, wanted)
    funding = prints(found, wanted.funding) if wanted.funding is not None else None
    series = Series(
        returns=np.diff(np.log(found.close), axis=0),
        step=found.step_hours,
        funding=funding,
        interval=market.funding_interval,
        point=market.interest * market.funding_interval / EIGHT_HOURS,
    )
    return series, found.notes


def _moment(text: str, option: str) -> np.datetime64:
    try:
        return np.datetime64(text, "ns")
    except ValueError:
        raise StresscubeError(
            f"{option} {text}: must be a day or time in UTC, such as 2025-01-01"
        ) from None
