"""The commands in examples/ and docs/ are commands that there are, with options that they have."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stresscube.cli.app import app

ROOT = Path(__file__).resolve().parent.parent
FILES = [
    *sorted((ROOT / "examples").iterdir()),
    ROOT / "docs" / "dask.md",
    ROOT / "docs" / "gpu.md",
    ROOT / "docs" / "stores.md",
    ROOT / "docs" / "performance.md",
]
COMMAND = re.compile(r"(?:^|[/ ])stresscube ([a-z]+)((?:[^\n`]|\\\n)*)", re.MULTILINE)


def options_of(command: str) -> set[str]:
    done = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert done.exit_code == 0, f"no command {command}"
    return set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", done.output))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_commands_and_options_exist(file: Path) -> None:
    found = COMMAND.findall(file.read_text().replace("\\\n", " "))
    assert found or file.name == "performance.md"
    for command, rest in found:
        asked = set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", rest))
        assert asked <= options_of(command), f"stresscube {command}{rest}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_files_that_are_named_exist(file: Path) -> None:
    for name in re.findall(r"\b(?:scenarios|examples)/[\w./-]+\.\w+", file.read_text()):
        assert (ROOT / name).exists(), f"{file.name} names {name}"


def test_the_slurm_script_is_a_script() -> None:
    script = ROOT / "examples" / "slurm_array.sh"
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert script.stat().st_mode & 0o111
