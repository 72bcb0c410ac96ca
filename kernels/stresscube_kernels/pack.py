"""From descriptions (`spec.py`) to the numbers that kernels read (`contract.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import contract
from .chain import cumulative, start_probabilities, transition_matrix
from .margin import tiered
from .ops import NumpyOps
from .rules import rules_of
from .spec import (
    Job,
    MarketSpec,
    PolicySpec,
    RegimeSpec,
    SimulationSpec,
    VenueSpec,
)
from .tree import like

NEVER_IN_A_KERNEL = 1e30
"""No infinity or NaN enters a kernel: compilers may assume that there are none."""


def pack_market(market: MarketSpec, simulation: SimulationSpec) -> contract.Market:
    """A market point per step; leaves are float64 scalars and uint32 scalars."""
    step = simulation.step
    nexts = cumulative(transition_matrix(market.chain, step))
    starts = cumulative(start_probabilities(market.chain)[None, :])[0]
    regimes = tuple(
        _regime(regime, step, nexts[k], starts[k]) for k, regime in enumerate(market.regimes)
    )
    if market.correlation_chain is None:
        return contract.Market(regimes, ())
    nexts = cumulative(transition_matrix(market.correlation_chain, step))
    starts = cumulative(start_probabilities(market.correlation_chain)[None, :])[0]
    states = tuple(
        contract.CorrelationRegime(
            correlation=np.float64(state.correlation), next=tuple(nexts[k]), start=starts[k]
        )
        for k, state in enumerate(market.correlation_regimes)
    )
    return contract.Market(regimes, states)


def _regime(
    regime: RegimeSpec, step: float, nexts: NDArray[np.uint32], start: np.uint32
) -> contract.Regime:
    drift = [
        (mu - sigma**2 / 2) * step
        for mu, sigma in zip(regime.drift, regime.volatility, strict=True)
    ]
    deviation = [sigma * step**0.5 for sigma in regime.volatility]
    own = regime.correlation is not None
    return contract.Regime(
        drift_a=np.float64(drift[0]),
        drift_b=np.float64(drift[1]),
        deviation_a=np.float64(deviation[0]),
        deviation_b=np.float64(deviation[1]),
        correlation=np.float64(regime.correlation if own else 0.0),
        own_correlation=np.float64(own),
        slippage_multiplier=np.float64(regime.slippage_multiplier),
        next=tuple(nexts),
        start=start,
    )


def pack_policies(
    policies: Sequence[PolicySpec], simulation: SimulationSpec, shape: contract.Shape
) -> contract.Policy:
    """Policies in kernel units, as the shape's rules want them: float64 leaves [n_policies]."""
    pack = rules_of(shape).pack or pack_policy
    return _stack([pack(policy, simulation, shape) for policy in policies])


def _stack(rows: Sequence[Any]) -> Any:
    """A record of arrays from a list of records of numbers."""
    first = rows[0]
    if not isinstance(first, tuple):
        return np.array(rows, np.float64)
    columns = [_stack(column) for column in zip(*rows, strict=True)]
    return like(first, columns)


def pack_policy(
    policy: PolicySpec, simulation: SimulationSpec, shape: contract.Shape
) -> contract.Policy:
    """One policy of the built-in rules, its leaves numbers."""
    return contract.Policy(
        hedge_ratio=policy.hedge_ratio,
        leg_share=1.0 / (1.0 + policy.hedge_ratio),
        leverage=effective_leverage(policy),
        rebalance_threshold=min(policy.rebalance_threshold, NEVER_IN_A_KERNEL),
        rebalance_interval=_steps(policy.rebalance_interval, simulation),
        holding=_steps(policy.holding, simulation),
        venues=tuple(
            _venue(venue, simulation, shape.tiers) for venue in _repeated(policy, shape.venues)
        ),
    )


def _repeated(policy: PolicySpec, count: int) -> tuple[VenueSpec, ...]:
    """The venues of both legs, where the code for two venues runs a policy with one."""
    return policy.venues if len(policy.venues) == count else policy.venues * count


