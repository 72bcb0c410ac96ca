"""A ledger as a table, and as a file."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stresscube.errors import RunError, StresscubeError
from stresscube.text import suggest
from stresscube_kernels.ledger import COLUMNS, Ledger
from stresscube_kernels.spec import AnyMarket, MarketSpec, believed

ENDINGS = (".csv", ".parquet")
DIGITS = {"float32": 9, "float64": 17}
"""Digits that tell two numbers of a precision apart."""


def regimes(market: AnyMarket) -> list[str]:
    """Return the names of a market's regimes."""
    if isinstance(market := believed(market), MarketSpec):
        return [regime.name for regime in market.regimes]
    return ["history"]


def table(ledger: Ledger, market: AnyMarket, about: Mapping[str, Any]) -> pd.DataFrame:
    """Return a ledger's columns as a table, regimes by name; about: its attributes."""
    names = {"regime": regimes(market), "correlation_regime": list[str]()}
    if isinstance(market := believed(market), MarketSpec):
        names["correlation_regime"] = [regime.name for regime in market.correlation_regimes]
    words = {
        name: np.array([*known, ""], object)[ledger.columns[name]] for name, known in names.items()
    }
    made = pd.DataFrame({**ledger.columns, **words})
    made.attrs = {**about, "units": {column.name: column.unit for column in COLUMNS}}
    return made


def check_ending(path: Path) -> None:
    """Raise StresscubeError unless a table can be written to a file of this name."""
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        hint = suggest(path.suffix, ENDINGS)
        shown = path.suffix or "no extension"
        raise StresscubeError(f"{path}: {shown}{hint} (use {', '.join(ENDINGS)})")
    if ending == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise StresscubeError(
            f"{path}: Parquet needs pyarrow, which is not installed; "
            "pip install 'stresscube[data]', or end the file's name in .csv"
        )


def write(made: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV or Parquet, by the file's ending.

    Raises StresscubeError for another ending, RunError if the file cannot be written.
    """
    check_ending(path)
    try:
        if path.suffix.lower() == ".parquet":
            made.to_parquet(path, engine="pyarrow", index=False)
        else:
            digits = DIGITS[str(made.attrs["precision"])]
            made.to_csv(path, index=False, float_format=f"%.{digits}g")
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror or error}") from error
