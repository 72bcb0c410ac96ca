"""How often 95% intervals of quantiles hold the truth where few values lie beyond.

`python -m benchmarks.thin_quantiles` draws samples of several laws and sizes, takes quantiles with
2 to 40 values beyond as the program does, and counts, by Maritz and Jarrett's errors alone and with
the interval of order statistics as their least.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from stresscube.metrics import quantiles

from . import record

RESULTS = record.ROOT / "benchmarks" / "results" / "thin_quantiles.jsonl"
LAWS: dict[str, Any] = {
    "log-normal": stats.lognorm(0.5), "exponential": stats.expon(), "normal": stats.norm(),
    "uniform": stats.uniform(), "Student's t with 4": stats.t(4),
}  # fmt: skip
SIZES = (200, 1000)
BEYOND = (2, 3, 4, 5, 7, 10, 20, 40)
REACH = float(stats.norm.ppf(0.975))
Floats = NDArray[np.float64]


def held(law: Any, even: Floats, shares: tuple[float, ...], least: int) -> tuple[Floats, Floats]:
    """How often each quantile's interval holds, and its mean square error's root over the spread.

    even: sorted uniform numbers, [sample, value]. least: THIN, or 0 for Maritz and Jarrett alone.
    """
    usual, quantiles.THIN = quantiles.THIN, least
    quantiles.positions.cache_clear()
    found = quantiles.quantiles(np, law.ppf(even), shares)
    quantiles.THIN = usual
    quantiles.positions.cache_clear()
    away = np.abs(found.value - law.ppf(shares))
    error = np.sqrt((found.error**2).mean(axis=0))
    return (away <= REACH * found.error).mean(axis=0), error / found.value.std(axis=0)


def measure(repetitions: int, seed: int) -> Iterator[dict[str, Any]]:
    """A line for each number beyond: the least and most of all laws, sizes and both tails."""
    rng = np.random.default_rng(seed)
    samples = [np.sort(rng.random((repetitions, size)), axis=-1) for size in SIZES]
    for beyond in BEYOND:
        line: dict[str, Any] = {"benchmark": "thin_quantiles", "beyond": beyond}
        line |= {"repetitions": repetitions, "sizes": SIZES, "laws": list(LAWS), "seed": seed}
        for name, least in (("alone", 0), ("bounded", quantiles.THIN)):
            cases = [
                held(law, even, (beyond / size, 1.0 - beyond / size), least)
                for law in LAWS.values()
                for size, even in zip(SIZES, samples, strict=True)
            ]
            shares, ratios = (np.concatenate(it) for it in zip(*cases, strict=True))
            line[name] = [round(float(it), 4) for it in (shares.min(), shares.max())]
            line[f"{name}_error"] = [round(float(it), 3) for it in (ratios.min(), ratios.max())]
        yield line


def main() -> None:
    """Measure, print, and write the result in place of the last one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.thin_quantiles")
    parser.add_argument("--repetitions", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--dry", action="store_true", help="print only")
    asked = parser.parse_args()
    lines = list(measure(asked.repetitions, asked.seed))
    for line in lines:
        print(json.dumps(line), flush=True)
    if not asked.dry:
        asked.output.unlink(missing_ok=True)
        record.append(lines, asked.output)


if __name__ == "__main__":
    main()
