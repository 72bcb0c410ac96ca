"""The market step: one step of one path, from random numbers to a tick. Written once.

Two legs follow geometric Brownian motions (or a Student-t mixture of them) whose volatilities
and drifts switch with a Markov chain of regimes, and whose correlation may switch with a slower
chain of its own. Around them: jumps, a mispricing of leg b, premium indices, signals, shocks.
A recorded history in place of all that is in `replay.py`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from . import funding, jumps, mispricing, philox, signals, special, tails, ticks
from .contract import Component, Draw, Features, Market, MarketState, Premium, Regime, Tick
from .ops import Ops
from .switching import pick, row, starts, switch
from .tree import like


def market_start(ops: Ops, features: Features, market: Market, draw: Draw) -> MarketState:
    """The state of a path at time 0; draw.step must be 0."""
    word, word_correlation, word_funding, word_noise = philox.words(ops, draw, philox.BLOCK_START)
    words_x = philox.words(ops, draw, philox.BLOCK_START_SPREAD)
    words_spikes = [
        philox.words(ops, draw, block) if features.events else ()
        for block in philox.BLOCK_START_SPIKES
    ]
    words_premium = philox.words(ops, draw, philox.BLOCK_START_FUNDING)
    word_volatility = philox.words(ops, draw, philox.BLOCK_START_VOLATILITY)[0]
    zero = ops.u2f(draw.path ^ draw.path)  # in the shape of the paths, for arrays
    one = zero + 1.0
    regime = zero + switch(ops, word, starts(market.regimes))
    funding_regime = zero + switch(ops, word_funding, starts(market.funding_regimes))
    here = regime_at(ops, market, regime, zero)
    x = [
        mispricing.start(ops, came_from(ops, market, here, k, words_x[2 + k]), words_x[k], ages)
        for k, ages in zip(range(len(here.mispricing)), words_spikes, strict=False)
    ]
    x_1, x_2 = [*x, zero, zero][:2]
    premium_a, premium_b = zero, zero
    if features.funding:
        legs = premium_at(ops, market, here, funding_regime)
        noises = funding.noises(ops, features, legs, words_premium)
        premium_a, premium_b = (funding.start(p, z) for p, z in zip(legs, noises, strict=True))
    return MarketState(
        regime=regime,
        volatility_regime=zero + switch(ops, word_volatility, starts(market.volatility_regimes)),
        correlation_regime=zero + switch(ops, word_correlation, starts(market.correlation_regimes)),
        funding_regime=funding_regime,
        price_a=one,
        price_b=one,
        tail_word=one,
        tail_wait=zero,
        x_1=zero + x_1,
        x_2=zero + x_2,
        noise=special.normal(ops, word_noise) if features.spread else zero,
        premium_a=zero + premium_a,
        premium_b=zero + premium_b,
        funding_wait=zero + market.funding.interval,
        variance=zero + market.signals.variance,
        drift=zero,
        mark=zero + x_1 + x_2,
    )


class Shocked(NamedTuple):
    """What the shocks do to a step."""

    return_a: Any
    return_b: Any
    regime: Any
    active: Any


def market_step(
    ops: Ops, features: Features, market: Market, state: MarketState, draw: Draw
) -> tuple[MarketState, Tick]:
    """One step: the tick that policies read, and the state for the next step."""
    word_a, word_b, word_bridge, word_regime = philox.words(ops, draw, philox.BLOCK_DIFFUSION)
    noise_a, noise_b, word_correlation, word_funding = philox.words(
        ops, draw, philox.BLOCK_EXECUTION
    )
    before = state  # what a strategy may know at the step's start
    shocked = shock(ops, market, state, draw)
    here = regime_at(ops, market, shocked.regime, state.correlation_regime)
    here = scaled(ops, market, here, state.volatility_regime)
    state, mixing = mix(ops, features, market, state, shocked.regime, draw)
    state, moved, events = move_spread(ops, market, state, here, draw)
    jumped = jump(ops, here, draw)

    deviation_a, deviation_b = here.deviation_a * mixing, here.deviation_b * mixing
    root = ops.sqrt(1.0 - here.correlation * here.correlation)
    z_a, z_2 = special.normal(ops, word_a), special.normal(ops, word_b)
    diffusion_a = deviation_a * z_a
    diffusion_b = deviation_b * (here.correlation * z_a + root * z_2)
    return_a = special.expm1(ops, here.drift_a + diffusion_a + jumped.leg_a + shocked.return_a)
    log_b = here.drift_b + diffusion_b + jumped.leg_b + shocked.return_b
    return_b = special.expm1(ops, log_b + moved)
    fair_b = special.expm1(ops, log_b) if market.regimes[0].mispricing else return_b

    # What is not shared with leg a: the legs' own part of b, and the mispricing's noise.
    own_b = deviation_b * root
    own_b = ops.sqrt(own_b * own_b + events.variance) if here.mispricing else own_b
    e_a, e_2 = special.normal(ops, noise_a), special.normal(ops, noise_b)
    execution_b = deviation_b * here.correlation * e_a + own_b * e_2

    state = see(ops, features, market, state, return_a, return_b)
    state, due = fund(ops, features, market, state, here, draw)
    happened = ops.fmax(ops.fmax(jumped.happened, events.spiked), shocked.active)
    rates = [
        funding.rate(ops, market.funding, p) if features.funding else 0.0
        for p in (before.premium_a, before.premium_b)
    ]
    tick = Tick(
        return_a=return_a,
        return_b=return_b,
        noise_a=deviation_a * e_a if features.latency else 0.0,
        noise_b=execution_b if features.latency else 0.0,
        variance_a=deviation_a * deviation_a,
        covariance=here.correlation * deviation_a * deviation_b,
        variance_b=deviation_b * deviation_b + events.variance,
        bridge=special.exponential(ops, word_bridge) if features.bridge else 0.0,
        slippage_multiplier=here.slippage_multiplier,
        state=ticks.pack(
            shocked.regime, state.correlation_regime, state.funding_regime, due, happened
        ),
        funding_a=rates[0],
        funding_b=rates[1],
        mispricing=return_b - fair_b if here.mispricing else 0.0,
        z=signals.spread(market.signals, before.x_1 + before.x_2, before.noise)
        if features.spread
        else 0.0,
        trend=signals.trend(ops, market.signals, before.variance, before.drift)
        if features.signals
        else 0.0,
        mark_b=special.expm1(ops, state.mark - (state.x_1 + state.x_2)) if features.mark else 0.0,
    )
    return state._replace(
        regime=switch(ops, word_regime, row(ops, state.regime, market.regimes)),
        volatility_regime=next_volatility(ops, market, state, draw),
        correlation_regime=switch(
            ops, word_correlation, row(ops, state.correlation_regime, market.correlation_regimes)
        ),
        funding_regime=switch(
            ops, word_funding, row(ops, state.funding_regime, market.funding_regimes)
        ),
        price_a=state.price_a + state.price_a * return_a,
        price_b=state.price_b + state.price_b * return_b,
    ), tick


def regime_at(ops: Ops, market: Market, regime: Any, correlation_regime: Any) -> Regime:
    """The numbers of the regime in force, its correlation resolved."""

    def at(*parts: Any) -> Any:
        first = parts[0]
        if not isinstance(first, tuple):
            return pick(ops, regime, parts)
        children = [at(*column) for column in zip(*parts, strict=True)]
        return like(first, children)

    numbers = [r._replace(next=(), start=r.start) for r in market.regimes]
    here: Regime = at(*numbers)
    if not market.correlation_regimes:
        return here
    chained = pick(ops, correlation_regime, [c.correlation for c in market.correlation_regimes])
    own = here.own_correlation > 0.5
    return here._replace(correlation=ops.where(own, here.correlation, chained))


def came_from(ops: Ops, market: Market, here: Regime, k: int, word: Any) -> Component:
    """The numbers of the regime that component k at time 0 comes from."""
    source = switch(ops, word, here.mispricing[k].source[:-1])
    parts = [regime.mispricing[k]._replace(source=()) for regime in market.regimes]
    return Component(*(
        () if isinstance(column[0], tuple) else pick(ops, source, column)
        for column in zip(*parts, strict=True)
    ))  # fmt: skip


def scaled(ops: Ops, market: Market, here: Regime, volatility_regime: Any) -> Regime:
    """The numbers of the regime in force with the slow chain's multipliers."""
    if not market.volatility_regimes:
        return here
    m_a, m_b = (
        pick(ops, volatility_regime, [getattr(state, name) for state in market.volatility_regimes])
        for name in ("multiplier_a", "multiplier_b")
    )
    return amplified(here, m_a, m_b)


