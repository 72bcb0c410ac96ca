"""The whole summary: what it returns, that a row stands alone, and the edges."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from metrics_samples import CONTEXT, STEP, STEPS, draw
from stresscube.metrics import VARIABLES, Context, metrics_of, summarise
from stresscube.metrics.context import HOURS

Summary = dict[str, NDArray[Any]]
DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "metrics.md"


def _same_bits(first: Summary, second: Summary) -> None:
    assert first.keys() == second.keys()
    for name in first:
        assert first[name].tobytes() == second[name].tobytes(), name


def test_the_registry_lists_exactly_what_comes_back() -> None:
    found = summarise(*draw(3, 100, 1), CONTEXT)
    assert set(found) == {v.name for v in VARIABLES}
    sizes = {dim: len(labels) for dim, labels in CONTEXT.coordinates().items()}
    for variable in VARIABLES:
        array = found[variable.name]
        assert array.shape == (3, *(sizes[dim] for dim in variable.dims)), variable.name
        assert array.dtype == variable.dtype, variable.name
        assert variable.long_name
        assert variable.units


def test_names_are_unique() -> None:
    names = [v.name for v in VARIABLES]
    assert len(names) == len(set(names))
    assert all(m.error or not m.batches for m in metrics_of(CONTEXT))


def test_the_document_explains_every_metric_and_no_other() -> None:
    explained = re.findall(r"^\| `(\w+)`", DOCUMENT.read_text(), flags=re.MULTILINE)
    assert sorted(explained) == sorted(m.name for m in metrics_of(CONTEXT))


@pytest.mark.parametrize("paths", [1, 7, 32, 33, 301])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_policy_s_bits_do_not_depend_on_the_others(
    paths: int, dtype: type[np.floating[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes, market = draw(9, paths, 2, dtype=dtype)
    whole = summarise(outcomes, market, CONTEXT)
    for rows in (1, 2, 4):
        parts = [
            summarise({k: v[i : i + rows] for k, v in outcomes.items()}, market, CONTEXT)
            for i in range(0, 9, rows)
        ]
        _same_bits(whole, {k: np.concatenate([p[k] for p in parts]) for k in whole})
    order = np.array([4, 1, 8, 0, 2, 7, 3, 6, 5])
    shuffled = summarise({k: v[order] for k, v in outcomes.items()}, market, CONTEXT)
    _same_bits({k: v[order] for k, v in whole.items()}, shuffled)
    stacked = np.ascontiguousarray(np.stack(list(outcomes.values())))
    views = dict(zip(outcomes, stacked[:, :, :], strict=True))
    monkeypatch.setitem(summarise.__globals__["_CHUNK"], "numpy", 2 * paths)
    _same_bits(whole, summarise(views, market, CONTEXT))


def test_values_against_the_plainest_computation() -> None:
    outcomes, market = draw(2, 500, 3, liquidations=(0.1, 0.7))
    found = summarise(outcomes, market, CONTEXT)
    steps, trades = outcomes["liquidation_step"], outcomes["trades"]
    gone, equity = steps > 0, outcomes["final_equity"]
    lived = np.where(gone, steps, STEPS)
    for row in range(2):
        plain = {
            "liquidation_probability": gone[row].mean(),
            "liquidation_probability_per_trade": gone[row].sum() / trades[row].sum(),
            "under_water_probability": (equity[row][~gone[row]] < 1.0).mean(),
            "recovery_probability": outcomes["recovered"][row][gone[row]].mean(),
            "win_rate": outcomes["wins"][row].sum() / trades[row].sum(),
            "time_under_water": outcomes["under_water"][row].mean() / STEPS,
            "rebalances_per_day": 24.0 * outcomes["rebalances"][row].sum() / lived[row].sum(),
            "trade_return_mean": outcomes["trade_sum_1"][row].sum() / trades[row].sum(),
            "pnl_a_mean": outcomes["pnl_a"][row].mean(),
            "pnl_mispricing_mean": outcomes["pnl_mispricing"][row].mean(),
            "max_drawdown_mean": outcomes["max_drawdown"][row].mean(),
            "liquidations": gone[row].sum(),
        }
        for name, value in plain.items():
            assert found[name][row] == pytest.approx(value), name
    assert found["sharpe"] == pytest.approx(
        (equity.mean(axis=1) - 1.0) / equity.std(axis=1) / np.sqrt(CONTEXT.horizon)
    )
    assert np.isnan(found["liquidation_time_median"][0])
    times = np.sort(np.where(gone[1], steps[1], np.inf))
    assert found["liquidation_time_median"][1] == pytest.approx(times[249] * STEP * HOURS)
    assert found["survival"][:, -1] == pytest.approx(1.0 - gone.mean(axis=1))
    assert found["pnl_beta"][0, 0] == pytest.approx(np.polyfit(market["return_a"], equity[0], 1)[0])


def test_one_path() -> None:
    found = summarise(*draw(2, 1, 4), CONTEXT)
    assert np.isfinite(found["return_mean"]).all()
    assert np.isnan(found["return_mean_se"]).all()
    assert np.isnan(found["sharpe"]).all()
    assert (found["liquidation_probability_se"] > 0.0).all()


def test_fewer_paths_than_batches_leave_some_empty() -> None:
    found = summarise(*draw(1, 20, 5), CONTEXT)
    for metric in metrics_of(CONTEXT):
        if metric.batches and metric.name != "recovery_probability":
            batch = found[f"{metric.name}_batch"][0]
            assert np.isfinite(batch[..., :20]).all(), metric.name
            assert np.isnan(batch[..., 20:]).all(), metric.name


def test_no_variance_gives_nan_ratios_and_no_warning() -> None:
    outcomes, market = draw(1, 64, 6)
    flat = {name: np.zeros_like(column) for name, column in outcomes.items()}
    trade = np.float32(-0.0007)
    flat["final_equity"] = np.full((1, 64), 1.0 + 14 * trade)
    flat["trades"] = np.full((1, 64), 14.0)
    for k in (1, 2, 3, 4):
        flat[f"trade_sum_{k}"] = np.full((1, 64), np.float32(14) * trade**k)
    market = {name: np.zeros(64) for name in market}
    found = summarise(flat, market, CONTEXT)
    for name in ("sharpe", "sharpe_adjusted", "sharpe_probabilistic", "return_skew", "pnl_beta"):
        assert np.isnan(found[name]).all(), name
        assert np.isnan(found[f"{name}_se"]).all(), name
    for name in ("trade_sharpe", "trade_sharpe_adjusted", "trade_sharpe_probabilistic"):
        assert np.isnan(found[name]).all(), name
    assert found["return_std"][0] == 0.0
    assert found["return_std_se"][0] == 0.0
    assert found["value_at_risk"][0] == pytest.approx(0.0098, rel=1e-5)


def test_no_liquidation_and_nothing_but() -> None:
    found = summarise(*draw(2, 64, 7, liquidations=(0.0, 1.0)), CONTEXT)
    assert found["liquidations"].tolist() == [0, 64]
    assert found["few_events"].tolist() == [True, False]
    for name in ("recovery_probability", "extra_margin_quantile", "liquidation_time_median"):
        assert np.isnan(found[name][0]).all(), name
        assert np.isfinite(found[name][1]).all(), name
    assert found["liquidation_probability"].tolist() == [0.0, 1.0]
    assert (found["liquidation_probability_se"] > 0.0).all()
    assert np.isfinite(found["under_water_probability"][0])
    assert np.isnan(found["under_water_probability"][1])


def test_no_trade_at_all() -> None:
    outcomes, market = draw(1, 64, 8)
    for name in outcomes:
        if name.startswith("trade") or name == "wins":
            outcomes[name] = np.zeros((1, 64))
    found = summarise(outcomes, market, CONTEXT)
    assert found["trades_mean"][0] == 0.0
    for name in ("trade_sharpe", "trade_sortino", "win_rate", "trade_return_mean"):
        assert np.isnan(found[name][0]), name


def test_an_equity_that_is_not_finite_names_its_policy() -> None:
    outcomes, market = draw(5, 64, 9)
    outcomes["final_equity"][3, 10] = np.nan
    with pytest.raises(ValueError, match="final_equity of policy row 3 is not finite"):
        summarise(outcomes, market, CONTEXT)


@pytest.mark.parametrize(
    "wrong",
    [{"quantiles": (0.5, 0.1)}, {"quantiles": (0.0, 0.5)}, {"levels": ()}, {"times": (1.0,)}],
)
def test_coordinates_out_of_order_or_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must ascend within"):
        Context(horizon=STEP * STEPS, step=STEP, steps=STEPS, **wrong)
