"""The policies of a block of cells: which there are, which can open, and the code they need."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from stresscube.scenario import Scenario
from stresscube.scenario.expand import Axis, policy_spec
from stresscube_kernels.contract import Shape
from stresscube_kernels.spec import AnyMarket, PolicySpec, SimulationSpec

Region: TypeAlias = tuple[tuple[int, int], ...]
"""First cell and one past the last along each axis, the market axes at their first value."""
KEPT = 64
"""Regions whose cells are kept, the latest."""


@dataclass(frozen=True, slots=True)
class Cells:
    """The policies of a block, in C order of its cells.

    specs: [cell], None where not feasible. feasible: bool [cell]. leverage: after the venue's
    cap and the sizing correlation [cell].
    """

    specs: tuple[PolicySpec | None, ...]
    feasible: NDArray[np.bool_]
    leverage: NDArray[np.float64]

    @property
    def feasible_specs(self) -> tuple[PolicySpec, ...]:
        """The policies that can be run."""
        return tuple(spec for spec in self.specs if spec is not None)


class Expansion:
    """The policies of a scenario's regions, expanded when they are asked for and kept."""

    def __init__(
        self, scenario: Scenario, axes: Sequence[Axis], simulation: SimulationSpec
    ) -> None:
        self._scenario = scenario
        self._axes = axes
        self._simulation = simulation
        self.policies = cache(self._policies)
        self.takes_from_market = cache(self._takes_from_market)
        self.cells = lru_cache(maxsize=KEPT)(self._cells)

    def _policies(self, region: Region) -> tuple[PolicySpec, ...]:
        """Return the policies of a region; what they take from the market is open."""
        pairs = zip(self._axes, region, strict=True)
        chosen = [(axis, part) for axis, part in pairs if axis.kind != "market"]
        keys = [axis.key for axis, _ in chosen]
        points = itertools.product(*(axis.values[slice(*part)] for axis, part in chosen))
        made = (dict(zip(keys, point, strict=True)) for point in points)
        return tuple(policy_spec(self._scenario, point) for point in made)

    def _takes_from_market(self, region: Region) -> bool:
        """Return whether some policy's numbers depend on the market."""
        return any(
            policy.hedge_ratio is None or policy.sizing_correlation is not None
            for policy in self.policies(region)
        )

    def _cells(self, region: Region, market: AnyMarket | None) -> Cells:
        """Return a region at a market; None is any market, where no policy depends on it."""
        from stresscube_kernels.pack import effective_leverage, feasible

        specs = self.policies(region)
        if market is not None:
            specs = tuple(_resolved(specs, market))
        possible = np.array([feasible(spec, self._simulation) for spec in specs], dtype=bool)
        leverage = np.array([effective_leverage(spec) for spec in specs], dtype=np.float64)
        kept = tuple(spec if ok else None for spec, ok in zip(specs, possible, strict=True))
        return Cells(kept, possible, leverage)


def _resolved(policies: Iterable[PolicySpec], market: AnyMarket) -> Iterator[PolicySpec]:
    """`moments.resolved` of each policy, each set of moments taken from the market once."""
    from stresscube_kernels.moments import resolved

    known: dict[tuple[float | None, float | None], PolicySpec] = {}
    for policy in policies:
        taken = policy.hedge_ratio, policy.sizing_correlation
        if taken not in known:
            known[taken] = resolved(replace(policy, leverage=1.0), market)
        found = known[taken]
        yield replace(
            policy,
            hedge_ratio=found.hedge_ratio,
            leverage=policy.leverage * found.leverage,
            sizing_correlation=None,
        )


def code_for(
    markets: Iterable[AnyMarket], policies: Sequence[PolicySpec], simulation: SimulationSpec
) -> Shape:
    """Return the code that serves these policies on every one of these markets."""
    from stresscube_kernels.pack import shape_of, united

    first, *others = markets
    shapes = [shape_of(first, policies, simulation)]
    return united([*shapes, *(shape_of(market, policies[:1], simulation) for market in others)])