def amplified(regime: Regime, factor_a: Any, factor_b: Any) -> Regime:
    """A regime with its volatilities times factors, the drifts of prices as they were.

    The log-return's drift is mu - sigma^2 / 2, so it gives up half of what the variance gains.
    """
    gain_a, gain_b = (0.5 * (1.0 - factor * factor) for factor in (factor_a, factor_b))
    return regime._replace(
        drift_a=regime.drift_a + gain_a * (regime.deviation_a * regime.deviation_a),
        drift_b=regime.drift_b + gain_b * (regime.deviation_b * regime.deviation_b),
        deviation_a=factor_a * regime.deviation_a,
        deviation_b=factor_b * regime.deviation_b,
    )


def next_volatility(ops: Ops, market: Market, state: MarketState, draw: Draw) -> Any:
    """The slow volatility chain's state at the next step."""
    if not market.volatility_regimes:
        return state.volatility_regime
    word = philox.words(ops, draw, philox.BLOCK_VOLATILITY)[0]
    return switch(ops, word, row(ops, state.volatility_regime, market.volatility_regimes))


def premium_at(ops: Ops, market: Market, here: Regime, funding_regime: Any) -> tuple[Premium, ...]:
    """The premium indices' numbers: the funding chain's where there is one."""
    if not market.funding_regimes:
        return here.premium
    states = [state.premium for state in market.funding_regimes]
    return tuple(
        Premium(*(pick(ops, funding_regime, numbers) for numbers in zip(*leg, strict=True)))
        for leg in zip(*states, strict=True)
    )


