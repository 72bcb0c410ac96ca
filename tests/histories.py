"""Made-up bars of BTC and ETH, and files of them in the layouts that people have."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

COINS = ("BTC", "ETH")
START = pd.Timestamp("2025-03-30 00:00")  # clocks change in Europe on this day


def bars(count: int = 300, minutes: int = 60, seed: int = 5) -> dict[str, pd.DataFrame]:
    """coin -> frame with open, high, low, close and volume, indexed by naive UTC open times."""
    rng = np.random.default_rng(seed)
    times = pd.date_range(START, periods=count, freq=f"{minutes}min")
    common = rng.normal(0.0, 0.004, count)
    made: dict[str, pd.DataFrame] = {}
    for coin, level, scale in zip(COINS, (95000.0, 1800.0), (1.0, 1.3), strict=True):
        close = np.round(level * np.exp(np.cumsum(scale * common + rng.normal(0, 0.002, count))), 2)
        opened = np.round(np.append(level, close[:-1]) * (1 + rng.normal(0, 1e-4, count)), 2)
        up, down = rng.uniform(0.0, 0.003, (2, count))
        made[coin] = pd.DataFrame(
            {
                "open": opened,
                "high": np.round(np.maximum(opened, close) * (1 + up), 2),
                "low": np.round(np.minimum(opened, close) * (1 - down), 2),
                "close": close,
                "volume": np.round(rng.uniform(1.0, 500.0, count), 3),
            },
            index=times,
        )
    return made


def epochs(frame: pd.DataFrame, unit: int) -> Any:
    """Open times in units of so many nanoseconds since 1970."""
    return frame.index.to_numpy().astype("datetime64[ns]").astype(np.int64) // unit


MS, US, SECOND = 10**6, 10**3, 10**9


def binance_vision(folder: Path, *, unit: int = MS, header: bool = False, packed: bool = False,
                   ) -> list[Path]:  # fmt: skip
    """Monthly klines, two files a coin, without a header until 2025, then in microseconds."""
    paths: list[Path] = []
    for coin, frame in bars().items():
        for month, part in ((3, frame.iloc[:100]), (4, frame.iloc[100:])):
            opened = epochs(part, unit)
            table = pd.DataFrame(
                {
                    "open_time": opened,
                    **{name: part[name].to_numpy() for name in part},
                    "close_time": opened + 3600 * (10**9 // unit) - 1,
                    "quote_volume": 1.0, "count": 5, "taker_buy_volume": 0.5,
                    "taker_buy_quote_volume": 0.5, "ignore": 0,
                }
            )  # fmt: skip
            name = f"{coin}USDT-1h-2025-{month:02d}"
            text = table.to_csv(index=False, header=header)
            if packed:
                paths.append(folder / f"{name}.zip")
                with zipfile.ZipFile(paths[-1], "w") as archive:
                    archive.writestr(f"{name}.csv", text)
            else:
                paths.append(folder / f"{name}.csv")
                paths[-1].write_text(text)
    return paths


def crypto_data_download(folder: Path, *, old: bool = False) -> list[Path]:
    """A line of advertisement, newest first; in old files the hour is written 01-PM."""
    paths: list[Path] = []
    for coin, frame in bars().items():
        times: Any = frame.index
        text = times.strftime("%Y-%m-%d %I-%p" if old else "%Y-%m-%d %H:%M:%S")
        seconds = epochs(frame, SECOND)
        unix = np.where(np.arange(len(frame)) < 50, seconds, seconds * 1000)  # as they are
        columns = {"unix": unix, "date": text, "symbol": f"{coin}/USDT"} | {
            name: frame[name].to_numpy() for name in ("open", "high", "low", "close")
        }
        columns |= {f"Volume {coin}": frame["volume"].to_numpy(), "Volume USDT": 1.0}
        table = pd.DataFrame(columns | {"tradecount": 7})[::-1]
        paths.append(folder / f"Binance_{coin}USDT_1h.csv")
        words = "https://www.CryptoDataDownload.com\n"
        paths[-1].write_text(words + table.to_csv(index=False))
    return paths


def ccxt(folder: Path) -> list[Path]:
    """What a script writes that dumps fetch_ohlcv: milliseconds, no header."""
    paths: list[Path] = []
    for coin, frame in bars().items():
        table = np.column_stack([epochs(frame, MS), frame.to_numpy()])
        lines = [",".join([str(int(row[0])), *map(repr, map(float, row[1:]))]) for row in table]
        paths.append(folder / f"{coin}_USDT.csv")
        paths[-1].write_text("\n".join(lines))
    return paths


def freqtrade(folder: Path) -> list[Path]:
    """Feather files with a date in UTC."""
    paths: list[Path] = []
    for coin, frame in bars().items():
        table = frame.tz_localize("UTC").rename_axis("date").reset_index()
        paths.append(folder / f"{coin}_USDT_USDT-1h-futures.feather")
        table.to_feather(paths[-1])
    return paths


def long_table(folder: Path) -> list[Path]:
    """One Parquet file, a row a coin and time, of one venue."""
    parts = [frame.assign(coin=coin, venue="binance") for coin, frame in bars().items()]
    table = pd.concat(parts).tz_localize("UTC").rename_axis("timestamp").reset_index()
    table.sort_values(["timestamp", "coin"], ascending=False).to_parquet(folder / "all.parquet")
    return [folder / "all.parquet"]


def wide_table(folder: Path) -> list[Path]:
    """One CSV with columns btc_open ... eth_volume and times as ISO 8601 with an offset."""
    parts = [frame.add_prefix(f"{coin.lower()}_") for coin, frame in bars().items()]
    table = pd.concat(parts, axis=1).tz_localize("UTC").tz_convert("Europe/Berlin")
    stamps = [time.isoformat() for time in table.index]
    path = folder / "pair.csv.gz"
    table.assign(timestamp=stamps).to_csv(path, index=False)
    return [path]


def closes(folder: Path, *, separator: str = ",", decimal: str = ".") -> list[Path]:
    """Times and closes and nothing else."""
    parts = {coin: frame["close"] for coin, frame in bars().items()}
    path = folder / "closes.csv"
    table = pd.DataFrame(parts).rename_axis("time").reset_index()
    table.to_csv(path, index=False, sep=separator, decimal=decimal)
    return [path]


LAYOUTS: dict[str, Callable[[Path], list[Path]]] = {
    "binance vision": binance_vision,
    "binance vision, microseconds": lambda folder: binance_vision(folder, unit=US),
    "binance vision, header": lambda folder: binance_vision(folder, header=True),
    "binance vision, zip": lambda folder: binance_vision(folder, packed=True),
    "cryptodatadownload": crypto_data_download,
    "cryptodatadownload, old": lambda folder: crypto_data_download(folder, old=True),
    "ccxt": ccxt,
    "freqtrade": freqtrade,
    "long": long_table,
    "wide": wide_table,
    "closes": closes,
    "closes, semicolons": lambda folder: closes(folder, separator=";", decimal=","),
}


def feather_bytes(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_feather(buffer)
    return buffer.getvalue()
