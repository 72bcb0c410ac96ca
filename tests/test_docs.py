"""What README.md and docs/ show must work and must be what commands printed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from stresscube.scenario import loads

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def fenced(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def test_the_readme_scenario_loads() -> None:
    (text,) = fenced(ROOT / "README.md", "toml")
    scenario = loads(text)
    assert scenario.name == "pair"
    assert len(text.splitlines()) <= 16


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_figures_are_those_of_the_results() -> None:
    command = [sys.executable, "-m", "benchmarks.figures", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
