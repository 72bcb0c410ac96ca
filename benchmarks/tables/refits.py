"""How far refits of simulated histories spread, beside the asymptotic errors."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import median
from typing import Any

from .results import RESULTS, read

KINDS = {
    "volatilities": r"\.(volatility|multiplier)\.",
    "tails": r"\.tail_dof$",
    "correlations": r"correlation_regimes\..*\.correlation$",
    "durations": r"\.mean_duration$",
    "premiums: means": r"\.funding\.mean\.",
    "premiums: deviations": r"\.funding\.std\.",
    "premiums: half-lives": r"\.funding\.half_life$",
    "premiums: correlations": r"\.funding\.correlation$",
    "premiums: durations": r"funding_regimes\..*\.mean_duration$",
}
"""Of a dotted key, the last that fits."""


def bootstrap(results: Path = RESULTS) -> str:
    """Return what draws cost, and a table of kinds of numbers."""
    found = [line for line in read(results) if line["benchmark"] == "bootstrap"]
    if not found:
        return "Not measured yet: run `python -m benchmarks.bootstrap`.\n"
    line = found[-1]
    lines = [
        f"{line['draws']} draws of {line['bars']:,} bars with funding, {line['workers']} threads, "
        f"{line['machine']}: {line['processor_seconds_a_draw']:.2g} s of a processor for a refit, "
        f"{line['covariance_seconds_a_draw']:.1g} s for a draw by the covariance. "
        f"{line['redrawn']} refits gave way to another; {line['at_an_edge']} draws have a number "
        "at the edge of what bars can show.",
        "",
        "| numbers | | sd of refits / standard error | least to most | central 68% / error "
        "| mean off, in errors | farthest |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    return "\n".join([*lines, *_rows(line["numbers"])]) + "\n"


def _rows(numbers: dict[str, dict[str, float]]) -> list[str]:
    """A row a kind. Of ratios the median, of means off the median as well."""
    made: list[str] = []
    for kind in KINDS:
        those: list[dict[str, Any]] = [n for key, n in numbers.items() if kind_of(key) == kind]
        if not those:
            continue
        sd, central, off = ([one[name] for one in those] for name in ("sd", "central", "mean"))
        made.append(
            f"| {kind} | {len(those)} | {median(sd):.2f} | {min(sd):.2f} to {max(sd):.2f} "
            f"| {median(central):.2f} | {median(off):+.2f} | {max(off, key=abs):+.2f} |"
        )
    return made


def kind_of(key: str) -> str | None:
    """Under which of KINDS a number stands."""
    return next((kind for kind in reversed(KINDS) if re.search(KINDS[kind], key)), None)
