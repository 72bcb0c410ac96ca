"""`stresscube calibrate`: from files to a scenario that runs, and one clear sentence otherwise."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

import stresscube as sc
from stresscube.calibrate import bootstrap
from stresscube.calibrate import run as calibration
from stresscube.calibrate.refit import Refit
from stresscube.cli import app
from stresscube.scenario import load
from stresscube.scenario.expand import any_market
from stresscube_kernels.spec import DrawnSpec

BARS = 1500
COMMAND = "from stresscube.cli.app import main; main()"


def closes(bars: int = BARS, seed: int = 1) -> pd.DataFrame:
    """Hourly closes of AAA and BBB, calm for 100 bars and wild for 50 in turn."""
    rng = np.random.default_rng(seed)
    scale = np.where(np.arange(bars) % 150 < 100, 0.004, 0.014)[:, None]
    moves = scale * rng.standard_normal((bars, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]])
    prices = 100.0 * np.exp(np.cumsum(moves, axis=0))
    times = pd.date_range("2024-01-01", periods=bars, freq="1h", tz="UTC")
    return pd.DataFrame({"timestamp": times, "AAA": prices[:, 0], "BBB": prices[:, 1]})


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of our own with bars in it."""
    monkeypatch.chdir(tmp_path)
    closes().to_csv("bars.csv", index=False)
    return tmp_path


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(*arguments: str, expects: str) -> None:
    """Exit code 2, the sentence, no traceback, and nothing written."""
    before = sorted(Path().iterdir())
    result = call("calibrate", *arguments)
    said = " ".join(result.stderr.split())
    assert result.exit_code == 2, result.output
    assert expects in said
    assert "Traceback" not in said
    assert "unexpected" not in said
    assert sorted(Path().iterdir()) == before


def test_what_is_calibrated_runs(here: Path) -> None:
    """Two regimes are seen, their volatilities within 4 standard errors of those that were made:
    .004 and .014 an hour, with two thirds of the bars calm."""
    made = call("calibrate", "bars.csv", "-o", "pair.toml")
    assert made.exit_code == 0, made.output
    assert made.stdout.startswith("pair.toml: 2 regimes, ")
    assert "2 regimes: BIC" in made.stderr
    assert "standard errors" in made.stderr
    text = Path("pair.toml").read_text(encoding="utf-8")
    assert "no jumps: by BIC the tails say all" in text
    assert "# 1,500 bars of 1 h, 2024-01-01 00:00 to 2024-03-03 12:00 UTC" in text
    lines = [line for line in text.splitlines() if line.startswith("volatility = ")]
    for line, hourly in zip(lines, (0.004, 0.014), strict=True):
        numbers, _, errors = line.removeprefix("volatility = ").partition("# ")
        for value, error in zip(
            numbers.strip(" []").split(", "), errors.replace("± ", "").split(", "), strict=True
        ):
            assert abs(float(value) - hourly * np.sqrt(8760.0)) < 4.0 * float(error)
            assert float(error) < 0.1 * float(value)
    ran = call("run", "pair.toml", "--paths", "64", "--set", "simulation.step=1h", "-o", "p.run",
               "--quiet")  # fmt: skip
    assert ran.exit_code == 0, ran.output
    assert np.isfinite(sc.open("p.run")["summary"]["sharpe"].to_numpy()).all()


def test_nothing_is_overwritten_unasked(here: Path) -> None:
    Path("pair.toml").write_text("mine")
    refused("bars.csv", "-o", "pair.toml", expects="-o pair.toml: is there already; name another")
    assert Path("pair.toml").read_text() == "mine"
    # `--regimes 1` is the shortest way to a file
    words = ["-o", "pair.toml", "--regimes", "1", "--overwrite", "--json"]
    made = call("calibrate", "bars.csv", *words)
    assert made.exit_code == 0, made.output
    told = json.loads(made.stdout)
    assert (told["file"], told["draws"], told["regimes"], told["jumps"]) == (
        "pair.toml",
        None,
        1,
        0,
    )
    assert load(Path("pair.toml")).name == "pair"


