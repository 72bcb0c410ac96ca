"""`ds.stress`: every answer against plain xarray, scipy or a search."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import cubes
import stresscube
from decisions import drawn
from stresscube.errors import StresscubeError
from stresscube.metrics.probabilities import binomial_error

OWN = ["venue", "hedge_ratio", "leverage", "rebalance_threshold"]


@pytest.mark.parametrize(
    "imports",
    ["import stresscube, xarray", "import xarray, stresscube", "import stresscube.policies"],
)
def test_it_is_there_however_things_are_imported(imports: str) -> None:
    code = (
        f"{imports}\nimport xarray, sys\nassert 'scipy' not in sys.modules\nxarray.Dataset.stress"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_watch_for_xarray_leaves_no_trace() -> None:
    code = (
        "import sys, stresscube; assert 'xarray' not in sys.modules\n"
        "import xarray, importlib.resources as r\n"
        "assert not any(type(it).__name__ == '_Watch' for it in sys.meta_path)\n"
        "assert type(xarray.__loader__).__name__ == 'SourceFileLoader' == "
        "type(xarray.__spec__.loader).__name__\n"
        "assert (r.files('xarray') / 'py.typed').is_file()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_another_dataset_is_told_apart() -> None:
    assert stresscube.__version__
    with pytest.raises(StresscubeError, match="not a summary cube: no variable has a standard"):
        _ = xr.Dataset({"a": 1.0}).stress


def test_the_cube_stays_as_it_is() -> None:
    cube = cubes.summary()
    before = cube.copy(deep=True)
    for method in ("best", "robust", "sensitivity", "recommend"):
        getattr(cube.stress, method)()
    cube.stress.frontier("sharpe", "max_drawdown_quantile")
    cube.stress.compare({"venue": "A"})
    assert cube.identical(before)
    assert "frontier" in repr(cube.stress)


def test_the_worst_case_is_the_smallest_of_a_gain_and_the_largest_of_a_loss() -> None:
    cube = cubes.summary()
    gain = cube.stress.robust("sharpe")
    loss = cube.stress.robust("liquidation_probability")
    xr.testing.assert_equal(
        gain["sharpe"].drop_attrs(),
        cube["sharpe"].min("stress_correlation", skipna=False).drop_attrs(),
    )
    xr.testing.assert_equal(
        loss["liquidation_probability"].drop_attrs(),
        cube["liquidation_probability"].max("stress_correlation", skipna=False).drop_attrs(),
    )
    known = gain["sharpe"].notnull()
    again = cube["sharpe"].sel(stress_correlation=gain["worst_stress_correlation"])
    xr.testing.assert_equal(
        again.where(known).drop_vars("stress_correlation").drop_attrs(),
        gain["sharpe"].drop_attrs(),
    )


def test_the_mean_case_has_the_error_of_the_batches_mean() -> None:
    cube = cubes.summary()
    found = cube.stress.robust("sharpe", case="mean")
    wanted = cube["sharpe"].mean("stress_correlation", skipna=False)
    xr.testing.assert_allclose(found["sharpe"].drop_attrs(), wanted.drop_attrs())
    batches = cube["sharpe_batch"].mean("stress_correlation", skipna=False)
    error = np.asarray(stats.sem(batches.transpose(*OWN, "batch").values, axis=-1))
    known = np.isfinite(error)
    assert np.allclose(found["sharpe_se"].values[known], error[known])
    assert "worst_stress_correlation" not in found


def test_other_dims_may_be_judged_over_and_a_quantile_named() -> None:
    cube = cubes.summary()
    found = cube.stress.robust("max_drawdown_quantile[0.5]", ["venue", "stress_correlation"])
    wanted = cube["max_drawdown_quantile"].sel(quantile=0.5)
    wanted = wanted.max(["venue", "stress_correlation"], skipna=False)
    assert np.array_equal(found["max_drawdown_quantile"], wanted, equal_nan=True)
    assert found["quantile"].item() == 0.5
    assert set(found.data_vars) == {
        "max_drawdown_quantile", "max_drawdown_quantile_se", "worst_venue",
        "worst_stress_correlation",
    }  # fmt: skip
    assert cube.stress.robust("sharpe", []).sizes["stress_correlation"] == 3
    one, many = (cube.stress.robust("sharpe", it) for it in ("venue", ["venue"]))
    assert "venue" not in one.dims
    assert one.identical(many)


def test_nothing_beats_the_frontier() -> None:
    cube = cubes.summary()
    found = cube.stress.frontier("sharpe", "liquidation_probability")
    gain = cube["sharpe"].min("stress_correlation", skipna=False)
    risk = cube["liquidation_probability"].max("stress_correlation", skipna=False)
    clipped = cube["leverage_effective"] < cube["leverage"]
    gain = gain.where(~clipped).transpose(*OWN).values.reshape(-1)
    risk = risk.where(~clipped).transpose(*OWN).values.reshape(-1)
    points = [
        (g, r)
        for g, r in zip(gain, risk, strict=True)
        if np.isfinite(g) and not np.any((gain >= g) & (risk <= r) & ((gain > g) | (risk < r)))
    ]
    there = zip(found["sharpe"].values, found["liquidation_probability"].values, strict=True)
    assert list(there) == sorted(points, reverse=True)
    assert found["leverage"].dims == ("policy",)
    assert (found["sharpe_se"] > 0).all()


@pytest.mark.parametrize("case", ["worst", "mean"])
def test_the_best_is_the_cube_at_one_policy(case: str) -> None:
    cube = cubes.summary()
    limits = ["liquidation_probability<1%", "max_drawdown_quantile[0.95]<0.3"]
    found = cube.stress.best("return_mean", limits, case=case)
    drawdown = cube["max_drawdown_quantile"].sel(quantile=0.95)
    value, risk = cube["return_mean"], cube["liquidation_probability"]
    if case == "worst":
        value = value.min("stress_correlation", skipna=False)
        risk, drawdown = (it.max("stress_correlation", skipna=False) for it in (risk, drawdown))
    else:
        value, risk, drawdown = (
            it.mean("stress_correlation", skipna=False) for it in (value, risk, drawdown)
        )
    kept = (risk < 0.01) & (drawdown < 0.3)
    value = value.where(kept).transpose(*OWN)
    place = value.argmax(OWN)
    xr.testing.assert_identical(found, cube.isel({dim: int(at) for dim, at in place.items()}))
    assert set(found["sharpe"].dims) == {"stress_correlation"}
    xr.testing.assert_identical(
        cube.stress.best("return_mean", limits[0]), cube.stress.best("return_mean", limits[:1])
    )


def test_differences_to_a_reference_are_paired() -> None:
    cube = drawn(np.zeros((2, 3)), np.full((2, 3), 0.01), np.random.default_rng(3), alike=0.95)
    found = cube.stress.compare({"leverage": 2})
    reference = cube.sel(leverage=2.0, drop=True)
    xr.testing.assert_equal(found["sharpe"], cube["sharpe"] - reference["sharpe"])
    difference = cube["sharpe_batch"] - reference["sharpe_batch"]
    assert np.allclose(found["sharpe_se"], stats.sem(difference.values, axis=-1))
    assert (found["sharpe_se"].sel(leverage=[1, 3]) < cube["sharpe_se"].max()).all()
    assert (found.sel(leverage=2.0) == 0).all()
    assert found.attrs["reference"] == {"leverage": 2.0}
    assert set(cube.stress.compare({"leverage": 2}, ["sharpe"])) == {"sharpe", "sharpe_se"}
    assert set(cube.stress.compare({"leverage": 2}, "sharpe")) == {"sharpe", "sharpe_se"}


def with_survival(share: float, paths: int) -> xr.Dataset:
    cube = drawn(np.zeros((1, 2)), np.zeros((1, 2)), np.random.default_rng(3), paths=paths)
    curve = xr.DataArray([1.0, share], dims="time", coords={"time": [0.0, 24.0]})
    curve = curve.broadcast_like(cube["sharpe"].expand_dims(time=2))
    error = binomial_error(np, curve.values, np.full(curve.shape, float(paths)))
    return cube.assign(survival=curve, survival_se=(curve.dims, error))


def test_survival_has_clopper_and_pearsons_interval() -> None:
    found = with_survival(0.9375, 320).stress.survival(0.9)
    last = found.isel(time=1, leverage=0, correlation=0)
    interval = stats.binomtest(300, 320).proportion_ci(0.9, method="exact")
    assert float(last["survival_lower"]) == pytest.approx(interval.low, rel=1e-6)
    assert float(last["survival_upper"]) == pytest.approx(interval.high, rel=1e-6)
    first = found.isel(time=0, leverage=0, correlation=0)
    assert float(first["survival_upper"]) == 1
    assert float(first["survival_lower"]) == pytest.approx(0.05 ** (1 / 320), rel=1e-6)


def test_sensitivity_finds_the_axis_that_matters() -> None:
    """sharpe = 2 x leverage's share + market's: main effects as their variances are."""
    truth = np.array([[0.0], [0.3]]) + np.array([[0.0, 0.6, 1.2]])
    cube = drawn(truth, np.zeros((2, 3)), np.random.default_rng(5), paths=20_000)
    found = cube.stress.sensitivity("sharpe")
    assert found["axis"].values.tolist() == ["leverage", "correlation"]
    parts = np.array([0.24, 0.0225])
    wanted = parts / parts.sum()
    for name in ("main", "total"):
        error = found[f"{name}_se"].values
        assert (error > 0).all()
        assert (np.abs(found[name].values - wanted) < 4 * error).all()
    assert abs(float(found["interactions"])) < 4 * float(found["interactions_se"])
    assert 0 < float(found["noise"]) < 0.001
    assert found.attrs == {"metric": "sharpe", "left_out": {}}


def test_sensitivity_says_which_values_have_gaps() -> None:
    found = cubes.summary().stress.sensitivity("max_drawdown_quantile[0.5]")
    assert found.attrs["left_out"] == {"leverage": [50.0]}
    assert found.attrs["metric"] == "max_drawdown_quantile[0.5]"
    assert np.isnan(found["main_se"]).all()
    assert float(found["main"].sum() + found["interactions"]) == pytest.approx(1)


def test_a_heat_map_is_the_picture_that_plot_draws() -> None:
    figure = cubes.summary().stress.heatmap(
        "sharpe", "leverage", "hedge_ratio", where={"venue": "A"}
    )
    texts = [text.get_text() for text in figure.texts]
    assert any("venue = A" in text for text in texts)


def test_the_recommendation_is_that_of_the_command() -> None:
    cube = cubes.summary()
    found = cube.stress.recommend(
        subject_to="liquidation_probability<0.02", where={"leverage": [2, 5]}
    )
    assert str(found.question.constraints[0]) == "liquidation_probability<0.02"
    assert set(found.policies["leverage"].values.tolist()) <= {2.0, 5.0}
    assert str(cube.stress.recommend().question.constraints[0]) == "liquidation_probability<0.01"


WRONG: list[tuple[Callable[[xr.Dataset], object], str]] = [
    (lambda d: d.stress.robust("sharp"), "no metric sharp; did you mean sharpe?"),
    (lambda d: d.stress.robust("sharpe", ["batch"]), "over = batch: no dim of sharpe"),
    (lambda d: d.stress.heatmap("sharpe", "leverage", "hedge"), "y = hedge: no dim of sharpe; did"),
    (lambda d: d.stress.heatmap("sharpe", "leverge"), "x = leverge: no dim of sharpe; did you"),
    (lambda d: d.stress.heatmap("sharpe", "venue", "venue"), "x and y are both venue: a heat map"),
    (lambda d: d.stress.robust("sharpe", case="least"), "case = least: must be one of worst, mean"),
    (lambda d: d.stress.frontier("sharpe", "sharpe"), "a frontier needs two metrics"),
    (lambda d: d.stress.frontier("sharpe", "x y"), "y = x y: expected a metric"),
    (lambda d: d.stress.best("sharpe", "sharpe>99"), "no policy keeps sharpe>99"),
    (lambda d: d.stress.best("sharpe", "sharpe=99"), "where = sharpe=99: expected METRIC<NUMBER"),
    (lambda d: d.stress.compare({"lever": 2}), "no such dim; did you mean leverage?"),
    (lambda d: d.stress.compare({"leverage": 3}), "reference leverage=3: no such value"),
    (
        lambda d: d.stress.compare({"leverage": 2}, ["max_drawdown_quantile"]),
        "max_drawdown_quantile: no batch means, so no paired error",
    ),
    (lambda d: d.stress.survival(), "no metric survival"),
    (lambda d: with_survival(0.5, 320).stress.survival(1.5), "must be above 0 and below 1"),
    (lambda d: (d * np.nan).stress.sensitivity("sharpe"), "no cell is known"),
    (lambda d: d.isel(leverage=[0], venue=[0]).stress.robust("sharpe[1]"), "takes no value in"),
    (
        lambda d: d.isel({dim: [0] for dim in d["sharpe"].dims}).stress.sensitivity("sharpe"),
        "no axis with two values",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), WRONG, ids=[message for _, message in WRONG])
def test_a_wrong_question_is_told_in_a_sentence(
    call: Callable[[xr.Dataset], object], message: str
) -> None:
    with pytest.raises(StresscubeError) as caught:
        call(cubes.summary())
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
