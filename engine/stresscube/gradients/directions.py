"""How parameters move what kernels read, and by which of three ways their derivatives are taken."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stresscube.gradients.parameters import Parameter, Stencil, sized, stencil
from stresscube_kernels.contract import Shape
from stresscube_kernels.spec import AnyMarket, Job, PolicySpec

if TYPE_CHECKING:
    from stresscube_kernels.xla_derived import Direction, Packed

Array = NDArray[Any]
PATHWISE = "pathwise"
SMOOTHED = "smoothed"
DIFFERENCES = "differences"
WAYS = (PATHWISE, SMOOTHED, DIFFERENCES)

Moved = Callable[[Sequence[float]], Job]
"""The job with these values of a parameter: one for each policy, the same for a market's."""


@dataclass(frozen=True, slots=True)
class Moving:
    """A parameter at the values that policies have.

    values: of each policy, durations in hours. job: with other values.
    """

    parameter: Parameter
    values: tuple[float, ...]
    job: Moved

    def stencils(self, share: float, step: float, least: float = 0.0) -> list[Stencil]:
        """Places to look at for each policy. step: of the simulation, in hours.

        share: of the value, which counts as `least` where it is smaller.
        """
        it = self.parameter
        steps = sized(self.values, share, least)
        if it.whole:
            steps = [max(1.0, round(h / step)) * step for h in steps]
        low = max(it.low, step) if it.whole else it.low
        return [stencil(v, h, low, it.high) for v, h in zip(self.values, steps, strict=True)]


def places(stencils: Sequence[Stencil]) -> list[list[float]]:
    """The values of all policies for each look; where one needs fewer it looks again."""
    most = max(len(it.places) for it in stencils)
    return [[it.places[min(k, len(it.places) - 1)] for it in stencils] for k in range(most)]


def weights(stencils: Sequence[Stencil]) -> Array:
    """What each look counts, [look, policy]."""
    most = max(len(it.places) for it in stencils)
    padded = [[*it.weights, *[0.0] * (most - len(it.weights))] for it in stencils]
    return np.array(padded).T


@dataclass(frozen=True, slots=True)
class Slope:
    """How a parameter moves packed numbers. words: whether it moves integers."""

    direction: Direction
    words: bool


def slope(looks: Sequence[Packed], share: Array) -> Slope:
    """The derivative of packed numbers from what they are at the looks; share [look, policy]."""
    from stresscube_kernels.xla_derived import Direction

    reals = sum(w[0] * it.reals for w, it in zip(share, looks, strict=True))
    table = sum(w[0] * it.table for w, it in zip(share, looks, strict=True))
    policies = sum(w * it.policies for w, it in zip(share, looks, strict=True))
    words = any(not np.array_equal(it.words, looks[0].words) for it in looks[1:])
    return Slope(Direction(np.asarray(reals), np.asarray(table), np.asarray(policies)), words)


def way(shape: Shape, job: Job, moved: Slope, *, whole: bool, soft: bool) -> str:
    """Whether a parameter's derivative is pathwise, smoothed, or taken by differences.

    Pathwise needs the bridge, by which liquidation is a weight; numbers and not integers that
    move; and decisions that they do not reach. Of these the drift rule's may be smoothed. soft:
    whether to.
    """
    from stresscube_kernels.programs import programs
    from stresscube_kernels.xla_reach import moves_decisions, moves_drift, reached

    holds = any(v.after_leg_death == "hold" for p in job.policies for v in p.venues)
    if whole or moved.words or not shape.features.bridge or (shape.features.isolated and holds):
        return DIFFERENCES
    made = programs(shape)
    real = [name for name, kind in made.market_fields if kind == "f"]
    market = [real[k] for k in np.flatnonzero(moved.direction.reals)]
    if moved.direction.table.any():
        market += [name for name, kind in made.market_fields if kind == "t"]
    changes = np.abs(moved.direction.policies).sum(axis=1)
    policy = [made.policy_fields[k] for k in np.flatnonzero(changes)]
    changed = reached(shape, market, policy)
    if moves_decisions(changed):
        return DIFFERENCES
    fires = any(math.isfinite(p.rebalance_threshold) for p in job.policies)
    if not (fires and moves_drift(shape.features, changed)):
        return PATHWISE
    return SMOOTHED if soft else DIFFERENCES


def jobs(market: AnyMarket, policies: Sequence[PolicySpec], base: Job) -> Job:
    """A job with other policies, what they take from the market resolved."""
    from stresscube_kernels.moments import resolved

    return Job(market, tuple(resolved(policy, market) for policy in policies), base.simulation)
