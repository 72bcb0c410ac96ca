"""Times of bars as UTC: epochs in any unit, ISO 8601, and the older text of CryptoDataDownload."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas
from numpy.typing import NDArray

from stresscube.history.faults import HistoryError
from stresscube.history.record import Times

pd: Any = pandas  # its types are partial, and what comes out of it is checked anyway

NANOSECONDS = (
    (1e11, 10**9, "seconds"),
    (1e14, 10**6, "milliseconds"),
    (1e17, 10**3, "microseconds"),
)
"""Below this number an epoch is in units of so many nanoseconds; dates from 1973 to 5138."""
FORMATS = ("ISO8601", "%Y-%m-%d %I-%p", "%Y-%m-%d %H-%M-%S")
EARLIEST, LATEST = np.datetime64("2000-01-01"), np.datetime64("2100-01-01")
_OFFSET = re.compile(r"(Z|UTC|GMT|[+-]\d\d:?\d\d)\s*$")


def utc(values: NDArray[Any], zone: str | None, source: str, name: str) -> tuple[Times, list[str]]:
    """Times as datetime64[ns] in UTC, and what is to be said of their zone.

    zone: of a column of dates, None where it has none. Raises HistoryError for what is no time.
    """
    if values.dtype.kind == "M":
        made = values.astype("datetime64[ns]")
        notes = _zone_note(zone, source)
    elif values.dtype.kind in "iuf":
        made, notes = _epochs(values.astype(np.float64), values, source, name), []
    else:
        made, notes = _text(values, source, name)
    bad = np.isnat(made) | (made < EARLIEST) | (made > LATEST)
    if bad.any():
        at = int(np.argmax(bad))
        raise HistoryError(
            source,
            f'row {at + 1} of column "{name}" holds {_shown(values[at])}, which is no time between '
            "2000 and 2100; write UTC as ISO 8601 or as an epoch",
        )
    return made, notes


def _epochs(reals: NDArray[np.float64], values: NDArray[Any], source: str, name: str) -> Times:
    """Epochs, each in the unit that its size tells: dumps change it in the middle of a file."""
    if not np.isfinite(reals).all():
        raise HistoryError(source, f'column "{name}" has empty times; remove those rows')
    whole = values.astype(np.int64) if values.dtype.kind in "iu" else None
    made = np.empty(len(reals), np.int64)
    units = np.searchsorted([limit for limit, _, _ in NANOSECONDS], np.abs(reals), side="right")
    for unit, size in enumerate([*(ns for _, ns, _ in NANOSECONDS), 1]):
        here = units == unit
        if whole is not None:
            made[here] = whole[here] * size
        else:
            made[here] = np.rint(reals[here] * size).astype(np.int64)
    return made.astype("datetime64[ns]")


def _text(values: NDArray[Any], source: str, name: str) -> tuple[Times, list[str]]:
    numbers = pd.to_numeric(pd.Series(values), errors="coerce")
    if len(values) and not numbers.isna().any():
        plain = numbers.to_numpy()
        return _epochs(plain.astype(np.float64), plain, source, name), []
    texts = pd.Series(values).astype(str).str.strip()
    for form in FORMATS:
        found = pd.to_datetime(texts, utc=True, format=form, errors="coerce")
        if not found.isna().any():
            stated = _OFFSET.search(str(texts.iloc[0])) is not None
            offsets = set(texts.str.extract(_OFFSET.pattern, expand=False).dropna().unique())
            foreign = offsets - {"Z", "UTC", "GMT", "+00:00", "+0000"}
            zone = ", ".join(sorted(foreign)) or "UTC"
            made = found.dt.tz_localize(None).to_numpy().astype("datetime64[ns]")
            return made, _zone_note(zone if stated else None, source)
    found = pd.to_datetime(texts, utc=True, format=FORMATS[0], errors="coerce")
    at = int(np.argmax(found.isna().to_numpy()))
    raise HistoryError(
        source,
        f'row {at + 1} of column "{name}" holds {_shown(values[at])}, which is no time that has '
        "one meaning; write it as ISO 8601 (2025-05-04T15:33:00Z) or as an epoch",
    )


def _zone_note(zone: str | None, source: str) -> list[str]:
    if zone is None:
        return [f"{source}: times name no zone and are taken as UTC"]
    if zone in ("UTC", "Etc/UTC", "GMT", "datetime.timezone.utc"):
        return []
    return [f"{source}: times in {zone} became UTC"]


def _shown(value: object) -> str:
    text = str(value)
    return f'"{text[:40]}"'
