"""The colours of `stresscube plot` as stops that the page's plotting library takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.colors import to_hex

from stresscube.plot import scale

STOPS = 33
SHARE = 0.02
"""Of the cells at each end, which share the last colour: one wild cell must not bleach the rest."""


def colour_stops(
    metric: str, values: npt.NDArray[np.float64], max_liquidation: float
) -> dict[str, Any]:
    """Return the values that the colours span, and [place between them, colour] of each stop.

    One scale serves all planes of a metric, so that colours mean the same wherever a slider is.
    """
    known = values[np.isfinite(values)]
    if known.size and "probability" not in metric:
        known = np.clip(known, *np.quantile(known, [SHARE, 1 - SHARE]))
    colours, norm = scale(metric, known, max_liquidation)
    low, high = float(norm.vmin or 0.0), float(norm.vmax or 0.0)
    places = np.linspace(0.0, 1.0, STOPS)
    spots = (np.asarray(norm.inverse(places), dtype=np.float64) - low) / (high - low)
    shades = [to_hex(colour) for colour in colours(places)]
    pairs = zip(np.clip(spots, 0.0, 1.0).round(6).tolist(), shades, strict=True)
    return {"low": low, "high": high, "stops": [list(pair) for pair in pairs]}
