"""Refits of simulated histories beside the asymptotic errors, on five years of hourly bars.

    python -m benchmarks.bootstrap [--draws 96] [--workers 2]
    python -m benchmarks.bootstrap --show

What `stresscube calibrate --uncertainty N` does after the fit, by refits and by the covariance: the
time of each, and for every number that has a standard error how far the refits spread and where
they lie, in standard errors. Logarithms of numbers above 0, of degrees of freedom less 2, arcs of
correlations. The line goes to results/bootstrap.jsonl in place of the one before; --show makes a
table of all its numbers, `python -m benchmarks.figures` one of kinds of numbers.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stresscube.calibrate.bootstrap import bootstrap
from stresscube.calibrate.draws import columns
from stresscube.calibrate.funding import Premiums
from stresscube.calibrate.parts import Parts
from stresscube.calibrate.run import Calibration, Draws, calibrate, drawn
from stresscube.realism.recorded import Wanted, prints, read

from . import calibration, record, scales

RESULTS = record.ROOT / "benchmarks" / "results" / "bootstrap.jsonl"
CENTRAL = 0.682689
"""Of a normal number within one standard deviation."""


def measure(draws: int, workers: int, prices: Path, funding: Path) -> dict[str, Any]:
    """The line."""
    wanted = Wanted(funding=funding)
    history = read((prices,), wanted)
    made = calibrate(
        history, name="pair", regimes=None, prints=prints(history, funding), venues=None,
        threads=workers, tell=_tell,
    )  # fmt: skip
    clock, processors = time.perf_counter(), time.process_time()
    refits = bootstrap(made.found, draws, _tell, workers=workers)
    clock, processors = time.perf_counter() - clock, time.process_time() - processors
    begun = time.perf_counter()
    rows, _ = drawn(made, Draws(draws, "covariance"), _tell, workers)
    at_once = time.perf_counter() - begun
    return {
        "benchmark": "bootstrap",
        "data": prices.name,
        "bars": made.fit.bars,
        "draws": draws,
        "workers": workers,
        "redrawn": sum(len(draw.failures) for draw in refits.draws),
        "at_an_edge": sum(draw.edges > 0 for draw in refits.draws),
        "seconds_a_draw": record.significant(clock / draws, 3),
        "processor_seconds_a_draw": record.significant(processors / draws, 3),
        "covariance_seconds_a_draw": record.significant(at_once / draws, 3),
        "numbers": compared(made, [draw.row for draw in refits.draws]),
        "numbers_by_covariance": compared(made, rows),
    }


def compared(made: Calibration, rows: list[dict[str, str]]) -> dict[str, dict[str, float]]:
    """Of every number with a standard error, in those: the draws' standard deviation, half the
    width of their central 68%, and their mean less the estimate."""
    at = _numbers(made.parts, _premiums(made), made.found.assets)
    errors = _numbers(*_errors(made), made.found.assets)
    found: dict[str, dict[str, float]] = {}
    for key, error in errors.items():
        kind = _scale(key)
        if kind is None or not error > 0.0 or not math.isfinite(error):
            continue
        off = np.array([-scales.off(kind, _number(row[key]), at[key], error) for row in rows])
        low, high = np.quantile(off, [(1 - CENTRAL) / 2, (1 + CENTRAL) / 2])
        told = {"sd": off.std(ddof=1), "central": (high - low) / 2, "mean": off.mean()}
        found[key] = {name: round(float(value), 3) for name, value in told.items()}
    return found


def _errors(made: Calibration) -> tuple[Parts, Premiums | None]:
    """The standard errors in the places of the numbers."""
    parts, errors = made.parts, made.errors
    slow, premiums = parts.volatility, _premiums(made)
    if slow is not None and errors.volatility is not None:
        slow = replace(slow, durations=errors.volatility[0], numbers=errors.volatility[1])
    jumps = [
        replace(jump, numbers=row) for jump, row in zip(parts.jumps, errors.jumps, strict=True)
    ]
    told = Parts(
        replace(parts.regimes, durations=errors.regimes[0], numbers=errors.regimes[1]),
        slow,
        replace(parts.correlation, durations=errors.correlation[0], numbers=errors.correlation[1]),
        tuple(replace(it, half_life=it.errors[0], std=it.errors[1]) for it in parts.mispricing),
        tuple(jumps),
    )
    if premiums is not None:
        e = premiums.errors
        premiums = replace(
            premiums,
            mean=e[:, :2],
            std=e[:, 2:4],
            half_life=e[:, 4],
            rho=e[:, 5],
            durations=e[:, 6],
        )
    return told, premiums


def _premiums(made: Calibration) -> Premiums | None:
    return made.found.prints.found if made.found.prints is not None else None


def _numbers(parts: Parts, premiums: Premiums | None, assets: tuple[str, str]) -> dict[str, float]:
    return {key: _number(value) for key, value in columns(parts, premiums, assets).items()}


def _number(text: str) -> float:
    return float(text.removesuffix("h"))


def _scale(key: str) -> str | None:
    """Of a dotted key; None for one that has no error."""
    if ".next." in key or "spike" in key:
        return None
    if key.endswith("correlation"):
        return "correlation"
    if key.endswith("tail_dof"):
        return "dof"
    return "mean" if ".mean." in key or key.endswith(".mean") else "positive"


def table(line: dict[str, Any]) -> str:
    """Every number, in Markdown."""
    rows = ["| number | sd of refits / error | central 68% / error | mean off / error |"]
    rows.append("|---|---:|---:|---:|")
    for key, told in line["numbers"].items():
        rows.append(f"| {key} | {told['sd']:.2f} | {told['central']:.2f} | {told['mean']:+.2f} |")
    return "\n".join(rows)


def _tell(words: str) -> None:
    print(words, flush=True)


def main() -> None:
    """Measure, print, and put the line in place of the one before."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bootstrap", description=__doc__)
    parser.add_argument("--draws", type=int, default=96)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--show", action="store_true", help="a table of the line that is there")
    asked = parser.parse_args()
    if asked.show:
        print(table(json.loads(asked.output.read_text())))
        return
    about = record.provenance()
    line = measure(asked.draws, asked.workers, calibration.PRICES, calibration.FUNDING)
    asked.output.write_text(json.dumps(about | line) + "\n")
    print(table(line))


if __name__ == "__main__":
    main()
