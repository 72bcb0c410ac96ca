"""Synthetic outcomes with the shape of real ones: correlated, some liquidated, many trades."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from stresscube.metrics import Context, metrics_of
from stresscube.metrics.quantiles import THIN
from stresscube_kernels.contract import Features, Shape
from stresscube_kernels.rules import outcome_fields

FloatArray = NDArray[np.float64]
Outcomes = dict[str, NDArray[np.floating[Any]]]
STEP = 1.0 / 8760.0
STEPS = 168
FIELDS = outcome_fields(Shape(features=Features(by_regime=True), regimes=2))
CONTEXT = Context(horizon=STEP * STEPS, step=STEP, steps=STEPS, regimes=("calm", "stress"))
"""A week of hourly steps."""
TAILS = {
    name: CONTEXT.levels if name == "value_at_risk" else CONTEXT.quantiles
    for name in (it.name for it in metrics_of(CONTEXT))
    if name == "value_at_risk" or name.endswith("_quantile")
}
"""Probabilities of each metric that is a quantile."""


def few_beyond(
    name: str, shape: tuple[int, ...], counts: float | tuple[float, ...]
) -> NDArray[np.bool_]:
    """Whether fewer than THIN of so many values lie beyond a quantile, [policy, ..., quantile].

    There its error is made to cover the truth, and is more than the spread of the estimate.
    """
    many = np.asarray(counts, dtype=np.float64)
    many = many.reshape(many.shape + (1,) * (len(shape) - many.ndim))
    return np.broadcast_to(
        many * np.minimum(TAILS[name], np.subtract(1.0, TAILS[name])) < THIN, shape
    )


def draw(
    policies: int,
    paths: int,
    seed: int,
    *,
    liquidations: float | tuple[float, ...] = 0.1,
    shared: float = 0.9,
    dtype: type[np.floating[Any]] = np.float64,
) -> tuple[Outcomes, dict[str, FloatArray]]:
    """Outcomes [policy, path] and the legs' returns [path].

    liquidations: probability that a path is liquidated, of all policies or of each.
    shared: correlation of the policies' returns on one path, as common random numbers give it.
    """
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((3, paths))
    own = rng.standard_normal((3, policies, paths))
    x, y, w = np.sqrt(shared) * common[:, None] + np.sqrt(1.0 - shared) * own
    leg_a = 0.05 * common[0]
    leg_b = 0.06 * (0.8 * common[0] + 0.6 * common[1])

    chance = np.broadcast_to(np.asarray(liquidations), (policies,))
    gone = w > ndtri(1.0 - chance)[:, None]
    step = np.ceil(STEPS * rng.beta(2.0, 2.0, size=(policies, paths)))
    spread = 0.02 * np.exp(0.1 * own[1])  # mildly fat tails, mildly skewed by liquidations
    equity = 1.004 + spread * (0.8 * x + 0.6 * y) - gone * 0.05 * rng.random((policies, paths))
    trades = np.where(gone, 1.0 + np.floor(step / 12.0), STEPS / 12.0)
    returns = _trade_returns(rng, trades, equity - 1.0)
    fees = 0.0006 * trades * (1.0 + 0.1 * own[2])
    outcome = dict.fromkeys(FIELDS, np.zeros((policies, paths)))
    outcome |= {
        "final_equity": equity,
        "max_drawdown": 0.04 * np.abs(y) + 0.01 * rng.random((policies, paths)),
        "liquidation_step": np.where(gone, step, 0.0),
        "shadow_equity": equity + 0.02 * gone,
        "recovered": 1.0 * (gone & (own[0] > 0.3)),
        "extra_margin": gone * np.exp(0.5 * own[1] - 4.0),
        "deficit": gone * np.maximum(own[2], 0.0) * 0.01,
        "pnl_a": 0.7 * leg_a + 0.3 * (equity - 1.0),
        "pnl_b": 0.7 * (equity - 1.0) - 0.7 * leg_a + fees,
        "pnl_mispricing": 0.2 * (equity - 1.0) + 0.001 * own[1],
        "fees": fees,
        "slippage": 0.2 * fees,
        "liquidation_cost": gone * 0.004,
        "turnover": 20.0 * trades,
        "under_water": np.floor(STEPS * rng.beta(4.0, 2.0, size=(policies, paths))),
        "rebalances": rng.poisson(0.4 * np.where(gone, step, STEPS)).astype(np.float64),
        "trades": trades,
        "wins": (returns > 0.0).sum(axis=-1).astype(np.float64),
        "trade_downside": np.square(np.minimum(returns, 0.0)).sum(axis=-1),
    }
    power = np.ones_like(returns)
    for k in (1, 2, 3, 4):
        power = power * returns
        outcome[f"trade_sum_{k}"] = power.sum(axis=-1)
    outcome |= _by_regime(rng, outcome)
    market = {"return_a": leg_a, "return_b": leg_b}
    return {name: np.asarray(outcome[name], dtype=dtype) for name in FIELDS}, market


def _by_regime(rng: np.random.Generator, outcome: dict[str, Any]) -> dict[str, Any]:
    """Books of two regimes; the second has a third of the time and most of the deaths."""
    step, gain = outcome["liquidation_step"], outcome["final_equity"] - 1.0
    lived = np.where(step > 0.0, step, STEPS)
    stress = np.floor(lived * rng.beta(2.0, 4.0, size=lived.shape))
    part = gain * (0.4 + 0.2 * rng.standard_normal(gain.shape))
    died, deepest = (rng.random(gain.shape) < share for share in (0.8, 0.6))
    dead = 1.0 * (step > 0.0)
    return {
        "regimes_0_gain": gain - part,
        "regimes_0_lived": lived - stress,
        "regimes_0_liquidated": dead * ~died,
        "regimes_0_deepest": 1.0 * ~deepest,
        "regimes_1_gain": part,
        "regimes_1_lived": stress,
        "regimes_1_liquidated": dead * died,
        "regimes_1_deepest": 1.0 * deepest,
    }


def _trade_returns(rng: np.random.Generator, trades: FloatArray, total: FloatArray) -> FloatArray:
    """Trade returns, 0 beyond a path's number of trades; a path's share a level (clustering)."""
    most = STEPS // 12 + 1
    number = np.arange(most)
    noise = 0.006 * rng.standard_normal((*trades.shape, most))
    level = (total / trades)[..., None] + 0.002 * rng.standard_normal((*trades.shape, 1))
    return np.where(number < trades[..., None], level + noise, 0.0)
