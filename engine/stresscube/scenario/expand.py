"""From a scenario and one point of its sweep to the plain numbers that the kernels take."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from stresscube.scenario import chains
from stresscube.scenario.chains import STATIONARY
from stresscube.scenario.code import Parameter
from stresscube.scenario.dotted import replaced, resolve
from stresscube.scenario.draws import markets
from stresscube.scenario.leaves import Duration
from stresscube.scenario.market import Market
from stresscube.scenario.policy import Policy, Scenario
from stresscube.scenario.recorded import replay_spec
from stresscube.scenario.regimes import Funding, Jumps, LegJumps, Mispricing, Regime, Shock
from stresscube.scenario.sweep import dimension
from stresscube.scenario.tiers import TierTable
from stresscube.scenario.trust import rules_of
from stresscube.scenario.units import whole_multiple, years
from stresscube.scenario.venue import Venue
from stresscube_kernels.spec import (
    NEVER,
    AnyMarket,
    ChainSpec,
    CorrelationRegimeSpec,
    DrawnSpec,
    FundingRegimeSpec,
    JumpSpec,
    LegJumpSpec,
    MarketSpec,
    MispricingSpec,
    ParameterSpec,
    PolicySpec,
    PremiumSpec,
    RegimeSpec,
    ShockSpec,
    SimulationSpec,
    VenueSpec,
    VolatilityRegimeSpec,
)

Point = Mapping[str, float | str]
"""Axis.key -> one value of that axis; keys not swept come from the scenario."""

DRAW = "market.uncertainty.draw"

GAUSSIAN_DOF = 1e5
"""Student-t returns of more degrees of freedom are Gaussian: their kurtosis is 3 to 1e-4."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One dimension of the cube.

    name: the dimension. key: as written in [sweep]. kind: "market", "venue" or "policy".
    values: as coordinates, durations in hours, "off" and "horizon" as inf. Where numbers stand
        beside words ("min-variance") the cube's labels are all text.
    """

    name: str
    key: str
    kind: str
    values: tuple[float | str, ...]
    units: str
    long_name: str


def axes(scenario: Scenario) -> tuple[Axis, ...]:
    """The swept axes in cube order: market, venue, policy; file order within each.

    Draws of the market's numbers that are market points have an axis of their own.
    """
    found = [_axis(scenario, key, values) for key, values in scenario.sweep.items()]
    asked = scenario.market.uncertainty
    if asked is not None and asked.per == "market" and asked.draw is None:
        values = tuple(map(float, range(asked.draws)))
        found += [] if DRAW in scenario.sweep else [_axis(scenario, DRAW, values)]
    order = ("market", "venue", "policy")
    return tuple(sorted(found, key=lambda axis: order.index(axis.kind)))


def any_market(scenario: Scenario, point: Point) -> AnyMarket:
    """The market at one point of the sweep, simulated or replayed; other keys are passed over.

    Raises ScenarioError if it follows code that is not trusted, or data that cannot be used.
    """
    market = _market_at(scenario, point)
    if market.replayed:
        return replay_spec(scenario, market)
    asked = market.uncertainty
    if asked is None:
        return _simulated(scenario, market)
    drawn = tuple(_simulated(scenario, it) for it in markets(scenario, market))
    if asked.draw is not None:
        return drawn[0]
    return DrawnSpec(_simulated(scenario, market), drawn)


def market_spec(scenario: Scenario, point: Point) -> MarketSpec:
    """The simulated market at one point of the sweep, its numbers the file's and not drawn.

    Keys of other kinds are passed over. What does nothing anywhere (jumps of intensity 0,
    mispricing that never moves) is left out, so that it costs nothing. Raises ScenarioError
    if it follows code that is not trusted.
    """
    return _simulated(scenario, _market_at(scenario, point))


def _simulated(scenario: Scenario, market: Market) -> MarketSpec:
    correlated, funded = market.correlation_regimes, market.funding_regimes
    scaled = market.volatility_regimes
    mispriced, smoothing = market.mispriced, market.mark_smoothing
    return MarketSpec(
        regimes=tuple(_regime(regime, mispriced) for regime in market.regimes),
        chain=_chain(market.regimes, market.initial_regime),
        volatility_regimes=tuple(
            VolatilityRegimeSpec(state.name, state.multiplier) for state in scaled
        ),
        volatility_chain=_chain(scaled, market.initial_volatility_regime) if scaled else None,
        correlation_regimes=tuple(
            CorrelationRegimeSpec(state.name, state.correlation) for state in correlated
        ),
        correlation_chain=_chain(correlated, market.initial_correlation_regime)
        if correlated
        else None,
        funding_regimes=tuple(
            FundingRegimeSpec(state.name, _premium(state.funding)) for state in funded
        ),
        funding_chain=_chain(funded, market.initial_funding_regime) if funded else None,
        tail_interval=years(market.tail_interval),
        funding_interval=years(market.funding_interval),
        interest=market.interest,
        clamp=market.clamp,
        signal_half_life=years(market.signal_half_life),
        signal_noise=market.signal_noise,
        mark_smoothing=years(smoothing) if mispriced and smoothing < NEVER else 0.0,
        shocks=tuple(_shock(shock, market) for shock in market.shocks),
        rules=rules_of(scenario, "market"),
        parameters=_parameters(market.parameters),
    )


def policy_spec(scenario: Scenario, point: Point) -> PolicySpec:
    """The policy at one point of the sweep; market keys are passed over.

    What it takes from the market is still open: see `stresscube_kernels.moments.resolved`. Raises
    ScenarioError if it follows code that is not trusted.
    """
    known = Policy.model_fields
    swept = {key: value for key, value in point.items() if key in known}
    policy = scenario.policy.model_copy(update=swept)
    given = policy.parameters
    for key, value in point.items():
        if key.startswith("policy."):
            name = resolve(scenario, key).path[-1]
            given = given | {str(name): Parameter(float(value), given[str(name)].duration)}
    venues = {venue.name: venue for venue in scenario.venues}
    names = dict.fromkeys(policy.venue.split("/"))
    ratio, feared = policy.hedge_ratio, policy.sizing_correlation
    return PolicySpec(
        venues=tuple(_venue(venues[name], scenario.market.assets) for name in names),
        hedge_ratio=None if isinstance(ratio, str) else ratio,
        leverage=policy.leverage,
        rebalance_threshold=policy.rebalance_threshold,
        rebalance_interval=years(policy.rebalance_interval),
        holding=years(policy.holding),
        side=policy.side,
        entry_z=policy.entry_z,
        exit_z=policy.exit_z,
        directional_bias=policy.directional_bias,
        bias_trigger=policy.bias_trigger,
        sizing_correlation=None if isinstance(feared, str) else feared,
        roll=policy.roll,
        rebalance_to=policy.rebalance_to,
        drift_measure=policy.drift_measure,
        rules=rules_of(scenario, "policy"),
        parameters=_parameters(given),
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
        by_regime=simulation.by_regime,
    )


def _axis(scenario: Scenario, key: str, values: tuple[float | str, ...]) -> Axis:
    target = resolve(scenario, key)
    kind = "market" if target.market else "venue" if key == "venue" else "policy"
    units = "h" if isinstance(target.leaf, Duration) else target.leaf.unit
    name = "draw" if key == DRAW else dimension(key)
    return Axis(name, key, kind, values, units, target.title)


def _market_at(scenario: Scenario, point: Point) -> Market:
    market = scenario.market
    for key, value in point.items():
        target = resolve(scenario, key)
        if target.market:
            market = replaced(market, target.path[1:], value)
    return market


def _regime(regime: Regime, mispriced: bool) -> RegimeSpec:
    jumps, alone = regime.jumps, regime.idiosyncratic_jumps
    return RegimeSpec(
        name=regime.name,
        drift=regime.drift,
        volatility=regime.volatility,
        correlation=regime.correlation,
        slippage_multiplier=regime.slippage_multiplier,
        tail_dof=regime.tail_dof if regime.tail_dof < GAUSSIAN_DOF else NEVER,
        jumps=_jumps(jumps) if jumps is not None and jumps.intensity > 0.0 else None,
        leg_jumps=(_leg_jumps(alone[0]), _leg_jumps(alone[1]))
        if any(leg.intensity > 0.0 for leg in alone)
        else None,
        mispricing=tuple(map(_mispricing, regime.mispricing)) if mispriced else (),
        premium=None if regime.funding is None else _premium(regime.funding),
    )


def _jumps(jumps: Jumps) -> JumpSpec:
    return JumpSpec(jumps.intensity, jumps.mean, jumps.std, jumps.correlation)


def _leg_jumps(jumps: LegJumps) -> LegJumpSpec:
    return LegJumpSpec(jumps.intensity, jumps.mean, jumps.std)


def _mispricing(part: Mispricing) -> MispricingSpec:
    spikes = part.spike_intensity if part.spike_std > 0.0 else 0.0
    return MispricingSpec(years(part.half_life), part.std, spikes, part.spike_std)


def _premium(funding: Funding) -> PremiumSpec:
    return PremiumSpec(funding.mean, funding.std, years(funding.half_life), funding.correlation)


def _shock(shock: Shock, market: Market) -> ShockSpec:
    names = [regime.name for regime in market.regimes]
    return ShockSpec(
        at=years(shock.at),
        duration=years(shock.duration),
        returns=shock.returns,
        regime=None if shock.regime is None else names.index(shock.regime),
    )


def _parameters(given: Mapping[str, Parameter]) -> tuple[ParameterSpec, ...]:
    return tuple(
        ParameterSpec(name, years(it.value) if it.duration else it.value, it.duration)
        for name, it in sorted(given.items())
    )


def _chain(states: Sequence[chains.State], initial: str) -> ChainSpec:
    names = [state.name for state in states]
    durations = [
        math.inf if chains.lasts(states, index) else years(state.mean_duration)
        for index, state in enumerate(states)
    ]
    start = None if initial == STATIONARY else names.index(initial)
    return ChainSpec(tuple(durations), chains.probabilities(states), start)


def _venue(venue: Venue, assets: tuple[str, str]) -> VenueSpec:
    tiers = [leg_tiers(venue, asset) for asset in assets]
    return VenueSpec(
        name=venue.name,
        taker_fee=venue.taker_fee,
        slippage=venue.slippage,
        latency=years(venue.latency),
        max_leverage=venue.max_leverage,
        maintenance_tiers=tiers[0],
        liquidation_fee=venue.liquidation_fee,
        maintenance_tiers_b=tiers[1] if tiers[1] != tiers[0] else None,
        funding_cap=venue.funding_cap,
        margin_mode=venue.margin_mode,
        after_leg_death=venue.after_leg_death,
    )


def leg_tiers(venue: Venue, asset: str) -> TierTable:
    """A venue's maintenance tiers for an asset."""
    tiers = venue.maintenance_tiers
    return tiers[asset] if isinstance(tiers, dict) else tiers
