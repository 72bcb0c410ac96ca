"""Every metric of the cube, one policy at a time, against scipy's estimators or a plain count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from metrics_samples import CONTEXT, STEP, STEPS, draw
from stresscube.metrics import Context, metrics_of, summarise
from stresscube.metrics.context import HOURS

FloatArray = NDArray[np.float64]
PATHS = 1201
"""Odd, and one more than a multiple of 100: medians and percentiles are order statistics."""
MOST_TRADES = 20


@dataclass(frozen=True)
class Case:
    """One policy's outcomes, [path]; its trades' returns one by one; the legs' returns."""

    outcome: dict[str, FloatArray]
    trades: list[FloatArray]
    legs: tuple[FloatArray, FloatArray]

    def __getattr__(self, name: str) -> FloatArray:
        return self.outcome[name]

    @property
    def returns(self) -> FloatArray:
        return self.final_equity - 1.0

    @property
    def pooled(self) -> FloatArray:
        return np.concatenate(self.trades)

    @property
    def gone(self) -> NDArray[np.bool_]:
        return self.liquidation_step > 0


def case(seed: int, liquidations: float) -> Case:
    """A random policy whose trades are known one by one."""
    outcomes, market = draw(1, PATHS, seed, liquidations=liquidations)
    rng = np.random.default_rng(seed + 1)
    counts = rng.integers(1, MOST_TRADES, PATHS)
    level = 0.01 * rng.standard_normal(PATHS)
    trades = [0.02 * rng.standard_t(8, n) + m for n, m in zip(counts, level, strict=True)]
    made = {name: column[0].astype(np.float64) for name, column in outcomes.items()}
    made["trades"] = counts.astype(np.float64)
    made["wins"] = np.array([float((t > 0).sum()) for t in trades])
    made["trade_downside"] = np.array([(np.minimum(t, 0) ** 2).sum() for t in trades])
    for k in (1, 2, 3, 4):
        made[f"trade_sum_{k}"] = np.array([(t**k).sum() for t in trades])
    return Case(made, trades, (market["return_a"], market["return_b"]))


CASES = [case(21, 0.2), case(22, 0.8)]


def found(made: Case) -> dict[str, NDArray[Any]]:
    outcomes = {name: column[None, :] for name, column in made.outcome.items()}
    market = {"return_a": made.legs[0], "return_b": made.legs[1]}
    return {name: array[0] for name, array in summarise(outcomes, market, CONTEXT).items()}


def sharpe(x: FloatArray) -> float:
    return float(x.mean() / x.std())


def adjusted(x: FloatArray) -> float:
    """Pezier and White 2006."""
    s, g, k = sharpe(x), stats.skew(x), stats.kurtosis(x)
    return float(s * (1 + g / 6 * s - k / 24 * s**2))


def shortfall(x: FloatArray, level: float) -> float:
    """Mean of the worst share, the order statistic at its edge counted in part."""
    worst, share = np.sort(x), (1 - level) * len(x)
    value = np.quantile(x, 1 - level)
    whole = worst[worst < value]
    return float(-(whole.sum() + (share - len(whole)) * value) / share)


def survival(c: Case) -> FloatArray:
    """Kaplan and Meier's curve: who was not liquidated is censored at the horizon."""
    censored = stats.CensoredData.right_censored(
        np.where(c.gone, c.liquidation_step, STEPS), ~c.gone
    )
    curve = stats.ecdf(censored).sf
    return curve.evaluate(np.floor(np.array(CONTEXT.times) / STEP + 1e-6))


