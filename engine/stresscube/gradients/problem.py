"""Values and gradients of a scenario's metrics at any policies, on one market.

Prepared once, compiled once for a number of policies, and then called as often as an optimiser
likes, on any range of paths and any seed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stresscube.backends import choose
from stresscube.errors import StresscubeError
from stresscube.gradients import directions
from stresscube.gradients.directions import DIFFERENCES, PATHWISE, Moving
from stresscube.gradients.measures import Array, Measure, Sample, measure
from stresscube.gradients.parameters import (
    HOURS,
    TINY,
    Parameter,
    Stencil,
    market_value,
    market_with,
    parameter,
    policy_at,
    value_of,
    with_value,
)
from stresscube.metrics.context import LEVELS
from stresscube.overlap import overlap_of
from stresscube.scenario import Scenario, load
from stresscube.scenario.expand import Point, any_market, simulation_spec
from stresscube.scenario.trust import trusted
from stresscube_kernels.pack import feasible, shape_of, united
from stresscube_kernels.spec import Job, PolicySpec, ReplaySpec, SimulationSpec

TEMPERATURE = 0.5
"""Of the drift rule: half the threshold on either side (docs/gradients.md has the table)."""
APART = 0.1
"""Step of derivatives by differences, as a share of the value."""


@dataclass(frozen=True, slots=True)
class Found:
    """Metrics and their derivatives, each with its standard error.

    metrics, parameters: labels as asked for. values, errors: [metric, policy]. gradients,
    gradient_errors: [metric, parameter, policy], per unit of the parameter (durations in hours).
    methods: "pathwise" or "differences", [parameter]. A policy that cannot open its position has
    NaN everywhere, a parameter that is infinite a gradient of NaN.
    """

    metrics: tuple[str, ...]
    parameters: tuple[str, ...]
    values: Array
    errors: Array
    gradients: Array
    gradient_errors: Array
    methods: tuple[str, ...]


class Problem:
    """A scenario on one market, whose metrics are functions of the policy.

    scenario: a Scenario or the path of its file. by: the parameters that gradients are taken for:
    policy keys ("leverage"), terms of its venues ("venue.slippage"), market keys with dots.
    market: {market key: value} where it is not the scenario's own. temperature: of the drift rule,
    in [0, 1), see docs/gradients.md. differences: whether all derivatives are to be taken by
    central differences on the same paths. trust: whether code of the scenario's own may run.

    Raises StresscubeError for a key that names no number, and where JAX is missing.
    """

    def __init__(
        self,
        scenario: Scenario | str | os.PathLike[str],
        by: Sequence[str] = (),
        *,
        market: Point | None = None,
        temperature: float = TEMPERATURE,
        differences: bool = False,
        trust: bool = False,
    ) -> None:
        choose("xla")
        if not 0.0 <= temperature < 1.0:
            raise StresscubeError(f"temperature = {temperature:g}: must be in [0, 1)")
        loaded = scenario if isinstance(scenario, Scenario) else load(scenario)
        self.scenario = trusted(loaded, trust)
        self.parameters = tuple(parameter(self.scenario, key) for key in by)
        self.temperature, self.differences = temperature, differences
        self.point = dict(market or {})
        self.market = any_market(self.scenario, self.point)
        self._simulation = replace(simulation_spec(self.scenario), by_regime=False)

    def value_and_gradient(
        self,
        policies: Sequence[Mapping[str, Any]],
        metrics: Sequence[str] = ("sharpe",),
        *,
        first_path: int = 0,
        paths: int | None = None,
        seed: int | None = None,
    ) -> Found:
        """Metrics at these policies and their derivatives, with standard errors.

        policies: {key: value} of each, as in {"leverage": 12.0, "venue": "B"}; other keys are the
        scenario's. The same number of them is compiled for once. metrics: as in "sharpe" or
        "expected_shortfall[0.99]". paths: how many, the scenario's by default, from first_path (a
        multiple of 32) on. seed: of another random stream.

        Values are means over the bridge's draws (`stresscube_kernels.xla_expected`) at temperature
        0, so they are those of the cube with less noise.
        """
        return self._find(policies, metrics, self.parameters, first_path, paths, seed)

    def values(
        self,
        policies: Sequence[Mapping[str, Any]],
        metrics: Sequence[str] = ("sharpe",),
        *,
        first_path: int = 0,
        paths: int | None = None,
        seed: int | None = None,
    ) -> Found:
        """`value_and_gradient` without gradients, which costs a small part of it."""
        return self._find(policies, metrics, (), first_path, paths, seed)

    def _find(
        self,
        policies: Sequence[Mapping[str, Any]],
        metrics: Sequence[str],
        by: tuple[Parameter, ...],
        first_path: int,
        paths: int | None,
        seed: int | None,
    ) -> Found:
        from stresscube_kernels.xla_expected import BATCHES

        wanted = [measure(label) for label in metrics]
        count = int(self.scenario.simulation.paths) if paths is None else paths
        if first_path % BATCHES or count < 2 * BATCHES:
            raise StresscubeError(
                f"paths {first_path} to {first_path + count}: must begin at a multiple of "
                f"{BATCHES} and be {2 * BATCHES} or more, so that every batch has some"
            )
        simulation = self._simulation
        if seed is not None:
            simulation = replace(simulation, seed=seed)
        specs = [policy_at(self.scenario, point) for point in policies]
        run = _Run(self, tuple(specs), simulation, first_path, count)
        return run.found(wanted, by)

    def moving(self, it: Parameter, specs: Sequence[PolicySpec], base: Job) -> Moving:
        """A parameter at these policies."""
        if it.place == "market":
            value = market_value(self.scenario, it, self.point)

            def elsewhere(values: Sequence[float]) -> Job:
                market = market_with(self.scenario, it, self.point, values[0])
                return directions.jobs(market, specs, base)

            return Moving(it, (value,) * len(specs), elsewhere)
        found = tuple(value_of(self.scenario, it, spec, self.market) for spec in specs)

        def changed(values: Sequence[float]) -> Job:
            pairs = zip(specs, values, strict=True)
            made = [with_value(it, spec, value) for spec, value in pairs]
            return directions.jobs(self.market, made, base)

        return Moving(it, found, changed)


@dataclass(frozen=True)
class _Run:
    """One evaluation: policies on a range of paths."""

    problem: Problem
    specs: tuple[PolicySpec, ...]
    simulation: SimulationSpec
    first_path: int
    paths: int

    def found(self, wanted: Sequence[Measure], by: Sequence[Parameter]) -> Found:
        from stresscube_kernels import xla_derived

        market = self.problem.market
        base = directions.jobs(market, self.specs, Job(market, (), self.simulation))
        known = [self.problem.moving(it, self.specs, base) for it in by]
        able = np.array([feasible(policy, self.simulation) for policy in base.policies])
        usable = [np.isfinite(it.values) for it in known]
        step = self.simulation.step * HOURS
        fine = [_finite(it).stencils(TINY, step) for it in known]
        coarse = [_finite(it).stencils(APART, step) for it in known]
        near = [_looks(it, s) for it, s in zip(known, fine, strict=True)]
        far = [_looks(it, s) for it, s in zip(known, coarse, strict=True)]
        every = [base, *(job for some in (*near, *far) for job in some)]
        shape = united(shape_of(job.market, job.policies, self.simulation) for job in every)
        statistics = tuple(sorted({name for it in wanted for name in it.statistics}))
        sums = xla_derived.Sums(shape, statistics, self.simulation.steps, self.simulation.seed)
        slopes = [
            directions.slope([xla_derived.pack(job, shape) for job in some], directions.weights(s))
            for some, s in zip(near, fine, strict=True)
        ]
        plainly = self.problem.differences
        ways = [
            directions.way(shape, base, it, whole=plainly or moving.parameter.whole)
            for it, moving in zip(slopes, known, strict=True)
        ]
        losses = self._losses(base, wanted)
        given: dict[str, Any] = {"first_path": self.first_path, "paths": self.paths}
        packed, rows = xla_derived.pack(base, shape), np.stack(list(losses.values()))
        plain = sums.values(packed, rows, temperature=0.0, **given)
        found = np.zeros((len(by), *plain.shape))
        smooth = [k for k, name in enumerate(ways) if name == PATHWISE]
        if smooth:
            moves = [slopes[k].direction for k in smooth]
            found[smooth] = sums.derived(
                packed, moves, rows, temperature=self.problem.temperature, **given
            )
        for k in (k for k, name in enumerate(ways) if name == DIFFERENCES):
            looks = [
                sums.values(xla_derived.pack(job, shape), rows, temperature=0.0, **given)
                for job in far[k]
            ]
            share = directions.weights(coarse[k])[:, None, :, None]
            found[k] = (share * np.array(looks)).sum(axis=0)
        sizes = np.bincount(np.arange(self.paths) % 32, minlength=32).astype(np.float64)
        horizon = self.simulation.steps * self.simulation.step
        sample = Sample(statistics, plain, found, sizes, losses, horizon)
        return self._labelled(sample, wanted, by, ways, able, usable)

    def _labelled(
        self,
        sample: Sample,
        wanted: Sequence[Measure],
        by: Sequence[Parameter],
        ways: Sequence[str],
        able: Array,
        usable: Sequence[Array],
    ) -> Found:
        values, errors, gradients, spreads = (
            np.array(column) for column in zip(*(sample.estimate(it) for it in wanted), strict=True)
        )
        wider = self._wider()
        values[:, ~able] = errors[:, ~able] = np.nan
        gradients[:, :, ~able] = spreads[:, :, ~able] = np.nan
        for k, finite in enumerate(usable):
            gradients[:, k, ~finite] = spreads[:, k, ~finite] = np.nan
        return Found(
            metrics=tuple(it.label for it in wanted),
            parameters=tuple(it.key for it in by),
            values=values,
            errors=errors * wider,
            gradients=gradients,
            gradient_errors=spreads * wider,
            methods=tuple(ways),
        )

    def _wider(self) -> float:
        """How much wider errors are where paths share stretches of history."""
        market = self.problem.market
        if not isinstance(market, ReplaySpec):
            return 1.0
        return float(overlap_of(market, self.simulation, self.paths).batches ** 0.5)

    def _losses(self, base: Job, wanted: Sequence[Measure]) -> dict[float, Array]:
        """Value at risk of each policy at each level, from the cpu backend's run."""
        nothing = np.full(len(base.policies), np.inf)
        if not any(it.level is not None for it in wanted):
            return dict.fromkeys(LEVELS, nothing)
        prepared = choose("cpu").prepare(
            base,
            os.cpu_count() or 1,
            shape_of(base.market, base.policies, base.simulation),
        )
        outcomes = prepared.run(self.first_path, self.paths).per_policy
        ordered = np.asarray(outcomes[0], np.float64) - 1.0
        return {level: -np.quantile(ordered, 1.0 - level, axis=1) for level in LEVELS}


def _looks(it: Moving, stencils: Sequence[Stencil]) -> list[Job]:
    return [it.job(values) for values in directions.places(stencils)]


def _finite(it: Moving) -> Moving:
    """The same with 1 where a value is infinite, whose derivative is not looked at."""
    return replace(it, values=tuple(v if np.isfinite(v) else 1.0 for v in it.values))
