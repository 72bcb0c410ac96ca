"""Policy-steps a second of every backend, on the same tape and policies, in one run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from stresscube_kernels import compiled, oracle
from stresscube_kernels.cpu import available_threads

from . import contestants
from .case import Case, make_case
from .contestants import Contestant
from .record import significant
from .timing import rounds, spread

OURS = "cpu"
TWIN = "C++ twin"
SHARE = 1e-3
"""Most of the outcomes that may differ from the oracle's: in float32 a threshold may flip."""


def measure(
    *, policies: int, paths: int, steps: int, count: int, vectorbt_python: str | None
) -> list[dict[str, Any]]:
    """One line for each contestant."""
    case = make_case(policies, paths, steps)
    entered = list(enter(case, vectorbt_python))
    check(case, entered)
    return lines(case, entered, rounds([one.measure for one in entered], count))


def enter(case: Case, vectorbt_python: str | None) -> Iterator[Contestant]:
    """Everybody who can take part on this machine."""
    cores = available_threads()
    ours = compiled.numba_kernels(case.shape, "float32")
    yield contestants.compiled(case, ours, OURS, cores)
    try:
        twin = compiled.twin_kernels(case.shape, "float32")
        yield contestants.compiled(case, twin, TWIN, cores)
    except compiled.CompilerMissing as missing:
        print(f"the C++ twin is left out: {missing}", file=sys.stderr)
        twin = None
    if cores > 1:
        yield contestants.compiled(case, ours, f"{OURS}, 1 thread", 1)
        if twin is not None:
            yield contestants.compiled(case, twin, f"{TWIN}, 1 thread", 1)
    try:
        yield contestants.jax_scan(case)
    except ImportError as missing:
        print(f"JAX is left out: {missing}", file=sys.stderr)
    yield contestants.numpy_oracle(case)
    yield from contestants.vectorbt(case, vectorbt_python or sys.executable)


def check(case: Case, entered: list[Contestant]) -> None:
    """Nobody is measured whose outcomes on a short tape are not the oracle's.

    Raises ArithmeticError with the share that differs.
    """
    short = np.ascontiguousarray(case.tape[:2, :64])
    expected = oracle.run_policies(short.astype(np.float64), case.packed, case.shape)
    for one in entered:
        if one.outcomes is None:
            continue
        close = np.isclose(one.outcomes(short), expected, rtol=1e-4, atol=1e-4)
        share = 1.0 - close.mean()
        if share > SHARE:
            raise ArithmeticError(f"{one.name}: {share:.2%} of its outcomes are not the oracle's")


def lines(case: Case, entered: list[Contestant], found: list[list[float]]) -> list[dict[str, Any]]:
    """Rates, and the ratio of our rate to each, taken within each round."""
    work = [one.paths * one.steps * len(case.job.policies) for one in entered]
    rates = [[n / s for s in row] for n, row in zip(work, found, strict=True)]
    made: list[dict[str, Any]] = []
    for one, row in zip(entered, rates, strict=True):
        rate = spread(row)
        ours = reference(entered, rates, one)
        ratio = spread([mine / theirs for mine, theirs in zip(ours, row, strict=True)])
        features = case.shape.features._asdict()
        made.append(
            {
                "benchmark": "backends",
                "backend": one.name,
                "policy_steps_per_second": significant(rate.median),
                "slowest": significant(rate.least),
                "fastest": significant(rate.greatest),
                "cpu_over_it": significant(ratio.median),
                "cpu_over_it_least": significant(ratio.least),
                "cpu_over_it_greatest": significant(ratio.greatest),
                "rounds": len(row),
                "threads": one.threads or "its own choice",
                "policies": len(case.job.policies),
                "paths": one.paths,
                "steps": one.steps,
                "note": one.note,
                "scenario": case.scenario,
                "shape": {**case.shape._asdict(), "features": features},
                "lines_per_policy_step": case.lines,
                "versions": one.versions,
            }
        )
    return made


def reference(
    entered: list[Contestant], rates: list[list[float]], other: Contestant
) -> list[float]:
    """Our rates that another's are held against: of as many threads for the twin, else of all."""
    for one, row in zip(entered, rates, strict=True):
        same = other.name.startswith((OURS, TWIN)) and one.threads == other.threads
        if one.name.startswith(OURS) and same:
            return row
    return rates[0]


def table(found: list[dict[str, Any]]) -> str:
    """The lines as text, rates in millions."""
    head = f"{'backend':34}{'M policy-steps/s':>17}{'(min-max)':>18}"
    head += f"{'cpu over it':>13}{'(min-max)':>18}"
    rows = [head, "-" * len(head)]
    for line in found:
        ends = f"{line['slowest'] / 1e6:.4g}-{line['fastest'] / 1e6:.4g}"
        ratios = f"{line['cpu_over_it_least']:.3g}-{line['cpu_over_it_greatest']:.3g}"
        rows.append(
            f"{line['backend']:34}{line['policy_steps_per_second'] / 1e6:17.4g}{ends:>18}"
            f"{line['cpu_over_it']:13.3g}{ratios:>18}"
        )
    return "\n".join(rows)
