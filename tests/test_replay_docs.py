"""docs/replay.md: its scenario, commands and Python run on a CSV, and print what it shows."""

from __future__ import annotations

import io
import re
import shlex
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from histories import bars
from stresscube.cli.app import app
from test_docs import fenced

PAGE = Path(__file__).resolve().parents[1] / "docs" / "replay.md"


def write_data(folder: Path) -> None:
    """prices.csv and funding.csv: 100 days of made-up hours."""
    frames = bars(2400)
    parts = [frame.add_prefix(f"{coin.lower()}_") for coin, frame in frames.items()]
    prices = pd.concat(parts, axis=1).tz_localize("UTC").rename_axis("timestamp")
    prices.to_csv(folder / "prices.csv")
    times, rng = frames["BTC"].index[8::8], np.random.default_rng(7)
    prints = [
        pd.DataFrame(
            {
                "timestamp": times,
                "coin": coin,
                "funding_rate": np.round(rng.normal(mean, 1e-4, len(times)), 6),
            }
        )
        for coin, mean in (("BTC", 1e-4), ("ETH", 2e-4))
    ]
    pd.concat(prints).to_csv(folder / "funding.csv", index=False)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the page's files, which is the current one."""
    write_data(tmp_path)
    (tmp_path / "pair.toml").write_text(fenced(PAGE, "toml")[0])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def invoke(command: str) -> str:
    _, *words = shlex.split(command)
    done: Any = CliRunner().invoke(app, words, env={"COLUMNS": "120", "NO_COLOR": "1"})
    assert done.exit_code == 0, done.output
    return done.output


def test_the_commands_print_what_the_page_shows(here: Path) -> None:
    blocks = fenced(PAGE, "console")
    shown = 0
    for block in blocks:
        commands = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
        for text in commands:
            command, _, expected = text.partition("\n")
            printed = [line.rstrip() for line in invoke(command).strip().splitlines()]
            if expected.strip():
                assert printed == [line.rstrip() for line in expected.strip().splitlines()]
                shown += 1
    assert shown == 1


def test_the_files_begin_as_the_page_shows(here: Path) -> None:
    for name, block in zip(("prices.csv", "funding.csv"), fenced(PAGE, "csv"), strict=True):
        header, first = block.strip().splitlines()
        lines = (here / name).read_text().splitlines()
        assert lines[0] == header
        assert lines[1].split(",")[0] == first.split(",")[0]


def test_the_python_of_the_page_comes_to_the_same_policy(here: Path) -> None:
    (code,) = fenced(PAGE, "python")
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(code, str(PAGE), "exec"), {"__name__": "page"})
    lines = printed.getvalue().splitlines()
    assert lines[0] == "funding.csv: times name no zone and are taken as UTC"
    assert lines[1] == "(0.7, 20.0, inf)"
    assert "2025-03-30T06:00" in lines[2]
