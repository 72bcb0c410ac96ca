"""`recommend`, `export` and `--json` on the command line."""

from __future__ import annotations

import csv
import importlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from rich.console import Console
from typer.testing import CliRunner, Result

import cubes
from decisions import drawn
from fakes import TEXT, FakeBackend
from stresscube.cli import app
from stresscube.cli.as_json import plain
from stresscube.cli.recommend import document, print_recommendation
from stresscube.decide import Recommendation, recommend
from stresscube.store.reader import open_run

SMALL = TEXT.format(paths=640, save_paths="false")
LIMIT = "liquidation_probability<0.6"


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def document_of(*arguments: str | Path) -> Any:
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run of made-up outcomes, in a folder of our own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STRESSCUBE_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "small.toml").write_text(SMALL)
    backend = FakeBackend()
    for name in ("stresscube.runner", "stresscube.plan", "stresscube.cli.check"):
        monkeypatch.setattr(importlib.import_module(name), "choose", lambda _: backend)
    assert call("run", "small.toml", "--quiet").exit_code == 0
    return Path("small.run")


def printed(found: Recommendation, width: int = 80) -> str:
    out = Console(width=width, record=True, file=io.StringIO(), highlight=False)
    print_recommendation(found, out, name="[red]odd[/] name")
    return out.export_text()


def widest(text: str) -> int:
    return max(len(line) for line in text.splitlines())


def test_recommend_answers_in_80_columns(run_folder: Path) -> None:
    result = call("recommend", run_folder, "--subject-to", LIMIT, "--top", "3")
    assert result.exit_code == 0, result.output
    assert widest(result.stdout) <= 80
    text = " ".join(result.stdout.split())
    assert f"small: maximise sharpe subject to {LIMIT}" in text
    assert "at the worst over calm_correlation = 0.9, 0.5" in text
    assert "take venue = " in text
    assert "at every market point with 0.95 confidence" in text
    assert "after the choice among" in text
    assert "deflated Sharpe ratio" in text


def test_recommend_as_json_is_the_answer_of_python(run_folder: Path) -> None:
    found = document_of("recommend", run_folder, "--subject-to", LIMIT, "--case", "mean")
    summary = open_run(run_folder)["summary"].to_dataset()
    wanted = recommend(summary, subject_to=[LIMIT], case="mean")
    assert found == {"name": "small", **plain(document(wanted))}
    assert found["recommended"] == found["policies"][0]
    assert found["question"] == {
        "maximise": "sharpe", "subject_to": [LIMIT], "case": "mean", "confidence": 0.95,
    }  # fmt: skip
    assert set(found["recommended"]["policy"]) == {
        "venue", "hedge_ratio", "leverage", "rebalance_threshold",
    }  # fmt: skip
    assert found["recommended"]["constraints"][0]["constraint"] == LIMIT


def test_a_wrong_question_ends_with_2(run_folder: Path) -> None:
    result = call("recommend", run_folder, "--subject-to", "sharp>1", "--subject-to", "retur>0")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 2
    assert "did you mean sharpe?" in result.stderr
    assert call("recommend", "none.run").stderr.startswith("stresscube: none.run: no such run")


def test_what_is_not_shown_is_not_recommended() -> None:
    cube = drawn(np.ones((1, 4)), np.zeros((1, 4)), np.random.default_rng(1), paths=512)
    found = recommend(cube, subject_to=["liquidation_probability<0.007"])
    text = " ".join(printed(found).split())
    assert "no policy is shown to keep the constraints with 0.95 confidence" in text
    assert "best by the estimates: leverage = " in text
    assert "about 630 paths would do" in text
    assert document(found)["recommended"] is None
    text = " ".join(printed(recommend(cube, subject_to=["sharpe>99"])).split())
    assert "no policy keeps the constraints, not even by the estimates the nearest: lev" in text
    assert "told apart" not in text


@pytest.mark.parametrize("dims", range(6))
def test_the_answer_fits_whatever_the_dims_are_called(dims: int) -> None:
    names = ["a_long_name_of_a_threshold", "venue", "[bold]", "x", "holding"]
    cube = cubes.summary({"hedge_ratio": [0.8, 1.2], "stress_correlation": [0.9, 0.3]})
    cube = cube.expand_dims({name: [1.25, np.inf] for name in names[:dims]})
    limits = ["liquidation_probability<0.5", "return_mean>-9", "max_drawdown_quantile[0.05]<1"]
    text = printed(recommend(cube.drop_vars("leverage_effective"), subject_to=limits))
    assert widest(text) <= 80
    assert "[red]odd[/] name" in text
    assert "…" not in text


