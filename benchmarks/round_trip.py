"""Whether a calibration finds the parameters that made its data, and is as unsure as it says.

    python -m benchmarks.round_trip [DESIGN ...] [--seeds 20] [--bars 12000]
    python -m benchmarks.round_trip --show

The engine simulates hourly bars of markets that are known; the whole of `stresscube calibrate`, its
choice of the design by BIC and its test of cointegration included, reads them; and its 95%
intervals do or do not hold the truth. Positive numbers have intervals of their logarithms (degrees
of freedom of log(nu - 2)), correlations of their atanh, each 1.96 standard errors to both sides.
Where BIC took another design, the line says so, and the intervals are those of the design that made
the data. Lines go to results/round_trip.jsonl in place of those of the same designs; --show makes a
table of them.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stresscube.calibrate import basis, errors, simulated
from stresscube.calibrate.fit import fit
from stresscube.calibrate.parts import Parts
from stresscube.calibrate.run import calibrate, in_words
from stresscube.calibrate.write import Errors
from stresscube.history import History
from stresscube_kernels.spec import MarketSpec

from . import known_markets, record, scales
from .tables import truth

Array = NDArray[np.float64]
RESULTS = record.ROOT / "benchmarks" / "results" / "round_trip.jsonl"
DESIGNS: dict[str, tuple[Any, ...]] = {
    "2 regimes": (2,),
    "2 regimes, correlation chain": (2, "correlation"),
    "2 regimes, jumps": (2, "jumps"),
    "2 regimes, correlation chain, jumps": (2, "correlation", "jumps"),
    "2 regimes, cointegration": (2, "cointegration"),
    "3 regimes": (3,),
    "3 regimes, correlation chain": (3, "correlation"),
    "3 regimes, correlation chain, jumps": (3, "correlation", "jumps"),
    "3 regimes, cointegration": (3, "cointegration"),
}
SIGMAS = 1.959964
SEED = 1789
WITHIN = (0.90, 0.98)


@dataclass(frozen=True)
class Checked:
    """One calibration. z: errors of every parameter in standard errors, NaN where it has none.

    chosen: whether BIC took the design that made the data.
    """

    z: dict[str, float]
    chosen: bool


def histories(known: MarketSpec, bars: int, seeds: int) -> list[History]:
    """The engine's paths, a seed each, as recorded bars."""
    times = np.datetime64("2021-01-01", "ns") + np.arange(bars + 1) * np.timedelta64(1, "h")
    hour = np.timedelta64(3600 * 10**9, "ns")
    made = simulated.histories(known, bars, SEED, 0, seeds)
    return [History(times, one.close, hour, ("A", "B")) for one in made]


def check(known: MarketSpec, history: History) -> Checked:
    """Calibrate, and compare with the truth."""
    made = calibrate(
        history, name="back", regimes=None, prints=None, venues=None, threads=1, tell=_silent
    )
    told = found(made.parts, made.errors)
    truth = known_markets.numbers(known)
    chosen = _shape(made.parts) == known_markets.shape(known) and truth.keys() <= told.keys()
    if not chosen:
        told = found(*of_design(known, history))
    return Checked({name: _z(name, truth[name], *told[name]) for name in truth}, chosen)


def of_design(known: MarketSpec, history: History) -> tuple[Parts, Errors]:
    """What a fit says of the design that made the data, begun at the numbers that did."""
    returns = np.diff(np.log(history.close), axis=0)
    design, theta = known_markets.design(known)
    made = fit(returns, design, theta)
    tested = basis.test(history.close, history.step_hours)
    return in_words(history, made, errors.covariance(returns, made), tested)


def found(parts: Parts, spread: Errors) -> dict[str, tuple[float, float]]:
    """Every parameter of a calibration with its standard error, by name."""
    told: dict[str, tuple[float, float]] = {}

    def add(name: str, value: float, error: float) -> None:
        if (math.isfinite(value) and error > 0.0) or math.isnan(error):
            told[name] = float(value), float(error)

    for chain, (lasting, numbers), fields in (
        (parts.regimes, spread.regimes, ("a", "b", "dof")),
        (parts.correlation, spread.correlation, ("rho",)),
    ):
        for k, name in enumerate(chain.names):
            add(f"{name} duration", chain.durations[k], lasting[k])
            for i, field in enumerate(fields):
                add(f"{name} {field}", chain.numbers[k, i], numbers[k, i])
    for jump, error in zip(parts.jumps, spread.jumps, strict=True):
        for i, value in enumerate(jump.numbers):
            add(f"regime-{jump.regime + 1} {jump.kind} {i}", value, error[i])
    for part in parts.mispricing[:1]:
        add("basis half-life", part.half_life, part.errors[0])
        add("basis std", part.std, part.errors[1])
    return told


