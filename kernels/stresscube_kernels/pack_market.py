"""A market point from its description (`spec.py`) to the numbers that kernels read."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import contract, tails
from .chain import UNIT, cumulative, start_probabilities, transition_matrix
from .moments import STILL, mispricing_sources, sd_mispricing, spike_memory, step_variance
from .pack_replay import pack_replay
from .rates import decay, event_probability
from .rules import completed, market_rules_of
from .spec import (
    AnyMarket,
    ChainSpec,
    DrawnSpec,
    JumpSpec,
    LegJumpSpec,
    MarketSpec,
    MispricingSpec,
    PremiumSpec,
    RegimeSpec,
    ReplaySpec,
    ShockSpec,
    SimulationSpec,
    believed,
)

EIGHT_HOURS = 8.0 / (365 * 24)
NO_JUMP = JumpSpec(0.0, (0.0, 0.0), (0.0, 0.0), 0.0)
NO_LEG_JUMPS = (LegJumpSpec(0.0, 0.0, 0.0),) * 2


def pack_market(market: AnyMarket, simulation: SimulationSpec, shape: contract.Shape) -> Any:
    """A market point per step; leaves are float64 and uint32 scalars, and one table.

    Of one whose numbers are not known, its centre. Raises KeyError for a parameter that the
    market's rules take and the market does not give.
    """
    market = believed(market)
    if isinstance(market, ReplaySpec):
        return pack_replay(market, simulation)
    step = simulation.step
    nexts, starts = _chain(market.chain, step)
    components = _mispricing(market, shape.mispricing, step)
    packed = contract.Market(
        regimes=tuple(
            _regime(regime, step, shape, nexts[k], starts[k])._replace(mispricing=components[k])
            for k, regime in enumerate(market.regimes)
        ),
        volatility_regimes=_volatility_regimes(market, step),
        correlation_regimes=_correlation_regimes(market, step),
        funding_regimes=_funding_regimes(market, step)[: shape.funding_regimes],
        tail_interval=np.float64(max(1.0, round(market.tail_interval / step))),
        tails=np.concatenate([tails.table(regime.tail_dof) for regime in market.regimes])
        if shape.features.tails
        else np.ones(1),
        funding=contract.FundingRule(
            interval=np.float64(max(1.0, round(market.funding_interval / step))),
            interest=np.float64(market.interest * market.funding_interval / EIGHT_HOURS),
            clamp=np.float64(market.clamp),
        ),
        signals=_signals(market, step),
        shocks=tuple(_shock(shock, step) for shock in market.shocks),
        mark_decay=np.float64(decay(market.mark_smoothing, step)),
    )
    further = {p.name: np.float64(p.number(step)) for p in market.parameters}
    return completed(market_rules_of(shape), packed, further)


def pack_markets(market: AnyMarket, simulation: SimulationSpec, shape: contract.Shape) -> list[Any]:
    """The packed markets that paths have in turn; one, unless the market's numbers are drawn.

    What signals are scaled by is the centre's: it is what a trader takes for the long run.
    """
    if not isinstance(market, DrawnSpec):
        return [pack_market(market, simulation, shape)]
    known = pack_market(market, simulation, shape).signals
    drawn = (pack_market(draw, simulation, shape) for draw in market.draws)
    return [packed._replace(signals=known) for packed in drawn]


def split(leaves: list[Any], dtype: Any) -> tuple[NDArray[Any], NDArray[np.uint32], NDArray[Any]]:
    """A packed market's leaves as the arrays that kernels take: reals, words, table."""
    words = np.array([v for v in leaves if v.dtype == np.uint32], np.uint32)
    reals = [v for v in leaves if v.dtype != np.uint32 and not isinstance(v, np.ndarray)]
    tables: list[NDArray[Any]] = [v for v in leaves if isinstance(v, np.ndarray)]
    (table,) = tables
    return np.array(reals, dtype), words, table.astype(dtype)


def _word(probability: float) -> np.uint32:
    return np.uint32(round(probability * UNIT))


def _chain(chain: ChainSpec, step: float) -> tuple[list[tuple[Any, ...]], Any]:
    """Cumulative transition rows and start probabilities, in units of 2^-31."""
    nexts = cumulative(transition_matrix(chain, step))
    starts = cumulative(start_probabilities(chain)[None, :])[0]
    return [tuple(row) for row in nexts], starts


def _volatility_regimes(market: MarketSpec, step: float) -> tuple[contract.VolatilityRegime, ...]:
    if market.volatility_chain is None:
        return ()
    nexts, starts = _chain(market.volatility_chain, step)
    return tuple(
        contract.VolatilityRegime(
            multiplier_a=np.float64(state.multiplier[0]),
            multiplier_b=np.float64(state.multiplier[1]),
            next=nexts[k],
            start=starts[k],
        )
        for k, state in enumerate(market.volatility_regimes)
    )


def _correlation_regimes(market: MarketSpec, step: float) -> tuple[contract.CorrelationRegime, ...]:
    if market.correlation_chain is None:
        return ()
    nexts, starts = _chain(market.correlation_chain, step)
    return tuple(
        contract.CorrelationRegime(np.float64(state.correlation), nexts[k], starts[k])
        for k, state in enumerate(market.correlation_regimes)
    )


def _funding_regimes(market: MarketSpec, step: float) -> tuple[contract.FundingRegime, ...]:
    if market.funding_chain is None:
        return ()
    nexts, starts = _chain(market.funding_chain, step)
    return tuple(
        contract.FundingRegime(_premium(state.premium, step), nexts[k], starts[k])
        for k, state in enumerate(market.funding_regimes)
    )


