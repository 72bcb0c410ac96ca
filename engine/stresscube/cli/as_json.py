"""What `--json` prints: plain JSON of what a command found."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import typer
import xarray as xr


def emit(document: Mapping[str, Any]) -> None:
    """Print a document to stdout."""
    typer.echo(json.dumps(plain(document), indent=2, allow_nan=False, ensure_ascii=False))


def plain(value: Any) -> Any:
    """Return a value as JSON knows it: an unknown number is null, infinity the word "inf"."""
    if isinstance(value, Mapping):
        return {str(key): plain(it) for key, it in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(cast("Any", value).tolist())
    if isinstance(value, list | tuple):
        return [plain(it) for it in cast("list[Any]", value)]
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return value if math.isfinite(value) else "inf" if value > 0 else "-inf"
    return str(value) if isinstance(value, Path) else value


def rows(data: xr.Dataset, dim: str) -> list[dict[str, Any]]:
    """Return one record for each entry along a dim: coordinates first, then variables."""
    named = {**data.coords, **data.data_vars}
    along = [str(name) for name, it in named.items() if dim in it.dims and name != dim]
    return [
        {name: data[name].isel({dim: place}).values.tolist() for name in along}
        for place in range(data.sizes[dim])
    ]
