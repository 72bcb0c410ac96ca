"""Moments, Sharpe ratios, Sortino ratios, ratios and betas against independent computations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from metrics_samples import CONTEXT, draw
from stresscube.metrics import moments, ratios, summarise
from stresscube.metrics.sample import Estimate, Sample

FloatArray = NDArray[np.float64]


def _sample(paths: int, **columns: FloatArray) -> Sample:
    return Sample(np, {"final_equity": np.ones((1, paths))} | columns, 32)


def _returns(paths: int = 4000, seed: int = 3) -> FloatArray:
    rng = np.random.default_rng(seed)
    return (0.01 + 0.03 * rng.standard_t(9, paths) - 0.02 * rng.exponential(1.0, paths))[None, :]


def test_moments_of_returns_are_scipy_s() -> None:
    x = _returns()
    m = moments.of_returns(_sample(x.shape[1]), x)
    assert m.mean[0] == pytest.approx(x.mean())
    assert m.std[0] == pytest.approx(x.std())
    assert m.skew[0] == pytest.approx(stats.skew(x[0]))
    assert m.kurtosis[0] == pytest.approx(stats.kurtosis(x[0], fisher=False))


def test_mean_has_the_textbook_error_and_plain_batch_means() -> None:
    x = _returns(1005)
    sample = _sample(x.shape[1])
    for found in (
        moments.mean(sample, moments.of_returns(sample, x)),
        ratios.mean(sample, x),
    ):
        assert found.error[0] == pytest.approx(stats.sem(x[0]))
        batches = [x[0, b::32].mean() for b in range(32)]
        assert found.batch is not None
        assert found.batch[0] == pytest.approx(batches, rel=1e-12)


def test_sharpe_error_is_mertens() -> None:
    """Var = (1 + S^2/2 - g S + (k - 3) S^2 / 4) / n, here with n - 1 for n; Lo's if normal."""
    x = _returns()
    n = x.shape[1]
    sample = _sample(n)
    found = moments.sharpe(sample, moments.of_returns(sample, x), 52.0, random_number=False)
    s = x.mean() / x.std()
    g, k = stats.skew(x[0]), stats.kurtosis(x[0], fisher=False)
    error = np.sqrt((1.0 + 0.5 * s**2 - g * s + (k - 3.0) / 4.0 * s**2) / (n - 1))
    assert found.plain.value[0] == pytest.approx(s * np.sqrt(52.0))
    assert found.plain.error[0] == pytest.approx(error * np.sqrt(52.0), rel=1e-10)
    adjusted = s * (1.0 + g / 6.0 * s - (k - 3.0) / 24.0 * s**2)
    assert found.adjusted.value[0] == pytest.approx(adjusted * np.sqrt(52.0))
    psr = stats.norm.cdf(s * np.sqrt(n - 1.0) / np.sqrt(1.0 - g * s + (k - 1.0) / 4.0 * s**2))
    assert found.probabilistic.value[0] == pytest.approx(psr, rel=1e-10)
    assert found.probabilistic.error[0] == pytest.approx(stats.norm.pdf(stats.norm.ppf(psr)))


def test_probabilistic_sharpe_of_no_skill_is_uniform() -> None:
    """Its claimed error is phi(z): 1 / (2 sqrt(pi)) on average over a normal z."""
    x = np.random.default_rng(11).standard_normal((2000, 200))
    sample = Sample(np, {"final_equity": x}, 32)
    m = moments.of_returns(sample, x)
    found = moments.sharpe(sample, m, 1.0, random_number=False).probabilistic
    # Kolmogorov distance of 2000 at 0.1% significance: 0.0436.
    assert stats.kstest(found.value, "uniform").statistic < 0.0436
    # Standard deviation of phi(z) is 0.098: the mean of 2000 has error 0.0022.
    assert found.error.mean() == pytest.approx(0.5 / np.sqrt(np.pi), abs=4 * 0.0022)


Functional = Callable[[Sample, FloatArray], Estimate]
HORIZON = 0.02
SMOOTH: dict[str, Functional] = {
    "mean": lambda s, x: moments.mean(s, moments.of_returns(s, x)),
    "std": lambda s, x: moments.std(s, moments.of_returns(s, x)),
    "skew": lambda s, x: moments.skew(s, moments.of_returns(s, x)),
    "kurtosis": lambda s, x: moments.kurtosis(s, moments.of_returns(s, x)),
    "sharpe": lambda s, x: _sharpe(s, x).plain,
    "adjusted": lambda s, x: _sharpe(s, x).adjusted,
    "sortino": lambda s, x: ratios.sortino(s, x, np.minimum(x, 0.0) ** 2, HORIZON),
    "ratio": lambda s, x: ratios.ratio(s, x, 2.0 + np.abs(x)),
    "beta": lambda s, x: ratios.beta(s, x, np.sin(40.0 * np.arange(x.shape[1]))),
}


def _sharpe(sample: Sample, x: FloatArray) -> moments.SharpeRatios:
    return moments.sharpe(sample, moments.of_returns(sample, x), 1 / HORIZON, random_number=False)


