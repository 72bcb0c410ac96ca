"""What Tab offers: commands, runs, metrics and cells, without loading what computes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stresscube.cli import app
from stresscube.templates import TEMPLATES

AXES = [
    {"name": "stress_correlation", "values": [0.85, 0.3]},
    {"name": "leverage", "values": [5, 10.0]},
    {"name": "venue", "values": ["A", "B"]},
    {"name": "rebalance_threshold", "values": [0.012, "inf"]},
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what completion reads of a run, and other things."""
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path / "pair.run", tmp_path / "runs" / "old.run"):
        (folder / "_control").mkdir(parents=True)
        (folder / "_control" / "plan.json").write_text(json.dumps({"axes": AXES}))
        for name in ("sharpe", "sharpe_se", "sharpe_batch", "sortino", "sortino_se", "feasible"):
            (folder / "cube.zarr" / "summary" / name).mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "pair.toml").touch()
    (tmp_path / "prices.csv").touch()
    return tmp_path


def offered(line: str) -> list[str]:
    """What is offered for the last word of a line, as bash asks for it."""
    words = line.split(" ")
    asked = {"_STRESSCUBE_COMPLETE": "complete_bash", "COMP_WORDS": line}
    done = CliRunner().invoke(
        app, [], prog_name="stresscube", env={**asked, "COMP_CWORD": str(len(words) - 1)}
    )
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("stresscube sh", ["show"]),
        ("stresscube show ", ["pair.run", "runs/"]),
        ("stresscube show p", ["pair.run"]),
        ("stresscube show runs/", ["runs/old.run"]),
        ("stresscube show nowhere/", []),
        ("stresscube run p", ["pair.toml"]),
        ("stresscube run pair.toml --backend ", ["auto", "cpu", "cuda", "xla"]),
        ("stresscube run --dask", ["--dask"]),
        ("stresscube show pair.run --by s", ["sharpe", "sortino"]),
        ("stresscube show --by s", []),
        ("stresscube recommend pair.run --maximise so", ["sortino"]),
        ("stresscube recommend pair.run --case ", ["worst", "mean"]),
        ("stresscube plot pair.run --x ", [axis["name"] for axis in AXES]),
        ("stresscube show pair.run --where lev", ["leverage=5", "leverage=10"]),
        ("stresscube trace pair.run --set ven", ["venue=A", "venue=B"]),
        ("stresscube show pair.run --where rebalance_threshold=i", ["rebalance_threshold=inf"]),
        ("stresscube show none.run --where lev", []),
        ("stresscube new --template ", list(TEMPLATES)),
    ],
)  # fmt: skip
def test_what_is_offered(line: str, words: list[str]) -> None:
    assert offered(line) == words


def test_a_damaged_plan_offers_nothing() -> None:
    Path("pair.run/_control/plan.json").write_text("{")
    assert offered("stresscube show pair.run --where lev") == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_takes_the_script_and_completes(here: Path) -> None:
    """What --show-completion prints, in a bash with the program on its path."""
    program = here / "stresscube"
    program.write_text(f"#!{sys.executable}\nfrom stresscube.cli import main; main()\n")
    program.chmod(0o755)
    script = CliRunner().invoke(
        app, [], prog_name="stresscube", env={"_STRESSCUBE_COMPLETE": "source_bash"}
    )  # fmt: skip
    assert script.exit_code == 0, script.output
    asked = """
COMP_WORDS=(stresscube show pair.run --where stress)
COMP_CWORD=4
_stresscube_completion stresscube
printf '%s\\n' "${COMPREPLY[@]}"
"""
    path = f"{here}{os.pathsep}{os.environ['PATH']}"
    source = os.pathsep.join(sys.path)
    done = subprocess.run(
        ["bash"], input=script.stdout + asked, capture_output=True, text=True, check=True,
        env={**os.environ, "PATH": path, "PYTHONPATH": source},
    )  # fmt: skip
    assert done.stdout.split() == ["stress_correlation=0.85", "stress_correlation=0.3"]


def test_completion_loads_nothing_large() -> None:
    code = (
        "import sys\nfrom stresscube.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(sorted({'numpy', 'xarray', 'zarr', 'numba'} & set(sys.modules)), "
        "file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "_STRESSCUBE_COMPLETE": "complete_bash", "COMP_CWORD": "4",
             "COMP_WORDS": "stresscube show pair.run --by sh",
             "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.stdout.split() == ["sharpe"]
    assert done.stderr.strip() == "[]"
