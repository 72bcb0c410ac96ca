"""`stresscube trace`: which path, which cell, the files, and faults in one sentence each."""

from __future__ import annotations

import importlib.util
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

import own_code
import stresscube as sc
from fakes import scenario
from replayed import write as write_history
from stresscube.cli import app
from stresscube.errors import RunError, StresscubeError
from stresscube.tracing import Traced
from stresscube.tracing.picture import picture
from stresscube.tracing.table import write
from stresscube_kernels.ledger import COLUMNS

PATHS = 150
HARD = {"leverage": 50, "venue": "A", "calm_correlation": 0.5}
"""A cell in which a good part of the paths is liquidated, with the overrides of `rough`."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of one rough scenario: `saved` kept its paths, `plain` did not."""
    here = tmp_path_factory.mktemp("traced")
    rough = ["market.regimes.calm.volatility=[4.0, 6.0]", "policy.holding=1h"]
    rough += ["venues[0].max_leverage=60"]
    for name, keeps in (("saved", True), ("plain", False)):
        sc.run(scenario(PATHS, keeps, *rough), here / name, backend="cpu", threads=1)
    return here


@pytest.fixture(scope="module")
def saved(folder: Path) -> Path:
    return folder / "saved"


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def kept(run: Path, traced: Traced) -> dict[str, float]:
    """What the run saved of the traced path."""
    place = {**(traced.cell.index or {}), "path": traced.found.path}
    paths = sc.open(run)["paths"].to_dataset().isel(place)
    return {str(name): float(paths[name]) for name in paths.data_vars}


@pytest.mark.parametrize("path", ["worst", "median", "liquidated", 7])
def test_the_totals_are_those_of_the_cube(saved: Path, path: str | int) -> None:
    for settings in ({}, HARD, {"leverage": 10, "venue": "B", "rebalance_threshold": 0.01}):
        if path == "liquidated" and settings is not HARD:
            continue
        traced = sc.trace(saved, path, settings)
        theirs = kept(saved, traced)
        assert set(traced.totals) == set(theirs)
        for name, value in traced.totals.items():
            assert value == pytest.approx(theirs[name], rel=1e-12, abs=1e-13, nan_ok=True), name
        assert any("those that the run saved" in note for note in traced.notes)


