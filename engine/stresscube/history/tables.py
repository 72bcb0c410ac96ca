"""From a file to columns: Parquet, Feather and CSV, packed or not, with a header or without."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from numpy.typing import NDArray

from stresscube.history.faults import HistoryError

pd: Any = pandas  # its types are partial, and what comes out of it is checked anyway

ENDINGS = (".parquet", ".pq", ".feather", ".arrow", ".csv", ".txt", ".tsv", ".csv.gz", ".zip")
SEPARATORS = (",", ";", "\t", "|")
MOST_PREFACE = 20
"""Lines above a CSV's header that are looked at."""
KLINE = (
    *("open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume"),
    *("trades", "taker_base", "taker_quote", "ignore"),
)
HEADERLESS = {
    12: KLINE,  # Binance
    6: KLINE[:6],  # ccxt
    5: KLINE[:5],
    2: ("open_time", "close"),
    3: ("open_time", "first", "second"),
}
"""Names of columns that a file without a header has, by their number."""


@dataclass(frozen=True)
class Table:
    """Columns by plain name (small letters, digits, "_"), each [rows].

    source: the file's name, for messages. stem: it without folder and ending. zones: of columns of
    dates, None where they name none. data: the bytes read.
    """

    source: str
    stem: str
    columns: dict[str, NDArray[Any]]
    zones: dict[str, str | None]
    data: bytes = field(default=b"", repr=False)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.columns.values()), ()))


def read_table(path: Path) -> Table:
    """The columns of a file. Raises HistoryError with the one thing that is wrong."""
    source = path.name
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise HistoryError(str(path), "no such file") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise HistoryError(str(path), f"cannot be read: {reason}") from None
    if not data:
        raise HistoryError(str(path), "is empty")
    frame = _frame(source, data)
    table = of_frame(frame, source, re.sub(r"(\.[A-Za-z]\w*)+$", "", source))
    return replace(table, data=data)


def of_frame(frame: Any, source: str, stem: str = "") -> Table:
    """The columns of a pandas DataFrame, its index among them if it is more than a count."""
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    columns: dict[str, NDArray[Any]] = {}
    zones: dict[str, str | None] = {}
    for at, name in enumerate(frame.columns):
        column: Any = frame.iloc[:, at]
        plain = plain_name(name)
        if plain in columns:
            raise HistoryError(source, f'has two columns named "{plain}"; rename or remove one')
        zone = getattr(column.dtype, "tz", None)
        if zone is not None:
            column = column.dt.tz_convert("UTC").dt.tz_localize(None)
        values = column.to_numpy()
        if values.dtype.kind == "M":
            zones[plain] = None if zone is None else str(zone)
        columns[plain] = values
    if not columns or not len(frame):
        raise HistoryError(source, "has no rows")
    return Table(source, stem, columns, zones)


def plain_name(name: object) -> str:
    """A column's name in small letters, whatever stands between them "_"."""
    words = "_".join(map(str, name)) if isinstance(name, tuple) else str(name)  # pyright: ignore[reportUnknownArgumentType]
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", words)
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_") or "index"


def sha256(tables: list[Table]) -> str:
    """The sha256 of the bytes of files, one after the other."""
    total = hashlib.sha256()
    for table in tables:
        total.update(table.data)
    return total.hexdigest()


def _frame(source: str, data: bytes) -> Any:
    name = source.lower()
    if data[:4] == b"PAR1":
        return _arrow(source, pd.read_parquet, data)
    if data[:6] in (b"ARROW1", b"FEA1\0\0") or name.endswith(".feather"):
        return _arrow(source, pd.read_feather, data)
    if data[:4] == b"PK\x03\x04":
        return _csv(source, _unzipped(source, data))
    if data[:2] == b"\x1f\x8b":
        return _csv(source, gzip.decompress(data))
    if not name.endswith(ENDINGS):
        kinds = "Parquet, Feather, CSV, or a CSV packed by gzip or zip"
        raise HistoryError(source, f"is of no kind that is read here; take {kinds}")
    return _csv(source, data)


def _arrow(source: str, reader: Any, data: bytes) -> Any:
    try:
        return reader(io.BytesIO(data))
    except ImportError:
        kind = reader.__name__.removeprefix("read_").title()
        hint = "pip install 'stresscube[data]'"
        raise HistoryError(source, f"{kind} files need pyarrow: {hint}") from None
    except Exception as error:
        reason = " ".join(str(error).split())[:120]
        raise HistoryError(source, f"is damaged or no such file: {reason}") from None


def _unzipped(source: str, data: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            if len(names) != 1:
                raise HistoryError(source, f"holds {len(names)} files; unpack it and name them")
            return archive.read(names[0])
    except zipfile.BadZipFile as error:
        raise HistoryError(source, f"is a damaged zip: {error}") from None


def _csv(source: str, data: bytes) -> Any:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise HistoryError(source, "is no UTF-8 text; save it as CSV in UTF-8") from None
    lines = text.split("\n", MOST_PREFACE)[:MOST_PREFACE]
    at, separator = _first_row(source, lines)
    cells = [cell.strip().strip('"') for cell in lines[at].rstrip("\r").split(separator)]
    decimal = "," if separator == ";" and re.search(r"\d,\d", "".join(lines[at + 1 :])) else "."
    headed = not all(_is_number(cell, decimal) for cell in cells[1:])
    names = None if headed else HEADERLESS.get(len(cells))
    if not headed and names is None:
        known = ", ".join(map(str, sorted(HEADERLESS)))
        raise HistoryError(
            source, f"has no header and {len(cells)} columns; {known} are known, so add a header"
        )
    try:
        return pd.read_csv(
            io.StringIO(text), sep=separator, skiprows=at, header=0 if headed else None,
            names=names, decimal=decimal, low_memory=False, index_col=False,
        )  # fmt: skip
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise HistoryError(source, f"is no table: {reason}") from None


def _first_row(source: str, lines: list[str]) -> tuple[int, str]:
    """Where the table begins, and what separates its columns."""
    for at, line in enumerate(lines):
        counts = {separator: line.count(separator) for separator in SEPARATORS}
        best = max(counts, key=lambda separator: counts[separator])
        if counts[best] and not line.startswith("#"):
            return at, best
    raise HistoryError(source, "is no table: its first lines have no columns")


def _is_number(cell: str, decimal: str) -> bool:
    try:
        float(cell.replace(decimal, ".") or "nan")
    except ValueError:
        return False
    return True


def to_reals(values: NDArray[Any], source: str, name: str) -> NDArray[np.float64]:
    """A column as numbers, NaN where empty. Raises HistoryError naming the first that is none."""
    made = pd.to_numeric(pd.Series(values), errors="coerce")
    reals = made.to_numpy(dtype=np.float64, na_value=np.nan)
    lost = np.isnan(reals) & ~pd.isna(pd.Series(values)).to_numpy()
    if lost.any():
        at = int(np.argmax(lost))
        text = str(values[at])[:40]
        raise HistoryError(source, f'row {at + 1} of column "{name}" holds "{text}", no number')
    return reals
