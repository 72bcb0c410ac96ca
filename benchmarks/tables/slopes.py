"""Gradients beside differences, and what a search by gradients finds beside a grid."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .results import RESULTS, read


def gradients(results: Path = RESULTS) -> str:
    """Return the table of gradients by temperature, beside differences, as measured last."""
    found = [line for line in read(results) if line["benchmark"] == "gradients"]
    latest: dict[Any, dict[str, Any]] = {}
    for line in found:
        latest[line["scenario"], line["parameter"], line["temperature"]] = line
    return gradients_of(list(latest.values()))


def gradients_of(found: list[dict[str, Any]]) -> str:
    """Return the lines as a table: a row for each derivative, a column for each way."""
    if not found:
        return "Not measured yet: run `python -m benchmarks gradients`.\n"
    ways = sorted({line["temperature"] for line in found} - {None, 0.0})
    step = next(line["step"] for line in found if line["temperature"] is None)
    head = f"| | by | of | differences, ±{step:.0%} "
    lines = [head + "".join(f"| T = {way:g} " for way in ways) + "|"]
    lines.append("|---|---|---|" + "---:|" * (1 + len(ways)))
    asked = dict.fromkeys((line["scenario"], line["parameter"]) for line in found)
    for scenario, parameter in asked:
        by_way = {line["temperature"]: line["gradients"] for line in found
                  if (line["scenario"], line["parameter"]) == (scenario, parameter)}  # fmt: skip
        for metric in by_way[None]:
            cells = ["{:.3g} ± {:.2g}".format(*by_way[way][metric]) for way in (None, *ways)]
            name = parameter.rpartition(".")[2]
            lines.append(f"| {scenario} | `{name}` | `{metric}` | {' | '.join(cells)} |")
    paths = found[0].get("paths")
    return "\n".join([*lines, "", f"{paths:,} paths, one standard error; float64."]) + "\n"


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
            f"| {it['grid_seconds']:.0f} | {it['seconds']:.0f} |"
        )
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
