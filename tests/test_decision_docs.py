"""What docs/decisions.md shows must work and print what it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import xarray as xr
from typer.testing import CliRunner

from stresscube.cli import app
from stresscube.decide import Recommendation

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "decisions.md").read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the quickstart run in it, by the cpu backend."""
    folder = tmp_path_factory.mktemp("docs")
    out = folder / "quickstart.run"
    scenario = ROOT / "scenarios" / "quickstart.toml"
    arguments = ["run", str(scenario), "-o", str(out), "--backend", "cpu", "--quiet"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return folder


def test_the_recommendation_is_what_the_command_prints(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (shown,) = re.findall(r"<!-- recommend -->\n```text\n(.*?)```", PAGE, re.DOTALL)
    (_, command) = re.findall(r"^\$ (stresscube .*)$", PAGE, re.MULTILINE)
    done = CliRunner().invoke(app, shlex.split(command)[1:])
    assert done.exit_code == 0, done.output
    assert [line.rstrip() for line in done.stdout.splitlines()] == shown.splitlines()


def test_the_constraints_and_the_export_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    limits = re.findall(r'"(\w+\[[\d.]+\][<>][\d.%]+)"', PAGE)
    assert len(limits) == 4
    arguments = [word for limit in limits for word in ("--subject-to", limit)]
    done = CliRunner().invoke(app, ["recommend", "quickstart.run", *arguments])
    assert done.exit_code == 0, done.output
    (export,) = re.findall(r"`stresscube (export [^`]*)`", PAGE)
    done = CliRunner().invoke(app, shlex.split(export))
    assert done.exit_code == 0, done.output
    assert len(Path("cube.csv").read_text().splitlines()) == 121


def test_the_python_lines_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (text,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, object] = {}
    lines = [line for line in text.splitlines() if line]
    exec("\n".join(lines[:2]), names)
    answers = [eval(line, names) for line in lines[2:]]
    *datasets, figure, recommendation = answers
    assert len(datasets) == 7
    assert all(isinstance(it, xr.Dataset) and it.data_vars for it in datasets)
    assert figure.get_axes()
    assert isinstance(recommendation, Recommendation)