def median_time(c: Case) -> float:
    times = np.sort(np.where(c.gone, c.liquidation_step, np.inf))
    middle = times[(PATHS + 1) // 2 - 1]
    return float(middle * STEP * HOURS) if np.isfinite(middle) else np.nan


def probabilistic_trades(c: Case) -> float:
    """Phi(S / se) with the error of trades clustered by path: delete one path at a time."""
    sums = np.array([[len(t), t.sum(), (t**2).sum()] for t in c.trades])
    n, s1, s2 = (sums.sum(axis=0) - sums).T
    without = s1 / n / np.sqrt(s2 / n - (s1 / n) ** 2)
    error = np.sqrt((PATHS - 1) / PATHS * ((without - without.mean()) ** 2).sum())
    return float(stats.norm.cdf(sharpe(c.pooled) / error))


def probabilistic(x: FloatArray) -> float:
    """Bailey and Lopez de Prado 2012, equation 11 with a benchmark of 0."""
    s, g, k = sharpe(x), stats.skew(x), stats.kurtosis(x, fisher=False)
    return float(stats.norm.cdf(s * np.sqrt(len(x) - 1) / np.sqrt(1 - g * s + (k - 1) / 4 * s**2)))


def mean_of(name: str) -> Callable[[Case], float]:
    return lambda c: float(np.mean(c.outcome[name]))


def by_regime(of_one: Callable[[Case, Any], Any]) -> Callable[[Case], Any]:
    """of_one: of a case and a function that gives a field of one regime's book."""

    def of_both(c: Case) -> Any:
        books = [lambda field, k=k: c.outcome[f"regimes_{k}_{field}"] for k in (0, 1)]
        return [of_one(c, of) for of in books]

    return of_both


def lived(c: Case) -> float:
    return float(np.where(c.gone, c.liquidation_step, STEPS).sum()) * STEP * 365


YEARS = CONTEXT.horizon
REFERENCES: dict[str, Callable[[Case], Any]] = {
    "return_mean": lambda c: stats.describe(c.returns).mean,
    "return_std": lambda c: np.sqrt(stats.moment(c.returns, 2)),
    "return_skew": lambda c: stats.skew(c.returns),
    "return_kurtosis": lambda c: stats.kurtosis(c.returns, fisher=False),
    "return_quantile": lambda c: stats.mstats.mquantiles(c.returns, CONTEXT.quantiles, 1, 1),
    "value_at_risk": lambda c: (
        -stats.mstats.mquantiles(c.returns, [1 - level for level in CONTEXT.levels], 1, 1)
    ),
    "expected_shortfall": lambda c: [shortfall(c.returns, level) for level in CONTEXT.levels],
    "sharpe": lambda c: sharpe(c.returns) / np.sqrt(YEARS),
    "sharpe_adjusted": lambda c: adjusted(c.returns) / np.sqrt(YEARS),
    "sharpe_probabilistic": lambda c: probabilistic(c.returns),
    "sortino": lambda c: c.returns.mean() / np.sqrt(np.mean(np.minimum(c.returns, 0) ** 2) * YEARS),
    "trade_sharpe": lambda c: sharpe(c.pooled) * np.sqrt(len(c.pooled) / PATHS / YEARS),
    "trade_sharpe_adjusted": lambda c: adjusted(c.pooled) * np.sqrt(len(c.pooled) / PATHS / YEARS),
    "trade_sharpe_probabilistic": probabilistic_trades,
    "trade_sortino": lambda c: (
        c.pooled.mean()
        / np.sqrt(np.mean(np.minimum(c.pooled, 0) ** 2))
        * np.sqrt(len(c.pooled) / PATHS / YEARS)
    ),
    "trade_return_mean": lambda c: c.pooled.mean(),
    "win_rate": lambda c: np.mean(c.pooled > 0),
    "trades_mean": lambda c: len(c.pooled) / PATHS,
    "liquidation_probability": lambda c: np.mean(c.gone),
    "liquidation_probability_per_trade": lambda c: c.gone.sum() / len(c.pooled),
    "under_water_probability": lambda c: np.mean(c.returns[~c.gone] < 0),
    "recovery_probability": lambda c: np.mean(c.recovered[c.gone]),
    "survival": survival,
    "liquidation_time_median": median_time,
    "extra_margin_quantile": lambda c: stats.mstats.mquantiles(
        c.extra_margin[c.gone], CONTEXT.quantiles, 1, 1
    ),
    "max_drawdown_mean": mean_of("max_drawdown"),
    "max_drawdown_quantile": lambda c: stats.mstats.mquantiles(
        c.max_drawdown, CONTEXT.quantiles, 1, 1
    ),
    "time_under_water": lambda c: np.mean(c.under_water) / STEPS,
    "turnover_mean": mean_of("turnover"),
    "rebalances_mean": mean_of("rebalances"),
    "rebalances_per_day": lambda c: c.rebalances.sum() / lived(c),
    "fees_mean": mean_of("fees"),
    "slippage_mean": mean_of("slippage"),
    "funding_mean": mean_of("funding"),
    "liquidation_cost_mean": mean_of("liquidation_cost"),
    "deficit_mean": mean_of("deficit"),
    "pnl_a_mean": mean_of("pnl_a"),
    "pnl_b_mean": mean_of("pnl_b"),
    "pnl_mispricing_mean": mean_of("pnl_mispricing"),
    "regime_gain_mean": by_regime(lambda c, of: of("gain").mean()),
    "regime_gain_quantile": by_regime(
        lambda c, of: stats.mstats.mquantiles(of("gain"), CONTEXT.quantiles, 1, 1)
    ),
    "regime_gain_per_year": by_regime(lambda c, of: of("gain").sum() / (of("lived").sum() * STEP)),
    "regime_time": by_regime(lambda c, of: np.mean(of("lived") / STEPS)),
    "regime_liquidation_probability": by_regime(lambda c, of: np.mean(of("liquidated") > 0)),
    "regime_liquidation_rate": by_regime(
        lambda c, of: np.count_nonzero(of("liquidated")) / (of("lived").sum() * STEP)
    ),
    "regime_drawdown_probability": by_regime(lambda c, of: np.mean(of("deepest") > 0)),
    "regime_drawdown_mean": by_regime(lambda c, of: c.max_drawdown[of("deepest") > 0].mean()),
    "pnl_beta": lambda c: [stats.linregress(leg, c.returns).slope for leg in c.legs],
    "liquidations": lambda c: c.gone.sum(),
    "few_events": lambda c: c.gone.sum() < 10,
}
"""What each metric is, without the engine. mquantiles(.., 1, 1) is Hyndman and Fan's type 7."""


def test_every_metric_has_a_reference() -> None:
    assert set(REFERENCES) == {metric.name for metric in metrics_of(CONTEXT)}


@pytest.mark.parametrize("name", list(REFERENCES))
def test_value(name: str) -> None:
    """To rounding; an error of delete-one jackknife stands for the influence values' to O(1/n)."""
    tolerance = 2e-3 if name == "trade_sharpe_probabilistic" else 1e-9
    for made in CASES:
        np.testing.assert_allclose(
            found(made)[name], REFERENCES[name](made), rtol=tolerance, atol=1e-12
        )


def test_quantile_errors_are_scipy_s() -> None:
    """Maritz and Jarrett's, to 1/sqrt(n) or 3%: scipy weights by Beta(m - 1, n - m), m rounded,
    and we as in the paper by Beta(m, n + 1 - m)."""
    inner = np.array([0.1, 0.25, 0.5, 0.75, 0.9])
    for made in CASES:
        errors = summarise(
            {name: column[None, :] for name, column in made.outcome.items()},
            {"return_a": made.legs[0], "return_b": made.legs[1]},
            Context(CONTEXT.horizon, STEP, STEPS, quantiles=tuple(inner)),
        )["return_quantile_se"][0]
        np.testing.assert_allclose(errors, stats.mstats.mjci(made.returns, inner), rtol=0.03)


def test_errors_that_scipy_knows() -> None:
    """Of means, of a share, of the survival curve without censoring before the horizon."""
    for made in CASES:
        ours = found(made)
        for name, column in (("return_mean", made.returns), ("fees_mean", made.fees)):
            assert ours[f"{name}_se"] == pytest.approx(stats.sem(column))
        events = int(made.gone.sum())
        one_sigma = 2 * stats.norm.cdf(1) - 1
        interval = stats.binomtest(events, PATHS).proportion_ci(one_sigma, method="wilson")
        half = (interval.high - interval.low) / 2
        assert ours["liquidation_probability_se"] == pytest.approx(half)
        censored = stats.CensoredData.right_censored(
            np.where(made.gone, made.liquidation_step, STEPS), ~made.gone
        )
        curve = stats.ecdf(censored).sf
        band: Any = curve.confidence_interval(one_sigma)  # by Greenwood's formula
        steps = np.floor(np.array(CONTEXT.times) / STEP + 1e-6)
        greenwood = (band.high.evaluate(steps) - band.low.evaluate(steps)) / 2
        some = (ours["survival"] < 1 - 10 / PATHS) & (ours["survival"] > 10 / PATHS)
        assert some.sum() > 10
        np.testing.assert_allclose(ours["survival_se"][some], greenwood[some], rtol=0.02)
