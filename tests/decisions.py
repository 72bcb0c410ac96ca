"""Cubes whose true values are known, drawn anew for every seed."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stresscube.metrics.probabilities import binomial_error

BATCHES = 32


def drawn(
    sharpe: NDArray[np.float64],
    liquidation: NDArray[np.float64],
    rng: np.random.Generator,
    *,
    paths: int = 3200,
    alike: float = 0.8,
    same_paths: bool = True,
) -> xr.Dataset:
    """Return estimates of true values, [market, leverage], on common paths.

    A share `alike` of the variance of the ratios' noise is common to all cells. The same
    uniform draw per path decides on liquidation in every cell, unless not `same_paths`.
    """
    shape = sharpe.shape
    noise = np.sqrt(alike) * rng.standard_normal(BATCHES) + np.sqrt(
        1 - alike
    ) * rng.standard_normal((*shape, BATCHES))
    batch = sharpe[..., None] + noise * np.sqrt(BATCHES / paths)
    gone = rng.random((paths, 1, 1) if same_paths else (paths, *shape)) < liquidation
    share = gone.mean(axis=0)
    by_batch = np.stack([gone[it::BATCHES].mean(axis=0) for it in range(BATCHES)], axis=-1)
    dims = ("correlation", "leverage")
    found = xr.Dataset(
        {
            "sharpe": (dims, batch.mean(axis=-1)),
            "sharpe_se": (dims, np.full(shape, np.sqrt(1 / paths))),
            "sharpe_batch": ((*dims, "batch"), batch),
            "liquidation_probability": (dims, share),
            "liquidation_probability_se": (
                dims, binomial_error(np, share, np.full(shape, float(paths))),
            ),
            "liquidation_probability_batch": ((*dims, "batch"), by_batch),
            "feasible": (dims, np.ones(shape, dtype=bool)),
        },
        coords={
            "correlation": 0.9 - 0.3 * np.arange(shape[0]),
            "leverage": 1.0 + np.arange(shape[1]),
        },
        attrs={"name": "drawn", "paths": paths},
    )  # fmt: skip
    found["correlation"].attrs["key"] = "market.regimes.stress.correlation"
    found["leverage"].attrs["key"] = "leverage"
    return found
