"""What is measured: the policies of a scenario, and one tape that everybody reads."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stresscube.scenario import load
from stresscube.scenario.expand import axes, market_spec, policy_spec, simulation_spec
from stresscube_kernels import oracle
from stresscube_kernels.contract import Policy, Shape
from stresscube_kernels.moments import resolved
from stresscube_kernels.pack import feasible, pack_policies, shape_of
from stresscube_kernels.programs import programs
from stresscube_kernels.spec import Job

ROOT = Path(__file__).resolve().parent.parent
SCENARIO = ROOT / "scenarios" / "btc_eth_hourly.toml"


@dataclass(frozen=True)
class Case:
    """A job, the code it needs, and a tape [paths, steps, len(Tick._fields)] in float32.

    shape: what the scenario's whole horizon needs, though the tape is shorter.
    packed: the policies in kernel units. lines: SSA lines of one policy step.
    """

    scenario: str
    job: Job
    shape: Shape
    tape: NDArray[np.float32]
    packed: Policy
    lines: int


def make_case(
    policies: int,
    paths: int,
    steps: int,
    scenario: Path = SCENARIO,
    change: Callable[[Job], Job] = lambda job: job,
) -> Case:
    """The first `paths` paths and `steps` steps of a scenario, with that many policies."""
    job = change(make_job(policies, scenario))
    shape = shape_of(job.market, job.policies, job.simulation)
    short = replace(job, simulation=replace(job.simulation, steps=steps))
    tape, _ = oracle.simulate(short, 0, paths, np.float32, shape)
    return Case(
        scenario=scenario.stem,
        job=short,
        shape=shape,
        tape=tape,
        packed=pack_policies(job.policies, job.simulation, shape),
        lines=len(programs(shape).policy_step.lines),
    )


def make_job(policies: int, scenario: Path = SCENARIO) -> Job:
    """The scenario's feasible policies, over and over until there are enough, on its own market."""
    loaded = load(scenario)
    simulation = simulation_spec(loaded)
    swept = [axis for axis in axes(loaded) if axis.kind != "market"]
    points = itertools.product(*(axis.values for axis in swept))
    keys = [axis.key for axis in swept]
    market = market_spec(loaded, {})
    asked = (policy_spec(loaded, dict(zip(keys, point, strict=True))) for point in points)
    specs = [resolved(spec, market) for spec in asked]
    possible = [spec for spec in specs if feasible(spec, simulation)]
    chosen = tuple(itertools.islice(itertools.cycle(possible), policies))
    return Job(market, chosen, simulation)


def prices(tape: NDArray[Any], path: int) -> NDArray[np.float64]:
    """Closes of both legs, [steps + 1, 2], 1 at time 0."""
    growth = np.cumprod(1.0 + tape[path, :, :2].astype(np.float64), axis=0)
    return np.concatenate([np.ones((1, 2), np.float64), growth], dtype=np.float64)
