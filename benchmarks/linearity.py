"""Whether time grows as paths, steps and policies do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from stresscube_kernels import cpu
from stresscube_kernels.pack import shape_of

from .case import SCENARIO, make_job
from .record import significant
from .timing import rounds, seconds, spread


def measure(*, policies: int, paths: int, steps: int, count: int) -> list[dict[str, Any]]:
    """One line for each of paths, steps and policies: rates at 1, 2, 4 and 8 eighths of it.

    An eighth of the paths should be a lane group for every thread, and of the policies a tile.
    """
    full = {"paths": paths, "steps": steps, "policies": policies}
    sizes = [(name, {**full, name: max(1, full[name] * part // 8)}) for name, part in grid()]
    found = rounds([seconds(run(**size)) for _, size in sizes], count)
    rates: dict[str, list[tuple[int, float]]] = {name: [] for name in full}
    for (name, size), row in zip(sizes, found, strict=True):
        work = size["paths"] * size["steps"] * size["policies"]
        rates[name].append((size[name], work / spread(row).median))
    return [
        {
            "benchmark": "linearity",
            "in": name,
            "sizes": [size for size, _ in found],
            "policy_steps_per_second": [significant(rate) for _, rate in found],
            "least_over_greatest": significant(
                min(rate for _, rate in found) / max(rate for _, rate in found)
            ),
            "full": full,
            "rounds": count,
            "scenario": SCENARIO.stem,
            "versions": {},
        }
        for name, found in rates.items()
    ]


def grid() -> Iterator[tuple[str, int]]:
    """Which dimension is cut, to how many eighths."""
    for name in ("paths", "steps", "policies"):
        for part in (1, 2, 4, 8):
            yield name, part


def run(paths: int, steps: int, policies: int) -> Any:
    """A function that simulates market and policies; everything is compiled and packed before."""
    job = make_job(policies)
    shape = shape_of(job.market, job.policies, job.simulation)
    job = replace(job, simulation=replace(job.simulation, steps=steps))
    prepared = cpu.prepare(job, shape=shape)
    return lambda: prepared.run(0, paths)
