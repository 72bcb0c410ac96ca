"""From a scenario and one point of its sweep to the plain numbers that the kernels take."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from stresscube.scenario import chains
from stresscube.scenario.dotted import replaced, resolve
from stresscube.scenario.leaves import Duration
from stresscube.scenario.policy import Policy, Scenario
from stresscube.scenario.schema import STATIONARY, Regime, Venue
from stresscube.scenario.sweep import dimension
from stresscube.scenario.tiers import TierTable
from stresscube.scenario.units import whole_multiple, years
from stresscube_kernels.spec import (
    ChainSpec,
    CorrelationRegimeSpec,
    MarketSpec,
    PolicySpec,
    RegimeSpec,
    SimulationSpec,
    VenueSpec,
)

Point = Mapping[str, float | str]
"""Axis.key -> one value of that axis; keys not swept come from the scenario."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One dimension of the cube.

    name: the dimension. key: as written in [sweep]. kind: "market", "venue" or "policy".
    values: as coordinates, durations in hours, "off" and "horizon" as inf.
    """

    name: str
    key: str
    kind: str
    values: tuple[float | str, ...]
    units: str
    long_name: str


def axes(scenario: Scenario) -> tuple[Axis, ...]:
    """The swept axes in cube order: market, venue, policy; file order within each."""
    found = [_axis(scenario, key, values) for key, values in scenario.sweep.items()]
    order = ("market", "venue", "policy")
    return tuple(sorted(found, key=lambda axis: order.index(axis.kind)))


def market_spec(scenario: Scenario, point: Point) -> MarketSpec:
    """The market at one point of the sweep; keys of other kinds are passed over."""
    market = scenario.market
    for key, value in point.items():
        target = resolve(scenario, key)
        if target.market:
            market = replaced(market, target.path[1:], value)
    correlated = market.correlation_regimes
    return MarketSpec(
        regimes=tuple(map(_regime, market.regimes)),
        chain=_chain(market.regimes, market.initial_regime),
        correlation_regimes=tuple(
            CorrelationRegimeSpec(state.name, state.correlation) for state in correlated
        ),
        correlation_chain=_chain(correlated, market.initial_correlation_regime)
        if correlated
        else None,
    )


def policy_spec(scenario: Scenario, point: Point) -> PolicySpec:
    """The policy at one point of the sweep; market keys are passed over."""
    known = Policy.model_fields
    swept = {key: value for key, value in point.items() if key in known}
    policy = scenario.policy.model_copy(update=swept)
    venues = {venue.name: venue for venue in scenario.venues}
    return PolicySpec(
        venues=tuple(_venue(venues[name]) for name in policy.venue.split("/")),
        hedge_ratio=float(policy.hedge_ratio),
        leverage=policy.leverage,
        rebalance_threshold=policy.rebalance_threshold,
        rebalance_interval=years(policy.rebalance_interval),
        holding=years(policy.holding),
    )


def simulation_spec(scenario: Scenario) -> SimulationSpec:
    """Steps, their length, and the random stream."""
    simulation = scenario.simulation
    return SimulationSpec(
        steps=cast(int, whole_multiple(simulation.horizon, simulation.step)),
        step=years(simulation.step),
        seed=simulation.seed,
        precision=simulation.precision,
        capital=simulation.capital,
        bridge=simulation.bridge,
    )


def _axis(scenario: Scenario, key: str, values: tuple[float | str, ...]) -> Axis:
    target = resolve(scenario, key)
    kind = "market" if target.market else "venue" if key == "venue" else "policy"
    units = "h" if isinstance(target.leaf, Duration) else target.leaf.unit
    return Axis(dimension(key), key, kind, values, units, target.title)


def _regime(regime: Regime) -> RegimeSpec:
    return RegimeSpec(
        name=regime.name,
        drift=regime.drift,
        volatility=regime.volatility,
        correlation=regime.correlation,
        slippage_multiplier=regime.slippage_multiplier,
    )


def _chain(states: Sequence[chains.State], initial: str) -> ChainSpec:
    names = [state.name for state in states]
    durations = [
        math.inf if chains.lasts(states, index) else years(state.mean_duration)
        for index, state in enumerate(states)
    ]
    start = None if initial == STATIONARY else names.index(initial)
    return ChainSpec(tuple(durations), chains.probabilities(states), start)


def _venue(venue: Venue) -> VenueSpec:
    return VenueSpec(
        name=venue.name,
        taker_fee=venue.taker_fee,
        slippage=venue.slippage,
        latency=years(venue.latency),
        max_leverage=venue.max_leverage,
        maintenance_tiers=cast(TierTable, venue.maintenance_tiers),
        liquidation_fee=venue.liquidation_fee,
    )
