"""Two aligned series of bars: what every reader of history hands over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Times = NDArray[np.datetime64]
HOUR = np.timedelta64(3600 * 10**9, "ns")


@dataclass(frozen=True, eq=False)
class History:
    """Bars of leg a (column 0) and leg b (column 1) on one grid of times without holes.

    times: UTC, datetime64[ns] [bars], when each bar opens. close: [bars, 2], prices above 0.
    open, high, low, volume: [bars, 2], None where a leg has none; low <= open, close <= high.
    filled: bool [bars, 2], bars that the files lack; such a bar stands still at the close before.
    step: length of a bar, timedelta64[ns]. assets: names of the legs. venues: theirs, where known.
    notes: what was found, a sentence each: gaps, duplicates, fills, outliers, time zones.
    hash: sha256 of the bytes read, files in the order given. sources: those files' names.
    """

    times: Times
    close: Reals
    step: np.timedelta64
    assets: tuple[str, str]
    venues: tuple[str | None, str | None] = (None, None)
    open: Reals | None = None
    high: Reals | None = None
    low: Reals | None = None
    volume: Reals | None = None
    filled: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 2), bool))
    notes: tuple[str, ...] = ()
    hash: str = ""
    sources: tuple[str, ...] = ()

    def __len__(self) -> int:
        """How many bars there are."""
        return len(self.times)

    @property
    def step_hours(self) -> float:
        """The length of a bar in hours."""
        return float(self.step / HOUR)

    @property
    def period(self) -> tuple[np.datetime64, np.datetime64]:
        """When the first bar opens and the last one closes."""
        first: Any = self.times[0]
        last: Any = self.times[-1]
        return first, last + self.step
