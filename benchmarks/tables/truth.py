"""How real fitted markets are, and how often intervals hold the truth."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from .results import RESULTS, read


def realism(results: Path = RESULTS) -> str:
    """Return two tables: how many facts pass in every market, and every fact in every market."""
    found = [line for line in read(results) if line["benchmark"] == "realism"]
    if not found:
        return "Not measured yet: run `python -m benchmarks.realism`.\n"
    lines = ["| market | facts inside the band |", "|---|---:|"]
    lines += [f"| {line['market']} | {line['inside']} of {line['facts']} |" for line in found]
    markets = " | ".join(line["market"] for line in found)
    lines += ["", f"| fact | real | {markets} |", "|---|---:" + "|---:" * len(found) + "|"]
    for facts in zip(*(line["table"] for line in found), strict=True):
        cells = [f"{fact['median']:.3g}{'' if fact['inside'] else ' ✗'}" for fact in facts]
        name = facts[0]["fact"].replace("|", "\\|")
        lines.append(f"| {name} | {facts[0]['real']:.3g} | {' | '.join(cells)} |")
    lines += ["", f"Medians of {found[0]['simulations']} simulations; ✗: the real one is outside "
              "their central 95%."]  # fmt: skip
    return "\n".join(lines) + "\n"


def realism_basis(results: Path = RESULTS) -> str:
    """Return a table of the facts of the basis of one coin on two venues."""
    found = [line for line in read(results) if line["benchmark"] == "realism_basis"]
    if not found:
        return "Not measured yet: run `python -m benchmarks.realism` with --venue.\n"
    (line,) = found
    lines = ["| fact | real | simulated | 95% band | |", "|---|---:|---:|---:|---|"]
    for fact in line["table"]:
        if fact["fact"].startswith(("basis", "spread")):
            low, high = (f"{fact[name]:.3g}" for name in ("low", "high"))
            word = "pass" if fact["inside"] else "miss"
            name = fact["fact"].replace("|", "\\|")
            numbers = f"{fact['real']:.3g} | {fact['median']:.3g} | {low} to {high}"
            lines.append(f"| {name} | {numbers} | {word} |")
    return "\n".join(lines) + "\n"


def coverage(results: Path = RESULTS) -> str:
    """Return the table of how often intervals hold the truth."""
    found = [line for line in read(results) if line["benchmark"] == "coverage"]
    if not found:
        return "Not measured yet: run `python -m benchmarks.coverage`.\n"
    first = found[0]
    lines = ["| liquidated | intervals | lowest coverage | highest |", "|---:|---:|---:|---:|"]
    lines += [
        f"| {line['liquidation_probability']:.0%} | {line['intervals']} "
        f"| {line['lowest']:.1%} | {line['highest']:.1%} |"
        for line in found
    ]
    text = f"{first['repetitions']:,} repetitions of {first['paths']:,} paths"
    lines += ["", f"{text}, by `python -m benchmarks.coverage`: a coverage is known to 0.5%."]
    return "\n".join(lines) + "\n"


def thin_quantiles(results: Path = RESULTS) -> str:
    """Return the table of intervals of quantiles by how many values lie beyond."""
    found = [line for line in read(results) if line["benchmark"] == "thin_quantiles"]
    if not found:
        return "Not measured yet: run `python -m benchmarks.thin_quantiles`.\n"
    lines = ["| values beyond | coverage | error over spread | Maritz and Jarrett alone |"]
    lines.append("|---:|---:|---:|---:|")
    for line in found:
        low, high = line["bounded"]
        least, most = line["bounded_error"]
        words = f"{low:.1%} to {high:.1%} | {least:.2f} to {most:.2f}"
        low, high = line["alone"]
        lines.append(f"| {line['beyond']} | {words} | {low:.1%} to {high:.1%} |")
    first = found[0]
    sizes = " and ".join(f"{it:,}" for it in first["sizes"])
    lines += ["", f"{first['repetitions']:,} samples of {sizes} values, both tails of "
              f"{', '.join(first['laws'][:-1])} and {first['laws'][-1]} degrees of freedom, by "
              "`python -m benchmarks.thin_quantiles`."]  # fmt: skip
    return "\n".join(lines) + "\n"


def round_trip(results: Path = RESULTS) -> str:
    """Return a table of how often intervals of a calibration hold what made the data."""
    file = results / "round_trip.jsonl"
    if not file.exists():
        return "Not measured yet: run `python -m benchmarks.round_trip`.\n"
    return intervals(file.read_text().splitlines())


def intervals(lines: Iterable[str]) -> str:
    """Return that table of the lines of a file."""
    rows = ["| market | seeds | design found by BIC | 95% intervals | hold the truth |"]
    rows.append("|---|---:|---:|---:|---:|")
    for one in map(json.loads, lines):
        chosen = one.get("chosen_by_bic", "")
        share = f"{one['coverage']:.1%}"
        rows.append(
            f"| {one['design']} | {one['seeds']} | {chosen} | {one['intervals']} | {share} |"
        )
    return "\n".join(rows) + "\n"
