"""From files to two aligned legs: which series there are, and which of them are meant."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from stresscube.history.align import aligned
from stresscube.history.faults import HistoryError
from stresscube.history.layouts import series_in
from stresscube.history.names import asset_of, label
from stresscube.history.record import History
from stresscube.history.series import Series, cleaned, joined
from stresscube.history.tables import Table, of_frame, read_table, sha256

FilePath = str | os.PathLike[str]


def read(
    paths: FilePath | Iterable[FilePath],
    *,
    assets: Sequence[str] | None = None,
    venues: Sequence[str | None] | None = None,
) -> History:
    """Two legs of bars from one file or several, on one grid of times.

    paths: Parquet, Feather or CSV; files of the same asset and venue are joined. assets: the two
    to take, leg a first, or one that stands for both; the two that there are by default. venues:
    theirs, for one asset on two of them, or where files hold several. Where files name no asset or
    venue, the first file is leg a and the second leg b.

    Raises HistoryError, in one sentence, if the files hold no two series of prices.
    """
    given = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if not given:
        raise HistoryError("history", "no files were named")
    return _legs([read_table(Path(path)) for path in given], assets, venues)


def from_frame(
    frame: Any,
    *,
    assets: Sequence[str] | None = None,
    venues: Sequence[str | None] | None = None,
) -> History:
    """The same from a DataFrame (pandas, or anything with `to_pandas`), or from a list of them."""
    frames = cast("Sequence[Any]", frame if isinstance(frame, list | tuple) else [frame])
    tables: list[Table] = []
    for at, one in enumerate(frames):
        plain = one.to_pandas() if hasattr(one, "to_pandas") else one
        name = "the table" if len(frames) == 1 else f"table {at + 1}"
        table = of_frame(plain, name)
        data = b"".join(_bytes(column) for column in table.columns.values())
        tables.append(replace(table, data=data))
    return _legs(tables, assets, venues)


def _bytes(column: Any) -> bytes:
    return "\n".join(map(str, column)).encode() if column.dtype.kind == "O" else column.tobytes()


def _legs(
    tables: list[Table], assets: Sequence[str] | None, venues: Sequence[str | None] | None
) -> History:
    found = [series for table in tables for series in series_in(table)]
    a, b = chosen(_called(found, assets, venues), assets, venues)
    names = (a.asset or a.name, b.asset or b.name)
    if assets is not None and len(set(assets)) == 2:
        names = (assets[0], assets[1])
    elif names[0] == names[1]:
        names = (label(names[0], a.venue), label(names[1], b.venue))
    return aligned((a, b), names, sha256(tables))


def _called(
    found: list[Series], assets: Sequence[str] | None, venues: Sequence[str | None] | None
) -> list[Series]:
    """The series with the names that the caller gives to those that have none, in their order."""
    nameless = [at for at, series in enumerate(found) if series.asset is None]
    if assets is not None and len(nameless) == len(assets):
        for at, name in zip(nameless, assets, strict=True):
            found[at] = replace(found[at], asset=asset_of(name))
    homeless = [at for at, series in enumerate(found) if series.venue is None]
    if venues is not None and len(found) == len(homeless) == len(venues):
        for at, name in zip(homeless, venues, strict=True):
            found[at] = replace(found[at], venue=name)
    return found


def chosen(
    found: Sequence[Series], assets: Sequence[str] | None, venues: Sequence[str | None] | None
) -> tuple[Series, Series]:
    """Leg a and leg b of the series that there are. Raises HistoryError where that is not clear."""
    groups: dict[tuple[str | None, str | None], list[Series]] = {}
    for series in found:
        groups.setdefault((series.asset, series.venue), []).append(series)
    if assets is None and venues is None:
        keys = list(groups)
    else:
        wanted = tuple(assets or (None, None))
        places = tuple(venues or (None, None))
        if len(wanted) not in (1, 2) or len(places) not in (1, 2):
            raise HistoryError(found[0].sources[0], "name one or two assets, and one or two venues")
        pairs = zip((wanted * 2)[:2], (places * 2)[:2], strict=True)
        keys = [_matching(groups, asset, venue, found[0].sources[0]) for asset, venue in pairs]
    if len(keys) != 2 or keys[0] == keys[1]:
        raise HistoryError(found[0].sources[0], _which(groups))
    a, b = (cleaned(joined(groups[key])) for key in keys)
    return a, b


def _matching(
    groups: dict[tuple[str | None, str | None], list[Series]],
    asset: str | None,
    venue: str | None,
    source: str,
) -> tuple[str | None, str | None]:
    fits = [
        key
        for key in groups
        if (asset is None or key[0] == asset_of(asset))
        and (venue is None or (key[1] or "").lower() == venue.lower())
    ]
    if len(fits) == 1:
        return fits[0]
    name = " on ".join(word for word in (asset, venue) if word)
    if not fits:
        raise HistoryError(source, f"has no {name}; there are {_listed(groups)}")
    raise HistoryError(source, f"{name} is not one series but {_listed(fits)}; name a venue")


def _which(groups: Iterable[tuple[str | None, str | None]]) -> str:
    keys = list(groups)
    if len(keys) == 1:
        return f"holds one series, {_listed(keys)}; a pair needs two: add the other's file"
    return f"holds {len(keys)} series, {_listed(keys)}; name the two legs by asset and venue"


def _listed(keys: Iterable[tuple[str | None, str | None]]) -> str:
    names = [" on ".join(word for word in key if word) or "one without a name" for key in keys]
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
