"""`stresscube realism` as a command: what it prints, draws and refuses, on short data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from stresscube.cli.app import app
from stresscube.cli.realism import step_for
from stresscube.realism.compare import compare
from stresscube.realism.facts import Series, facts, half_life
from stresscube.realism.recorded import slope_of
from stresscube.scenario import loads
from stresscube.scenario.expand import any_market, simulation_spec

DAYS = 90
BASE = """\
name = "short"
simulation = { paths = 2048, horizon = "1d", step = "1min", seed = 1 }
"""
REST = """
[[market.regimes]]
name = "all"
volatility = [0.5, 0.75]
correlation = 0.8
EXTRA

[[venues]]
name = "X"

[policy]
venue = "X"
hedge_ratio = 1.0
leverage = 2
"""
PLAIN = f'{BASE}[market]\nassets = ["BTC", "ETH"]\n{REST}'.replace("EXTRA", "")
TIED = (
    f'{BASE}[market]\nassets = ["BTC", "ETH"]\n{REST}'.replace(
        "EXTRA",
        'mispricing = [{ half_life = "3h", std = 0.002 }, { half_life = "2d", std = 0.003 }]',
    )
    .replace("0.75]", "1.0]")
    .replace("0.8", "1.0")
)


def write(folder: Path, text: str = PLAIN, columns: tuple[str, str] = ("BTC", "ETH")) -> list[str]:
    """A scenario and data that it made itself, but for the seed."""
    (folder / "short.toml").write_text(text)
    rng = np.random.default_rng(5)
    sd = np.array([0.5, 0.75]) / 8760**0.5
    moves = rng.standard_normal((24 * DAYS, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]]) * sd
    frame = pd.DataFrame(100.0 * np.exp(np.cumsum(moves, axis=0)), columns=list(columns))
    frame.insert(0, "timestamp", pd.date_range("2024-01-01", periods=len(frame), freq="h"))
    frame.to_csv(folder / "data.csv", index=False)
    return [str(folder / "short.toml"), str(folder / "data.csv")]


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ["realism", *words])


def test_a_market_holds_data_that_it_could_have_made(tmp_path: Path) -> None:
    """Of 30 facts at 95% each, which hang together: 5 misses or more are rarer than 1 in 100."""
    picture = tmp_path / "facts.png"
    made = run(*write(tmp_path), "--simulations", "64", "--json", "--out", str(picture))
    assert made.exit_code == 0, made.output
    rows = json.loads(made.stdout)
    names = {row["fact"] for row in rows}
    assert {"BTC volatility a year", "spread kurtosis, 24 h", "correlation over 7 d, 1%"} <= names
    assert not any("basis" in name or "funding" in name for name in names)
    assert sum(not row["inside"] for row in rows) < 5
    for row in rows:
        assert row["low"] <= row["median"] <= row["high"]
        assert row["inside"] == (row["low"] <= row["real"] <= row["high"])
    volatility = next(row for row in rows if row["fact"] == "BTC volatility a year")
    assert abs(volatility["median"] / 0.5 - 1.0) < 5 / (2 * 24 * DAYS * 64) ** 0.5
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_miss_is_said(tmp_path: Path) -> None:
    words = ("--simulations", "20", "--set", "market.regimes.all.volatility=[0.9, 0.75]")
    made = run(*write(tmp_path), *words)
    assert made.exit_code == 0, made.output
    line = next(line for line in made.stdout.splitlines() if "BTC volatility a year" in line)
    assert line.split()[-1] == "miss"
    assert "inside the band" in made.stdout
    line = next(line for line in made.stdout.splitlines() if "ETH volatility a year" in line)
    assert line.split()[-1] == "pass"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nothing.toml", "data.csv"], "nothing.toml: no such file"),
        (["short.toml", "nothing.csv"], "nothing.csv"),
        (["short.toml", "data.csv", "--since", "soon"], "--since soon: must be a day or time"),
        (["short.toml", "data.csv", "--until", "2023-01-01"], "2023"),
        (["short.toml", "data.csv", "--funding", "nothing.csv"], "nothing.csv"),
        (["short.toml", "data.csv", "--asset", "BTC", "--asset", "DOGE"], "DOGE"),
        (["short.toml", "data.csv", "--set", "simulation.step=7h"], "whole number"),
        (["short.toml", "data.csv", "--set", "market.regimes.all.volatility=[-1, 1]"], "[0, 100]"),
        (["short.toml", "data.csv", "--simulations", "3"], "simulations"),
        (
            ["short.toml", "data.csv", "--out", "facts.xyz"],
            "--out facts.xyz: must end in one of .png, .svg, .pdf",
        ),
        (
            ["short.toml", "data.csv", "--out", "no/such/a.png"],
            "--out no/such/a.png: there is no folder no/such",
        ),
    ],
)
def test_bad_input_gets_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], sentence: str
) -> None:
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    made = run(*words, *([] if "--simulations" in words else ["--simulations", "20"]))
    assert made.exit_code == 2, made.output
    assert sentence in made.output
    assert "Traceback" not in made.output
    assert "bug" not in made.output


def test_a_replayed_scenario_is_its_own_history(tmp_path: Path) -> None:
    text = PLAIN[: PLAIN.index("[[market")] + PLAIN[PLAIN.index("[[venues") :]
    text = text.replace(
        "[market]", '[market]\nsource = "replay"\nreplay = { files = ["data.csv"] }'
    )
    made = run(*write(tmp_path, text))
    assert made.exit_code == 2
    assert 'market.source = "replay": recorded history is as real as it was' in made.output


# --- the basis


def test_half_lives_of_hand_made_series() -> None:
    """Of an OU process of 200,000 bars, at 5 standard errors of its autocorrelation (Bartlett)."""
    rng = np.random.default_rng(3)
    n, kept = 200_000, 0.5 ** (1.0 / 12.0)
    noise = rng.standard_normal(n) * (1.0 - kept * kept) ** 0.5
    x = np.zeros(n)
    for k in range(1, n):
        x[k] = kept * x[k - 1] + noise[k]
    for lag in (1, 12):
        rho = kept**lag
        error = ((1 - rho**2) * (1 + kept**2) / (1 - kept**2) / n) ** 0.5
        slope = abs(12.0 / (rho * np.log(rho)))
        assert abs(half_life(x, lag) - 12.0) < 5 * slope * error
    assert half_life(np.array([1.0, -1.0] * 50), 1) == 0.0
    assert half_life(np.arange(1e6), 1) > 1e5


def test_what_lasts_of_one_leg_in_the_other() -> None:
    assert slope_of(loads(PLAIN).market) is None
    assert slope_of(loads(TIED).market) == pytest.approx(2.0)


def test_steps_are_as_short_as_the_basis_is_quick() -> None:
    assert step_for(loads(PLAIN), 1.0) == 1.0
    assert step_for(loads(TIED), 1.0) == 1.0
    assert step_for(loads(TIED), 24.0) == 2.4
    quick = TIED.replace('"3h"', '"34min"')
    assert step_for(loads(quick), 1.0) == 0.5
    still = quick.replace("std = 0.002", "std = 0")
    assert step_for(loads(still), 1.0) == 1.0
    assert step_for(loads(quick), 240.0) == 4.0  # refused then, in a sentence of the scenario's


def test_basis_facts_are_those_of_the_market() -> None:
    """64 simulations of a year against the stationary variance less what a fitted line takes of
    it: for each of its two numbers the variance of a year's mean, 2 std^2 / (k T), k = ln 2 /
    half-life."""
    loaded = loads(TIED, overrides=["simulation.step=1h"])
    rng = np.random.default_rng(4)
    returns = rng.standard_normal((8760, 1)) @ np.array([[1.0, 2.0]]) * 0.5 / 8760**0.5
    history = Series(returns, 1.0, slope=slope_of(loaded.market))
    found = compare(
        any_market(loaded, {}), simulation_spec(loaded), history, ("BTC", "ETH"), simulations=64
    )
    of = {fact.name: fact.simulated for fact in found}
    lost = sum(4.0 * s * s * h / np.log(2.0) / 8760 for s, h in ((0.002, 3.0), (0.003, 48.0)))
    expected = (0.002**2 + 0.003**2 - lost) ** 0.5
    sd = of["basis sd"]
    assert abs(np.sqrt((sd**2).mean()) - expected) < 5 * sd.std() / 8
    fast, slow = of["basis half-life over 1 h, h"], of["basis half-life over 24 h, h"]
    assert np.median(fast) < np.median(slow)
    assert facts(history, ("BTC", "ETH"))["basis sd"] < 1e-12


def test_bands_hold_what_is_not_known(tmp_path: Path) -> None:
    """Draws of a volatility between .2 and .8 widen the band of its fact that far."""
    words = write(tmp_path)
    table = '[market]\nuncertainty = { file = "d.csv", draws = 32 }'
    (tmp_path / "short.toml").write_text(PLAIN.replace("[market]", table))
    rows = [f"{0.2 + 0.6 * k / 31}" for k in range(32)]
    (tmp_path / "d.csv").write_text("\n".join(["market.regimes.all.volatility.BTC", *rows]))
    made = run(*words, "--simulations", "64", "--json")
    assert made.exit_code == 0, made.output
    (fact,) = (row for row in json.loads(made.stdout) if row["fact"] == "BTC volatility a year")
    assert 0.17 < fact["low"] < 0.25
    assert 0.75 < fact["high"] < 0.83
    (other,) = (row for row in json.loads(made.stdout) if row["fact"] == "ETH volatility a year")
    assert other["high"] / other["low"] < 1.15
