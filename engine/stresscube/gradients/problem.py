"""Values and gradients of a scenario's metrics at any policies, on one market.

Prepared once, compiled once for a number of policies, and then called as often as an optimiser
likes, on any range of paths and any seed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from stresscube.errors import StresscubeError
from stresscube.gradients import directions
from stresscube.gradients.directions import Moving
from stresscube.gradients.evaluate import Found, Request, evaluate
from stresscube.gradients.measures import measure
from stresscube.gradients.parameters import (
    Parameter,
    market_value,
    market_with,
    parameter,
    policy_at,
    value_of,
    with_value,
)
from stresscube.metrics.context import BATCHES
from stresscube.scenario import Scenario, load
from stresscube.scenario.expand import Point, any_market, simulation_spec
from stresscube.scenario.trust import trusted
from stresscube_kernels import jax_here
from stresscube_kernels.spec import DrawnSpec, Job, PolicySpec

APART = 0.1
"""Step of derivatives by differences, as a share of the value."""


class Problem:
    """A scenario on one market, whose metrics are functions of the policy.

    scenario: a Scenario or the path of its file. by: the parameters that gradients are taken for:
    policy keys ("leverage"), terms of its venues ("venue.slippage"), market keys with dots.
    market: {market key: value} where it is not the scenario's own. temperature: in (0, 1), makes
    the drift rule soft for numbers that move it, whose derivatives are taken by differences unless
    it is given; see docs/gradients.md for its bias. differences: whether all derivatives are to be
    taken by central differences on the same paths. apart: the step of differences, as a share of
    the value. trust: whether code of the scenario's own may run.

    Raises StresscubeError for a key that names no number, a market whose numbers are drawn, and
    where JAX is missing.
    """

    def __init__(
        self,
        scenario: Scenario | str | os.PathLike[str],
        by: Sequence[str] = (),
        *,
        market: Point | None = None,
        temperature: float | None = None,
        differences: bool = False,
        apart: float = APART,
        trust: bool = False,
    ) -> None:
        if reason := jax_here.why_not():
            raise StresscubeError(f"derivatives: {reason}")
        if temperature is not None and not 0.0 < temperature < 1.0:
            raise StresscubeError(f"temperature = {temperature:g}: must be in (0, 1)")
        if not 0.0 < apart < 1.0:
            raise StresscubeError(f"apart = {apart:g}: must be in (0, 1)")
        loaded = scenario if isinstance(scenario, Scenario) else load(scenario)
        self.scenario = trusted(loaded, trust)
        self.parameters = tuple(parameter(self.scenario, key) for key in by)
        self.temperature, self.differences, self.apart = temperature, differences, apart
        self.point = dict(market or {})
        self.market = any_market(self.scenario, self.point)
        if isinstance(self.market, DrawnSpec):
            raise StresscubeError(
                "derivatives: not where the market's numbers are drawn: leave [market.uncertainty] "
                "out, or take one draw: --set market.uncertainty.draw=0"
            )
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

        Values are means over the bridge's draws (`stresscube_kernels.xla_expected`) under the
        hard rules, so they are those of the cube with less noise.
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
        base = directions.jobs(self.market, specs, Job(self.market, (), simulation))
        known = [self.moving(it, specs, base) for it in by]
        asked = Request(base, first_path, count, self.temperature, self.differences, self.apart)
        return evaluate(asked, wanted, known)

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