@pytest.mark.parametrize("name", [name for name in SMOOTH if name != "beta"])
def test_errors_are_those_of_the_deleting_jackknife(name: str) -> None:
    """Leaving out one path at a time agrees to O(1/n), the largest z^4 times 1/n for kurtosis."""
    rng = np.random.default_rng(10)
    x = (0.5 * rng.beta(2.0, 6.0, 1500) - 0.1)[None, :]
    n = x.shape[1]
    without = np.stack([np.delete(x[0], i) for i in range(n)])
    value = SMOOTH[name](Sample(np, {"final_equity": without}, 32), without).value
    jackknife = np.sqrt((n - 1.0) / n * ((value - value.mean()) ** 2).sum())
    assert SMOOTH[name](_sample(n), x).error[0] == pytest.approx(jackknife, rel=0.03)


@pytest.mark.parametrize("name", list(SMOOTH))
def test_influences_average_to_zero(name: str) -> None:
    x = _returns(640)
    found = SMOOTH[name](_sample(640), x)
    assert found.batch is not None
    # 640 = 20 * 32: equal batches, so the batch means average to the value.
    assert found.batch[0].mean() == pytest.approx(found.value[0], rel=1e-10)


def test_beta_is_the_regression_s_with_white_s_error() -> None:
    rng = np.random.default_rng(5)
    leg = 0.05 * rng.standard_normal(3000)
    y = 0.3 * leg + (0.01 + 0.2 * np.abs(leg)) * rng.standard_normal(3000)
    found = ratios.beta(_sample(3000), y[None, :], leg)
    slope, cut = np.polyfit(leg, y, 1)
    x, residual = leg - leg.mean(), y - cut - slope * leg
    white = np.sqrt((x**2 * residual**2).sum()) / (x**2).sum()
    assert found.value[0] == pytest.approx(slope)
    assert found.error[0] == pytest.approx(white, rel=1e-3)


def test_pooled_trades_are_the_trades_in_one_list() -> None:
    rng = np.random.default_rng(6)
    number = rng.integers(0, 12, 500)
    trades = [0.002 + 0.01 * rng.standard_normal(n) for n in number]
    sums = {f"trade_sum_{k}": np.array([[(t**k).sum() for t in trades]]) for k in (1, 2, 3, 4)}
    sample = _sample(500, trades=number[None, :].astype(np.float64), **sums)
    m = moments.of_trades(sample)
    flat = np.concatenate(trades)
    assert m.mean[0] == pytest.approx(flat.mean())
    assert m.std[0] == pytest.approx(flat.std())
    assert m.skew[0] == pytest.approx(stats.skew(flat), abs=1e-9)
    assert m.kurtosis[0] == pytest.approx(stats.kurtosis(flat, fisher=False))
    per_year = np.array([number.mean() / HORIZON])
    found = moments.sharpe(sample, m, per_year, random_number=True)
    assert found.plain.value[0] == pytest.approx(
        flat.mean() / flat.std() * np.sqrt(number.mean() / HORIZON)
    )


def test_trade_errors_are_clustered_by_path() -> None:
    """All trades of a path alike: the error is that of the number of paths, not of trades."""
    rng = np.random.default_rng(9)
    level = rng.standard_normal((1, 2000))
    sums = {f"trade_sum_{k}": 25.0 * level**k for k in (1, 2, 3, 4)}
    sample = _sample(2000, trades=np.full((1, 2000), 25.0), **sums)
    trades = moments.mean(sample, moments.of_trades(sample))
    paths = moments.mean(sample, moments.of_returns(sample, level))
    assert trades.error[0] == pytest.approx(paths.error[0], rel=1e-9)


def test_one_trade_a_path_is_the_path_itself() -> None:
    x = _returns(1000)
    sums = {f"trade_sum_{k}": x**k for k in (1, 2, 3, 4)}
    sample = _sample(1000, trades=np.ones((1, 1000)), **sums)
    pooled = moments.sharpe(sample, moments.of_trades(sample), np.array([50.0]), random_number=True)
    whole = moments.sharpe(sample, moments.of_returns(sample, x), 50.0, random_number=False)
    for first, second in (
        (pooled.plain, whole.plain),
        (pooled.adjusted, whole.adjusted),
        (pooled.probabilistic, whole.probabilistic),
    ):
        assert first.value[0] == pytest.approx(second.value[0], rel=1e-9)
        assert first.error[0] == pytest.approx(second.error[0], rel=1e-9)


def test_trade_sums_in_float32_are_enough() -> None:
    double, market = draw(1, 2000, 4)
    single = {name: column.astype(np.float32) for name, column in double.items()}
    first = summarise(double, market, CONTEXT)
    second = summarise(single, market, CONTEXT)
    for name in ("trade_sharpe", "trade_sharpe_adjusted", "trade_sortino", "sharpe"):
        assert second[name][0] == pytest.approx(first[name][0], rel=1e-4)
        assert second[f"{name}_se"][0] == pytest.approx(first[f"{name}_se"][0], rel=1e-4)
