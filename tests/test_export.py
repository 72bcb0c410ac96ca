"""The cube as CSV."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest
import xarray as xr

import cubes
from stresscube.errors import StresscubeError
from stresscube.export import write_csv


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def number(text: str) -> float:
    return float(text) if text else math.nan


def written(cube: xr.Dataset, **options: object) -> list[dict[str, str]]:
    file = io.StringIO()
    lines, columns = write_csv(cube, file, **options)  # type: ignore[arg-type]
    found = read(file.getvalue())
    assert (lines, columns) == (len(found), len(found[0]))
    return found


def test_every_number_comes_back_to_the_bit() -> None:
    cube = cubes.summary(
        {"stress_correlation": [0.6, 0.3], "leverage": [2.0, 50.0], "venue": ["A"]}
    )
    found = written(cube, batches=True)
    assert len(found) == 4
    for row in found:
        at = {dim: float(row[dim]) for dim in ("stress_correlation", "leverage")}
        cell = cube.sel(at).isel(venue=0)
        assert row["venue"] == "A"
        assert row["feasible"] == str(bool(cell["feasible"]))
        for name in ("sharpe", "sharpe_se", "leverage_effective"):
            assert np.array_equal(number(row[name]), cell[name].item(), equal_nan=True)
        quantile = cell["max_drawdown_quantile"].sel(quantile=0.95).item()
        got = number(row["max_drawdown_quantile[0.95]"])
        assert np.array_equal(got, quantile, equal_nan=True)
        batch = cell["sharpe_batch"].values[31]
        assert np.array_equal(number(row["sharpe_batch[31]"]), batch, equal_nan=True)
    assert any(row["sharpe"] == "" for row in found)


def test_only_what_is_asked_for() -> None:
    found = written(cubes.summary(), metrics=["sharpe"], where={"venue": ["B"]})
    assert len(found) == 3 * 5 * 5 * 4
    dims = list(cubes.AXES)
    assert list(found[0]) == [*dims, "feasible", "leverage_effective", "sharpe", "sharpe_se"]
    assert {row["venue"] for row in found} == {"B"}
    assert {row["rebalance_threshold"] for row in found} == {"0.004", "0.008", "0.012", "inf"}


def test_a_cube_without_a_sweep_has_one_line() -> None:
    assert len(written(cubes.summary({}))) == 1


def test_words_that_need_quotes_get_them() -> None:
    cube = cubes.summary({"venue": ["A", "B"]}).assign_coords(venue=['A, "first"', "B\nC"])
    cube["venue"].attrs["key"] = "venue"
    assert [row["venue"] for row in written(cube)] == ['A, "first"', "B\nC"]


def test_unknown_metrics_are_told_at_once() -> None:
    with pytest.raises(StresscubeError) as caught:
        write_csv(cubes.summary(), io.StringIO(), metrics=["sharp", "retur_mean"])
    first, second = str(caught.value).splitlines()
    assert first.startswith("--metric sharp: no such metric; did you mean sharpe? (metrics: ")
    assert "did you mean return_mean?" in second
