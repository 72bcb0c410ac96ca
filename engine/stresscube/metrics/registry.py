"""Every metric of the cube: its name, dims beyond the policy, units and meaning."""

from __future__ import annotations

from dataclasses import dataclass

from stresscube.metrics.context import Context


@dataclass(frozen=True, slots=True)
class Metric:
    """One estimate of the summary.

    dims: beyond the policy, among "quantile", "level", "time", "leg", "regime". batches: whether
    `NAME_batch` (dims + "batch") exists. error: whether `NAME_se` exists; a count has none.
    dtype: of NAME itself; errors and batch means are float64.
    """

    name: str
    dims: tuple[str, ...]
    units: str
    long_name: str
    batches: bool
    error: bool = True
    dtype: str = "float64"


@dataclass(frozen=True, slots=True)
class Variable:
    """One array that `summarise` returns; dims beyond the policy, "batch" last."""

    name: str
    dims: tuple[str, ...]
    dtype: str
    units: str
    long_name: str


def _mean(name: str, long_name: str, units: str = "1") -> Metric:
    return Metric(name, (), units, long_name, batches=True)


def _plain(name: str, long_name: str, *dims: str, units: str = "1") -> Metric:
    return Metric(name, dims, units, long_name, batches=False)


METRICS: tuple[Metric, ...] = (
    _mean("return_mean", "mean return over the horizon"),
    _mean("return_std", "standard deviation of the return over the horizon"),
    _mean("return_skew", "skewness of the return"),
    _mean("return_kurtosis", "kurtosis of the return (3 for a normal)"),
    _plain("return_quantile", "quantile of the return", "quantile"),
    Metric("value_at_risk", ("level",), "1", "value at risk: loss at the level", batches=True),
    Metric(
        "expected_shortfall", ("level",), "1", "expected shortfall: mean loss beyond the level",
        batches=True,
    ),
    _mean("sharpe", "Sharpe ratio of whole-path returns, annualised"),
    _mean("sharpe_adjusted", "Sharpe ratio adjusted for skewness and kurtosis, annualised"),
    _plain("sharpe_probabilistic", "probability that the Sharpe ratio is above 0"),
    _mean("sortino", "Sortino ratio of whole-path returns, annualised"),
    _mean("trade_sharpe", "Sharpe ratio of pooled trades, annualised by trades a year"),
    _mean("trade_sharpe_adjusted", "trade Sharpe ratio adjusted for skewness and kurtosis"),
    _plain("trade_sharpe_probabilistic", "probability that the trade Sharpe ratio is above 0"),
    _mean("trade_sortino", "Sortino ratio of pooled trades, annualised by trades a year"),
    _mean("trade_return_mean", "mean return of a trade"),
    _mean("win_rate", "share of trades closed with a gain"),
    _mean("trades_mean", "trades per path"),
    _mean("liquidation_probability", "probability that the account is liquidated"),
    _mean("liquidation_probability_per_trade", "probability that a trade is liquidated"),
    _mean("under_water_probability", "probability of ending below the start, if not liquidated"),
    _mean("recovery_probability", "probability that a liquidated trade would have recovered"),
    Metric("survival", ("time",), "1", "share not liquidated up to the time", batches=True),
    _plain("liquidation_time_median", "time by which half of the accounts are gone", units="h"),
    _plain("extra_margin_quantile", "quantile of extra margin needed, if liquidated", "quantile"),
    _mean("max_drawdown_mean", "mean of the deepest drawdown, as a fraction of the peak"),
    _plain("max_drawdown_quantile", "quantile of the deepest drawdown", "quantile"),
    _mean("time_under_water", "mean share of the horizon below the running peak"),
    _mean("turnover_mean", "traded notional over starting equity"),
    _mean("rebalances_mean", "rebalances per path"),
    _mean("rebalances_per_day", "rebalances per day before liquidation", units="1/d"),
    _mean("fees_mean", "fees paid over starting equity"),
    _mean("slippage_mean", "slippage paid over starting equity"),
    _mean("funding_mean", "funding paid over starting equity"),
    _mean("liquidation_cost_mean", "cost of liquidation over starting equity"),
    _mean("deficit_mean", "loss beyond the account's equity, over starting equity"),
    _mean("pnl_a_mean", "profit of leg a before costs, over starting equity"),
    _mean("pnl_b_mean", "profit of leg b before costs, over starting equity"),
    _mean("pnl_mispricing_mean", "what of leg b's profit the mispricing made"),
    Metric("pnl_beta", ("leg",), "1", "slope of the return on the leg's return", batches=True),
    Metric(
        "liquidations", (), "1", "liquidated paths", batches=False, error=False, dtype="int64"
    ),
    Metric(
        "few_events", (), "1", "fewer than 10 liquidations", batches=False, error=False,
        dtype="bool",
    ),
)  # fmt: skip


REGIME_METRICS: tuple[Metric, ...] = tuple(
    Metric(f"regime_{name}", ("regime", *dims), units, long_name, batches=not dims)
    for name, dims, units, long_name in (
        ("gain_mean", (), "1", "mean gain in the regime, over starting equity"),
        ("gain_quantile", ("quantile",), "1", "quantile of the gain in the regime"),
        ("gain_per_year", (), "1/yr", "gain a year lived in the regime"),
        ("time", (), "1", "mean share of the horizon lived in the regime"),
        ("liquidation_probability", (), "1", "probability of liquidation in the regime"),
        ("liquidation_rate", (), "1/yr", "liquidations a year lived in the regime"),
        ("drawdown_probability", (), "1", "probability that the deepest drawdown ends in it"),
        ("drawdown_mean", (), "1", "mean of the deepest drawdowns that end in it"),
    )
)
"""Metrics of each regime, where a context names regimes."""


def variables(metric: Metric) -> tuple[Variable, ...]:
    """The arrays of one metric: NAME, and NAME_se and NAME_batch where it has them."""
    name, dims, units, label = metric.name, metric.dims, metric.units, metric.long_name
    found = [Variable(name, dims, metric.dtype, units, label)]
    if metric.error:
        found.append(Variable(f"{name}_se", dims, "float64", units, f"standard error of {label}"))
    if metric.batches:
        found.append(
            Variable(f"{name}_batch", (*dims, "batch"), "float64", units, f"batch mean of {label}")
        )
    return tuple(found)


def metrics_of(context: Context) -> tuple[Metric, ...]:
    """The metrics of a cube."""
    return METRICS + REGIME_METRICS if context.regimes else METRICS


def variables_of(context: Context) -> tuple[Variable, ...]:
    """The arrays of a cube's metrics."""
    return tuple(v for metric in metrics_of(context) for v in variables(metric))


VARIABLES: tuple[Variable, ...] = tuple(
    v for metric in (*METRICS, *REGIME_METRICS) for v in variables(metric)
)
"""All that a cube may have."""
