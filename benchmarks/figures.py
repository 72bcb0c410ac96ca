"""Refresh the figures in README.md and docs/ from what commands printed, and only from that.

A figure stands between `<!-- figures:NAME -->` and `<!-- /figures -->`:

    demo      the table of `stresscube show RUN --top 5`, only with --demo RUN (`make readme`)
    speed     the last line of each backend in benchmarks/results/*.jsonl
    sass      what the compiler makes of the CUDA kernels (results/sass.jsonl, float32)
    faults    what it costs that a run cannot be lost
    features  what the scenarios' feature sets cost, from the newest run of that benchmark
    coverage  how often 95% intervals hold the truth
    realism_basis  facts of the basis of one coin on two venues
    realism   facts of a year that markets fitted on the years before reproduce
    optimise  a grid of policies against gradients, the newest line of each scenario
    gradients derivatives by temperature, beside differences on the same paths
    whole     whole jobs on each backend, by number of policies

A line of those files is an object with, at least, `benchmark` ("backends"), `backend`,
`policy_steps_per_second`, `machine` (text) and `versions` (package -> version).

    python benchmarks/figures.py [--demo RUN] [--check]

--check changes nothing and exits with 1 if a figure is out of date.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
MARKED = re.compile(r"(<!-- figures:(\w+) -->\n)(.*?)(<!-- /figures -->)", re.DOTALL)
OURS = "cpu"
CARD = ("registers", "instructions_per_policy_step", "instructions_per_idle_step")

Figure = Callable[[], str]


def demo(run: Path) -> str:
    """Return the table of a run as text, 80 columns wide."""
    command = [str(Path(sys.executable).parent / "stresscube"), "show", str(run), "--top", "5"]
    plain = os.environ | {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(command, capture_output=True, text=True, env=plain, check=True)
    lines = [line.rstrip() for line in done.stdout.strip("\n").splitlines()]
    return "\n".join(["```text", *lines, "```"]) + "\n"


def speed(results: Path = RESULTS) -> str:
    """Return the table of backends, or a sentence where nothing was measured yet."""
    latest = {line["backend"]: line for line in read(results) if line["benchmark"] == "backends"}
    if OURS not in latest:
        return "Not measured yet: run `make bench`.\n"
    ours = latest[OURS]["policy_steps_per_second"]
    lines = ["| backend | million policy-steps a second | the `cpu` backend's rate over it |"]
    lines.append("|---|---:|---:|")
    for line in sorted(latest.values(), key=lambda line: -line["policy_steps_per_second"]):
        rate = line["policy_steps_per_second"]
        lines.append(
            f"| {line['backend']} | {significant(rate / 1e6)} | {significant(ours / rate)} |"
        )
    versions = ", ".join(f"{name} {version}" for name, version in latest[OURS]["versions"].items())
    lines += ["", f"{latest[OURS]['machine']}; {versions}."]
    return "\n".join(lines) + "\n"


def sass(results: Path = RESULTS) -> str:
    """Return the table of the policy kernel's registers and instructions."""
    lines = [
        "| scenario | card | policies a thread | registers | warps "
        "| instructions of a whole step | of an idle one |"
    ]
    lines.append("|---|---|---:|---:|---:|---:|---:|")
    found = [line for line in read(results) if line["benchmark"] == "sass"]
    lines += [
        f"| {line['scenario']} | {line['architecture']} | {line['policies_per_thread']} "
        f"| {line['policy_run']['registers']} | {line['warps']} "
        f"| {line['instructions_per_policy_step']:.1f} | {line['instructions_per_idle_step']:.1f} |"
        for line in found
        if line["precision"] == "float32"
    ]
    compilers = sorted({line["versions"]["nvrtc"] for line in found})
    return "\n".join([*lines, "", f"NVRTC {', '.join(compilers)}, float32."]) + "\n"


def features(results: Path = RESULTS) -> str:
    """Return the table of what feature sets cost on one thread, from the newest run."""
    found = [line for line in read(results) if line["benchmark"] == "features"]
    if not found:
        return "Not measured yet: run `python -m benchmarks features`.\n"
    lines = [
        "| code | scenario | features | million policy-steps a second, 1 thread "
        "| over the old code | registers | instructions of a whole step | of an idle one |"
    ]
    lines.append("|---|---|---|---:|---:|---:|---:|---:|")
    for line in (line for line in found if line["date"] == found[-1]["date"]):
        ratio = f"{line['over_before']:.2f}" if "over_before" in line else ""
        card = line["sm_90"] or dict.fromkeys(CARD, "")
        cells = [line["code"], line["scenario"], line["features"]]
        cells += [significant(line["policy_steps_per_second"] / 1e6), ratio]
        lines.append("| " + " | ".join([*cells, *(str(card[key] or "") for key in CARD)]) + " |")
    lines += ["", f"{found[-1]['machine']}; instructions and registers: sm_90, float32."]
    return "\n".join(lines) + "\n"


