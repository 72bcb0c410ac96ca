"""`stresscube new`: what it writes runs as it is, explains itself and overwrites nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from stresscube.cli import app
from stresscube.templates import PRICES_OF, TEMPLATES, text


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_runs(template: str) -> None:
    """Checked as it is; run with fewer paths, for time."""
    written = call("new", "mine", "--template", template)
    assert written.exit_code == 0, written.output
    assert "stresscube run mine.toml" in written.stdout
    checked = call("check", "mine.toml")
    assert checked.exit_code == 0, checked.output
    done = call("run", "mine.toml", "--paths", "40")
    assert done.exit_code == 0, done.output
    assert "keep the limit" in done.stdout
    shown = json.loads(call("show", "mine.run", "--json").stdout)
    assert shown["name"] == "mine"
    assert shown["candidates"] > 10


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_explains_its_keys(template: str) -> None:
    """Every table but the second of a kind comes with a comment, before it or in its lines."""
    lines = text(template, "x").splitlines()
    assert max(map(len, lines)) <= 100
    heads = [place for place, line in enumerate(lines) if line.startswith("[")]
    named = {lines[place] for place in heads}
    assert {"[simulation]", "[market]", "[policy]", "[sweep]"} <= named
    for place in heads:
        end = next((it for it in heads if it > place), len(lines))
        around = lines[max(place - 2, 0) : end]
        first = lines.index(lines[place]) == place
        assert not first or any("#" in line for line in around), lines[place]
    assert "NAME" not in "\n".join(lines)


def test_the_name_is_the_file_s(here: Path) -> None:
    (here / "studies").mkdir()
    assert call("new", "studies/first.toml").exit_code == 0
    assert re.search(r'^name = "first"$', Path("studies/first.toml").read_text(), re.MULTILINE)
    assert call("new").exit_code == 0
    assert Path("two-coins.toml").exists()


def test_nothing_is_overwritten() -> None:
    Path("mine-prices.csv").write_text("my own prices")
    refused = call("new", "mine", "--template", "replay")
    assert refused.exit_code == 2
    assert refused.stderr == "stresscube: mine-prices.csv: is there already; give another name\n"
    assert Path("mine-prices.csv").read_text() == "my own prices"
    assert not Path("mine.toml").exists()


def test_what_cannot_be_is_told_in_a_line() -> None:
    unknown = call("new", "--template", "crsh")
    assert unknown.exit_code == 2
    assert "did you mean crash?" in unknown.stderr
    assert call("new", "two words").exit_code == 2
    nowhere = call("new", "no/where")
    assert nowhere.exit_code == 1
    assert nowhere.stderr.startswith("stresscube: no/where.toml: cannot be written:")
    assert not list(Path().iterdir())


def test_json_names_the_files_and_prices_are_the_same_each_time() -> None:
    (template,) = PRICES_OF
    found = [json.loads(call("new", name, "-t", template, "--json").stdout) for name in ("a", "b")]
    assert found[0] == {
        "scenario": "a.toml", "template": template, "others": ["a-prices.csv"],
    }  # fmt: skip
    first, second = (pd.read_csv(it["others"][0]) for it in found)
    pd.testing.assert_frame_equal(first, second)
    assert first["btc_close"].between(1e4, 1e6).all()
