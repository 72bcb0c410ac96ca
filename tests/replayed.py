"""A scenario that replays made-up bars, and the files that it names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from histories import COINS, MS, bars, epochs

TEXT = """
name = "replayed"

[simulation]
paths = 11
horizon = "1d"
step = "1h"
seed = 3
save_paths = true

[market]
assets = ["BTC", "ETH"]
source = "replay"

[market.replay]
files = ["data/btc.csv", "data/eth.csv"]
funding = ["data/funding.csv"]

[[venues]]
name = "A"
taker_fee = 0.0005
latency = "10min"
maintenance_tiers = [[0, 0.004], [50_000, 0.02]]
liquidation_fee = 0.01

[policy]
venue = "A"
hedge_ratio = 1.0
leverage = 5

[sweep]
leverage = [5, 30, 45]
hedge_ratio = [0.8, 1.0, "min-variance"]
"""


def write(folder: Path) -> Path:
    """Write replayed.toml and the data that it names into a folder, and return that."""
    data = folder / "data"
    data.mkdir()
    frames = bars()
    for coin, frame in frames.items():
        table = frame.assign(timestamp=epochs(frame, MS))
        table.to_csv(data / f"{coin.lower()}.csv", index=False)
    parts: list[pd.DataFrame] = []
    for coin in COINS:
        times = frames[coin].index.to_numpy()[8::8]
        rates = np.where(np.arange(len(times)) % 3 == 0, 1e-4, -2e-4)
        parts.append(pd.DataFrame({"timestamp": times, "coin": coin, "funding_rate": rates}))
    pd.concat(parts).to_csv(data / "funding.csv", index=False)
    (folder / "replayed.toml").write_text(TEXT)
    return folder
