"""Bars out of files: every layout gives the same numbers, and what is odd is said or refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from histories import COINS, LAYOUTS, MS, bars, epochs
from stresscube import history
from stresscube.errors import StresscubeError
from stresscube.history import HistoryError
from stresscube.history.names import asset_of, of_file

ARROW = ("freqtrade", "long")


def layout(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.needs("pyarrow")) if name in ARROW else name


@pytest.mark.parametrize("name", [layout(name) for name in LAYOUTS])
def test_every_layout_gives_the_same_bars(name: str, tmp_path: Path) -> None:
    paths = LAYOUTS[name](tmp_path)
    found = history.read(paths, assets=COINS)
    frames = bars()
    expected = frames["BTC"].index.to_numpy().astype("datetime64[ns]")
    assert np.array_equal(found.times, expected)
    assert found.times.dtype == np.dtype("datetime64[ns]")
    assert found.step == np.timedelta64(1, "h")
    assert found.step_hours == 1.0
    assert found.assets == COINS
    for field in ("close", "high", "low", "open", "volume"):
        values = getattr(found, field)
        if name.startswith("closes") and field != "close":
            assert values is None
        else:
            wanted = np.stack([frames[coin][field].to_numpy() for coin in COINS], axis=1)
            np.testing.assert_allclose(values, wanted, rtol=1e-15)
    assert not found.filled.any()
    assert found.hash == hashlib.sha256(b"".join(p.read_bytes() for p in paths)).hexdigest()
    turned = history.read(paths, assets=COINS[::-1])
    assert np.array_equal(turned.close, found.close[:, ::-1])


@pytest.mark.parametrize("name", ["binance vision", "cryptodatadownload", "wide", "closes"])
def test_two_assets_need_no_names(name: str, tmp_path: Path) -> None:
    """What the files say is enough, in the order in which they say it."""
    assert history.read(LAYOUTS[name](tmp_path)).assets == COINS


def test_zones_are_said(tmp_path: Path) -> None:
    berlin = history.read(LAYOUTS["wide"](tmp_path))
    assert "pair.csv.gz: times in +01:00, +02:00 became UTC" in berlin.notes
    naive = history.read(LAYOUTS["closes"](tmp_path))
    assert "closes.csv: times name no zone and are taken as UTC" in naive.notes
    frame = pd.DataFrame({coin: one["close"] for coin, one in bars().items()})
    moved = frame.tz_localize("UTC").tz_convert("Asia/Tokyo")
    found = history.from_frame(moved)
    assert np.array_equal(found.times, berlin.times)
    assert "the table: times in Asia/Tokyo became UTC" in found.notes


def two_files(folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> list[Path]:
    """Files btc.csv and eth.csv with milliseconds; the first is changed."""
    paths: list[Path] = []
    for coin, frame in bars().items():
        table = frame.assign(timestamp=epochs(frame, MS))
        paths.append(folder / f"{coin.lower()}.csv")
        (change(table) if coin == "BTC" else table).to_csv(paths[-1], index=False)
    return paths


def test_gaps_are_filled_and_said(tmp_path: Path) -> None:
    """Bars 10, and 20 to 22, are missing in one leg; they stand still at the close before."""
    lost = [10, 20, 21, 22]
    paths = two_files(tmp_path, lambda table: table.drop(table.index[lost]))
    found = history.read(paths)
    assert np.array_equal(np.flatnonzero(found.filled[:, 0]), lost)
    assert not found.filled[:, 1].any()
    close = bars()["BTC"]["close"].to_numpy()
    for field in ("close", "open", "high", "low"):
        values: Any = getattr(found, field)
        assert np.array_equal(values[lost, 0], close[[9, 19, 19, 19]]), field
    assert found.volume is not None
    assert np.all(found.volume[lost, 0] == 0.0)
    assert (
        "BTC: 4 bars missing in 2 gaps, the longest 3h from 2025-03-30 20:00; filled with the "
        "close before"
    ) in found.notes


def test_the_common_period_counts(tmp_path: Path) -> None:
    """One leg begins later: nothing is made up before it."""
    found = history.read(two_files(tmp_path, lambda table: table.iloc[40:-7]))
    assert len(found) == 300 - 47
    assert found.times[0] == bars()["BTC"].index.to_numpy()[40]
    assert not found.filled.any()
    assert found.period[1] - found.period[0] == len(found) * found.step


def test_duplicates_are_dropped_and_said(tmp_path: Path) -> None:
    def twice(table: pd.DataFrame) -> pd.DataFrame:
        again = table.iloc[[5, 6, 7]].copy()
        again.loc[again.index[2], "close"] *= 1.001
        return pd.concat([table, again])

    found = history.read(two_files(tmp_path, twice))
    assert len(found) == 300
    close = bars()["BTC"]["close"].to_numpy()
    assert found.close[6, 0] == close[6]
    np.testing.assert_allclose(found.close[7, 0], close[7] * 1.001, rtol=1e-12)
    assert (
        "BTC: 3 duplicate times dropped, 1 with another close, of which the later row counts"
    ) in found.notes
    assert "BTC: not in order of time, sorted" in found.notes


def test_outliers_are_kept_and_said(tmp_path: Path) -> None:
    def spoil(table: pd.DataFrame) -> pd.DataFrame:
        table = table.filter(["timestamp", "close"])
        table.iloc[100, 1] *= 1.5
        return table

    found = history.read(two_files(tmp_path, spoil))
    (note,) = (note for note in found.notes if "robust" in note)
    assert note.startswith("BTC: 2 returns beyond 12 robust standard deviations, 1 taken back")
    assert note.endswith("at 2025-04-03 05:00; kept")
    assert found.close[100, 0] == pytest.approx(bars()["BTC"]["close"].iloc[100] * 1.5)
    assert found.high is None  # one leg has none


def test_standing_still_is_said(tmp_path: Path) -> None:
    def still(table: pd.DataFrame) -> pd.DataFrame:
        table = table.copy()
        rows = table.index[30:41]
        table.loc[rows, ["open", "high", "low", "close"]] = table["close"].iloc[29]
        table.loc[rows, "volume"] = 0.0
        return table

    found = history.read(two_files(tmp_path, still))
    assert "BTC: 11 bars without trades, up to 11 in a row, as if filled by the source" in (
        found.notes
    )


def test_ranges_hold_their_prices(tmp_path: Path) -> None:
    """A bar whose high is below its close by a rounding is widened; the notes say so."""

    def pinch(table: pd.DataFrame) -> pd.DataFrame:
        table = table.copy()
        table.iloc[50, table.columns.get_loc("high")] = table["close"].iloc[50] * 0.999
        return table

    found = history.read(two_files(tmp_path, pinch))
    assert found.high is not None
    assert found.low is not None
    assert found.open is not None
    assert np.all(found.high >= np.maximum(found.open, found.close))
    assert np.all(found.low <= np.minimum(found.open, found.close))
    assert "BTC: 1 bar with a range widened to the close" in found.notes


def test_bars_of_two_lengths_meet_in_the_longer(tmp_path: Path) -> None:
    fine = bars(600, minutes=15)["BTC"]
    rough = bars(150, minutes=60)["ETH"]
    paths = [tmp_path / "btc.csv", tmp_path / "eth.csv"]
    for path, frame in zip(paths, (fine, rough), strict=True):
        frame.assign(timestamp=epochs(frame, MS)).to_csv(path, index=False)
    found = history.read(paths)
    expected: Any = fine.resample("60min").agg(
        {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    )
    assert found.step == np.timedelta64(60, "m")
    for field in ("open", "high", "low", "close", "volume"):
        values: Any = getattr(found, field)
        np.testing.assert_allclose(values[:, 0], expected[field].to_numpy(), rtol=1e-12)
    assert "bars of different length (BTC 15min and ETH 1h) made bars of 1h" in found.notes


@pytest.mark.needs("pyarrow")
def test_one_asset_on_two_venues(tmp_path: Path) -> None:
    frames = bars()
    levels = {"binance": 1.0, "bybit": 1.0001}
    parts = [
        (frame * level).assign(coin=coin, venue=venue)
        for venue, level in levels.items()
        for coin, frame in frames.items()
    ]
    path = tmp_path / "all.feather"
    pd.concat(parts).rename_axis("timestamp").reset_index().to_feather(path)
    found = history.read(path, assets=["ETH"], venues=["bybit", "binance"])
    assert found.assets == ("ETH-bybit", "ETH-binance")
    assert found.venues == ("bybit", "binance")
    np.testing.assert_allclose(found.close[:, 0] / found.close[:, 1], 1.0001)
    mixed = history.read(path, assets=COINS, venues=["binance", "bybit"])
    assert mixed.assets == COINS
    assert mixed.venues == ("binance", "bybit")
    with pytest.raises(
        HistoryError, match="BTC is not one series but BTC on binance, BTC on bybit"
    ):
        history.read(path, assets=COINS)
    with pytest.raises(HistoryError, match=r"has no SOL on bybit; there are BTC on binance, ETH"):
        history.read(path, assets=["SOL", "BTC"], venues=["bybit"])


HEAD = "timestamp,BTC,ETH\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "is empty"),
        (b"\x00\xff\xfe", "is no UTF-8 text"),
        ("hello\nworld\n", "is no table: its first lines have no columns"),
        ("a,b\n1,2\n", 'has no column of times such as "timestamp"; its columns are "a", "b"'),
        ("timestamp,name\n2025-01-01,x\n", "has no closes: its columns are"),
        (HEAD, "has no rows"),
        (HEAD + "2025-01-01,1,2\n2025-01-02,x,2\n", 'row 2 of column "btc" holds "x", no number'),
        (HEAD + "01/02/2025,1,2\n", 'row 1 of column "timestamp" holds "01/02/2025", which is no'),
        (HEAD + "5,1,2\n6,1,2\n", "which is no time between 2000 and 2100"),
        (HEAD + "2025-01-01,1,2\n", "has a single bar"),
        (HEAD + "2025-01-01,1,2\n2025-01-02,1,0\n2025-01-03,1,2\n", "prices must be above 0"),
        (HEAD + "2025-01-01,1,2\n2025-01-02,11,2\n2025-01-03,1,2\n", "no price of one asset"),
        (HEAD + "2025-01-01,1,2\n2025-01-02,1,2\n", "share too little time"),
        (HEAD + "2025-01-01,1,1\n2025-01-02,2,2\n2025-01-03,1,1\n", "both legs have the same"),
        (
            HEAD + "2025-01-01T00:00,1,2\n2025-01-01T00:01,1,2\n2025-01-01T00:02,1,3\n"
            "2025-01-01T00:02:30,1,3\n2025-01-01T00:04,1,3\n",
            "has no regular bars",
        ),
        (
            HEAD + "".join(f"2025-01-{d:02d},{1 + d % 3},{2 + d % 2}\n" for d in (1, 2, 3, 20, 21)),
            "lacks 76% of the bars",
        ),
        ("timestamp,BTC\n2025-01-01,1\n2025-01-02,2\n", "a pair needs two: add the other's file"),
        ("time,Time,BTC\n1,2,3\n", 'has two columns named "time"'),
        ("1,2,3,4,5,6,7\n1,2,3,4,5,6,7\n", "has no header and 7 columns"),
    ],
)  # fmt: skip
def test_nonsense_is_refused_in_one_sentence(text: str | bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(HistoryError) as caught:
        history.read(path)
    message = str(caught.value)
    assert words in message
    assert "x.csv" in message
    assert "\n" not in message
    assert isinstance(caught.value, StresscubeError)
    assert caught.value.exit_code == 2


def test_mixed_series_are_refused(tmp_path: Path) -> None:
    def mixed(table: pd.DataFrame) -> pd.DataFrame:
        return pd.concat([table, table.assign(close=table["close"] * 1.01)])

    with pytest.raises(HistoryError, match="BTC has 300 times twice with different closes"):
        history.read(two_files(tmp_path, mixed))


def test_swapped_columns_are_refused(tmp_path: Path) -> None:
    swap = {"high": "low", "low": "high"}
    with pytest.raises(HistoryError, match="the columns are mixed up"):
        history.read(two_files(tmp_path, lambda table: table.rename(columns=swap)))


def test_missing_and_strange_files(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="no such file"):
        history.read(tmp_path / "none.csv")
    with pytest.raises(HistoryError, match="cannot be read"):
        history.read(tmp_path)
    strange = tmp_path / "x.xlsx"
    strange.write_bytes(b"something else")
    with pytest.raises(HistoryError, match="of no kind that is read here"):
        history.read(strange)
    with pytest.raises(HistoryError, match="no files were named"):
        history.read([])


@pytest.mark.needs("pyarrow")
@pytest.mark.parametrize("ending", ["parquet", "feather"])
def test_damaged_files_are_refused(ending: str, tmp_path: Path) -> None:
    frame = bars()["BTC"].rename_axis("timestamp").reset_index()
    path = tmp_path / f"x.{ending}"
    getattr(frame, f"to_{ending}")(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(HistoryError, match="is damaged or no such file"):
        history.read(path)


def test_symbols() -> None:
    for symbol in ("BTCUSDT", "BTC/USDT:USDT", "btc-usd", "BTC-PERP", "PF_XBTUSD", "XBTUSD", "BTC"):
        assert asset_of(symbol) == "BTC", symbol
    assert asset_of("ETHBTC") == "ETHBTC"
    names = {
        "BTCUSDT-1m-2025-05": ("BTC", None),
        "BTC_USDT_USDT-1h-futures": ("BTC", None),
        "Binance_ETHUSDT_2021_minute": ("ETH", "binance"),
        "binance_perp_1h_2021_2025": (None, "binance"),
        "eth_1h": ("ETH", None),
        "ETHUSDT-fundingRate-2025-05": ("ETH", None),
    }
    assert {name: of_file(name) for name in names} == names


FUNDING = np.array([1e-4, -2.5e-5, 3e-4, 1e-4])


def prints(folder: Path, kind: str) -> list[Path]:
    times = pd.date_range("2025-05-01", periods=4, freq="8h")
    milliseconds = times.to_numpy().astype("datetime64[ms]").astype(np.int64)
    if kind == "binance vision":
        paths = [folder / f"{coin}USDT-fundingRate-2025-05.csv" for coin in COINS]
        for path, sign in zip(paths, (1.0, -1.0), strict=True):
            late = milliseconds + np.array([0, 3, 12, 1])
            columns = {"calc_time": late, "funding_interval_hours": 8}
            pd.DataFrame(columns | {"last_funding_rate": sign * FUNDING}).to_csv(path, index=False)
        return paths
    path = folder / "funding.csv"
    parts: list[pd.DataFrame] = []
    for coin, sign in zip(COINS, (1.0, -1.0), strict=True):
        columns = {"timestamp": times, "symbol": f"{coin}/USDT:USDT", "fundingRate": sign * FUNDING}
        parts.append(pd.DataFrame(columns))
    pd.concat(parts).to_csv(path, index=False)
    return [path]


@pytest.mark.parametrize("kind", ["binance vision", "ccxt"])
def test_funding_prints(kind: str, tmp_path: Path) -> None:
    found = history.read_funding(prints(tmp_path, kind))
    for coin, sign in zip(COINS, (1.0, -1.0), strict=True):
        one = found.of(coin)
        assert one.interval == np.timedelta64(8, "h")
        hours = (one.times - np.datetime64("2025-05-01")) / np.timedelta64(1, "h")
        assert np.array_equal(hours, [0, 8, 16, 24])
        np.testing.assert_allclose(one.rates, sign * FUNDING, rtol=1e-12)
    with pytest.raises(HistoryError, match="has no funding of SOL; there are BTC, ETH"):
        found.of("SOL")


def test_funding_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("timestamp,funding_rate\n2025-05-01,0.0001\n2025-05-02,1.0\n")
    with pytest.raises(HistoryError, match='row 2 of column "funding_rate" holds 1'):
        history.read_funding(path)
    path.write_text("timestamp,price\n2025-05-01,0.0001\n")
    with pytest.raises(HistoryError, match='has no "funding_rate"; its columns are'):
        history.read_funding(path)
    path.write_text("timestamp,funding_rate\n2025-05-01,0.0001\n2025-05-01,0.0002\n")
    with pytest.raises(HistoryError, match="has two funding rates of"):
        history.read_funding(path)


@pytest.mark.needs("data", "pyarrow")
def test_the_recorded_data_are_read(market_data: Path) -> None:
    """Rows, periods and legs as the files' own description gives them."""
    hours = history.read(market_data / "binance_perp_1h_2021_2025_MIT.parquet")
    assert (len(hours), hours.assets, hours.step_hours) == (43_824, COINS, 1.0)
    assert hours.high is None
    assert not hours.filled.any()
    minutes = history.read(market_data / "binance_perp_1m_2025_05.parquet")
    assert (len(minutes), minutes.assets) == (43_199, COINS)
    assert minutes.step == np.timedelta64(1, "m")
    assert minutes.high is not None
    wide = market_data / "crossvenue_perp_1h_2025_2026.parquet"
    basis = history.read(wide, assets=["ETH"], venues=["binance", "bybit"])
    assert basis.assets == ("ETH-binance", "ETH-bybit")
    spread = np.diff(np.log(basis.close), axis=1)
    assert 1e-4 < spread.std() < 5e-4
    funding = history.read_funding(market_data / "binance_funding_8h_2021_2025_MIT.parquet")
    assert np.mean(funding.of("BTC").rates == 1e-4) > 0.3  # the clamp's point mass
