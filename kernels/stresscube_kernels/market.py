"""The market step: one step of one path, from random numbers to a tick. Written once.

Two legs follow geometric Brownian motions whose volatilities and drifts switch with a
Markov chain of regimes, and whose correlation may switch with a slower chain of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import philox, special
from .contract import Draw, Features, Market, MarketState, Regime, Tick
from .ops import Ops


def market_start(ops: Ops, features: Features, market: Market, draw: Draw) -> MarketState:
    """The state of a path at time 0; draw.step must be 0."""
    regime, correlation_regime, _, _ = philox.words(ops, draw, philox.BLOCK_START)
    one = ones(ops, draw)
    return MarketState(
        regime=one * switch(ops, regime, starts(market.regimes)),
        correlation_regime=one
        * switch(ops, correlation_regime, starts(market.correlation_regimes)),
        price_a=one,
        price_b=one,
    )


def market_step(
    ops: Ops, features: Features, market: Market, state: MarketState, draw: Draw
) -> tuple[MarketState, Tick]:
    """One step: the tick that policies read, and the state for the next step."""
    word_a, word_b, word_bridge, word_regime = philox.words(ops, draw, philox.BLOCK_DIFFUSION)
    noise_a, noise_b, word_correlation, _ = philox.words(ops, draw, philox.BLOCK_EXECUTION)
    regime = regime_in_force(ops, market, state)
    root = ops.sqrt(1.0 - regime.correlation * regime.correlation)

    def correlated(first: Any, second: Any) -> tuple[Any, Any]:
        z_a, z_2 = special.normal(ops, first), special.normal(ops, second)
        z_b = regime.correlation * z_a + root * z_2
        return regime.deviation_a * z_a, regime.deviation_b * z_b

    diffusion_a, diffusion_b = correlated(word_a, word_b)
    execution_a, execution_b = correlated(noise_a, noise_b)
    return_a = special.expm1(ops, regime.drift_a + diffusion_a)
    return_b = special.expm1(ops, regime.drift_b + diffusion_b)
    tick = Tick(
        return_a=return_a,
        return_b=return_b,
        noise_a=execution_a if features.latency else 0.0,
        noise_b=execution_b if features.latency else 0.0,
        variance_a=regime.deviation_a * regime.deviation_a,
        covariance=regime.correlation * regime.deviation_a * regime.deviation_b,
        variance_b=regime.deviation_b * regime.deviation_b,
        bridge=special.exponential(ops, word_bridge) if features.bridge else 0.0,
        slippage_multiplier=regime.slippage_multiplier,
        regime=state.regime,
        correlation_regime=state.correlation_regime,
        reserved_1=0.0,
        reserved_2=0.0,
        reserved_3=0.0,
        reserved_4=0.0,
        reserved_5=0.0,
    )
    next_state = MarketState(
        regime=switch(ops, word_regime, row(ops, state.regime, market.regimes)),
        correlation_regime=switch(
            ops,
            word_correlation,
            row(ops, state.correlation_regime, market.correlation_regimes),
        ),
        price_a=state.price_a + state.price_a * return_a,
        price_b=state.price_b + state.price_b * return_b,
    )
    return next_state, tick


def regime_in_force(ops: Ops, market: Market, state: MarketState) -> Regime:
    """The numbers of the path's regime, its correlation resolved."""

    def of(name: str) -> Any:
        return pick(ops, state.regime, [getattr(r, name) for r in market.regimes])

    correlation = of("correlation")
    if market.correlation_regimes:
        chained = pick(
            ops, state.correlation_regime, [c.correlation for c in market.correlation_regimes]
        )
        correlation = ops.where(of("own_correlation") > 0.5, correlation, chained)
    plain = ("drift_a", "drift_b", "deviation_a", "deviation_b", "slippage_multiplier")
    return market.regimes[0]._replace(correlation=correlation, **{name: of(name) for name in plain})


def pick(ops: Ops, index: Any, values: Sequence[Any]) -> Any:
    """values[index] for a real index, by selection: no gather, so it vectorises."""
    chosen = values[0]
    for k, value in enumerate(values[1:], start=1):
        chosen = ops.where(index > k - 0.5, value, chosen)
    return chosen


def row(ops: Ops, state: Any, states: Sequence[Any]) -> list[Any]:
    """The cumulative transition probabilities out of the current state."""
    return [pick(ops, state, [s.next[k] for s in states]) for k in range(len(states) - 1)]


def starts(states: Sequence[Any]) -> list[Any]:
    """The cumulative probabilities of the state at time 0."""
    return [s.start for s in states[:-1]]


def switch(ops: Ops, word: Any, cumulative: Sequence[Any]) -> Any:
    """The state a random word falls in: how many cumulative probabilities it reaches.

    The comparison is between integers, so every backend and precision takes the same switches;
    31 bits of the word are used, so that probabilities 0 and 1 are exact.
    """
    high = word >> ops.u32(1)
    reached: Any = 0.0
    for threshold in cumulative:
        reached = reached + ops.where(high < threshold, 0.0, 1.0)
    return reached


def ones(ops: Ops, draw: Draw) -> Any:
    """1.0 in the shape of the paths, for the numpy oracle's arrays."""
    return ops.u2f(draw.path ^ draw.path) + 1.0
