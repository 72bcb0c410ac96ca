"""Everything that is measured on a card, in one command: `python -m benchmarks.gpu [WHAT ...]`.

    kernels      the policy kernel against the card's issue rate, JAX and CuPy, interleaved
    end_to_end   a whole run: 4096 policies x 100,000 paths x 1 day, in a warm process
    profile      a few launches of the policy kernel, for ncu and compute-sanitizer to look at

Nothing is measured whose outcomes are not the CPU backend's. JSON lines go to results/gpu.jsonl.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import stresscube as sc
from stresscube.backends import choose
from stresscube.plan import make_plan
from stresscube.scenario import Scenario, loads
from stresscube_kernels import cards, cpu, cuda
from stresscube_kernels.cards import cupy
from stresscube_kernels.contract import Outcome
from stresscube_kernels.cuda_code import PER_THREAD
from stresscube_kernels.cuda_memory import on_device

from . import gpu_contestants, nvrtc, record
from .case import SCENARIO, Case, make_case
from .gpu_contestants import Entry, PolicyKernel, Variant
from .record import significant
from .timing import rounds, seconds, spread

RESULTS = record.RESULTS.with_name("gpu.jsonl")
EVERYTHING = ("kernels", "end_to_end")
SHARE = 0.01
"""Most of the (policy, path) pairs that may take another turn in float32 than on the CPU."""
SWEEP = """
[sweep]
hedge_ratio = {{ start = 0.7, stop = 1.3, num = {each} }}
leverage = {{ start = 1.0, stop = 8.0, num = {each} }}
rebalance_threshold = {{ start = 0.002, stop = 0.032, num = {each} }}
"""


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, append. Returns 1, with one sentence, where there is no card."""
    asked = parser().parse_args(arguments)
    if reason := cards.why_not():
        print(f"nothing to measure on: {reason}", file=sys.stderr)
        return 1
    if not nvrtc.available():
        print("needs NVIDIA's disassembler: pip install 'stresscube[dev]'", file=sys.stderr)
        return 1
    lines: list[dict[str, Any]] = []
    with on_device(first_card()):
        for what in asked.what or EVERYTHING:
            measured = {"kernels": kernels, "end_to_end": end_to_end, "profile": profile}[what]
            for line in measured(asked):
                print(json.dumps(line), flush=True)
                lines.append({**line, **about_card()})
    if lines and not asked.dry:
        record.append(lines, asked.output)
        print(f"{len(lines)} lines added to {asked.output}")
    return 0