def _venue(venue: VenueSpec, simulation: SimulationSpec, tiers: int) -> contract.Venue:
    latency = venue.latency / simulation.step
    if not 0.0 <= latency <= 1.0:
        raise ValueError(f"venue {venue.name}: latency must be at most one step")
    branches = margin_branches(venue.maintenance_tiers, simulation.capital)
    branches += [branches[-1]] * (tiers - len(branches))
    return contract.Venue(
        taker_fee=venue.taker_fee,
        slippage=venue.slippage,
        latency=latency,
        latency_root=(latency * (1.0 - latency)) ** 0.5,
        liquidation_fee=venue.liquidation_fee,
        tiers=tuple(branches),
    )


def margin_branches(tiers: Sequence[tuple[float, float]], capital: float) -> list[contract.Tier]:
    """The tangents of a tier table: rate and deduction, the latter over starting equity.

    Deductions follow from continuity at each floor: c_k = c_(k-1) + floor_k (m_k - m_(k-1)),
    the "maintenance amount" that exchanges print beside the rate.
    """
    deduction = 0.0
    branches = [contract.Tier(tiers[0][1], 0.0)]
    for (_, lower), (floor, rate) in pairwise(tiers):
        deduction += floor / capital * (rate - lower)
        branches.append(contract.Tier(rate, deduction))
    return branches


def _steps(duration: float, simulation: SimulationSpec) -> float:
    """A duration in whole steps."""
    if duration == float("inf"):
        return NEVER_IN_A_KERNEL
    return max(1.0, round(duration / simulation.step))


def effective_leverage(policy: PolicySpec) -> float:
    """Gross leverage after the venues' caps."""
    return min(policy.leverage, *(venue.max_leverage for venue in policy.venues))


def opening_margin(policy: PolicySpec, simulation: SimulationSpec) -> float:
    """Maintenance margin of the opening position over starting equity."""
    gross = effective_leverage(policy)
    share = 1.0 / (1.0 + policy.hedge_ratio)
    total = 0.0
    sizes = (gross * share, gross * share * policy.hedge_ratio)
    for venue, notional in zip(_repeated(policy, 2), sizes, strict=True):
        branches = tuple(margin_branches(venue.maintenance_tiers, simulation.capital))
        total += float(tiered(NumpyOps(), branches, notional)[0])
    return total


def feasible(policy: PolicySpec, simulation: SimulationSpec) -> bool:
    """Whether the opening position leaves equity above its maintenance margin."""
    return opening_margin(policy, simulation) < 1.0


def shape_of(
    market: MarketSpec, policies: Sequence[PolicySpec], simulation: SimulationSpec
) -> contract.Shape:
    """The code that these policies on this market need: a feature nobody uses is not compiled.

    Raises ValueError if the policies follow different rules.
    """
    rules = {policy.rules for policy in policies}
    if len(rules) > 1:
        raise ValueError(f"policies of one job follow one set of rules, not {sorted(rules)}")
    venues = [venue for policy in policies for venue in policy.venues]
    steps = simulation.steps
    return contract.Shape(
        features=contract.Features(
            bridge=simulation.bridge,
            latency=any(venue.latency > 0.0 for venue in venues),
            interval=any(_steps(p.rebalance_interval, simulation) <= steps for p in policies),
            rolls=any(_steps(p.holding, simulation) < steps for p in policies),
        ),
        regimes=len(market.regimes),
        correlation_regimes=len(market.correlation_regimes),
        venues=max(len(policy.venues) for policy in policies),
        tiers=max(len(venue.maintenance_tiers) for venue in venues),
        rules=rules.pop(),
    )


def job_shape(job: Job) -> contract.Shape:
    """`shape_of` for one job."""
    return shape_of(job.market, job.policies, job.simulation)


def seed_words(seed: int) -> tuple[np.uint32, np.uint32]:
    """The Philox key of a seed: its lower and upper 32 bits."""
    return np.uint32(seed & 0xFFFFFFFF), np.uint32(seed >> 32)