def _premium(premium: PremiumSpec, step: float) -> tuple[contract.Premium, ...]:
    left = decay(premium.half_life, step)
    return tuple(
        contract.Premium(
            mean=np.float64(mean),
            decay=np.float64(left),
            kick=np.float64(std * math.sqrt(1.0 - left * left)),
            std=np.float64(std),
            shared=np.float64(shared),
            own=np.float64(math.sqrt(1.0 - shared * shared)),
        )
        for mean, std, shared in zip(
            premium.mean, premium.std, (0.0, premium.correlation), strict=True
        )
    )


def _regime(
    regime: RegimeSpec, step: float, shape: contract.Shape, nexts: tuple[Any, ...], start: Any
) -> contract.Regime:
    deviation = [sigma * step**0.5 for sigma in regime.volatility]
    drift = [
        (mu - sigma**2 / 2) * step - compensation(regime, leg, step)
        for leg, (mu, sigma) in enumerate(zip(regime.drift, regime.volatility, strict=True))
    ]
    own = regime.correlation is not None
    chained = not shape.features.funding or shape.funding_regimes > 0
    premium = () if chained or regime.premium is None else _premium(regime.premium, step)
    return contract.Regime(
        drift_a=np.float64(drift[0]),
        drift_b=np.float64(drift[1]),
        deviation_a=np.float64(deviation[0]),
        deviation_b=np.float64(deviation[1]),
        correlation=np.float64(regime.correlation if own else 0.0),
        own_correlation=np.float64(own),
        slippage_multiplier=np.float64(regime.slippage_multiplier),
        jumps=(_jump(regime.jumps or NO_JUMP, step),) * shape.jumps,
        leg_jumps=tuple(_leg_jump(j, step) for j in regime.leg_jumps or NO_LEG_JUMPS)
        if shape.leg_jumps
        else (),
        mispricing=(),
        premium=premium,
        next=nexts,
        start=start,
    )


def compensation(regime: RegimeSpec, leg: int, step: float) -> float:
    """What a step's log-return gives up so that `drift` stays the drift of the price.

    A jump J of probability p in the step multiplies the mean price by 1 + p (E[e^J] - 1); for
    small steps that is the usual lambda E[e^J - 1] a year.
    """
    sizes: list[tuple[float, float, float]] = []
    if regime.jumps is not None:
        sizes.append((regime.jumps.intensity, regime.jumps.mean[leg], regime.jumps.std[leg]))
    if regime.leg_jumps is not None:
        alone = regime.leg_jumps[leg]
        sizes.append((alone.intensity, alone.mean, alone.std))
    return sum(
        math.log1p(event_probability(rate, step) * math.expm1(mean + std * std / 2))
        for rate, mean, std in sizes
    )


def _jump(jump: JumpSpec, step: float) -> contract.Jump:
    return contract.Jump(
        probability=_word(event_probability(jump.intensity, step)),
        mean_a=np.float64(jump.mean[0]),
        mean_b=np.float64(jump.mean[1]),
        std_a=np.float64(jump.std[0]),
        std_b=np.float64(jump.std[1]),
        correlation=np.float64(jump.correlation),
    )


def _leg_jump(jump: LegJumpSpec, step: float) -> contract.LegJump:
    probability = _word(event_probability(jump.intensity, step))
    return contract.LegJump(probability, np.float64(jump.mean), np.float64(jump.std))


def _mispricing(
    market: MarketSpec, count: int, step: float
) -> list[tuple[contract.Component, ...]]:
    """The components of each regime."""
    sources = cumulative(mispricing_sources(market, step, count))
    return [
        tuple(
            _component(part, step, tuple(sources[k, r]))
            for k, part in enumerate((*regime.mispricing, *([STILL] * count))[:count])
        )
        for r, regime in enumerate(market.regimes)
    ]


def _component(
    component: MispricingSpec, step: float, source: tuple[np.uint32, ...]
) -> contract.Component:
    left = decay(component.half_life, step)
    return contract.Component(
        decay=np.float64(left),
        kick=np.float64(component.std * math.sqrt(1.0 - left * left)),
        std=np.float64(component.std),
        spike_probability=_word(event_probability(component.spike_intensity, step)),
        spike_std=np.float64(component.spike_std if component.spike_intensity > 0.0 else 0.0),
        spike_memory=np.float64(max(spike_memory(component, step), 1e-30)),
        source=source,
    )


def _signals(market: MarketSpec, step: float) -> contract.Signals:
    spread = sd_mispricing(market, step)
    first = next((r.mispricing[0] for r in market.regimes if r.mispricing), STILL)
    left = decay(first.half_life, step)
    return contract.Signals(
        decay=np.float64(decay(market.signal_half_life, step)),
        variance=np.float64(max(step_variance(market, step), 1e-30)),
        scale=np.float64(1.0 / spread if spread > 0.0 else 0.0),
        noise=np.float64(market.signal_noise),
        noise_decay=np.float64(left),
        noise_kick=np.float64(math.sqrt(1.0 - left * left)),
    )


def _shock(shock: ShockSpec, step: float) -> contract.Shock:
    start = round(shock.at / step)
    count = max(1, round(shock.duration / step))
    returns = [math.log1p(r) / count for r in shock.returns]
    return contract.Shock(
        start=np.uint32(start),
        end=np.uint32(start + count),
        return_a=np.float64(returns[0]),
        return_b=np.float64(returns[1]),
        regime=np.float64(-1.0 if shock.regime is None else shock.regime),
    )
