"""From the outcomes of policies on paths to every metric of the cube."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from stresscube.metrics import moments, probabilities, quantiles, ratios
from stresscube.metrics.context import HOURS, Context
from stresscube.metrics.regimes import by_regime
from stresscube.metrics.registry import metrics_of, variables_of
from stresscube.metrics.sample import Array, Estimate, Sample, namespace, to_host

_CHUNK = {"numpy": 2**17, "cupy": 2**24}
"""Numbers in a column of a chunk: one that stays in a core's cache, or that fills a GPU."""
_FEW = 10
"""Fewer liquidations than this are called few."""
_MEANS = {
    "trades_mean": "trades",
    "max_drawdown_mean": "max_drawdown",
    "turnover_mean": "turnover",
    "rebalances_mean": "rebalances",
    "fees_mean": "fees",
    "slippage_mean": "slippage",
    "funding_mean": "funding",
    "liquidation_cost_mean": "liquidation_cost",
    "deficit_mean": "deficit",
    "pnl_a_mean": "pnl_a",
    "pnl_b_mean": "pnl_b",
    "pnl_mispricing_mean": "pnl_mispricing",
}
"""Metrics that are the mean of one outcome."""


def summarise(
    outcomes: Mapping[str, Array], market: Mapping[str, Array], context: Context
) -> dict[str, np.ndarray[Any, Any]]:
    """All metrics of a cube, as the numpy arrays of `variables_of`, leading dim policy.

    outcomes: each field of the kernels' outcomes, [policy, path], float32 or float64, numpy or
    cupy. market: `return_a` and `return_b`, the legs' whole-path simple returns, [path].
    Sums are float64, over each policy's own row, so a policy's numbers do not depend on which
    others come with it. Infeasible policies must be left out.

    Raises ValueError where a policy has an equity that is not finite, naming its row, and where
    draws of the market would have unequal numbers of paths.
    """
    xp = namespace(outcomes["final_equity"])
    policies, paths = outcomes["final_equity"].shape
    if paths < 1:
        raise ValueError("no path to summarise")
    if context.draws and paths % (context.draws * context.group):
        raise ValueError(f"{paths} paths do not share {context.draws} draws evenly")
    legs = [xp.asarray(market[f"return_{leg}"], dtype=xp.float64) for leg in ("a", "b")]
    rows = max(1, _CHUNK.get(xp.__name__, 2**16) // paths)
    result = _empty(policies, context)
    for first in range(0, policies, rows):
        part = slice(first, min(first + rows, policies))
        chunk = {name: column[part] for name, column in outcomes.items()}
        sample = Sample(xp, chunk, context.batches, context.draws, context.group)
        _check_finite(sample, first)
        for name, array in _variables(sample, legs, context):
            result[name][part] = to_host(array)
    return result


def _empty(policies: int, context: Context) -> dict[str, np.ndarray[Any, Any]]:
    sizes = {dim: len(labels) for dim, labels in context.coordinates().items()}
    return {
        v.name: np.empty((policies, *(sizes[dim] for dim in v.dims)), dtype=v.dtype)
        for v in variables_of(context)
    }


def _check_finite(sample: Sample, first: int) -> None:
    finite = to_host(sample.xp.isfinite(sample.mean(sample["final_equity"])))
    if not finite.all():
        row = first + int(np.argmin(finite))
        raise ValueError(f"final_equity of policy row {row} is not finite on every path")


def _variables(sample: Sample, legs: list[Array], context: Context) -> Iterator[tuple[str, Array]]:
    gone = sample["liquidation_step"] > 0.0
    liquidated = gone.astype(sample.xp.float64)
    returns = sample["final_equity"] - 1.0
    estimates: dict[str, Estimate] = {}
    estimates |= _of_returns(sample, returns, legs, context)
    estimates |= _of_trades(sample, context)
    estimates |= _of_liquidations(sample, returns, gone, context)
    estimates |= _of_the_way(sample, liquidated, context)
    estimates |= by_regime(sample, context)
    count = sample.xp.sum(gone, axis=-1)
    for metric in metrics_of(context):
        if metric.error:
            found = estimates[metric.name]
            yield metric.name, found.value
            yield f"{metric.name}_se", found.error * math.sqrt(context.overlap)
            if metric.batches:
                yield f"{metric.name}_batch", _spread_out(found, context.batch_overlap)
    yield "liquidations", count
    yield "few_events", count < _FEW


def _spread_out(found: Estimate, overlap: float) -> Array:
    """Batch means, further from the estimate where batches share history.

    What is made of their spread, of one cell or of the difference of two, is then right.
    """
    if overlap == 1.0:
        return found.batch
    value = found.value[..., None]
    return value + (found.batch - value) * math.sqrt(overlap)


def _of_returns(
    sample: Sample, returns: Array, legs: list[Array], context: Context
) -> dict[str, Estimate]:
    xp, per_year = sample.xp, 1.0 / context.horizon
    of_returns = moments.of_returns(sample, returns)
    sharpe = moments.sharpe(sample, of_returns, per_year, random_number=False)
    ordered = sample.ascending("final_equity") - 1.0
    tail = quantiles.tail(sample, returns, ordered, context.levels)
    losses = xp.minimum(returns, 0.0)
    betas = [ratios.beta(sample, returns, leg) for leg in legs]
    return {
        "return_mean": moments.mean(sample, of_returns),
        "return_std": moments.std(sample, of_returns),
        "return_skew": moments.skew(sample, of_returns),
        "return_kurtosis": moments.kurtosis(sample, of_returns),
        "return_quantile": quantiles.clustered(
            sample, quantiles.quantiles(xp, ordered, context.quantiles), returns
        ),
        "value_at_risk": tail.value_at_risk,
        "expected_shortfall": tail.expected_shortfall,
        "sharpe": sharpe.plain,
        "sharpe_adjusted": sharpe.adjusted,
        "sharpe_probabilistic": sharpe.probabilistic,
        "sortino": ratios.sortino(sample, returns, losses * losses, context.horizon),
        "pnl_beta": quantiles.stack(xp, betas),
    }


def _of_trades(sample: Sample, context: Context) -> dict[str, Estimate]:
    trades = sample["trades"]
    per_year = sample.mean(trades) / context.horizon
    of_trades = moments.of_trades(sample)
    sharpe = moments.sharpe(sample, of_trades, per_year, random_number=True)
    return {
        "trade_return_mean": moments.mean(sample, of_trades),
        "trade_sharpe": sharpe.plain,
        "trade_sharpe_adjusted": sharpe.adjusted,
        "trade_sharpe_probabilistic": sharpe.probabilistic,
        "trade_sortino": ratios.sortino(
            sample, sample["trade_sum_1"], sample["trade_downside"], context.horizon
        ),
        "win_rate": probabilities.share(sample, sample["wins"], trades),
    }


def _of_liquidations(
    sample: Sample, returns: Array, gone: Array, context: Context
) -> dict[str, Estimate]:
    xp, steps = sample.xp, sample["liquidation_step"]
    liquidated = gone.astype(xp.float64)
    survived = 1.0 - liquidated
    below_start = (returns < 0.0) * survived
    recovered = sample["recovered"] * liquidated
    last_steps = np.floor(np.asarray(context.times) / context.step + 1e-6)
    median = quantiles.median_time(sample, steps)
    hours = context.step * HOURS
    return {
        "liquidation_probability": probabilities.share(sample, liquidated),
        "liquidation_probability_per_trade": probabilities.share(
            sample, liquidated, sample["trades"]
        ),
        "under_water_probability": probabilities.share(sample, below_start, survived),
        "recovery_probability": probabilities.share(sample, recovered, liquidated),
        "survival": probabilities.survival(sample, steps, xp.asarray(last_steps)),
        "liquidation_time_median": Estimate(median.value * hours, median.error * hours),
        "extra_margin_quantile": quantiles.quantiles_where(
            sample, sample.outcomes["extra_margin"], gone, context.quantiles
        ),
    }


def _of_the_way(sample: Sample, liquidated: Array, context: Context) -> dict[str, Estimate]:
    xp, steps = sample.xp, context.steps
    lived = xp.where(liquidated > 0.0, sample["liquidation_step"], float(steps))
    per_day = 24.0 / (context.step * HOURS)
    depth = sample["max_drawdown"]
    depths = quantiles.quantiles(xp, sample.ascending("max_drawdown"), context.quantiles)
    found = {name: ratios.mean(sample, sample[column]) for name, column in _MEANS.items()}
    return found | {
        "max_drawdown_quantile": quantiles.clustered(sample, depths, depth),
        "time_under_water": ratios.mean(sample, sample["under_water"], 1.0 / steps),
        "rebalances_per_day": ratios.ratio(sample, sample["rebalances"], lived, per_day),
    }