def test_the_words_for_paths_mean_what_they_say(saved: Path) -> None:
    cell = sc.trace(saved, 0, HARD).cell.index or {}
    paths = sc.open(saved)["paths"].to_dataset().isel(cell)
    final = paths["final_equity"].values
    assert sc.trace(saved, "worst", HARD).found.path == final.argmin()
    middle = sc.trace(saved, "median", HARD).found.path
    assert final[middle] == np.sort(final)[(PATHS - 1) // 2]
    dead = np.flatnonzero(np.isfinite(paths["liquidation_time"].values))
    assert 0 < len(dead) < PATHS
    assert sc.trace(saved, "liquidated", HARD).found.path == dead[0]


@pytest.mark.parametrize("path", ["worst", "median", "liquidated"])
def test_paths_that_were_not_saved_are_simulated_again(folder: Path, path: str) -> None:
    known = sc.trace(folder / "saved", path, HARD)
    again = sc.trace(folder / "plain", path, HARD)
    assert known.found.path == again.found.path
    assert known.found.how != again.found.how
    pd.testing.assert_frame_equal(known.table, again.table)


def test_axes_that_are_not_named(saved: Path) -> None:
    """[policy]'s value where it was swept, else the first; of markets the first."""
    assert sc.trace(saved, 0).cell.words == {
        "calm_correlation": 0.9,  # of 0.9 and 0.5; the file says 0.85
        "venue": "A",
        "hedge_ratio": 1.0,  # of 0.8, 1.0, 1.2; the file says 1.0
        "leverage": 2,  # of 2, 10, 50; the file says 5
        "rebalance_threshold": math.inf,  # of 0.01 and inf; inf unless stated
    }


def test_keys_by_any_of_their_names(saved: Path) -> None:
    whole = {"market.regimes.calm.correlation": 0.5, "policy.leverage": 10}
    short = {"calm_correlation": "0.50", "leverage": "10.0"}
    assert sc.trace(saved, 0, whole).cell.words == sc.trace(saved, 0, short).cell.words


def test_a_value_beside_the_cube(saved: Path) -> None:
    """What was not swept is traced on the same random numbers, and the notes say so."""
    beside = sc.trace(saved, 3, {"leverage": 7, "holding": "30min"})
    assert beside.cell.words["leverage"] == 7
    assert beside.cell.words["holding"] == "30min"
    assert beside.cell.index is None
    assert any("no cell of this cube" in note for note in beside.notes)
    inside = sc.trace(saved, 3)
    ours, theirs = columns(beside), columns(inside)
    for name in ("price_a", "price_b"):
        assert np.array_equal(ours[name], theirs[name])
    gross = np.abs(ours["order_a"][0]) + np.abs(ours["order_b"][0])
    assert gross == pytest.approx(7.0, rel=1e-6)
    assert ours["trades"].sum() == 4  # of half an hour, in two hours
    assert theirs["trades"].sum() == 2


def columns(traced: Traced) -> dict[str, NDArray[Any]]:
    table: Any = traced.table
    return {name: table[name].to_numpy() for name in table.columns}


FAULTS = [
    (["--path", "150"], "--path 150: the run has paths 0 to 149"),
    (["--path", "-1"], "--path -1: must be a number or one of worst, median, liquidated"),
    (["--path", "wurst"], "did you mean worst?"),
    (["--path", "liquidated", "--set", "venue=A"], "--path liquidated: none of 150 paths"),
    (["--set", "levrage=10"], "--set levrage=10: did you mean leverage? (swept: calm_correlation"),
    (["--set", "simulation.seed=3"], "the simulation is one for the whole cube"),
    (["--set", "leverage"], "--set leverage: expected key=value"),
    (["--set", "leverage=-1"], "--set leverage=-1: must be in (0, 1000]"),
    (["--set", "venue=Z"], '--set venue=Z: must be one of "A", "B"'),
    (["--set", "leverage=2", "--set", "policy.leverage=2"], "was set before; each key once"),
    (["--set", "leverage=50", "--set", "venue=B"], "this policy cannot open a position"),
    (["-o", "x.xls"], "x.xls: .xls; did you mean .csv? (use .csv, .parquet)"),
    (["--plot", "x.bmp"], "x.bmp: .bmp; did you mean .png?"),
]


@pytest.mark.parametrize(("arguments", "message"), FAULTS)
def test_faults_in_one_sentence(
    saved: Path, arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call("trace", saved, *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not result.stdout
    assert not list(tmp_path.iterdir())


def test_no_run(tmp_path: Path) -> None:
    assert call("trace", tmp_path / "none.run").exit_code == 2
    with pytest.raises(RunError, match="no such run folder"):
        sc.trace(tmp_path / "nothing")


def test_the_command_writes_and_tells(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = [text for key, value in HARD.items() for text in ("--set", f"{key}={value}")]
    result = call("trace", saved, "--path", "liquidated", *settings)
    assert result.exit_code == 0, result.output
    number = re.search(r"^path (\d+), the first that was liquidated of 150 paths", result.stdout)
    assert number
    name = f"small-path{number[1]}"
    assert {file.name for file in tmp_path.iterdir()} == {f"{name}.csv", f"{name}.png"}
    assert "liquidated after" in result.stdout
    assert f"{name}.csv: 121 rows" in result.stdout
    (books,) = re.findall(r"final equity ([\d.]+) = (.*)", result.stdout)
    terms = re.findall(r"([+−] )?([\d.]+)", books[1])
    total = sum(float(number) * (-1 if sign.startswith("−") else 1) for sign, number in terms)
    assert total == pytest.approx(float(books[0]), abs=0.00005 * (len(terms) + 1))


def test_json_for_programs(saved: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    result = call("trace", saved, "--path", "7", "-o", file, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["path"] == 7
    assert told["totals"]["final_equity"] == sc.trace(saved, 7).totals["final_equity"]
    assert told["totals"]["liquidation_time"] is None
    assert told["cell"]["venue"] == "A"
    assert Path(told["ledger"]) == file
    assert Path(told["plot"]) == tmp_path / "a.png"


def test_csv_is_the_table(saved: Path, tmp_path: Path) -> None:
    made = sc.trace(saved, "liquidated", HARD).table
    write(made, tmp_path / "a.csv")
    back = pd.read_csv(tmp_path / "a.csv", keep_default_na=False, na_values=[""])
    assert list(back) == [column.name for column in COLUMNS]
    for column in COLUMNS:
        if column.text:
            there = ["" if word != word else word for word in back[column.name].tolist()]
            assert there == made[column.name].tolist()
        else:
            np.testing.assert_allclose(back[column.name], made[column.name], rtol=1e-8)


@pytest.mark.needs("pyarrow")
def test_parquet_is_the_table(saved: Path, tmp_path: Path) -> None:
    made = sc.trace(saved, "liquidated", HARD).table
    write(made, tmp_path / "a.parquet")
    back = pd.read_parquet(tmp_path / "a.parquet")
    assert list(back) == list(made)
    for name in made.columns:
        assert back[name].fillna(0).tolist() == made[name].fillna(0).tolist(), name


def test_parquet_without_pyarrow(monkeypatch: pytest.MonkeyPatch, saved: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    result = call("trace", saved, "-o", "x.parquet")
    assert result.exit_code == 2
    assert "Parquet needs pyarrow" in result.stderr


def test_a_file_that_cannot_be_written(saved: Path, tmp_path: Path) -> None:
    result = call("trace", saved, "-o", tmp_path / "no" / "x.csv")
    assert result.exit_code == 1
    assert "x.csv: cannot be written" in result.stderr


@pytest.mark.parametrize(
    "settings", [{}, HARD, {"hedge_ratio": 0.0}, {"rebalance_threshold": 0.01}]
)
def test_the_picture_says_what_it_shows(saved: Path, settings: dict[str, float | str]) -> None:
    traced = sc.trace(saved, "worst", settings)
    figure = picture(traced)
    found = figure.findobj(lambda it: hasattr(it, "get_text"))
    words = " ".join(it.get_text() for it in found)  # type: ignore[attr-defined]
    assert f"Path {traced.found.path}, the lowest final equity of 150 paths" in words
    assert "BTC" in words
    assert "ETH" in words
    assert str(traced.cell) in " ".join(words.split())
    assert ("threshold" in words.replace("rebalance_threshold", "")) == (
        settings.get("rebalance_threshold") == 0.01
    )
    assert ("shadow" in words) == (traced.totals["liquidation_time"] > 0)
    assert ("liquidated" in words) == (traced.totals["liquidation_time"] > 0)
    assert ("no open hedge" in words) == (settings.get("hedge_ratio") == 0.0)


def test_code_of_ones_own_needs_trust(tmp_path: Path) -> None:
    made = own_code.write(tmp_path)
    run = sc.run(made, tmp_path / "run", backend="cpu", threads=1, trust=True)
    for name in ("my_rules.py", "my_market.py"):  # the run has kept the text
        (tmp_path / name).unlink()
    with pytest.raises(StresscubeError, match="add --trust to run it"):
        sc.trace(run, 3)
    traced = sc.trace(run, 3, {"stop": 0.2, "wait": "5min", "factor": 1.5}, trust=True)
    assert traced.cell.words == {"factor": 1.5, "stop": 0.2, "wait": "5min"}
    assert {"memory_highest", "memory_out"} <= set(traced.table)
    order = traced.table["order_a"]
    first = int(np.flatnonzero(order.to_numpy())[0])
    assert first == 5  # nothing before the wait is over
    assert traced.totals["turnover"] == pytest.approx(traced.table["turnover"].sum())
    beside = sc.trace(run, 3, {"stop": 0.01}, trust=True)
    assert beside.cell.index is None


def test_the_page_lists_every_column() -> None:
    text = (Path(__file__).resolve().parent.parent / "docs" / "trace.md").read_text()
    rows = [line.replace("\\|", "|") for line in text.splitlines() if line.startswith("| `")]
    expected = [f"| `{it.name}` | {it.unit} | {it.words} |" for it in COLUMNS]
    assert [row for row in rows if row.count(" | ") >= 2][-len(expected) :] == expected


def test_a_replayed_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files are looked for from the current folder; data that changed are told of."""
    monkeypatch.chdir(tmp_path)
    write_history(tmp_path)
    run = sc.run(sc.load("replayed.toml"), "replayed.run", backend="cpu", threads=1)
    traced = sc.trace(run, "worst", {"leverage": 45, "hedge_ratio": "min-variance"})
    assert traced.totals == pytest.approx(kept(Path(run), traced), rel=1e-12, nan_ok=True)
    assert set(traced.table["regime"]) == {"history"}
    assert len(traced.table) == 25
    assert not any("NOT" in note for note in traced.notes)
    lines = (tmp_path / "data" / "btc.csv").read_text().splitlines()
    (tmp_path / "data" / "btc.csv").write_text("\n".join(lines[:-1]) + "\n")
    assert any("data have changed" in note for note in sc.trace(run, 0).notes)
