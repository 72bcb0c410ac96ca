"""One command for every measurement: `python -m benchmarks [WHAT ...]`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from . import (
    calibration,
    cold,
    end_to_end,
    faults,
    feature_sets,
    linearity,
    quickstart,
    record,
    side_by_side,
)

EVERYTHING = ("backends", "end_to_end", "linearity", "quickstart", "cold", "features", "faults")
ASKED_FOR = ("calibration", "gradients", "whole")
"""Only when asked for: they need recorded history beside the tree, JAX, or more minutes."""


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and append JSON lines to a file."""
    asked = parser().parse_args(arguments)
    size = {name: getattr(asked, name) for name in ("policies", "paths", "steps")}
    record.provenance()  # commit and load as they are before anything is measured
    lines: list[dict[str, Any]] = []
    for what in asked.what or EVERYTHING:
        made = measure(what, size, asked)
        lines += made
        if what == "backends":
            print(side_by_side.table(made), flush=True)
        else:
            for line in made:
                shown = {key: value for key, value in line.items() if key != "versions"}
                print(json.dumps(shown), flush=True)
    if asked.dry:
        return
    record.append(lines, asked.output)
    print(f"{len(lines)} lines added to {asked.output}")


def measure(what: str, size: dict[str, int], asked: argparse.Namespace) -> list[dict[str, Any]]:
    """The lines of one benchmark."""
    count = asked.rounds
    if what == "backends":
        return side_by_side.measure(**size, count=count, vectorbt_python=asked.vectorbt_python)
    if what == "end_to_end":
        return [end_to_end.measure(**size, count=count, run_paths=asked.run_paths)]
    if what == "linearity":
        return linearity.measure(**size | {"paths": asked.linear_paths}, count=count)
    if what == "features":
        return list(feature_sets.measure(**size, count=count, before=asked.before))
    if what == "calibration":
        return [calibration.measure(count=min(count, 2))]
    if what == "faults":
        return [faults.measure(count=count, paths=asked.run_paths)]
    if what == "whole":
        from . import whole

        return list(whole.measure(steps=asked.steps, count=min(count, 3)))
    if what == "gradients":
        from . import gradients  # which needs JAX
        from .tables import slopes

        found = sorted(gradients.measure(paths=asked.gradient_paths), key=_asked)
        print(slopes.gradients_of(found), flush=True)
        return found
    if what == "cold":
        return cold.measure(count=min(count, 3))
    return [quickstart.measure(count=count)]


def _asked(line: dict[str, Any]) -> tuple[str, str]:
    return line["scenario"], line["parameter"]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    names = ", ".join((*EVERYTHING, *ASKED_FOR))
    made = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    made.add_argument("what", nargs="*", metavar="WHAT", help=f"of {names}")
    made.add_argument("--policies", type=int, default=1024)
    made.add_argument("--paths", type=int, default=64, help="of the tape")
    made.add_argument("--steps", type=int, default=1024, help="of the tape")
    made.add_argument("--run-paths", type=int, default=500, help="of the end-to-end run")
    made.add_argument("--linear-paths", type=int, default=1024, help="most paths of linearity")
    made.add_argument("--gradient-paths", type=int, default=8192, help="of gradients")
    made.add_argument("--rounds", type=int, default=7)
    made.add_argument("--before", default=feature_sets.BEFORE, help="commit, of features")
    made.add_argument("--vectorbt-python", help="an interpreter that has vectorbt; this one if not")
    made.add_argument("--output", type=Path, default=record.RESULTS)
    made.add_argument("--dry", action="store_true", help="print only")
    return made


if __name__ == "__main__":
    main()