def test_a_goal_below_0_is_not_praised() -> None:
    rng = np.random.default_rng(1)
    for level, said in ((-1.0, True), (1.0, False)):
        cube = drawn(np.full((1, 3), level), np.zeros((1, 3)), rng)
        assert ("not trading is better" in " ".join(printed(recommend(cube)).split())) == said


def test_a_cube_without_a_sweep_has_an_answer() -> None:
    assert "take the only policy" in printed(recommend(cubes.summary({}), subject_to=[]))


def test_export_writes_the_cube(run_folder: Path) -> None:
    result = call("export", run_folder, "-o", "cube.csv", "-m", "sharpe", "--where", "venue=A")
    assert result.exit_code == 0, result.output
    assert result.stdout == "cube.csv: 36 cells, 9 columns\n"
    with Path("cube.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    summary: xr.Dataset = open_run(run_folder)["summary"].to_dataset()
    wanted = summary["sharpe"].sel(venue="A").values.reshape(-1)
    assert [float(row["sharpe"]) for row in rows] == wanted.tolist()
    whole = call("export", run_folder)
    assert len(whole.stdout.splitlines()) == 1 + 72
    assert whole.stdout.startswith("calm_correlation,venue,hedge_ratio,leverage,")


def test_export_tells_what_is_wrong(run_folder: Path) -> None:
    unknown = call("export", run_folder, "-m", "sharp")
    assert unknown.exit_code == 2
    assert "did you mean sharpe?" in unknown.stderr
    nowhere = call("export", run_folder, "-o", "no/where.csv")
    assert nowhere.exit_code == 1
    assert (
        nowhere.stderr == "stresscube: no/where.csv: cannot be written: No such file or directory\n"
    )


def test_check_as_json_is_what_it_prints(run_folder: Path) -> None:
    found = document_of("check", "small.toml", "--threads", "1")
    assert (found["cells"], found["policies"], found["market_points"]) == (72, 36, 2)
    assert found["cells"] - found["infeasible"] > 0
    assert found["axes"][0]["values"] == [0.9, 0.5]
    assert found["axes"][-1]["values"] == [0.01, "inf"]
    rate = found["policy_steps_a_second"]
    assert found["seconds"] == pytest.approx(found["policy_steps"] / rate)


def test_run_and_show_as_json_hold_the_ranking(run_folder: Path) -> None:
    run = document_of("run", "small.toml", "-o", "again.run")
    assert run["run"] == "again.run"
    assert run["policy_steps"] > 0
    shown = document_of("show", "again.run", "--top", "5")
    assert run["ranking"] == {key: shown[key] for key in run["ranking"]}
    assert len(shown["policies"]) == min(5, shown["qualified"] or 5)
    first = shown["policies"][0]
    assert set(first["worst_at"]) == {"calm_correlation"}
    assert first["sharpe_se"] > 0
    again = document_of("run", "small.toml", "-o", "again.run", "--quiet")
    assert again["policy_steps"] == 0


def test_the_other_commands_print_json_too(run_folder: Path) -> None:
    drawn_ = document_of("plot", run_folder, "--metric", "sharpe", "-o", "p.svg")
    assert Path(drawn_["file"]).exists()
    assert drawn_["fixed"]["calm_correlation"]["why"] == "harshest"
    written = document_of("export", run_folder, "-o", "c.csv", "--where", "venue=A")
    with Path(written["file"]).open(newline="") as file:
        header, *cells = csv.reader(file)
    assert written == {"file": "c.csv", "cells": len(cells), "columns": len(header)}
    assert call("export", run_folder, "--json").exit_code == 2
    state = document_of("doctor")
    assert [it["backend"] for it in state["backends"]] == ["cpu", "cuda", "xla"]
    code = document_of("kernel", "small.toml", "--backend", "cpu")
    assert code["source"] == call("kernel", "small.toml", "--backend", "cpu").stdout


def test_json_knows_neither_nan_nor_infinity() -> None:
    found = plain({"a": [np.nan, np.inf, -np.inf, np.float64(1.5)], "b": (np.bool_(True), "x")})
    assert found == {"a": [None, "inf", "-inf", 1.5], "b": [True, "x"]}
    assert plain(np.array([1, 2])) == [1, 2]
    assert plain(Path("a/b")) == "a/b"


def test_help_tells_the_exit_codes() -> None:
    text = " ".join(call("--help").stdout.split())
    for code in ("0 done", "1 a run could not go on", "70 a bug", "130 or 143 stopped"):
        assert code in text
