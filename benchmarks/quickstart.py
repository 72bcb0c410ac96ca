"""How long the quickstart takes from the shell: the first time, and with its code compiled."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .case import ROOT
from .record import significant
from .timing import seconds, spread

QUICKSTART = ROOT / "scenarios" / "quickstart.toml"


def measure(*, count: int) -> dict[str, Any]:
    """One line: seconds of the first run, which compiles into an empty cache, and of later ones."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"STRESSCUBE_CACHE_DIR": f"{folder}/cache"}
        taken = [
            seconds(lambda k=k: shell(Path(folder) / f"{k}.run", environment))()
            for k in range(count + 1)
        ]
    later = spread(taken[1:])
    return {
        "benchmark": "quickstart",
        "seconds_first": significant(taken[0], 3),
        "seconds_later": significant(later.median, 3),
        "seconds_later_least": significant(later.least, 3),
        "seconds_later_greatest": significant(later.greatest, 3),
        "rounds": count,
        "versions": {},
    }


def shell(out: Path, environment: dict[str, str]) -> None:
    """`stresscube run` in a process of its own."""
    program = Path(sys.executable).with_name("stresscube")
    command = [str(program), "run", str(QUICKSTART), "-o", str(out), "--quiet"]
    subprocess.run(command, env=environment, check=True)
