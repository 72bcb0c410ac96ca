"""Errors of paths that share draws of the market's numbers, against what repeating really gives."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from metrics_samples import CONTEXT, TAILS, Outcomes, draw, few_beyond
from stresscube.metrics import metrics_of, paired_error, summarise
from stresscube_kernels.draws import draw_of

RUNS, DRAWS, GROUP = 400, 64, 4
PATHS = 4 * DRAWS * GROUP
DRAWN = replace(CONTEXT, draws=DRAWS, group=GROUP)
LAWS = (0.4, 0.9)
"""How many are liquidated in the two markets that a draw may be."""
TOLERANCE = 0.17
"""The spread of 400 estimates has a relative error of 1 / sqrt(2 * 399) = 3.5%, the root of the
mean variance of 64 clusters is some tenths of a percent low: 4.8 standard errors. Errors that
overlook the clusters are 2.6 times too narrow where the laws differ."""
NOT_NORMAL = {"sharpe_probabilistic", "trade_sharpe_probabilistic"}
NAMES = tuple(m.name for m in metrics_of(DRAWN) if m.error and m.name not in NOT_NORMAL)
Results = dict[str, NDArray[Any]]


def sample(seed: int) -> tuple[Outcomes, dict[str, NDArray[np.float64]]]:
    """One policy's paths, 16 to a draw, each draw one of two laws at random."""
    outcomes, market = draw(2, PATHS, 9_000 + seed, liquidations=LAWS)
    law = np.random.default_rng(50_000 + seed).integers(0, 2, DRAWS)
    own = law[np.arange(PATHS) // GROUP % DRAWS]
    picked = {name: np.where(own, both[1], both[0])[None] for name, both in outcomes.items()}
    return picked, market


@cache
def _runs() -> Results:
    runs = [summarise(*sample(seed), DRAWN) for seed in range(RUNS)]
    return {name: np.stack([run[name][0] for run in runs]) for name in runs[0]}


@pytest.mark.parametrize("name", NAMES)
def test_spread_over_independent_runs_is_the_claimed_error(name: str) -> None:
    value, error = _runs()[name], _runs()[f"{name}_se"]
    if name == "liquidation_time_median":
        reached = np.isfinite(value)
        assert reached.mean() > 0.9
        value, error = value[reached], error[reached]
    if name == "survival":
        usual = (1.0 - value.mean(axis=0)) * PATHS > 10.0
        value, error = value[:, usual], error[:, usual]
    spread, claimed = value.std(axis=0, ddof=1), np.sqrt((error**2).mean(axis=0))
    if name in TAILS:
        share = np.mean(LAWS) if name == "extra_margin_quantile" else 1.0
        few = few_beyond(name, spread.shape, float(PATHS * share))
        assert (claimed[few] > (1.0 - TOLERANCE) * spread[few]).all()
        spread, claimed = spread[~few], claimed[~few]
    constant = spread == 0.0
    assert not np.any(constant) or name == "funding_mean"
    assert spread[~constant] / claimed[~constant] == pytest.approx(1.0, abs=TOLERANCE)


def test_errors_that_overlook_the_draws_are_too_narrow() -> None:
    plain = summarise(*sample(0), CONTEXT)["liquidation_probability_se"][0]
    spread = _runs()["liquidation_probability"].std(ddof=1)
    assert spread / plain > 2.0


def test_batches_hold_whole_draws_and_give_the_same_error() -> None:
    """The mean of 400 batch variances has a relative error of sqrt(2 / 31 / 400) = 1.3%."""
    for name in ("return_mean", "liquidation_probability", "survival", "value_at_risk"):
        batch, claimed = _runs()[f"{name}_batch"], _runs()[f"{name}_se"]
        found = (batch.var(axis=-1, ddof=1) / 32).mean(axis=0)
        expected = (claimed**2).mean(axis=0)
        usual = expected > 1e-5 if name == "survival" else np.ones(expected.shape, bool)
        assert found[usual] == pytest.approx(expected[usual], rel=0.08)
    assert np.isfinite(paired_error(batch[0, 0], batch[1, 0]))


def test_of_means_the_batches_and_the_error_are_the_draws() -> None:
    outcomes, market = sample(1)
    found = summarise(outcomes, market, DRAWN)
    equity = outcomes["final_equity"][0] - 1.0
    own = np.arange(PATHS) // GROUP % DRAWS
    means = np.array([equity[own == k].mean() for k in range(DRAWS)])
    assert found["return_mean_se"][0] == pytest.approx(means.std(ddof=1) / DRAWS**0.5, rel=1e-12)
    batches = means.reshape(2, 32).mean(axis=0)
    assert found["return_mean_batch"][0] == pytest.approx(batches, rel=1e-12)


def test_values_are_the_same_with_and_without_draws() -> None:
    outcomes, market = sample(2)
    with_, without = (summarise(outcomes, market, context) for context in (DRAWN, CONTEXT))
    for metric in metrics_of(DRAWN):
        if metric.name not in NOT_NORMAL:
            found, expected = with_[metric.name], without[metric.name]
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=0, err_msg=metric.name)


def test_the_engine_groups_paths_as_the_kernels_do() -> None:
    from stresscube_kernels.draws import PATHS_A_DRAW

    path = np.arange(200_000)
    assert np.array_equal(draw_of(path, DRAWS), path // PATHS_A_DRAW % DRAWS)


def test_uneven_draws_are_refused() -> None:
    with pytest.raises(ValueError, match="100 paths do not share 64 draws evenly"):
        summarise(*draw(1, 100, 1), DRAWN)
    with pytest.raises(ValueError, match="multiple of batches"):
        replace(CONTEXT, draws=33)
