"""Recorded history as the series that facts are computed of: which period, which legs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stresscube import history
from stresscube.errors import StresscubeError
from stresscube.history import History
from stresscube.history.align import part
from stresscube.history.funding import on_bars
from stresscube.realism.facts import Series
from stresscube.scenario.market import Market

Array = NDArray[np.float64]
EIGHT_HOURS = 8.0
FEWEST_PRINTS = 30


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
    since = wanted.since and _moment(wanted.since, "--since")
    until = wanted.until and _moment(wanted.until, "--until")
    if since is None and until is None:
        return found
    return part(found, since, until)


def prints(found: History, path: Path) -> tuple[Array, float]:
    """Funding of both legs [prints, 2] where it was paid, and the hours between prints."""
    rates, due = on_bars(history.read_funding(path), found)
    if due.sum() < FEWEST_PRINTS:
        raise StresscubeError(
            f"--funding {path}: {int(due.sum())} prints of both legs in the period of the bars, "
            f"and {FEWEST_PRINTS} are the least"
        )
    apart = np.diff(np.flatnonzero(due))
    return rates[due], float(np.median(apart)) * found.step_hours


def recorded(
    data: Sequence[Path], assets: tuple[str, str], wanted: Wanted, market: Market
) -> tuple[Series, tuple[str, ...]]:
    """The series that a scenario's market is compared with, and what was odd in the files."""
    found = read(data, wanted)
    funding = prints(found, wanted.funding)[0] if wanted.funding is not None else None
    series = Series(
        returns=np.diff(np.log(found.close), axis=0),
        step=found.step_hours,
        funding=funding,
        interval=market.funding_interval,
        point=market.interest * market.funding_interval / EIGHT_HOURS,
        slope=slope_of(market),
    )
    return series, found.notes


def slope_of(market: Market) -> float | None:
    """Of what lasts in leg b's price on leg a's; None where nothing reverts.

    It is what the variances of the diffusion say, as in a market of cointegrated legs.
    """
    if not market.mispriced:
        return None
    regime = market.regimes[0]
    a, b = regime.volatility
    rho = regime.correlation
    if rho is None:
        rho = market.correlation_regimes[0].correlation
    return rho * b / a if a > 0.0 else 0.0


def _moment(text: str, option: str) -> str:
    try:
        np.datetime64(text, "ns")
    except ValueError:
        raise StresscubeError(
            f"{option} {text}: must be a day or time in UTC, such as 2025-01-01"
        ) from None
    return text
