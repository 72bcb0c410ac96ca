"""Made-up histories and jobs that replay them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from markets import HOUR
from stresscube_kernels import oracle, pack
from stresscube_kernels.contract import Features, Shape, Tick
from stresscube_kernels.spec import (
    HistorySpec,
    Job,
    PolicySpec,
    ReplaySpec,
    SimulationSpec,
    VenueSpec,
)
from whole import random_full_policy, random_full_venue

Reals = NDArray[np.float64]
CROSS = Shape(
    features=Features(
        funding=True, signals=True, spread=True, events=True, spread_side=True, funding_side=True,
        bias=True, by_equity=True, to_leverage=True, nets=True, bridge=False, intrabar=True,
    ),
    venues=2,
    tiers=3,
    market="recorded",
)  # fmt: skip
"""The code of `random_replay_job`."""
SHAPES = {
    "cross": CROSS,
    "isolated": CROSS._replace(features=CROSS.features._replace(isolated=True)),
    "bridge": CROSS._replace(features=CROSS.features._replace(intrabar=False, bridge=True)),
}


def wild_history(
    bars: int = 900, seed: int = 3, *, ranges: bool = True, funding: bool = True
) -> HistorySpec:
    """Hourly bars whose volatility clusters, with wide ranges, funding every eighth bar."""
    rng = np.random.default_rng(seed)
    level = np.exp(np.cumsum(rng.normal(0.0, 0.1, bars)) * 0.3 - 4.1)
    noise = rng.multivariate_normal([0.0, 0.0], [[1.0, 0.7], [0.7, 1.2]], bars)
    close = np.array([100.0, 7.0]) * np.exp(np.cumsum(level[:, None] * noise, axis=0))
    back = np.concatenate([close[:1], close[:-1]])
    width = level[:, None] * rng.exponential(0.6, (bars, 2))
    low = np.minimum(close, back) * np.exp(-width)
    high = np.maximum(close, back) * np.exp(width[::-1])
    rates = rng.normal(1e-4, 3e-4, (bars, 2))
    due = np.arange(bars) % 8 == 7
    return HistorySpec(
        close, HOUR,
        low=low if ranges else None,
        high=high if ranges else None,
        rates=rates if funding else None,
        due=due if funding else None,
    )  # fmt: skip


def tape(market: ReplaySpec, paths: int, steps: int, *, first: int = 0, seed: int = 11,
         shape: Shape | None = None, dtype: Any = np.float64) -> Tick:  # fmt: skip
    """The tape's fields, each [paths, steps], from the oracle."""
    run = SimulationSpec(steps, market.history.step, seed, "float64")
    made, _ = oracle.simulate(Job(market, (), run), first, paths, dtype, shape or reading(market))
    assert np.isfinite(made).all()
    return Tick(*np.moveaxis(made, -1, 0))


def reading(market: ReplaySpec, **features: bool) -> Shape:
    """The code that fills every field that a replay has numbers for."""
    shape = pack.market_shape(market)
    on = {"signals": True, "spread": market.spread_half_life < 1e9, "latency": True} | features
    return shape._replace(features=shape.features._replace(**on))


def random_replay_job(rng: np.random.Generator, **run: Any) -> Job:
    """A job with a random number for everything that a replay has."""
    mode = run.pop("margin_mode", "cross")
    policies, steps = int(run.pop("policies", 20)), int(run.pop("steps", 60))
    market = ReplaySpec(
        wild_history(seed=int(rng.integers(1000))),
        method=str(rng.choice(["windows", "bootstrap"])),
        stride=5 * HOUR,
        block_length=float(rng.uniform(1.0, 50.0)) * HOUR,
        ranges=bool(run.pop("ranges", True)),
        coincidence=float(rng.choice([0.0, 1.0, rng.random()])),
        slippage_multiplier=float(rng.uniform(0.5, 3.0)),
        spread_half_life=20 * HOUR,
    )
    venues: tuple[VenueSpec, ...] = tuple(
        random_full_venue(rng, name, HOUR, mode) for name in ("v0", "v1")
    )
    made: tuple[PolicySpec, ...] = tuple(
        random_full_policy(rng, venues, HOUR) for _ in range(policies)
    )
    return Job(market, made, SimulationSpec(steps, HOUR, int(rng.integers(2**63)), **run))
