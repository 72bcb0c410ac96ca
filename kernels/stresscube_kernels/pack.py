"""Policies from their descriptions (`spec.py`) to the numbers that kernels read; code shapes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from . import contract
from .margin import margin
from .ops import NumpyOps
from .rules import RECORDED, REGIMES, rules_of
from .spec import (
    NEVER,
    AnyMarket,
    DrawnSpec,
    Job,
    MarketSpec,
    MispricingSpec,
    PolicySpec,
    ReplaySpec,
    SimulationSpec,
    VenueSpec,
)
from .tree import like

NEVER_IN_A_KERNEL = 1e30
"""No infinity or NaN enters a kernel: compilers may assume that there are none."""
SIDES = ("fixed", "spread", "funding")
"""In the order of their codes."""


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
    hedge, bias = plain_ratio(policy), policy.directional_bias
    if hedge == 0.0:  # a single leg has nothing to rebalance
        policy = replace(policy, rebalance_interval=NEVER, directional_bias=0.0)
        bias = 0.0
    raised = hedge * (1.0 + bias) / (1.0 - bias)
    lowered = hedge * (1.0 - bias) / (1.0 + bias)
    return contract.Policy(
        hedge_ratio=hedge,
        leg_share=1.0 / (1.0 + hedge),
        raised_ratio=raised,
        raised_share=1.0 / (1.0 + raised),
        lowered_ratio=lowered,
        lowered_share=1.0 / (1.0 + lowered),
        leverage=effective_leverage(policy),
        rebalance_threshold=min(policy.rebalance_threshold, NEVER_IN_A_KERNEL),
        rebalance_interval=_steps(policy.rebalance_interval, simulation),
        holding=_steps(policy.holding, simulation),
        side=float(SIDES.index(policy.side)),
        entry_z=policy.entry_z,
        exit_z=policy.exit_z,
        bias_trigger=min(policy.bias_trigger if bias > 0.0 else NEVER, NEVER_IN_A_KERNEL),
        by_equity=float(policy.drift_measure == "equity"),
        to_leverage=float(policy.rebalance_to == "leverage"),
        nets=float(policy.roll == "net"),
        venues=tuple(
            _venue(venue, simulation, shape.tiers, leg)
            for leg, venue in enumerate(_repeated(policy, shape.venues))
        ),
    )


def _repeated(policy: PolicySpec, count: int) -> tuple[VenueSpec, ...]:
    """The venues of both legs, where the code for two venues runs a policy with one."""
    return policy.venues if len(policy.venues) == count else policy.venues * count


def plain_ratio(policy: PolicySpec) -> float:
    """The hedge ratio as a number.

    Raises ValueError where it still depends on the market: see `moments.resolved`.
    """
    if policy.hedge_ratio is None or policy.sizing_correlation is not None:
        raise ValueError("the policy depends on the market: resolve it first")
    return policy.hedge_ratio


def leg_tiers(venue: VenueSpec, leg: int) -> tuple[tuple[float, float], ...]:
    """The maintenance tiers of leg a (0) or b (1)."""
    return venue.maintenance_tiers_b or venue.maintenance_tiers if leg else venue.maintenance_tiers


def _venue(venue: VenueSpec, simulation: SimulationSpec, tiers: int, leg: int) -> contract.Venue:
    latency = venue.latency / simulation.step
    if not 0.0 <= latency <= 1.0:
        raise ValueError(f"venue {venue.name}: latency must be at most one step")
    branches = _leg_branches(venue, leg, simulation)
    branches += branches[-1:] * (tiers - len(branches))
    return contract.Venue(
        taker_fee=venue.taker_fee,
        slippage=venue.slippage,
        latency=latency,
        latency_root=(latency * (1.0 - latency)) ** 0.5,
        liquidation_fee=venue.liquidation_fee,
        funding_cap=min(venue.funding_cap, NEVER_IN_A_KERNEL),
        holds_survivor=float(venue.after_leg_death == "hold"),
        tiers=branches,
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
    """Maintenance margin of the opening position over the equity that is to cover it.

    Under isolated margin of the leg that asks for more of its own.
    """
    gross = effective_leverage(policy)
    share = 1.0 / (1.0 + plain_ratio(policy))
    shares = (share, share * plain_ratio(policy))
    required = [
        float(margin(NumpyOps(), _leg_branches(venue, leg, simulation), gross * part).required)
        for leg, (venue, part) in enumerate(zip(_repeated(policy, 2), shares, strict=True))
    ]
    if policy.venues[0].margin_mode == "cross":
        return sum(required)
    return max(need / part for need, part in zip(required, shares, strict=True) if part > 0.0)


def _leg_branches(
    venue: VenueSpec, leg: int, simulation: SimulationSpec
) -> tuple[contract.Tier, ...]:
    return tuple(margin_branches(leg_tiers(venue, leg), simulation.capital))


def feasible(policy: PolicySpec, simulation: SimulationSpec) -> bool:
    """Whether the opening position leaves equity above its maintenance margin."""
    return opening_margin(policy, simulation) < 1.0


def is_isolated(policies: Sequence[PolicySpec]) -> bool:
    """Whether the policies' venues margin each leg alone.

    Raises ValueError if some do and others do not: they need different code.
    """
    modes = {venue.margin_mode for policy in policies for venue in policy.venues}
    if len(modes) > 1:
        raise ValueError("policies of one job have one margin mode, not both")
    return modes == {"isolated"}


def shape_of(
    market: AnyMarket, policies: Sequence[PolicySpec], simulation: SimulationSpec
) -> contract.Shape:
    """The code that these policies on this market need: a feature nobody uses is not compiled.

    Raises ValueError if the policies follow different rules.
    """
    rules = {policy.rules for policy in policies}
    if len(rules) > 1:
        raise ValueError(f"policies of one job follow one set of rules, not {sorted(rules)}")
    venues = [venue for policy in policies for venue in policy.venues]
    by_leg = any(venue.maintenance_tiers_b is not None for venue in venues)
    shape = market_shape(market)
    shape = shape._replace(
        features=_features(shape.features, policies, simulation),
        venues=max(2 if by_leg else 1, *(len(policy.venues) for policy in policies)),
        tiers=max(len(leg_tiers(venue, leg)) for venue in venues for leg in (0, 1)),
        rules=rules.pop(),
    )
    return rules_of(shape).needs(shape)


def market_shape(market: AnyMarket) -> contract.Shape:
    """The code that a market needs when no policy reads it; every feature it has is on.

    A part whose numbers make it nothing (jumps of intensity 0, say) needs no code. Rules of
    another making may have events of their own.
    """
    if isinstance(market, ReplaySpec):
        return _replay_shape(market)
    if isinstance(market, DrawnSpec):
        return united(map(market_shape, (market.centre, *market.draws)))._replace(drawn=1)
    built_in = market.rules == REGIMES
    regimes = market.regimes
    spikes = any(c.spike_intensity > 0.0 for r in regimes for c in r.mispricing)
    jumps = any(r.jumps is not None and r.jumps.intensity > 0.0 for r in regimes)
    leg_jumps = any(j.intensity > 0.0 for r in regimes for j in r.leg_jumps or ())
    mispricing = max(_components(r.mispricing) for r in regimes)
    funding = _pays_funding(market)
    return contract.Shape(
        features=contract.Features(
            mispricing=mispricing > 0,
            tails=any(r.tail_dof < NEVER_IN_A_KERNEL for r in regimes),
            funding=funding,
            correlated_premiums=funding and _correlates_premiums(market),
            mark=mispricing > 0 and market.mark_smoothing > 0.0,
            events=spikes or jumps or leg_jumps or len(market.shocks) > 0 or not built_in,
        ),
        regimes=len(regimes),
        volatility_regimes=len(market.volatility_regimes),
        correlation_regimes=len(market.correlation_regimes),
        funding_regimes=len(market.funding_regimes) if funding else 0,
        jumps=int(jumps),
        leg_jumps=2 * leg_jumps,
        mispricing=mispricing,
        shocks=len(market.shocks),
        market=market.rules,
    )


def _replay_shape(market: ReplaySpec) -> contract.Shape:
    """The code that a recorded history needs: every step counts as one with an event."""
    history = market.history
    funding = history.rates is not None and bool((history.rates != 0.0).any())
    features = contract.Features(
        funding=funding,
        prints=funding,
        events=True,
        intrabar=market.ranges and history.low is not None,
    )
    return contract.Shape(features=features, market=RECORDED)


def _components(components: Sequence[MispricingSpec]) -> int:
    """How many components there are, less those at the end that never move."""
    moving = [k for k, c in enumerate(components) if c.std > 0.0 or c.spike_intensity > 0.0]
    return moving[-1] + 1 if moving else 0


def _pays_funding(market: MarketSpec) -> bool:
    """Whether any funding rate can differ from 0."""
    premiums = [r.premium for r in (*market.regimes, *market.funding_regimes) if r.premium]
    numbers = [value for p in premiums for value in (*p.mean, *p.std, market.interest)]
    return any(value != 0.0 for value in numbers)


def _correlates_premiums(market: MarketSpec) -> bool:
    """Whether the premium indices of the legs share any noise."""
    premiums = [r.premium for r in (*market.regimes, *market.funding_regimes) if r.premium]
    return any(p.correlation != 0.0 and min(p.std) > 0.0 for p in premiums)


def united(shapes: Iterable[contract.Shape]) -> contract.Shape:
    """The code that serves the markets and policies of all these shapes."""
    made = list(shapes)
    features = contract.Features(*map(any, zip(*(s.features for s in made), strict=True)))
    columns = zip(*(shape._replace(features=features) for shape in made), strict=True)
    return contract.Shape(*map(max, columns))


def _features(
    features: contract.Features, policies: Sequence[PolicySpec], simulation: SimulationSpec
) -> contract.Features:
    """A market's features and those of the policies that read it."""
    steps = simulation.steps
    sides = {policy.side for policy in policies}
    bias = any(policy.directional_bias > 0.0 for policy in policies)
    return features._replace(
        bridge=simulation.bridge and not features.intrabar,
        intrabar=simulation.bridge and features.intrabar,
        latency=any(venue.latency > 0.0 for p in policies for venue in p.venues),
        interval=any(_steps(p.rebalance_interval, simulation) <= steps for p in policies),
        rolls=any(_steps(p.holding, simulation) < steps for p in policies),
        signals=bias,
        spread="spread" in sides,
        spread_side="spread" in sides,
        funding_side="funding" in sides,
        bias=bias,
        by_equity=any(policy.drift_measure == "equity" for policy in policies),
        to_leverage=any(policy.rebalance_to == "leverage" for policy in policies),
        nets=any(policy.roll == "net" for policy in policies),
        isolated=is_isolated(policies),
        by_regime=simulation.by_regime,
    )


def job_shape(job: Job) -> contract.Shape:
    """`shape_of` for one job."""
    return shape_of(job.market, job.policies, job.simulation)


def seed_words(seed: int) -> tuple[np.uint32, np.uint32]:
    """The Philox key of a seed: its lower and upper 32 bits."""
    return np.uint32(seed & 0xFFFFFFFF), np.uint32(seed >> 32)
