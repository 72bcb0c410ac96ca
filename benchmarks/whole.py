"""Whole jobs, market and policies, on every backend of this machine: the first time, and after."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from stresscube.backends import Backend, choose
from stresscube.errors import StresscubeError
from stresscube_kernels.cpu import available_threads
from stresscube_kernels.pack import shape_of

from .case import SCENARIO, make_job
from .record import significant
from .timing import rounds, seconds, spread

POLICIES = (1, 64, 1024)
WORK = 2**19
"""Policy-steps of a measurement, or one batch of paths where that is more."""


def backends() -> Iterator[Backend]:
    """Those that can be used here."""
    for name in ("cpu", "cuda", "xla"):
        try:
            yield choose(name)
        except StresscubeError as missing:
            print(f"left out: {missing}", file=sys.stderr)


def measure(*, steps: int, count: int) -> Iterator[dict[str, Any]]:
    """One line for each backend and number of policies, rounds of all in turn.

    first_seconds: of a process's first run, with what it compiles or finds compiled.
    """
    for policies in POLICIES:
        paths = max(64, WORK // (policies * steps))
        made = [(one, *_prepared(one, policies, paths, steps)) for one in backends()]
        taken = rounds([seconds(run) for _, run, _ in made], count)
        for (one, _, first), row in zip(made, taken, strict=True):
            rate = spread([policies * paths * steps / it for it in row])
            yield {
                "benchmark": "whole",
                "backend": one.name,
                "device": one.device,
                "policies": policies,
                "paths": paths,
                "steps": steps,
                "policy_steps_per_second": significant(rate.median),
                "slowest": significant(rate.least),
                "fastest": significant(rate.greatest),
                "first_seconds": significant(first, 3),
                "rounds": count,
                "precision": "float32",
                "scenario": SCENARIO.stem,
                "versions": {},
            }


def _prepared(one: Backend, policies: int, paths: int, steps: int) -> tuple[Any, float]:
    job = make_job(policies)
    shape = shape_of(job.market, job.policies, job.simulation)
    job = replace(job, simulation=replace(job.simulation, steps=steps))
    begun = time.perf_counter()
    prepared = one.prepare(job, available_threads(), shape)
    prepared.run(0, paths)
    return lambda: prepared.run(0, paths), time.perf_counter() - begun