def faults(results: Path = RESULTS) -> str:
    """Return in a sentence what it costs that a run cannot be lost, as measured last."""
    found = [line for line in read(results) if line["benchmark"] == "faults"]
    if not found:
        return "Not measured yet: run `python -m benchmarks faults`.\n"
    last = found[-1]
    clock, processors = (
        f"{last[name]:.1%} ({' to '.join(f'{it:.1%}' for it in last[f'{name}_quartiles'])})"
        for name in ("overhead", "processor_overhead")
    )
    return (
        f"{clock} of the time of a run of {last['blocks']} blocks of "
        f"{significant(last['seconds_of_a_block'])} s, and {processors} of its processor time: "
        f"medians and quartiles of {last['rounds']} pairs, on {last['machine']}, shared with other "
        f"programs (load {last['load']:.1f} when it began).\n"
    )


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


def coverage(results: Path = RESULTS) -> str:
    """Return the table of how often intervals hold the truth, and what lies outside 93 to 97%."""
    found = [line for line in read(results) if line["benchmark"] == "coverage"]
    if not found:
        return "Not measured yet: run `python -m benchmarks.coverage`.\n"
    first = found[0]
    lines = ["| liquidated | intervals | lowest coverage | highest | with few values beyond |"]
    lines.append("|---:|---:|---:|---:|---:|")
    for line in found:
        thin = " and ".join(f"{it:.1%}" for it in line["thin"]) or "none"
        lines.append(
            f"| {line['liquidation_probability']:.0%} | {line['intervals']} "
            f"| {line['lowest']:.1%} | {line['highest']:.1%} | {thin} |"
        )
    text = f"{first['repetitions']:,} repetitions of {first['paths']:,} paths"
    lines += ["", f"{text}, by `python -m benchmarks.coverage`: a coverage is known to 0.5%."]
    return "\n".join(lines) + "\n"


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
        "| scenario | looked through | markets | paths: grid | referee "
        "| cost of a step with its gradient: counted | measured |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    return lines + [
        f"| {name} | {', '.join(it['box'])} | {it['markets']} | {it['grid_paths']:,} "
        f"| {it['referee_paths']:,} | {it['gradient_cost_counted']} "
        f"| {it['gradient_cost_measured']:.3g} |"
        for name, it in latest.items()
    ]


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


def whole(results: Path = RESULTS) -> str:
    """Return the table of whole jobs on each backend, as measured last."""
    latest = {(line["backend"], line["policies"]): line for line in read(results)
              if line["benchmark"] == "whole"}  # fmt: skip
    if not latest:
        return "Not measured yet: run `python -m benchmarks whole`.\n"
    counts = sorted({policies for _, policies in latest})
    head = " | ".join(f"{count:,} {'policy' if count == 1 else 'policies'}" for count in counts)
    lines = [f"| backend | device | {head} | first run |"]
    lines.append("|---|---|" + "---:|" * (len(counts) + 1))
    for name in dict.fromkeys(backend for backend, _ in latest):
        rows = [latest[name, count] for count in counts]
        rates = [significant(row["policy_steps_per_second"] / 1e6) for row in rows]
        first = f"{rows[0]['first_seconds']:.3g} s"
        lines.append(f"| {name} | {rows[0]['device']} | {' | '.join(rates)} | {first} |")
    last = list(latest.values())[-1]
    note = f"Million policy-steps a second, float32, `{last['scenario']}`, market included; "
    return "\n".join([*lines, "", f"{note}{last['machine']}."]) + "\n"


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


def read(folder: Path) -> list[dict[str, Any]]:
    """Return every line of the folder's JSON-lines files, oldest first within a file."""
    files = sorted(folder.glob("*.jsonl"))
    texts = (line for file in files for line in file.read_text().splitlines() if line.strip())
    return [json.loads(text) for text in texts]


def significant(value: float) -> str:
    """Three significant digits, no exponent, no false zeros."""
    if value >= 100:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.{2 if value < 10 else 1}f}" if value >= 1 else f"{value:.3g}"


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
    figures: dict[str, Figure] = {
        "speed": speed, "sass": sass, "features": features, "faults": faults,
        "coverage": coverage, "realism": realism, "realism_basis": realism_basis,
        "gradients": gradients, "whole": whole,
        "optimise": optimise,
    }  # fmt: skip
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
