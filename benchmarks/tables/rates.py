"""Rates: policy-steps a second, instructions, and what features and safety cost."""

from __future__ import annotations

from pathlib import Path

from .results import RESULTS, read, significant

OURS = "cpu"
CARD = ("registers", "instructions_per_policy_step", "instructions_per_idle_step")


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
    found = [line for line in read(results) if "processor_seconds_of_a_block" in line]
    if not found:
        return "Not measured yet: run `python -m benchmarks faults`.\n"
    last = found[-1]
    busy = last["processor_seconds_of_a_block"]
    clock, processors = (
        f"{last[name]:.1%} ± {last[f'{name}_se']:.1%}"
        for name in ("overhead", "processor_overhead")
    )
    return (
        f"{clock} of the time of a run of {last['blocks']} blocks of {significant(busy)} s of "
        f"processors, {significant(busy / last['threads'])} s on {last['threads']} threads, "
        f"and {processors} of its processor time: "
        f"means and standard errors of {last['rounds']} pairs on {last['machine']}.\n"
    )


def calibration(results: Path = RESULTS) -> str:
    """Return in a sentence how long a calibration takes, as measured last."""
    found = [line for line in read(results) if line["benchmark"] == "calibration"]
    if not found:
        return "Not measured yet: run `python -m benchmarks calibration`.\n"
    last = found[-1]
    cold, warm = (
        f"{last[f'seconds{which}']:.0f} s ({last[f'processor_seconds{which}']:.0f} s of processors)"
        for which in ("_cold", "")
    )
    return (
        f"{last['bars']:,} bars, {last['threads']} threads, {last['machine']}: {cold} from an "
        f"empty cache, {warm} with a full one.\n"
    )


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
