"""Cubes of claims with figures of a test's own making, in the shape of the claim's scenario."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Study
from stresscube.claims.studies import load_study
from stresscube.metrics.registry import METRICS
from stresscube.scenario import Scenario
from stresscube.scenario.expand import axes
from stresscube.text import label

ROOT = Path(__file__).resolve().parent.parent
SCENARIOS = ROOT / "scenarios" / "claims"
BATCHES = 32
FURTHER: dict[str, list[Any]] = {
    "quantile": [0.05, 0.5, 0.95],
    "level": [0.95, 0.99],
    "leg": ["a", "b"],
    "time": [240.0, 480.0, 720.0, 960.0, 1152.0],
}

Point = dict[str, Any]
Figures = Mapping[str, Callable[[Point], float]]
"""Metric -> its value at a point of the sweep, where words and numbers are as in the cube."""


def made(claim: Claim, study: Study, figures: Figures, error: float = 1e-5) -> Cube:
    """Return a study's cube in which each metric is what the figures say, others 0.

    error: the standard error of every metric, from batches that scatter by as much. A point has
    the further key "run", the word of the variant, or "".
    """
    return _made(claim, study, figures, error, "")


@cache
def loaded(claim: Claim, study: Study) -> Scenario:
    """Return the scenario of a study."""
    return load_study(claim, study, SCENARIOS, paths=1000)


def _made(claim: Claim, study: Study, figures: Figures, error: float, word: str) -> Cube:
    scenario = loaded(claim, study)
    coords: dict[str, Any] = {}
    for axis in axes(scenario):
        words = any(isinstance(it, str) for it in axis.values)
        values = [label(it) if words else it for it in axis.values]
        coords[axis.name] = xr.DataArray(values, dims=axis.name, attrs={"units": axis.units})
    data: dict[str, Any] = {}
    rng = np.random.default_rng(7)
    for metric in METRICS:
        extra = {dim: FURTHER[dim] for dim in metric.dims}
        dims = [*coords, *extra]
        values = [list(it.values.tolist()) for it in coords.values()] + list(extra.values())
        cells = np.zeros([len(it) for it in values])
        if rule := figures.get(metric.name):
            points = (dict(zip(dims, at, strict=True)) for at in product(*values))
            cells = np.reshape([rule({"run": word, **at}) for at in points], cells.shape)
        data[metric.name] = (dims, cells)
        data[f"{metric.name}_se"] = (dims, np.full(cells.shape, error))
        if metric.batches:
            noise = rng.normal(0.0, error * math.sqrt(BATCHES), (*cells.shape, BATCHES))
            noise -= noise.mean(axis=-1, keepdims=True)
            data[f"{metric.name}_batch"] = ([*dims, "batch"], cells[..., None] + noise)
    variants = {
        name: _made(claim, variant, figures, error, name) for name, variant in study.variants
    }
    summary = xr.Dataset(data, coords=coords | FURTHER)
    return Cube(summary, scenario, study.market, variants)
