"""A made-up stress cube with the shape of a real one, computed from a formula in an instant."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

PATHS = 20_000
BATCHES = 32
KEYS = {
    "stress_correlation": "market.regimes.stress.correlation",
    "venue": "venue",
    "hedge_ratio": "hedge_ratio",
    "leverage": "leverage",
    "rebalance_threshold": "rebalance_threshold",
    "holding": "holding",
}
LONG_NAMES = {
    "stress_correlation": "correlation in stress",
    "venue": "venue",
    "hedge_ratio": "hedge ratio",
    "leverage": "leverage",
    "rebalance_threshold": "rebalance threshold",
    "holding": "holding",
}
AXES: dict[str, list[object]] = {
    "stress_correlation": [0.85, 0.6, 0.3],
    "venue": ["A", "B", "C"],
    "hedge_ratio": [0.8, 0.9, 1.0, 1.1, 1.2],
    "leverage": [2.0, 5.0, 10.0, 20.0, 50.0],
    "rebalance_threshold": [0.004, 0.008, 0.012, math.inf],
}
COSTS = {"A": 0.0002, "B": 0.0005, "C": 0.0003}
CAPS = {"A": 10.0, "B": 50.0, "C": 20.0}


def summary(axes: dict[str, list[object]] | None = None, seed: int = 1) -> xr.Dataset:
    """Return a summary over the given axes; axes left out stand at a middle value."""
    axes = AXES if axes is None else axes
    rng = np.random.default_rng(seed)
    coords = {name: xr.DataArray(values, dims=name) for name, values in axes.items()}
    middle = {
        "stress_correlation": xr.DataArray(0.6),
        "venue": xr.DataArray("C"),
        "hedge_ratio": xr.DataArray(1.0),
        "leverage": xr.DataArray(5.0),
        "rebalance_threshold": xr.DataArray(0.008),
        "holding": xr.DataArray(1.0),
    }
    value = middle | coords
    cost = xr.apply_ufunc(np.vectorize(COSTS.get, otypes=[float]), value["venue"])
    cap = xr.apply_ufunc(np.vectorize(CAPS.get, otypes=[float]), value["venue"])
    threshold = value["rebalance_threshold"].clip(max=0.05)
    leverage = xr.where(value["leverage"] < cap, value["leverage"], cap)
    ratio = value["hedge_ratio"]
    spread = np.sqrt(0.6**2 + (ratio * 0.7) ** 2 - 2 * value["stress_correlation"] * 0.42 * ratio)
    deviation = spread * leverage / (1 + ratio) * math.sqrt(7 / 365) * (1 + 4 * threshold)
    liquidation = xr.apply_ufunc(
        np.vectorize(lambda d: math.erfc(0.97 / d / math.sqrt(2))), deviation + 1e-9
    )
    whole = xr.DataArray(np.zeros([len(values) for values in axes.values()]), dims=list(axes))
    _, liquidation, mean, sd = xr.broadcast(
        whole,
        liquidation,
        0.012 * leverage * spread - leverage * cost * (3 + 0.02 / threshold) - 0.2 * liquidation,
        deviation,
    )
    shape = tuple(coords)
    feasible = (value["leverage"] + 0 * liquidation) < 45
    if "leverage" in axes:
        feasible = feasible | (ratio < 0.95)
    data: dict[str, xr.DataArray] = {}

    def put(name: str, mean_: xr.DataArray, error: xr.DataArray, units: str, batches: bool) -> None:
        noise = xr.DataArray(rng.standard_normal((BATCHES,)), dims="batch")
        own = xr.DataArray(
            rng.standard_normal((*mean_.transpose(*shape).shape, BATCHES)), dims=(*shape, "batch")
        )
        batch = mean_ + error * math.sqrt(BATCHES) * (0.95 * noise + 0.3 * own)
        estimate = batch.mean("batch") if name != "liquidation_probability" else mean_
        attrs = {"units": units, "long_name": name.replace("_", " ")}
        data[name] = estimate.where(feasible).transpose(*shape).assign_attrs(attrs)
        data[f"{name}_se"] = error.where(feasible).transpose(*shape).assign_attrs(attrs)
        if batches:
            data[f"{name}_batch"] = batch.where(feasible).transpose(*shape, "batch")

    n = PATHS
    p = (liquidation * n).round() / n
    put(
        "liquidation_probability",
        p,
        (p * (1 - p) / n + 1 / (4 * n**2)) ** 0.5 / (1 + 1 / n),
        "1",
        True,
    )
    put("return_mean", mean, sd / math.sqrt(n), "1", True)
    sharpe = mean / sd * math.sqrt(365 / 7)
    put("sharpe", sharpe, xr.full_like(sharpe, math.sqrt(365 / 7 / n)), "year**-0.5", True)
    quantile = xr.DataArray([0.05, 0.5, 0.95], dims="quantile")
    shape = (*coords, "quantile")
    drawdown = sd * (1.2 + 1.6 * (quantile - 0.5))
    put("max_drawdown_quantile", drawdown.clip(0, 1), drawdown / 100, "1", False)
    dataset = xr.Dataset(data).assign(feasible=feasible.transpose(*coords))
    dataset["leverage_effective"] = leverage
    dataset["few_events"] = (dataset["liquidation_probability"] * n < 9.5) & dataset["feasible"]
    dataset = dataset.assign_coords({"quantile": quantile, **coords})
    for name in coords:
        attrs = {"key": KEYS[name], "long_name": LONG_NAMES[name]}
        dataset[name].attrs.update(attrs | ({"units": "h"} if name == "holding" else {}))
    return dataset.assign_attrs(name="made-up", paths=n)
