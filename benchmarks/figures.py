"""Refresh the figures in README.md and docs/ from what commands printed, and only from that.

A figure stands between `<!-- figures:NAME -->` and `<!-- /figures -->`:

    demo      the table of `stresscube show RUN --top 5`, only with --demo RUN (`make readme`)
    speed     the last line of each backend in benchmarks/results/*.jsonl
    sass      what the compiler makes of the CUDA kernels (results/sass.jsonl, float32)
    faults    what it costs that a run cannot be lost
    calibration  how long a calibration takes
    bootstrap  how far refits of simulated histories spread, and what they cost
    round_trip  how often intervals of a calibration hold what made the data
    features  what the scenarios' feature sets cost, from the newest run of that benchmark
    coverage  how often 95% intervals hold the truth
    thin_quantiles  the same of quantiles with few values beyond
    realism_basis  facts of the basis of one coin on two venues
    realism   facts of a year that markets fitted on the years before reproduce
    optimise  a grid of policies against gradients, the newest line of each scenario
    gradients derivatives by temperature, beside differences on the same paths
    whole     whole jobs on each backend, by number of policies

A line of those files is an object with, at least, `benchmark` ("backends"), `backend`,
`policy_steps_per_second`, `machine` (text) and `versions` (package -> version).

    python -m benchmarks.figures [--demo RUN] [--check]

--check changes nothing and exits with 1 if a figure is out of date.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from .tables import rates, refits, slopes, truth

ROOT = Path(__file__).resolve().parent.parent
MARKED = re.compile(r"(<!-- figures:(\w+) -->\n)(.*?)(<!-- /figures -->)", re.DOTALL)

Figure = Callable[[], str]

FIGURES: dict[str, Figure] = {
    "speed": rates.speed,
    "sass": rates.sass,
    "features": rates.features,
    "faults": rates.faults,
    "calibration": rates.calibration,
    "bootstrap": refits.bootstrap,
    "whole": rates.whole,
    "round_trip": truth.round_trip,
    "coverage": truth.coverage,
    "thin_quantiles": truth.thin_quantiles,
    "realism": truth.realism,
    "realism_basis": truth.realism_basis,
    "gradients": slopes.gradients,
    "optimise": slopes.optimise,
}


def demo(run: Path) -> str:
    """Return the table of a run as text, 80 columns wide."""
    command = [str(Path(sys.executable).parent / "stresscube"), "show", str(run), "--top", "5"]
    plain = os.environ | {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(command, capture_output=True, text=True, env=plain, check=True)
    lines = [line.rstrip() for line in done.stdout.strip("\n").splitlines()]
    return "\n".join(["```text", *lines, "```"]) + "\n"


def filled(text: str, figures: dict[str, Figure]) -> str:
    """Return the text with every known figure made anew.

    Raises KeyError for a marker that names no figure.
    """

    def make(match: re.Match[str]) -> str:
        head, name, _, foot = match.groups()
        return f"{head}{figures[name]()}{foot}" if name != "demo" or name in figures else match[0]

    return MARKED.sub(make, text)


def main() -> int:
    """Refresh or check every marked file."""
    parser = argparse.ArgumentParser(description="Refresh the figures in README.md and docs/.")
    parser.add_argument("--demo", type=Path, metavar="RUN", help="run folder of `make demo`")
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 if stale")
    options = parser.parse_args()
    figures = dict(FIGURES)
    if options.demo:
        figures["demo"] = lambda: demo(options.demo)
    stale = 0
    for file in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = file.read_text()
        new = filled(text, figures)
        if new == text:
            continue
        stale += 1
        print(f"{file.relative_to(ROOT)}: {'out of date' if options.check else 'refreshed'}")
        if not options.check:
            file.write_text(new)
    return int(options.check and stale > 0)


if __name__ == "__main__":
    sys.exit(main())
