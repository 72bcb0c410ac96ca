"""What stands on 80 columns and in a pipe: nothing lost without a word, no colour unasked for."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from rich.console import Console

import cubes
from stresscube.cli.recommend import print_recommendation
from stresscube.cli.show import print_ranking
from stresscube.decide import recommend
from stresscube.errors import StresscubeError
from stresscube.show import paths_needed, rank
from stresscube.wording import few_words

ROOT = Path(__file__).resolve().parent.parent


def printed(cube: xr.Dataset, width: int, *, advice: bool = False) -> str:
    out = Console(width=width, record=True, file=io.StringIO(), highlight=False)
    if advice:
        print_recommendation(recommend(cube, subject_to=["sharpe>-99"]), out, name="made-up")
    else:
        print_ranking(rank(cube), out, name="made-up")
    return out.export_text()


@pytest.mark.parametrize("advice", [False, True])
def test_columns_that_a_width_leaves_out_are_named(advice: bool) -> None:
    cube = cubes.summary()
    wide, narrow = (" ".join(printed(cube, width, advice=advice).split()) for width in (200, 80))
    assert "left out" not in wide
    told = re.search(r"left out for the width: ([a-z ,_]+) \(--json has all\)", narrow)
    assert told
    assert told[1].split(", ")[0] == ("worst at" if advice else "max drawdown quantile")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_every_number_that_stands_there_is_whole(width: int) -> None:
    """No table is wider than its terminal, and no cell is cut."""
    text = printed(cubes.summary(), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text


def test_paths_needed_give_the_error_that_is_wanted() -> None:
    chances = np.array([1e-4, 0.01, 0.3])
    needed = paths_needed(chances, 1000, 0.1)
    np.testing.assert_allclose(np.sqrt(chances * (1 - chances) / needed) / chances, 0.1)
    # Of no event in n paths: what 3 / n would take, whose chance of no event is 5%.
    (none,) = paths_needed(np.zeros(1), 1000)
    assert none == pytest.approx(paths_needed(np.array([0.003]), 1000)[0])
    assert pytest.approx(0.05, abs=0.001) == (1 - 0.003) ** 1000


def few(chances: list[float]) -> str:
    risk = np.array(chances)
    made = xr.Dataset({
        "liquidation_probability": ("rank", risk),
        "few_events": ("rank", risk < 0.005),
        "paths_needed": ("rank", paths_needed(risk, 2000)),
    })  # fmt: skip
    return few_words(made)


def test_few_events_come_with_the_paths_that_would_do() -> None:
    start = "fewer than 10 liquidations seen"
    told = "paths would tell their probability to 20%"
    assert few([0.001, 0.002, 0.01]) == f"{start}: 25,000 {told}."
    assert few([0.0, 0.01]) == f"{start}, and none at all: at least 17,000 {told}."
    both = f"{start}: 25,000 {told}, at least 17,000 where none was seen."
    assert few([0.001, 0.0]) == both


def test_a_ranking_has_the_paths_of_each_row() -> None:
    cube = cubes.summary()
    policies = rank(cube, top=40).policies
    risk = policies["liquidation_probability"].values
    np.testing.assert_allclose(policies["paths_needed"].values, paths_needed(risk, cubes.PATHS))
    history = cube.assign_attrs(data="two weeks")
    assert "paths_needed" not in rank(history).policies


@pytest.mark.parametrize(("name", "ask"), [("rank", rank), ("confidence", recommend)])
def test_an_axis_with_a_name_that_is_taken_is_refused(name: str, ask: object) -> None:
    cube = cubes.summary().rename(hedge_ratio=name)
    with pytest.raises(StresscubeError, match=rf"axis {name}: .* ds\.rename\({name}="):
        ask(cube)  # type: ignore[operator]
    assert rank(cubes.summary().rename(hedge_ratio="stop")).satisfied is not None


def output_of(environment: dict[str, str], *, terminal: bool) -> str:
    """What `stresscube doctor` writes to a pipe or to a terminal."""
    code = "from stresscube.cli import main; main()"
    command = [sys.executable, "-c", code, "doctor"]
    env = {key: it for key, it in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
    env |= {"TERM": "xterm-256color", "PYTHONPATH": os.pathsep.join(sys.path)} | environment
    if not terminal:
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, env=env, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        text = b""
        try:
            while part := os.read(ours, 4096):
                text += part
        except OSError:  # the other end is closed
            pass
        assert process.wait() == 0
    os.close(ours)
    return text.decode()


def test_colours_are_for_terminals_that_want_them() -> None:
    colour = re.compile(r"\x1b\[[0-9;]*3[0-9]")
    assert colour.search(output_of({}, terminal=True))
    assert not colour.search(output_of({"NO_COLOR": "1"}, terminal=True))
    assert "\x1b" not in output_of({}, terminal=False)
