"""Claimed errors against what repeating the run, or resampling its paths, really gives."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from metrics_samples import CONTEXT, TAILS, draw, few_beyond
from stresscube.metrics import metrics_of, paired_error, summarise

RUNS = 1000
PATHS = 2000
TOLERANCE = 0.10
"""The spread of 1000 normal estimates has a relative error of 1 / sqrt(2 * 999) = 2.2%: so 10% is
4.5 standard errors, and an error formula that is 20% off fails by another 4.5. (500 runs would
leave three, too few for the 200 numbers compared here.)"""
LIQUIDATIONS = (0.1, 0.7)
"""Two policies: few liquidations, and enough for a median time."""
NOT_NORMAL = {"sharpe_probabilistic", "trade_sharpe_probabilistic"}
"""Phi of an estimate is not spread as its linearisation says; tested with the Sharpe ratios."""
NAMES = tuple(m.name for m in metrics_of(CONTEXT) if m.error and m.name not in NOT_NORMAL)
Results = dict[str, NDArray[Any]]


@cache
def _runs() -> Results:
    """Metrics of independent small runs, [run, policy, ...]."""
    runs = [
        summarise(*draw(2, PATHS, 1_000 + seed, liquidations=LIQUIDATIONS), CONTEXT)
        for seed in range(RUNS)
    ]
    return {name: np.stack([run[name] for run in runs]) for name in runs[0]}


@pytest.mark.parametrize("name", NAMES)
def test_spread_over_independent_runs_is_the_claimed_error(name: str) -> None:
    value, error = _runs()[name], _runs()[f"{name}_se"]
    if name == "liquidation_time_median":
        assert np.isnan(value[:, 0]).all()
        value, error = value[:, 1:], error[:, 1:]
    if name == "survival":
        # Where fewer than 10 events are expected, the error is a bound and not a spread.
        usual = (1.0 - value.mean(axis=0)) * PATHS > 10.0
        value, error = value[:, usual], error[:, usual]
        assert value.shape[1] > 40
    spread, claimed = value.std(axis=0, ddof=1), error.mean(axis=0)
    assert np.isfinite(spread).all()
    if name in TAILS:
        shares = LIQUIDATIONS if name == "extra_margin_quantile" else (1.0, 1.0)
        few = few_beyond(name, spread.shape, tuple(PATHS * it for it in shares))
        assert (claimed[few] > (1.0 - TOLERANCE) * spread[few]).all()
        spread, claimed = spread[~few], claimed[~few]
    constant = spread == 0.0
    assert (claimed[constant] == 0.0).all()
    assert not constant.all() or name == "funding_mean"
    assert spread[~constant] / claimed[~constant] == pytest.approx(1.0, abs=TOLERANCE)


@pytest.mark.parametrize("name", [m.name for m in metrics_of(CONTEXT) if m.batches])
def test_batches_give_the_same_error(name: str) -> None:
    """Mean square error from 32 batch means against the claimed one, over 200 runs.

    One batch variance has a relative error of sqrt(2 / 31) = 25%, so the mean of 200 has 1.8%:
    8% is more than four standard errors.
    """
    policy = 1
    batch = _runs()[f"{name}_batch"][:200, policy]
    claimed = _runs()[f"{name}_se"][:200, policy]
    from_batches = (batch.var(axis=-1, ddof=1) / CONTEXT.batches).mean(axis=0)
    if name == "survival":
        usual = (1.0 - _runs()[name][:, policy].mean(axis=0)) * PATHS > 10.0
        from_batches, claimed = from_batches[usual], claimed[:, usual]
    expected = (claimed**2).mean(axis=0)
    assert from_batches == pytest.approx(expected, rel=0.08, abs=1e-30)


def test_paired_error_of_correlated_cells() -> None:
    """Two cells on the same paths: the spread of their difference is the paired error."""
    runs = 200
    paired, unpaired, difference = [], [], []
    for seed in range(runs):
        found = summarise(*draw(2, 640, 5_000 + seed, shared=0.98), CONTEXT)
        batch, error = found["sharpe_batch"], found["sharpe_se"]
        paired.append(float(paired_error(batch[0], batch[1])))
        unpaired.append(float(np.hypot(error[0], error[1])))
        difference.append(found["sharpe"][0] - found["sharpe"][1])
    spread = np.std(difference, ddof=1)
    # Spread of 200: 5% standard error; the root of a variance of 31 degrees is 0.8% low.
    assert np.mean(paired) == pytest.approx(spread, rel=0.15)
    assert np.mean(paired) < 0.5 * np.mean(unpaired)


def test_errors_agree_with_resampling_paths() -> None:
    """Bootstrap of whole paths: 600 resamples as 600 policies, spread known to 2.9%."""
    outcomes, market = draw(1, PATHS, 7, liquidations=0.3)
    rng = np.random.default_rng(8)
    resampled = rng.integers(0, PATHS, size=(600, PATHS))
    replicas = {name: column[0][resampled] for name, column in outcomes.items()}
    one, many = summarise(outcomes, market, CONTEXT), summarise(replicas, market, CONTEXT)
    for metric in metrics_of(CONTEXT):
        if not metric.batches or metric.name in {"pnl_beta", "survival"}:
            continue  # the legs' returns are not resampled with the rows
        spread = many[metric.name].std(axis=0, ddof=1)
        claimed = one[f"{metric.name}_se"][0]
        assert spread == pytest.approx(claimed, rel=0.12, abs=1e-15), metric.name


def test_paired_error_without_batches() -> None:
    few = np.full(32, np.nan)
    few[:3] = 1.0, 2.0, 4.0
    zero = np.zeros(32)
    expected = np.std([1.0, 2.0, 4.0], ddof=1) / np.sqrt(3.0)
    assert float(paired_error(few, zero)) == pytest.approx(expected)
    few[1:] = np.nan
    assert np.isnan(paired_error(few, zero))
