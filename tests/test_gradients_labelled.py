"""sc.sensitivities and `stresscube sensitivities`: dims, labels, refusals."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import stresscube as sc
from stresscube.cli.app import app
from stresscube.errors import StresscubeError
from stresscube_kernels import jax_here

pytest.importorskip("jax", reason="needs jax: jax")

from stresscube.gradients import Problem

SCENARIO = """
name = "small"
simulation = { paths = 96, horizon = "1h", step = "10min", seed = 3 }
[market]
assets = ["BTC", "ETH"]
[[market.regimes]]
name = "calm"
volatility = [0.9, 1.2]
correlation = 0.6
[[venues]]
name = "X"
taker_fee = 0.0005
max_leverage = 200
maintenance_tiers = [[0, 0.01]]
[policy]
venue = "X"
hedge_ratio = 0.8
leverage = 5
[sweep]
"market.regimes.calm.correlation" = [0.6, 0.2]
leverage = [5, 150, 10]
"""
CORRELATION = "market.regimes.calm.correlation"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "small.toml"
    made.write_text(SCENARIO)
    return made


def test_cells_of_the_cube(file: Path) -> None:
    """Each is what a Problem at its market and policy finds; an infeasible one is unknown."""
    by = ("leverage", CORRELATION)
    found = sc.sensitivities(sc.load(file), "return_std", by)
    assert found["return_std"].dims == ("calm_correlation", "leverage")
    assert found["return_std_gradient"].dims == ("parameter", "calm_correlation", "leverage")
    assert list(found["parameter"].values) == list(by)
    assert list(found["method"].values) == ["pathwise", "pathwise"]  # nobody rebalances
    assert found["leverage"].attrs["key"] == "leverage"
    points = [{"leverage": 5.0}, {"leverage": 150.0}, {"leverage": 10.0}]
    for correlation in (0.6, 0.2):
        problem = Problem(sc.load(file), by, market={CORRELATION: correlation})
        alone = problem.value_and_gradient(points, ("return_std",))
        here = found.sel(calm_correlation=correlation)
        np.testing.assert_array_equal(here["return_std"].values, alone.values[0])
        np.testing.assert_array_equal(here["return_std_gradient"].values, alone.gradients[0])
        np.testing.assert_array_equal(here["return_std_se"].values, alone.errors[0])
    assert np.isnan(found["return_std"].sel(leverage=150)).all()
    # the spread of a hedged pair falls with correlation and grows with leverage
    slopes = found["return_std_gradient"].sel(leverage=[5, 10])
    assert (slopes.sel(parameter=CORRELATION) < 0.0).all()
    assert (slopes.sel(parameter="leverage") > 0.0).all()


def test_chosen_cells(file: Path) -> None:
    found = sc.sensitivities(
        file, "return_std", "leverage", at={"leverage": [10, 150, 5], "calm_correlation": 0.2}
    )
    assert found["return_std"].shape == (1, 3)
    assert list(found["leverage"].values) == [5, 150, 10]  # as in the cube
    assert list(found["calm_correlation"].values) == [0.2]


def test_the_command_prints_a_table_and_json(file: Path) -> None:
    asked = ["sensitivities", str(file), "--of", "return_std", "--by", "leverage"]
    asked += ["--where", "leverage=5,10,150"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    assert "calm_correlation = 0.6, leverage = 5" in done.output
    assert "calm_correlation = 0.2" not in done.output
    assert "d return_std" in done.output
    done = CliRunner().invoke(app, [*asked, "--json"])
    assert done.exit_code == 0, done.output
    _, lost, cell = json.loads(done.output)["cells"]
    assert lost["metrics"][0]["value"] is None
    assert cell["at"] == {"calm_correlation": 0.6, "leverage": 10.0}
    (metric,) = cell["metrics"]
    (gradient,) = metric["gradients"]
    assert gradient["by"] == "leverage"
    assert gradient["method"] == "pathwise"
    found = sc.sensitivities(file, "return_std", "leverage")
    expected = found["return_std_gradient"].sel(calm_correlation=0.6, leverage=10).item()
    assert gradient["gradient"] == pytest.approx(expected, rel=1e-12)
    assert gradient["error"] > 0.0


def test_what_is_done_is_told_while_it_goes_on(file: Path) -> None:
    """Three cells of each of two markets, computed a market at a time."""
    told: list[tuple[int, int]] = []
    sc.sensitivities(
        file, "return_std", "leverage", progress=lambda done, total: told.append((done, total))
    )
    assert told == [(3, 6), (6, 6)]
    asked = ["sensitivities", str(file), "--of", "return_std", "--by", "leverage", "--all"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    assert "3 of 6 cells" in done.stderr
    assert "cells" not in done.stdout
    done = CliRunner().invoke(app, [*asked, "--quiet"])
    assert not done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--of", "sharp"], "of sharp: no such metric; did you mean sharpe?"),
        (["--by", "levrage"], "by levrage: is no policy key"),
        (["--by", "leverage", "--by", "leverage"], "by leverage: was given before"),
        (["--where", "venue=X"], "at venue: no dim"),
        (["--where", "leverage=7"], "leverage=7: no such value (values: 5, 150, 10)"),
        (["--temperature", "1"], "temperature = 1: must be in (0, 1)"),
        (["--paths", "10"], "be 64 or more"),
    ],
)
def test_bad_input_gets_one_sentence(file: Path, options: list[str], words: str) -> None:
    done = CliRunner().invoke(app, ["sensitivities", str(file), *options])
    assert done.exit_code == 2, done.output
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.output


def test_nothing_asked_for(file: Path) -> None:
    with pytest.raises(StresscubeError, match="by: names nothing"):
        sc.sensitivities(file, "sharpe", ())


def test_what_is_said_without_jax(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax_here, "installed", lambda: None)
    done = CliRunner().invoke(app, ["sensitivities", str(file)])
    assert done.exit_code == 2, done.output
    words = " ".join(done.stderr.split())
    assert "derivatives: JAX is not installed: pip install 'stresscube[xla]'" in words


def test_asking_needs_no_jax() -> None:
    """So that the sentence above can be said."""
    code = "import sys, stresscube.gradients; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
