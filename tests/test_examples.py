"""The commands in examples/ and docs/ are commands that there are, with options that they have."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from stresscube.cli.app import app
from stresscube.store.objects import objects_at
from stresscube.store.s3 import S3Objects

ROOT = Path(__file__).resolve().parent.parent
FILES = [
    *sorted((ROOT / "examples").iterdir()),
    ROOT / "docs" / "dask.md",
    ROOT / "docs" / "gpu.md",
    ROOT / "docs" / "operations.md",
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


SBATCH = {"job-name", "ntasks", "gres", "cpus-per-task", "mem", "time", "requeue", "signal"}
"""Options of sbatch (slurm.schedmd.com/sbatch.html)."""
SKY: dict[str, type] = {
    "name": str, "workdir": str, "envs": dict, "setup": str, "run": str, "resources": dict,
}  # fmt: skip
RESOURCES: dict[str, type] = {"accelerators": str, "use_spot": bool}
"""Fields of a SkyPilot task (docs.skypilot.co/en/latest/reference/yaml-spec.html)."""


def test_the_slurm_script_is_a_script() -> None:
    script = ROOT / "examples" / "slurm_array.sh"
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert script.stat().st_mode & 0o111
    asked = re.findall(r"^#SBATCH --([a-z-]+)", script.read_text(), re.MULTILINE)
    assert set(asked) <= SBATCH
    assert len(asked) == script.read_text().count("#SBATCH")
    assert {"ntasks", "gres"} <= set(asked)


def test_the_skypilot_task_is_one() -> None:
    task: dict[str, Any] = yaml.safe_load((ROOT / "examples" / "skypilot.yaml").read_text())
    assert {name: type(value) for name, value in task.items()} == SKY
    assert {name: type(value) for name, value in task["resources"].items()} == RESOURCES
    assert (ROOT / task["envs"]["SCENARIO"]).exists()
    assert isinstance(objects_at(task["envs"]["OUT"]), S3Objects)
    for script in (task["setup"], task["run"]):
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize(
    ("said", "extra"),
    [("CUDA Version: 12.4", "cuda12"), ("CUDA Version: 13.0", "cuda"), ("", "cuda")],
)
def test_the_skypilot_task_installs_what_the_driver_needs(said: str, extra: str) -> None:
    """Its setup, with programs that only tell how they were called."""
    task: dict[str, Any] = yaml.safe_load((ROOT / "examples" / "skypilot.yaml").read_text())
    told = f"""
nvidia-smi() {{ echo "| Driver Version: 999 {said} |"; }}
uv() {{ echo "uv $*"; }}
export -f uv
function .venv/bin/stresscube {{ echo "stresscube $*"; }}
"""
    done = subprocess.run(
        ["bash"], input=told + task["setup"], capture_output=True, text=True, check=True
    )
    called = done.stdout.splitlines()
    assert f".[{extra},s3]" in called[-2].split()
    assert called[-1] == "stresscube doctor"
    (constraints,) = re.findall(r"-c (\S+)", task["setup"])
    assert (ROOT / constraints).exists()
    assert f"--python {constraints[14:-4]}" in called[-3]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert extra in extras["optional-dependencies"]
