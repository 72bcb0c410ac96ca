"""Draws that a calibration writes: spread as its errors say, and a scenario that takes them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from stresscube.calibrate import errors
from stresscube.calibrate.draws import asked, by_covariance, draws_file, square_root, text
from stresscube.calibrate.fit import Fit
from stresscube.calibrate.parts import Parts, flat, parts
from stresscube.calibrate.run import _split
from stresscube.calibrate.write import scenario
from stresscube.cli.app import app
from stresscube.errors import StresscubeError
from stresscube.scenario import load
from stresscube.scenario.draws import drawn as read
from stresscube.scenario.expand import any_market, market_spec
from stresscube_kernels.spec import DrawnSpec
from test_calibrate_write import DESIGN, SOURCE, premiums, theta

COUNT = 512
ASSETS = ("BTC", "ETH")


def market(at: np.ndarray) -> Parts:
    return parts(DESIGN, at, 1.0)


def spread() -> np.ndarray:
    """A covariance of small errors that hang together; of one parameter the data say nothing."""
    rng = np.random.default_rng(3)
    mixed = 0.01 * rng.standard_normal((len(DESIGN.names), len(DESIGN.names)))
    made = mixed @ mixed.T / len(mixed)
    made[0], made[:, 0] = np.nan, np.nan
    return made


def written(folder: Path, count: int = COUNT) -> Path:
    found, covariance = Fit(DESIGN, theta(), 0.0, 30_000), spread()
    made, paid = market(found.theta), replace(premiums(), errors=np.full((2, 7), 1e-5))
    row = errors.of(lambda at: flat(market(at)), found.theta, covariance)
    made_text = scenario("made", SOURCE, made, _split(row, made), paid, ["BIC 1"])
    file = folder / "made.toml"
    file.write_text(asked(made_text, "made", count), encoding="utf-8")
    rows = by_covariance(found, covariance, market, paid, ASSETS, count)
    (folder / draws_file("made")).write_text(text(rows, ["Drawn."]), encoding="utf-8")
    return file


def test_the_scenario_takes_its_draws(tmp_path: Path) -> None:
    loaded = load(written(tmp_path, 32))
    assert loaded.simulation.paths == 32 * 64
    found = any_market(loaded, {})
    assert isinstance(found, DrawnSpec)
    assert found.centre == market_spec(loaded, {})
    assert len(found.draws) == 32
    assert len({draw.regimes[1].volatility for draw in found.draws}) == 32
    assert len({draw.funding_regimes[0].premium for draw in found.draws}) == 32
    for chain in (draw.chain for draw in found.draws):
        rows = np.array(chain.jump_probabilities)
        assert np.allclose(rows.sum(axis=1), 1.0, rtol=0, atol=1e-12)


def test_draws_spread_as_the_errors_say(tmp_path: Path) -> None:
    """Of 512 normal draws a deviation has a relative error of 1 / sqrt(2 * 511) = 3.1%; the delta
    method's own error is of the order of a squared relative error, 1e-4 here. Five of them."""
    loaded = load(written(tmp_path))
    rows = read(loaded).rows
    claimed = errors.of(lambda at: flat(market(at)), theta(), spread())
    centre = flat(market(theta()))
    regimes = loaded.market.regimes
    checked = 0
    for place in rows[0]:
        if place[1] != "regimes" or place[3] not in ("volatility", "mean_duration"):
            continue
        k = int(place[2])
        if place[3] == "mean_duration":
            at = k
        else:
            at = len(regimes) + 3 * k + int(place[4])
        values = np.array([row[place] for row in rows])
        if not np.isfinite(claimed[at]):
            continue
        assert values.std(ddof=1) == pytest.approx(claimed[at], rel=0.16)
        assert abs(values.mean() - centre[at]) < 5 * claimed[at] / COUNT**0.5 + 1e-3 * centre[at]
        checked += 1
    assert checked >= 6


def test_a_root_of_a_covariance() -> None:
    covariance = spread()
    root = square_root(covariance)
    known = np.nan_to_num(covariance)
    assert np.allclose(root @ root.T, known, rtol=0, atol=1e-12 * known.max())


def test_errors_too_wide_to_draw_from() -> None:
    found = Fit(DESIGN, theta(), 0.0, 30_000)
    wide = 1e4 * np.eye(len(found.theta))
    with pytest.raises(StresscubeError, match="--uncertainty: the errors are too wide"):
        by_covariance(found, wide, market, None, ASSETS, 32)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--uncertainty", "33"], "--uncertainty 33: must be a multiple of 32, at most 4096"),
        (["--uncertainty", "8192"], "--uncertainty 8192: must be a multiple of 32, at most 4096"),
        (["--uncertainty", "32"], "made.draws.csv: is there already"),
    ],
)
def test_what_the_command_refuses(tmp_path: Path, words: list[str], sentence: str) -> None:
    (tmp_path / "made.draws.csv").write_text("kept")
    file = str(tmp_path / "made.toml")
    made = CliRunner().invoke(app, ["calibrate", "nothing.csv", "-o", file, *words])
    assert made.exit_code == 2, made.output
    assert sentence in made.output
    assert (tmp_path / "made.draws.csv").read_text() == "kept"