def _z(name: str, truth: float, value: float, error: float) -> float:
    """How many standard errors off, on the scale on which the interval is symmetric."""
    field, kind = name.split()[-1], "positive"
    if field == "rho" or name.endswith("news 5"):
        kind = "correlation"
    elif field == "dof":
        kind = "dof"
    elif name.endswith(("news 1", "news 2", " a 1", " b 1")):
        kind = "mean"
    return scales.off(kind, truth, value, error)


def _shape(parts: Parts) -> tuple[int, int, int, int, int]:
    slow = 1 if parts.volatility is None else len(parts.volatility.names)
    correlations = len(parts.correlation.names)
    return len(parts.regimes.names), slow, correlations, len(parts.jumps), len(parts.mispricing)


def _silent(_: str) -> None:
    pass


def _one(task: tuple[MarketSpec, History]) -> Checked:
    return check(*task)


def measure(name: str, bars: int, seeds: int, workers: int) -> dict[str, Any]:
    """A line of one design."""
    begun = time.perf_counter()
    regimes, *extra = DESIGNS[name]
    known = known_markets.market(regimes, *extra)
    tasks = [(known, history) for history in histories(known, bars, seeds)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        checked = list(pool.map(_one, tasks))
    return line(name, bars, checked) | {"seconds": round(time.perf_counter() - begun, 1)}


def line(name: str, bars: int, checked: list[Checked]) -> dict[str, Any]:
    """What is kept: coverage by parameter and of all."""
    names = checked[0].z.keys()
    table = {one: np.array([seed.z.get(one, np.nan) for seed in checked]) for one in names}
    every = np.concatenate(list(table.values()))
    known = every[np.isfinite(every)]
    return {
        "benchmark": "round_trip",
        "design": name,
        "bars": bars,
        "seeds": len(checked),
        "chosen_by_bic": sum(seed.chosen for seed in checked),
        "intervals": len(known),
        "without_error": int((~np.isfinite(every)).sum()),
        "inside": int((np.abs(known) <= SIGMAS).sum()),
        "coverage": round(float((np.abs(known) <= SIGMAS).mean()), 4),
        "farthest": round(float(np.abs(known).max()), 2),
        "by_parameter": {
            one: {"mean_z": round(float(np.nanmean(z)), 2), "sd_z": round(float(np.nanstd(z)), 2)}
            for one, z in table.items()
        },
    }


def pooled(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """All designs together."""
    inside, count = (sum(int(one[key]) for one in lines) for key in ("inside", "intervals"))
    return {
        "benchmark": "round_trip",
        "design": "all",
        "seeds": min(one["seeds"] for one in lines),
        "intervals": count,
        "inside": inside,
        "coverage": round(inside / count, 4),
        "wanted": list(WITHIN),
        "passes": WITHIN[0] <= inside / count <= WITHIN[1],
    }


def together(lines: list[dict[str, Any]], results: Path) -> list[dict[str, Any]]:
    """A line of every design, those before where there is none now, and all of them pooled."""
    before = results.read_text().splitlines() if results.exists() else []
    every = {one["design"]: one for one in [*map(json.loads, before), *lines]}
    ordered = [every[name] for name in DESIGNS if name in every]
    return [*ordered, pooled(ordered)]


def main() -> None:
    """Simulate, calibrate, print, and put the lines in place of those before."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.round_trip", description=__doc__)
    parser.add_argument("designs", nargs="*", metavar="DESIGN", help=f"of {'; '.join(DESIGNS)}")
    parser.add_argument("--bars", type=int, default=12_000)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--show", action="store_true", help="a table of the lines that are there")
    asked = parser.parse_args()
    if asked.show:
        print(truth.intervals(asked.output.read_text().splitlines()), end="")
        return
    record.provenance()
    lines: list[dict[str, Any]] = []
    for name in asked.designs or DESIGNS:
        lines.append(measure(name, asked.bars, asked.seeds, asked.workers))
        print(json.dumps(lines[-1]), flush=True)
    lines = together(lines, asked.output)
    print(json.dumps(lines[-1]))
    asked.output.write_text("".join(json.dumps(record.provenance() | one) + "\n" for one in lines))
    if not lines[-1]["passes"]:
        raise SystemExit(f"coverage {lines[-1]['coverage']} is not within {WITHIN}")


if __name__ == "__main__":
    main()