def kernels(asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One line for each contestant; ours, in whole steps, with its share of the issue bound."""
    case = make_case(asked.policies, asked.tape_paths, asked.steps)
    differing = check(case)
    ours = [Variant(n, idle) for idle in (True, False) for n in PER_THREAD]
    made = [variant.kernel(case, asked.paths) for variant in ours]
    entered = [kernel.entry(variant.name) for kernel, variant in zip(made, ours, strict=True)]
    entered += [gpu_contestants.issue(), made[0].market()]
    entered += [gpu_contestants.sort(max(1, 2**24 // asked.run_paths), asked.run_paths)]
    entered += [gpu_contestants.elementwise(case)]
    try:
        entered.append(gpu_contestants.jax_scan(case))
    except ImportError as missing:
        print(f"JAX is left out: {missing}", file=sys.stderr)
    found = rounds([entry.measure for entry in entered], asked.rounds)
    rates = {
        entry.name: spread([entry.work / s for s in row])
        for entry, row in zip(entered, found, strict=True)
    }
    variants = {variant.name: variant for variant in ours}
    best = max(rates[variant.name].median for variant in ours if variant.idle)
    for entry in entered:
        line, rate = rate_line(entry, rates[entry.name], asked), rates[entry.name].median
        if entry.name in variants:
            line["pairs_unlike_cpu"] = significant(differing)
            if not variants[entry.name].idle:
                each = variants[entry.name].instructions(case)
                bound = rates["issue"].median / each
                line |= {
                    "instructions_per_policy_step": each,
                    "issue_bound": significant(bound),
                    "share_of_issue_bound": significant(rate / bound),
                }
        elif entry.unit == "policy_steps":
            line["cuda_over_it"] = significant(best / rate)
        yield line


def rate_line(entry: Entry, rate: Any, asked: argparse.Namespace) -> dict[str, Any]:
    """What every contestant's line says."""
    return {
        "benchmark": "gpu",
        "backend": entry.name,
        "unit": entry.unit,
        "per_second": significant(rate.median),
        "slowest": significant(rate.least),
        "fastest": significant(rate.greatest),
        "rounds": asked.rounds,
        "policies": asked.policies,
        "paths": asked.paths,
        "steps": asked.steps,
        "note": entry.note,
        "versions": entry.versions,
    }


def check(case: Case, paths: int = 64, policies: int = 256) -> float:
    """The share of pairs that differ from the CPU backend's by more than 1e-4 of their scale.

    Raises ArithmeticError if it is more than a flipped comparison here and there explains.
    """
    job = replace(case.job, policies=case.job.policies[:policies])
    expected = cpu.prepare(job, shape=case.shape).run(0, paths).per_policy
    found = cuda.prepare(job, shape=case.shape).run(0, paths).per_policy
    scale = np.abs(expected) + 1.0 + expected[Outcome._fields.index("turnover")]
    error = np.abs(cupy().asnumpy(found) - expected) / scale
    share = float((error.max(axis=0) > 1e-4).mean())
    if not share <= SHARE:
        raise ArithmeticError(f"{share:.2%} of the outcomes are not the CPU backend's")
    return share


def end_to_end(asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One line: a run on one card from its first launch to COMPLETE, over the policy kernel's rate
    on the policies of one of its blocks."""
    scenario = sweep_scenario(asked)
    card = choose("cuda").workers()[0]
    plan = make_plan(scenario, card)
    block = plan.blocks[0]
    job, shape = plan.job(block), plan.code(block)
    chosen = cuda.prepare(job, shape=shape, device=first_card()).kernels
    kernel = PolicyKernel(job, shape, chosen, asked.paths).entry("alone")
    with tempfile.TemporaryDirectory() as folder:
        few = sweep_scenario(asked, paths=min(256, asked.run_paths))
        sc.run(few, f"{folder}/warm", backend=card)
        count = iter(range(asked.rounds + 1))

        def whole() -> None:
            sc.run(scenario, f"{folder}/{next(count)}.run", backend=card)

        found = rounds([kernel.measure, seconds(whole)], asked.rounds)
    alone = spread([kernel.work / s for s in found[0]])
    runs = spread([plan.policy_steps / s for s in found[1]])
    yield {
        "benchmark": "gpu_end_to_end",
        "backend": "cuda",
        "unit": "policy_steps",
        "per_second": significant(runs.median),
        "slowest": significant(runs.least),
        "fastest": significant(runs.greatest),
        "kernel_per_second": significant(alone.median),
        "share_of_kernel": significant(runs.median / alone.median),
        "seconds": significant(spread(found[1]).median),
        "rounds": asked.rounds,
        "policies": plan.feasible_cells,
        "block_policies": len(job.policies),
        "policies_per_thread": chosen.per_thread,
        "paths": plan.paths,
        "steps": plan.simulation.steps,
        "versions": {},
    }


def sweep_scenario(asked: argparse.Namespace, paths: int | None = None) -> Scenario:
    """The hourly BTC and ETH scenario with three policy axes alone, all of them feasible."""
    each = max(2, round(asked.policies ** (1 / 3)))
    text = SCENARIO.read_text().partition("\n[sweep]")[0] + SWEEP.format(each=each)
    horizon = f"{asked.steps}min"
    changes = [f"simulation.paths={paths or asked.run_paths}", f"simulation.horizon='{horizon}'"]
    return loads(text, "gpu.toml", changes)


def profile(asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Launch what a profiler is to look at, and no more."""
    case = make_case(asked.policies, asked.tape_paths, asked.steps)
    kernel = Variant(PER_THREAD[0], idle=True).kernel(case, asked.paths)
    for _ in range(asked.rounds):
        kernel.launch()
    cupy().cuda.get_current_stream().synchronize()
    yield from ()


def first_card() -> int:
    """The first of the cards that are used."""
    return cards.usable(cards.driver(), cards.installed())[0]


def about_card() -> dict[str, Any]:
    """The card and its driver."""
    driver, found = cards.driver(), cards.installed()
    card = driver.cards[first_card()]
    versions = {found.package: found.version} if found else {}
    return {
        "card": card.name,
        "compute_capability": cards.dotted(card.capability),
        "driver": driver_version(),
        "driver_cuda": cards.dotted(driver.cuda),
        "card_versions": {**versions, "nvrtc": nvrtc.version()},
    }


def driver_version(file: Path = Path("/proc/driver/nvidia/version")) -> str:
    """The driver's own version, as 580.65.06, or ""."""
    try:
        found = re.search(r"Kernel Module.*?\s(\d+(?:\.\d+)+)", file.read_text())
    except OSError:
        return ""
    return found[1] if found else ""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    plain = argparse.RawDescriptionHelpFormatter
    made = argparse.ArgumentParser("python -m benchmarks.gpu", None, __doc__, formatter_class=plain)
    made.add_argument("what", nargs="*", choices=[*EVERYTHING, "profile", []], metavar="WHAT")
    made.add_argument("--policies", type=int, default=4096)
    made.add_argument("--paths", type=int, default=4096, help="of the kernels' launches")
    made.add_argument("--tape-paths", type=int, default=256, help="of the tape for JAX and CuPy")
    made.add_argument("--run-paths", type=int, default=100_000, help="of the end-to-end run")
    made.add_argument("--steps", type=int, default=1440)
    made.add_argument("--rounds", type=int, default=7)
    made.add_argument("--output", type=Path, default=RESULTS)
    made.add_argument("--dry", action="store_true", help="print only")
    return made


if __name__ == "__main__":
    sys.exit(main())