def shock(ops: Ops, market: Market, state: MarketState, draw: Draw) -> Shocked:
    """The log-returns of the shocks in force, and the regime that they impose."""
    return_a: Any = 0.0
    return_b: Any = 0.0
    active: Any = 0.0
    regime = state.regime
    for hit in market.shocks:
        on = (draw.step >= hit.start) & (draw.step < hit.end)
        return_a = return_a + ops.where(on, hit.return_a, 0.0)
        return_b = return_b + ops.where(on, hit.return_b, 0.0)
        regime = ops.where(on & (hit.regime > -0.5), hit.regime, regime)
        active = ops.where(on, 1.0, active)
    return Shocked(return_a, return_b, regime, active)


def mix(
    ops: Ops, features: Features, market: Market, state: MarketState, regime: Any, draw: Draw
) -> tuple[MarketState, Any]:
    """The root of the mixing variable in force; 1 where returns are Gaussian."""
    if not features.tails:
        return state, 1.0
    word = philox.words(ops, draw, philox.BLOCK_TAILS)[0]
    interval = market.tail_interval
    tail_word, wait = tails.step(state.tail_word, state.tail_wait, word, interval, ops)
    offsets = [ops.u32(k * tails.ENTRIES) for k in range(len(market.regimes))]
    variable = tails.mixing(ops, market.tails, tail_word, pick(ops, regime, offsets))
    return state._replace(tail_word=tail_word, tail_wait=wait), ops.sqrt(variable)


def move_spread(
    ops: Ops, market: Market, state: MarketState, here: Regime, draw: Draw
) -> tuple[MarketState, Any, mispricing.Moved]:
    """Move the mispricing: its change over the step, and what the step did to it."""
    if not here.mispricing:
        return state, 0.0, mispricing.Moved((), 0.0, 0.0)
    noise = philox.words(ops, draw, philox.BLOCK_SPREAD)
    spikes = philox.words(ops, draw, philox.BLOCK_SPIKES)
    before = (state.x_1, state.x_2)
    events = mispricing.move(ops, here.mispricing, before, noise[:2], spikes)
    x_1, x_2 = [*events.components, state.x_2][:2]
    change = (x_1 - state.x_1) + (x_2 - state.x_2)
    unit = special.normal(ops, noise[2])
    return (
        state._replace(
            x_1=x_1,
            x_2=x_2,
            noise=market.signals.noise_decay * state.noise + market.signals.noise_kick * unit,
            mark=market.mark_decay * state.mark + (1.0 - market.mark_decay) * (x_1 + x_2),
        ),
        change,
        events,
    )


def jump(ops: Ops, here: Regime, draw: Draw) -> jumps.Jumped:
    """The jumps of the step."""
    made = jumps.Jumped(0.0, 0.0, 0.0)
    if here.jumps:
        made = jumps.joint(ops, here.jumps[0], philox.words(ops, draw, philox.BLOCK_JUMPS))
    if not here.leg_jumps:
        return made
    alone = jumps.alone(ops, here.leg_jumps, philox.words(ops, draw, philox.BLOCK_LEG_JUMPS))
    return jumps.Jumped(
        made.leg_a + alone.leg_a,
        made.leg_b + alone.leg_b,
        ops.fmax(made.happened, alone.happened),
    )


def see(
    ops: Ops, features: Features, market: Market, state: MarketState, return_a: Any, return_b: Any
) -> MarketState:
    """Update the moving averages with the step's mean return."""
    if not features.signals:
        return state
    mean_return = 0.5 * (return_a + return_b)
    variance, drift = signals.averages(market.signals, state.variance, state.drift, mean_return)
    return state._replace(variance=variance, drift=drift)


def fund(
    ops: Ops, features: Features, market: Market, state: MarketState, here: Regime, draw: Draw
) -> tuple[MarketState, Any]:
    """Move the premium indices; 1 where funding is due at the step's end."""
    if not features.funding:
        return state, 0.0
    words = philox.words(ops, draw, philox.BLOCK_FUNDING)
    legs = premium_at(ops, market, here, state.funding_regime)
    noise_a, noise_b = funding.noises(ops, features, legs, words)
    wait = state.funding_wait - 1.0
    due = wait < 0.5
    return (
        state._replace(
            premium_a=funding.move(legs[0], state.premium_a, noise_a),
            premium_b=funding.move(legs[1], state.premium_b, noise_b),
            funding_wait=ops.where(due, market.funding.interval, wait),
        ),
        ops.where(due, 1.0, 0.0),
    )
