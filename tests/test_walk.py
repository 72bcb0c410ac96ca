"""The walk of examples/walk.sh, without its installation: every command of it works."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_a_new_user_gets_from_nothing_to_a_decision(tmp_path: Path) -> None:
    program = tmp_path / "stresscube"
    program.write_text(f"#!{sys.executable}\nfrom stresscube.cli import main; main()\n")
    program.chmod(0o755)
    done = subprocess.run(
        ["bash", str(ROOT / "examples" / "walk.sh"), "walk"],
        cwd=tmp_path,
        env={**os.environ, "STRESSCUBE": "./stresscube", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    walked = re.findall(r"^\$ stresscube (\w+)", done.stdout, re.MULTILINE)
    assert walked == ["new", "check", "run", "show", "recommend", "report", "trace", "export"]
    assert re.search(r"^take leverage = \d+", done.stdout, re.MULTILINE)
    assert "deflated Sharpe ratio" in done.stdout
    assert max(map(len, done.stdout.splitlines())) < 120
    folder = tmp_path / "walk"
    assert "Recommended" in (folder / "first.html").read_text()
    with (folder / "first.csv").open(newline="") as file:
        ledger = list(csv.DictReader(file))
    assert any("liquidat" in row["event"] for row in ledger)
    assert len((folder / "cube.csv").read_text().splitlines()) == 1 + 90
    assert (folder / "first.png").stat().st_size > 10_000