def test_places_that_cannot_be_written_are_refused_before_any_work(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("the fit began")

    monkeypatch.setattr(calibration, "choose", never)
    refused("bars.csv", "-o", "none/pair.toml", expects="there is no folder none; make it first")
    refused("bars.csv", "-o", ".", expects="-o .: is a folder; name a file, such as pair.toml")
    monkeypatch.setattr(os, "access", lambda _, mode: mode != os.W_OK)
    refused("bars.csv", "-o", "pair.toml", expects="nothing can be written in .; write elsewhere")


@pytest.mark.parametrize(
    ("change", "expects"),
    [
        (lambda t: t[["AAA", "BBB"]], 'has no column of times such as "timestamp"'),
        (lambda t: t[["timestamp", "AAA"]], "holds one series, AAA; a pair needs two"),
        (lambda t: t[:300], "299 returns, and 1000 are the least to calibrate on; take a longer"),
        (lambda t: t.assign(BBB=5.0), "BBB moves in 0.00% of its bars, and 10% are the least"),
        (lambda t: t.assign(BBB=2.0 * t["AAA"]), "AAA and BBB never part: the same series twice?"),
        (lambda t: t.assign(AAA=-t["AAA"]), "AAA closes at -"),
        (lambda t: t[:0], "x.csv"),
    ],
)
def test_data_that_say_nothing(
    here: Path, change: Callable[[pd.DataFrame], pd.DataFrame], expects: str
) -> None:
    change(closes()).to_csv("x.csv", index=False)
    refused("x.csv", "-o", "pair.toml", expects=expects)


@pytest.mark.parametrize(
    ("options", "expects"),
    [
        (["--regimes", "0"], "--regimes 0: must be auto or a whole number from 1 to 8"),
        (["--draws-by", "luck"], "--draws-by luck: must be bootstrap or covariance"),
        (["--regimes", "two"], "--regimes two: must be auto or a whole number from 1 to 8"),
        (["--since", "soon"], "--since soon: must be a day or time in UTC"),
        (["--funding", "none.csv"], "none.csv: no such file"),
        (["--venues", "none.toml"], "--venues none.toml"),
    ],
)
def test_options_that_make_no_sense(here: Path, options: list[str], expects: str) -> None:
    refused("bars.csv", "-o", "pair.toml", *options, expects=expects)


def test_a_missing_file_has_a_sentence_too(here: Path) -> None:
    refused("none.csv", "-o", "pair.toml", expects="none.csv: no such file")


def test_it_can_be_stopped(here: Path) -> None:
    """In the midst of it, the premiums' thread included; nothing is written."""
    program = [sys.executable, "-c", COMMAND, "calibrate", "long.csv", "-o", "pair.toml"]
    closes(20_000).to_csv("long.csv", index=False)
    times = pd.date_range("2024-01-01", periods=2500, freq="8h", tz="UTC")
    rng = np.random.default_rng(2)
    paid = 1e-4 + 2e-4 * rng.standard_normal((2500, 2))
    pd.DataFrame(
        {"timestamp": np.repeat(times, 2), "symbol": ["AAA", "BBB"] * 2500, "rate": paid.ravel()}
    ).to_csv("paid.csv", index=False)
    with subprocess.Popen(
        [*program, "--funding", "paid.csv"], stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if "BIC" in line:
                break
        running.send_signal(signal.SIGINT)
        rest = running.stderr.read()
        assert running.wait(60) == 130
    assert "stresscube: stopped" in rest
    assert "Traceback" not in rest
    assert not Path("pair.toml").exists()


def test_refits_outlive_an_interruption(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C amid the bootstrap leaves neither scenario nor draws, and the same command goes on
    with the refits that were done; the scenario then runs on its draws."""
    table = closes(1001)
    moves = 0.01 * np.random.default_rng(4).standard_normal((1001, 2))
    table[["AAA", "BBB"]] = 100.0 * np.exp(np.cumsum(moves, axis=0))
    table.to_csv("bars.csv", index=False)
    words = ["calibrate", "bars.csv", "-o", "pair.toml", "--regimes", "1", "--uncertainty", "32"]
    refitted = bootstrap.refit

    def stopping(*given: Any) -> Refit:
        if next(calls) == 5:
            raise KeyboardInterrupt
        return refitted(*given)

    calls = count()
    with monkeypatch.context() as patched:
        patched.setattr(bootstrap, "refit", stopping)
        made = call(*words, "--threads", "1")
    assert made.exit_code == 130
    assert "pair.draws.csv.part: the refits that are done; the same command goes on" in made.stderr
    assert sorted(map(str, Path().iterdir())) == ["bars.csv", "pair.draws.csv.part"]
    made = call(*words)
    assert made.exit_code == 0, made.output
    assert "5 of 32 draws are there already, in pair.draws.csv.part" in made.stderr
    assert "pair.draws.csv: 32 draws of its numbers" in made.stdout
    assert sorted(map(str, Path().iterdir())) == ["bars.csv", "pair.draws.csv", "pair.toml"]
    market = any_market(load(Path("pair.toml")), {})
    assert isinstance(market, DrawnSpec)
    assert len({draw.regimes[0].volatility for draw in market.draws}) == 32
    assert Path("pair.draws.csv").read_text().startswith("# 32 draws of what a calibration leaves "
        "open: refits of histories that it made, each fitted in the design that was found.\n"
        "# every refit settled; ")  # fmt: skip
    settings = ["--set", "simulation.step=1h", "--set", "simulation.horizon=1d"]
    ran = call("run", "pair.toml", *settings, "-o", "p.run", "--quiet")
    assert ran.exit_code == 0, ran.output
    assert np.isfinite(sc.open("p.run")["summary"]["sharpe_se"].to_numpy()).all()
    made = call(*words, "--draws-by", "covariance", "--overwrite")
    assert made.exit_code == 0, made.output
    assert "refitted" not in made.stderr
    said = (
        "# 32 draws of what a calibration leaves open: normal, by the covariance of the estimate."
    )
    assert Path("pair.draws.csv").read_text().startswith(said)
    drawn = any_market(load(Path("pair.toml")), {})
    assert isinstance(drawn, DrawnSpec)
    assert drawn.centre == market.centre
    assert drawn.draws != market.draws


def test_the_benchmark_of_calibration_runs(here: Path) -> None:
    sys.path.append(str(Path(__file__).resolve().parents[1]))
    benchmark = importlib.import_module("benchmarks.calibration")
    assert call("calibrate", "bars.csv", "-o", "pair.toml", "--regimes", "2").exit_code == 0
    bars, found = benchmark.told(Path("pair.toml"))
    assert bars == BARS
    assert found["regimes"] == 2
    assert benchmark.measure.__doc__
