"""Ranking policies under a liquidation limit."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr

import cubes
from stresscube.errors import StresscubeError
from stresscube.metrics import VARIABLES
from stresscube.policies import less_is_better
from stresscube.show import rank
from stresscube.text import count, error_digits, label, suggest, time_span, uncertain
from stresscube.where import parse_where, select


def by_hand(liquidation: list[list[float]], sharpe: list[list[float]]) -> xr.Dataset:
    """A cube of [correlation, leverage]."""
    dims = ("correlation", "leverage")
    data = {"liquidation_probability": liquidation, "sharpe": sharpe}
    found = xr.Dataset({name: (dims, np.array(values)) for name, values in data.items()})
    for name in data:
        found[f"{name}_se"] = 0 * found[name] + 0.01
    found["feasible"] = found["liquidation_probability"].notnull()
    number = len(liquidation[0])
    found = found.assign_coords(correlation=[0.9, 0.3], leverage=[2.0, 5.0, 10.0][:number])
    found["correlation"].attrs["key"] = "market.regimes.stress.correlation"
    found["leverage"].attrs["key"] = "leverage"
    return found.assign_attrs(name="by hand")


def test_a_policy_is_judged_by_its_worst_market() -> None:
    cube = by_hand([[0.0, 0.001, 0.002], [0.0, 0.005, 0.2]], [[1.0, 2.0, 3.0], [0.9, 1.5, 2.5]])
    ranking = rank(cube)
    assert ranking.satisfied
    assert ranking.policies["leverage"].values.tolist() == [5.0, 2.0]
    assert ranking.policies["sharpe"].values.tolist() == [1.5, 0.9]
    assert ranking.policies["liquidation_probability"].values.tolist() == [0.005, 0.0]
    assert ranking.worst_at == {"correlation": [0.3, 0.3]}
    assert (ranking.qualified, ranking.candidates, ranking.cells) == (2, 3, 6)


def test_a_fixed_market_is_taken_alone() -> None:
    cube = by_hand([[0.0, 0.001, 0.002], [0.0, 0.005, 0.2]], [[1.0, 2.0, 3.0], [0.9, 1.5, 2.5]])
    ranking = rank(cube, where={"correlation": ["0.9"]})
    assert ranking.policies["leverage"].values.tolist() == [10.0, 5.0, 2.0]
    assert ranking.fixed == {"correlation": 0.9}
    assert ranking.market == {}


def test_the_safest_stand_first_if_none_keeps_the_limit() -> None:
    cube = by_hand([[0.02, 0.03], [0.04, 0.03]], [[1.0, 2.0], [1.0, 1.0]])
    ranking = rank(cube)
    assert not ranking.satisfied
    assert ranking.policies["leverage"].values.tolist() == [5.0, 2.0]


def test_infeasible_and_missing_cells_are_passed_over() -> None:
    nan = math.nan
    cube = by_hand([[0.0, nan, nan], [0.0, nan, 0.0]], [[1.0, nan, nan], [1.0, nan, 9.0]])
    cube["feasible"].loc[{"leverage": 10.0}] = True
    ranking = rank(cube)
    assert ranking.policies["leverage"].values.tolist() == [2.0]
    assert (ranking.infeasible, ranking.missing) == (2, 1)


def test_a_cube_without_a_feasible_cell_says_so() -> None:
    nan = [[math.nan], [math.nan]]
    with pytest.raises(StresscubeError, match="every cell selected is infeasible"):
        rank(by_hand(nan, nan))


def test_unknown_values_of_a_metric_rank_last() -> None:
    cube = by_hand([[0.0, 0.0], [0.0, 0.0]], [[math.nan, -5.0], [math.nan, -5.0]])
    assert rank(cube).policies["leverage"].values.tolist() == [5.0, 2.0]


@pytest.mark.parametrize("by", ["sharpe", "return_mean", "max_drawdown_quantile"])
def test_ranking_agrees_with_a_plain_search(by: str) -> None:
    cube = cubes.summary()
    own = ["venue", "hedge_ratio", "leverage", "rebalance_threshold"]
    liquidation = cube["liquidation_probability"].max("stress_correlation", skipna=False)
    metric = cube[by]
    if "quantile" in metric.dims:
        metric = metric.sel(quantile=0.95)
        worst = -metric.max("stress_correlation")
    else:
        worst = metric.min("stress_correlation")
    clipped = cube["leverage_effective"] < cube["leverage"]
    worst = worst.where((liquidation <= 0.01) & ~clipped)
    best = worst.transpose(*own).isel(worst.argmax(own))
    first = rank(cube, by=by).policies.isel(rank=0)
    assert abs(float(first[by])) == pytest.approx(abs(float(best)))
    assert all(first[dim].item() == best[dim].item() for dim in own)


def test_a_leverage_that_the_cap_clips_is_not_listed_twice() -> None:
    ranking = rank(cubes.summary(), where={"venue": ["A"]}, max_liquidation=1.0, top=999)
    assert set(ranking.policies["leverage"].values.tolist()) == {2.0, 5.0, 10.0}
    only = rank(cubes.summary(), where={"venue": ["A"], "leverage": ["20"]}, max_liquidation=1.0)
    assert set(only.policies["leverage"].values.tolist()) == {20.0}
    assert set(only.policies["leverage_effective"].values.tolist()) == {10.0}


def test_leverage_that_is_clipped_at_one_market_only_is_listed() -> None:
    """Sizing for another correlation may leave less than the cap at one market, more at another."""
    cube = by_hand([[0.0, 0.0], [0.0, 0.0]], [[1.0, 2.0], [3.0, 1.0]])
    leverage = [[2.0, 2.0], [2.0, 4.0]]
    cube["leverage_effective"] = cube["feasible"].astype(float).copy(data=np.array(leverage))
    found = rank(cube).policies
    assert found["leverage"].values.tolist() == [2.0, 5.0]
    assert found["leverage_effective"].values.tolist() == [2.0, 4.0]
    cube["leverage_effective"][:] = 2.0
    assert rank(cube).policies["leverage"].values.tolist() == [2.0]


def test_the_difference_to_the_best_is_paired() -> None:
    policies = rank(cubes.summary()).policies
    assert policies["difference_to_best"].values[0] == 0.0
    assert policies["difference_to_best_se"].values[0] == 0.0
    # The batches share 95% of their noise, so a difference is known better than its parts.
    assert (policies["difference_to_best_se"] < policies["sharpe_se"]).all()


def test_the_quantile_that_is_shown_is_named() -> None:
    ranking = rank(cubes.summary(), by="max_drawdown_quantile")
    assert ranking.fixed == {"quantile": 0.95}
    ranking = rank(cubes.summary(), by="max_drawdown_quantile", where={"quantile": ["0.5"]})
    assert ranking.fixed == {"quantile": 0.5}
    ranking = rank(cubes.summary())
    assert ranking.policies["max_drawdown_quantile"].attrs == {"quantile": 0.95}


def test_a_cube_without_a_sweep_has_one_row() -> None:
    ranking = rank(cubes.summary({}))
    assert ranking.policies.sizes["rank"] == 1
    assert not list(ranking.policies.coords)


def test_a_market_sweep_alone_has_one_row() -> None:
    ranking = rank(cubes.summary({"stress_correlation": [0.9, 0.5]}))
    assert ranking.policies.sizes["rank"] == 1
    assert ranking.market == {"stress_correlation": [0.9, 0.5]}


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("leverge=5", "no dim leverge; did you mean leverage? (dims: "),
        ("leverage=7", "no such value (values: 2, 5, 10, 20, 50)"),
        ("venue=c", "no such value; did you mean C? (values: A, B, C)"),
        ("batch=1", "no dim batch"),
        ("leverage", "expected name=value"),
        ("=5", "expected name=value"),
        ("leverage=", "expected name=value"),
    ],
)
def test_a_wrong_where_is_told_with_what_is_allowed(where: str, message: str) -> None:
    with pytest.raises(StresscubeError) as caught:
        select(cubes.summary(), parse_where([where]))
    assert message in str(caught.value)


def test_an_unknown_metric_is_told_with_a_suggestion() -> None:
    with pytest.raises(StresscubeError, match=r"no metric sharp; did you mean sharpe\?"):
        rank(cubes.summary(), by="sharp")


def test_values_are_found_as_numbers_words_and_durations() -> None:
    cube = cubes.summary({"holding": [0.5, 24.0], "rebalance_threshold": [0.004, math.inf]})
    chosen = select(cube, parse_where(["holding=30min", "rebalance_threshold=inf"]))
    assert chosen["holding"].values.tolist() == [0.5]
    assert chosen["rebalance_threshold"].values.tolist() == [math.inf]
    assert select(cube, parse_where(["holding=1d,30min"])).sizes["holding"] == 2
    assert select(cube, parse_where(["rebalance_threshold=4e-3"])).sizes["holding"] == 2


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.048753, 0.00152, ("0.0488", "0.0015")),
        (0.048753, 0.0042, ("0.049", "0.004")),
        (0.0, 0.000025, ("0.00000", "0.00003")),
        (1234567.0, 3400.0, ("1,235,000", "3,000")),
        (-0.001, 0.02, ("0.00", "0.02")),
        (9.96, 0.098, ("9.96", "0.10")),
        (math.nan, 0.1, ("–", "")),
        (math.inf, 0.1, ("inf", "")),
        (0.5, math.nan, ("0.5", "")),
        (0.5, 0.0, ("0.5", "")),
        (1e-12, 3e-13, ("1e-12", "3e-13")),
    ],
)
def test_digits_follow_the_error(value: float, error: float, text: tuple[str, str]) -> None:
    assert uncertain(value, error) == text


@pytest.mark.parametrize(
    ("metric", "less"),
    [
        ("sharpe", False), ("max_drawdown_mean", True), ("liquidation_time_median", False),
        ("regime_liquidation_rate", True), ("regime_drawdown_mean", True),
        ("regime_gain_mean", False), ("regime_liquidation_probability", True),
    ],
)  # fmt: skip
def test_which_way_a_metric_is_good(metric: str, less: bool) -> None:
    assert metric in {variable.name for variable in VARIABLES}
    assert less_is_better(metric) is less


def test_small_texts() -> None:
    assert [error_digits(e) for e in (0.3, 0.15, 3.0, 30.0, 150.0)] == [1, 2, 0, -1, -1]
    assert [label(v) for v in (10.0, 0.85, math.inf, "C", True)] == [
        "10",
        "0.85",
        "inf",
        "C",
        "True",
    ]
    assert [count(v) for v in (999, 1000, 3.46e8, 1.2e12)] == ["999", "1 k", "346 M", "1.2 T"]
    assert [time_span(s) for s in (0.44, 9.97, 99, 200, 7500)] == [
        "0.4 s", "10 s", "99 s", "3 min 20 s", "2 h 05 min",
    ]  # fmt: skip
    assert suggest("leverge", ["leverage", "venue"]) == "; did you mean leverage?"
    assert suggest("xyz", ["leverage", "venue"]) == ""
