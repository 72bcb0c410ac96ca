"""One evaluation: policies on a range of paths, each parameter differentiated in its way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from stresscube.backends import choose
from stresscube.gradients import directions
from stresscube.gradients.directions import DIFFERENCES, PATHWISE, SMOOTHED, Moving, Slope
from stresscube.gradients.measures import BEYOND, Array, Measure, Sample
from stresscube.gradients.parameters import HOURS, LEAST, TINY, Stencil
from stresscube.metrics.context import BATCHES, LEVELS
from stresscube.overlap import overlap_of
from stresscube_kernels.contract import Shape
from stresscube_kernels.pack import feasible, shape_of, united
from stresscube_kernels.spec import Job, ReplaySpec

if TYPE_CHECKING:
    from stresscube_kernels.xla_derived import Sums


Losses = Mapping[float, Array]
"""Level -> value at risk [policy]."""


@dataclass(frozen=True, slots=True)
class Found:
    """Metrics and their derivatives, each with its standard error.

    metrics, parameters: labels as asked for. values, errors: [metric, policy]. gradients,
    gradient_errors: [metric, parameter, policy], per unit of the parameter (durations in hours).
    methods: "pathwise", "smoothed" or "differences", [parameter]. A policy that cannot open
    its position has NaN everywhere, a parameter that is infinite a gradient of NaN.
    """

    metrics: tuple[str, ...]
    parameters: tuple[str, ...]
    values: Array
    errors: Array
    gradients: Array
    gradient_errors: Array
    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """A job on a range of paths, and how to differentiate it.

    temperature: of the drift rule for numbers that move it, None for differences. differences:
    for all numbers. apart: their step, as a share of the value.
    """

    job: Job
    first_path: int
    paths: int
    temperature: float | None
    differences: bool
    apart: float

    @property
    def sizes(self) -> Array:
        """Paths of each batch."""
        return np.bincount(np.arange(self.paths) % BATCHES, minlength=BATCHES).astype(np.float64)

    @property
    def wider(self) -> float:
        """How much wider errors are where paths share stretches of history."""
        market = self.job.market
        if not isinstance(market, ReplaySpec):
            return 1.0
        return float(overlap_of(market, self.job.simulation, self.paths).batches ** 0.5)


@dataclass(frozen=True, slots=True)
class Looked:
    """A parameter, and the jobs near it (for the Jacobian) and further off (for differences)."""

    moving: Moving
    near: tuple[Job, ...]
    near_share: Array
    far: tuple[Job, ...]
    far_share: Array


def evaluate(asked: Request, wanted: Sequence[Measure], known: Sequence[Moving]) -> Found:
    """Metrics and their derivatives by these parameters."""
    from stresscube_kernels.xla_derived import Sums

    simulation = asked.job.simulation
    looked = [_looked(it, simulation.step * HOURS, asked.apart) for it in known]
    every = [asked.job, *(job for it in looked for job in (*it.near, *it.far))]
    shape = united(shape_of(job.market, job.policies, simulation) for job in every)
    statistics = tuple(sorted({name for it in wanted for name in it.statistics}))
    sums = Sums(shape, statistics, simulation.steps, simulation.seed)
    slopes = [_slope(it, shape) for it in looked]
    plain, soft = asked.differences, asked.temperature is not None
    ways = [
        directions.way(shape, asked.job, slope, whole=plain or it.parameter.whole, soft=soft)
        for it, slope in zip(known, slopes, strict=True)
    ]
    losses = _losses(asked, asked.job, wanted)
    values, derivatives = _sums(asked, sums, losses, looked, slopes, ways, wanted)
    horizon = simulation.steps * simulation.step
    sample = Sample(statistics, values, derivatives, asked.sizes, losses, horizon)
    return _found(asked, sample, wanted, known, ways)


def _looked(it: Moving, step: float, apart: float) -> Looked:
    finite = replace(it, values=tuple(v if np.isfinite(v) else 1.0 for v in it.values))
    near, far = finite.stencils(TINY, step, LEAST), finite.stencils(apart, step)
    return Looked(
        it, _jobs(it, near), directions.weights(near), _jobs(it, far), directions.weights(far)
    )


def _jobs(it: Moving, stencils: Sequence[Stencil]) -> tuple[Job, ...]:
    return tuple(it.job(values) for values in directions.places(stencils))


def _slope(it: Looked, shape: Shape) -> Slope:
    from stresscube_kernels.xla_derived import pack

    return directions.slope([pack(job, shape) for job in it.near], it.near_share)


def _sums(
    asked: Request,
    sums: Sums,
    losses: Losses,
    looked: Sequence[Looked],
    slopes: Sequence[Slope],
    ways: Sequence[str],
    wanted: Sequence[Measure],
) -> tuple[Array, Array]:
    """Sums of statistics [statistic, policy, batch], and derivatives by each parameter."""
    from stresscube_kernels.xla_derived import pack

    given: dict[str, Any] = {"first_path": asked.first_path, "paths": asked.paths}

    def hard(job: Job, losses: Losses) -> Array:
        return sums.values(pack(job, sums.shape), _rows(losses), temperature=0.0, **given)

    def apart(job: Job) -> Array:
        there = _losses(asked, job, wanted)
        return hard(job, there) + _shares(sums.statistics, there, asked.sizes)

    values = hard(asked.job, losses)
    found = np.zeros((len(ways), *values.shape))
    packed = pack(asked.job, sums.shape)
    for smooth, warmth in ((PATHWISE, 0.0), (SMOOTHED, asked.temperature or 0.0)):
        these = [k for k, way in enumerate(ways) if way == smooth]
        if these:
            moves = [slopes[k].direction for k in these]
            found[these] = sums.derived(packed, moves, _rows(losses), temperature=warmth, **given)
    for k, way in enumerate(ways):
        if way == DIFFERENCES:
            share = looked[k].far_share[:, None, :, None]
            found[k] = (share * np.array([apart(job) for job in looked[k].far])).sum(axis=0)
    return values, found


def _found(
    asked: Request,
    sample: Sample,
    wanted: Sequence[Measure],
    known: Sequence[Moving],
    ways: Sequence[str],
) -> Found:
    values, errors, gradients, spreads = (
        np.array(column) for column in zip(*(sample.estimate(it) for it in wanted), strict=True)
    )
    able = np.array([feasible(policy, asked.job.simulation) for policy in asked.job.policies])
    values[:, ~able] = errors[:, ~able] = np.nan
    gradients[:, :, ~able] = spreads[:, :, ~able] = np.nan
    for k, it in enumerate(known):
        endless = ~np.isfinite(it.values)
        gradients[:, k, endless] = spreads[:, k, endless] = np.nan
    return Found(
        metrics=tuple(it.label for it in wanted),
        parameters=tuple(it.parameter.key for it in known),
        values=values,
        errors=errors * asked.wider,
        gradients=gradients,
        gradient_errors=spreads * asked.wider,
        methods=tuple(ways),
    )


def _rows(losses: Losses) -> Array:
    """[level, policy]."""
    return np.stack(list(losses.values()))


def _shares(statistics: Sequence[str], losses: Losses, sizes: Array) -> Array:
    """What V adds to the sums of (loss - V)+, so that they are (1 - level) expected shortfalls.

    V falls out of a pathwise derivative, where the sum is least at V; over a finite step it does
    not. [statistic, policy, batch].
    """
    more = np.zeros((len(statistics), len(_rows(losses)[0]), len(sizes)))
    for k, (level, loss) in enumerate(losses.items()):
        if (name := f"{BEYOND}{k}") in statistics:
            more[statistics.index(name)] = (1.0 - level) * loss[:, None] * sizes
    return more


def _losses(asked: Request, job: Job, wanted: Sequence[Measure]) -> Losses:
    """Value at risk of each policy at each level, from the cpu backend's run."""
    if not any(it.level is not None for it in wanted):
        return dict.fromkeys(LEVELS, np.full(len(job.policies), np.inf))
    from stresscube_kernels.cpu import available_threads

    shape = shape_of(job.market, job.policies, job.simulation)
    prepared = choose("cpu").prepare(job, available_threads(), shape)
    outcomes = prepared.run(asked.first_path, asked.paths).per_policy
    ordered = np.asarray(outcomes[0], np.float64) - 1.0
    return {level: -np.quantile(ordered, 1.0 - level, axis=1) for level in LEVELS}
