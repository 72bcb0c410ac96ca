"""Gradients beside differences, and what a search by gradients finds beside a grid."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .results import RESULTS, read

BUSY = 3.0
"""Load for each core beyond which a machine was not a benchmark's own."""


def gradients(results: Path = RESULTS) -> str:
    """Return the table of gradients beside differences on other paths, as measured last."""
    found = [line for line in read(results) if line["benchmark"] == "gradients"]
    latest = {(it["scenario"], it["parameter"], it["way"]): it for it in found}
    return gradients_of(list(latest.values()))


def gradients_of(found: list[dict[str, Any]]) -> str:
    """Return the lines as a table: a row for each derivative, a column for each way."""
    if not found:
        return "Not measured yet: run `python -m benchmarks gradients`.\n"
    soft = sorted({line["way"] for line in found} - {"default", "reference"})
    reference = next(line for line in found if line["way"] == "reference")
    lines = [
        f"| | by | of | method | found | differences, ±{reference['step']:.0%}, other paths "
        "| apart, in errors " + "".join(f"| smoothed, {way} " for way in soft) + "|",
        "|---|---|---|---|---:|---:|---:|" + "---:|" * len(soft),
    ]
    asked = dict.fromkeys((line["scenario"], line["parameter"]) for line in found)
    gaps: list[float] = []
    for scenario, parameter in asked:
        ways = {line["way"]: line for line in found
                if (line["scenario"], line["parameter"]) == (scenario, parameter)}  # fmt: skip
        for metric in ways["default"]["gradients"]:
            at = {way: line["gradients"][metric] for way, line in ways.items()}
            gaps.append(_apart(at["default"], at["reference"]))
            cells = ["{:.3g} ± {:.2g}".format(*at[way]) if way in at else "" for way in soft]
            here, there = ("{:.3g} ± {:.2g}".format(*at[way]) for way in ("default", "reference"))
            row = (scenario, f"`{parameter.rpartition('.')[2]}`", f"`{metric}`",
                   ways["default"]["method"], here, there, f"{gaps[-1]:+.1f}", *cells)  # fmt: skip
            lines.append(f"| {' | '.join(row)} |")
    paths = next(line["paths"] for line in found if line["way"] == "default")
    beyond = sum(abs(gap) > 2.0 for gap in gaps)
    return "\n".join([*lines, "", (
        f"{paths:,} paths, those that it is compared with {reference['paths']:,} others; one "
        f"standard error; float64. Of {len(gaps)} derivatives {beyond} are more than 2 errors from "
        f"their differences, and the furthest is {max(map(abs, gaps)):.1f}."
    )]) + "\n"  # fmt: skip


def _apart(one: list[float], other: list[float]) -> float:
    """How many of their combined errors two estimates are apart."""
    return (one[0] - other[0]) / math.hypot(one[1], other[1])


def optimise(results: Path = RESULTS) -> str:
    """Return who won in a sentence and a table, then a table of policies and one of conditions."""
    latest = {it["scenario"]: it for it in read(results) if it["benchmark"] == "optimise"}
    if not latest:
        return "Not measured yet: run `python -m benchmarks.optimise`.\n"
    won = [it["winner"] for it in latest.values()]
    shares = {name: _measured_share(it) for name, it in latest.items()}
    lines = [
        f"Of {len(won)} scenarios gradients found the better policy in {won.count('gradient')}, "
        f"the grid in {won.count('grid')}; in {won.count('neither')} the referee cannot tell them "
        f"apart. They took at most {max(shares.values()):.1%} of the grid's policy-steps.",
        "",
        "| scenario | found, less the grid's policy | less the grid's best in hindsight | better "
        "| policy-steps: grid | gradients | share | share at the measured cost | seconds: grid "
        "| gradients |",
        "|---|---:|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, it in latest.items():
        gaps = " | ".join(
            f"{it[gap]:+.2g} ± {it[gap + '_se']:.2g}"
            for gap in ("difference", "difference_to_hindsight")
        )
        lines.append(
            f"| {name} | {gaps} | {it['winner']} | {it['grid_policy_steps'] / 1e9:.3g} billion "
            f"| {it['policy_steps'] / 1e9:.3g} billion | {it['share']:.1%} | {shares[name]:.1%} "
            f"| {_clock(it, 'grid_seconds')} | {_clock(it, 'seconds')} |"
        )
    if any(_busy(it) for it in latest.values()):
        lines += ["", "–: others used the machine, so that seconds say nothing."]
    lines += ["", "| scenario | policy | by | sharpe | liquidation probability | at most |"]
    lines.append("|---|---|---|---:|---:|---:|")
    for name, it in latest.items():
        for who, words in (("found", "gradients"), ("grid", "grid"), ("hindsight", "hindsight")):
            row = it[who]
            policy = ", ".join(f"{key} {value:.4g}" for key, value in row["policy"].items())
            lines.append(
                f"| {name} | {policy} | {words} | {row['goal']:.3g} ± {row['goal_se']:.1g} "
                f"| {row['constraints'][0]:.2g} | {row['bounds'][0]:.2g} |"
            )
    return "\n".join([*lines, "", *_conditions(latest)]) + "\n"


def _clock(it: Mapping[str, Any], name: str) -> str:
    return "–" if _busy(it) else f"{it[name]:.0f}"


def _busy(it: Mapping[str, Any]) -> bool:
    """Whether more was at work than a search's own threads, of which a core has two or so."""
    return it["load"] > BUSY * it["cores"]


def _measured_share(it: Mapping[str, Any]) -> float:
    """Share of the grid's policy-steps if a step with its gradient counts what it was measured at,
    where that is more than what it is counted as.
    """
    dearer = max(it["gradient_cost_measured"] / it["gradient_cost_counted"] - 1.0, 0.0)
    return (it["policy_steps"] + dearer * it["spent"]["searching"]) / it["grid_policy_steps"]


def _conditions(latest: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = [
        "| scenario | looked through | markets | paths: grid | a round | referee "
        "| cost of a step with its gradient: counted | measured |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    return lines + [
        f"| {name} | {', '.join(it['box'])} | {it['markets']} | {it['grid_paths']:,} "
        f"| {it['round_paths']:,} | {it['referee_paths']:,} | {it['gradient_cost_counted']} "
        f"| {it['gradient_cost_measured']:.3g} |"
        for name, it in latest.items()
    ]
