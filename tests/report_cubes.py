"""Made-up cubes with every metric of a real one, for the page of `stresscube report`."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

import cubes
from stresscube.metrics import METRICS
from stresscube.metrics.context import Context
from stresscube.metrics.registry import REGIME_METRICS

REGIMES = ("calm", "stress")
HORIZON = 7 / 365
SCENARIO = """
name = "made-up"
[simulation]
paths = 20_000
horizon = "7d"
[market]
assets = ["BTC", "ETH"]
[[market.regimes]]
name = "calm"
volatility = [0.4, 0.55]
[[market.regimes]]
name = "stress"
volatility = [1.5, 1.9]
[[venues]]
name = "C"
taker_fee = 0.0005
maintenance_tiers = [[0, 0.004], [50_000, 0.005]]
[policy]
venue = "C"
"""
ATTRS: dict[str, Any] = {
    "convention": "stresscube 1",
    "name": "made-up",
    "description": "A cube out of a formula.",
    "scenario": SCENARIO,
    "overrides": ["simulation.seed=7"],
    "code": {},
    "assets": ["BTC", "ETH"],
    "seed": "7",
    "paths": 20_000,
    "steps": 10_080,
    "step_hours": 1 / 60,
    "precision": "float32",
    "backend": "cpu",
    "versions": {"stresscube": "0.1.0", "numpy": "2.4.6"},
    "plan": "0123456789abcdef",
    "seconds": 12.5,
    "policy_steps": 1_000_000,
    "devices": ["made-up processor"],
}
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;{{7*7}}"


def whole(
    axes: dict[str, list[object]] | None = None, *, regimes: tuple[str, ...] = REGIMES
) -> xr.Dataset:
    """Return a summary with every metric; its accounts balance, its quantiles ascend."""
    data = cubes.summary(axes).drop_dims("quantile")
    rng = np.random.default_rng(11)
    steps = ATTRS["steps"]
    about = Context(HORIZON, HORIZON / steps, steps, regimes=regimes).coordinates()
    data = data.assign_coords({dim: list(values) for dim, values in about.items() if values})
    cells = data["liquidation_probability"]
    for metric in (*METRICS, *(REGIME_METRICS if regimes else ())):
        if not metric.error or metric.name in data:
            continue
        shape = (*cells.shape, *(data.sizes[dim] for dim in metric.dims))
        values = 0.01 * rng.standard_normal(shape)
        if not metric.name.startswith(("return", "pnl", "regime_gain", "funding")):
            values = abs(values)
        if "quantile" in metric.dims:
            values = np.sort(values, axis=-1)
        attrs = {"units": metric.units, "long_name": metric.long_name}
        possible = data["feasible"].transpose(*cells.dims).values
        mask = possible.reshape(possible.shape + (1,) * len(metric.dims))
        dims = (*cells.dims, *metric.dims)
        data[metric.name] = (dims, np.where(mask, values, np.nan), attrs)
        errors = np.where(mask, 0.0002 + 0.0001 * rng.random(shape), np.nan)
        data[f"{metric.name}_se"] = (dims, errors, attrs)
    data["survival"] = (1 - cells * data["time"] / data["time"].max()).assign_attrs(
        data["survival"].attrs
    )
    legs = data["return_mean"] - data["pnl_a_mean"] - data["deficit_mean"]
    costs = sum(data[f"{name}_mean"] for name in ("fees", "slippage", "funding"))
    data["pnl_b_mean"] = (legs + costs + data["liquidation_cost_mean"]).assign_attrs(
        data["pnl_b_mean"].attrs
    )
    data["quantile"].attrs["long_name"] = "probability of the quantile"
    data["time"].attrs.update(units="h", long_name="time since the start")
    return data.assign_attrs(ATTRS)


def large() -> xr.Dataset:
    """Return a cube of 4096 policies and no regimes."""
    axes: dict[str, list[object]] = {
        "hedge_ratio": list(np.linspace(0.7, 1.3, 16).round(3)),
        "leverage": list(np.linspace(1.0, 46.0, 16)),
        "rebalance_threshold": list(np.linspace(0.002, 0.032, 16).round(3)),
    }
    return whole(axes, regimes=())


def hostile() -> xr.Dataset:
    """Return a cube whose every text would like to be markup."""
    data = whole()
    data = data.assign_coords(
        venue=[f"{HOSTILE}{name}" for name in "ABC"], regime=[f"{HOSTILE}{it}" for it in REGIMES]
    )
    for name in (*data.coords, *data.data_vars):
        data[name].attrs["long_name"] = f"{data[name].attrs.get('long_name', name)} {HOSTILE}"
    data["venue"].attrs["key"] = HOSTILE
    quoted = HOSTILE.replace("\\", "\\\\").replace('"', '\\"')
    scenario = SCENARIO.replace('name = "calm"', f'name = "{quoted}"')
    attrs = {"name": HOSTILE, "description": HOSTILE, "scenario": scenario, "seed": HOSTILE}
    words = {"overrides": [HOSTILE], "code": {HOSTILE: HOSTILE}, "versions": {HOSTILE: HOSTILE}}
    return data.assign_attrs({**ATTRS, **attrs, **words, "assets": [HOSTILE, HOSTILE]})
