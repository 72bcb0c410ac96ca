"""Long-run moments of a market: averages over the stationary laws of its chains."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .chain import stationary, transition_matrix
from .rates import decay, event_probability
from .spec import (
    AnyMarket,
    ChainSpec,
    HistorySpec,
    MarketSpec,
    MispricingSpec,
    PolicySpec,
    RegimeSpec,
    ReplaySpec,
    believed,
)

STILL = MispricingSpec(1.0, 0.0)
"""A component that never moves."""


def regime_shares(market: MarketSpec) -> list[float]:
    """Long-run shares of the regimes; where they are not unique, all of the initial one."""
    return shares_of(market.chain)


def shares_of(chain: ChainSpec) -> list[float]:
    """Long-run shares of a chain's states; where they are not unique, all of the initial one."""
    try:
        return [float(share) for share in stationary(chain)]
    except ValueError:
        return [float(k == (chain.initial or 0)) for k in range(len(chain.mean_durations))]


def correlation(market: MarketSpec, regime: RegimeSpec) -> float:
    """The correlation while a regime is on, averaged over the correlation chain."""
    if regime.correlation is not None:
        return regime.correlation
    assert market.correlation_chain is not None
    values = [state.correlation for state in market.correlation_regimes]
    return float(np.dot(shares_of(market.correlation_chain), values))


def usual_multiplier(market: MarketSpec) -> tuple[float, float]:
    """The legs' multipliers in the most frequent state of the slow volatility chain."""
    if market.volatility_chain is None:
        return 1.0, 1.0
    usual = int(np.argmax(shares_of(market.volatility_chain)))
    return market.volatility_regimes[usual].multiplier


def multiplied(market: MarketSpec) -> tuple[float, float, float]:
    """Long-run means of m_a^2, m_a m_b and m_b^2, the slow volatility chain's multipliers."""
    if market.volatility_chain is None:
        return 1.0, 1.0, 1.0
    shares = np.array(shares_of(market.volatility_chain))
    a, b = np.array([state.multiplier for state in market.volatility_regimes]).T
    return float(shares @ (a * a)), float(shares @ (a * b)), float(shares @ (b * b))


def recorded_covariance(history: HistorySpec) -> tuple[float, float, float]:
    """(var_a, cov, var_b) a year of a history's returns."""
    close = np.asarray(history.close, np.float64)
    found = np.cov(close[1:] / close[:-1] - 1.0, rowvar=False) / history.step
    return float(found[0, 0]), float(found[0, 1]), float(found[1, 1])


def covariance(market: AnyMarket) -> tuple[float, float, float]:
    """(var_a, cov, var_b) a year of the stationary diffusion, or of the whole recorded history."""
    market = believed(market)
    if isinstance(market, ReplaySpec):
        return recorded_covariance(market.history)
    total = np.zeros(3)
    for share, regime in zip(regime_shares(market), market.regimes, strict=True):
        a, b = regime.volatility
        total += share * np.array([a * a, correlation(market, regime) * a * b, b * b])
    total *= multiplied(market)  # the chains are independent
    return float(total[0]), float(total[1]), float(total[2])


def usual_correlation(market: MarketSpec, regime: RegimeSpec) -> float:
    """The correlation while a regime is on, in the most frequent state of the correlation chain."""
    if regime.correlation is not None:
        return regime.correlation
    assert market.correlation_chain is not None
    usual = int(np.argmax(shares_of(market.correlation_chain)))
    return market.correlation_regimes[usual].correlation


def step_variance(market: MarketSpec, step: float) -> float:
    """Variance of the legs' mean return over a step: diffusion, jumps, and the mispricing's change.

    A component that was x changes by (decay - 1) x and the step's noise.
    """
    shares = regime_shares(market)
    var_a, cov, var_b = covariance(market)
    total = (var_a + 2.0 * cov + var_b) / 4.0 * step
    for share, regime in zip(shares, market.regimes, strict=True):
        total += share * _jump_variance(regime, step)
    for squares, parts in zip(mispricing_squares(market, step), _components(market), strict=True):
        for square, share, part in zip(squares, shares, parts, strict=True):
            kept = decay(part.half_life, step)
            noise = share * (1.0 - kept * kept) * component_variance(part, step)
            total += ((1.0 - kept) ** 2 * square + noise) / 4.0
    return total


def _jump_variance(regime: RegimeSpec, step: float) -> float:
    """Variance of the legs' mean log-jump over a step."""
    total = 0.0
    if regime.jumps is not None:
        jump = regime.jumps
        cross = 2.0 * jump.correlation * jump.std[0] * jump.std[1]
        variance = (jump.std[0] ** 2 + jump.std[1] ** 2 + cross) / 4.0
        total += _rare(event_probability(jump.intensity, step), sum(jump.mean) / 2.0, variance)
    for alone in regime.leg_jumps or ():
        probability = event_probability(alone.intensity, step)
        total += _rare(probability, alone.mean / 2.0, alone.std**2 / 4.0)
    return total


def _rare(probability: float, mean: float, variance: float) -> float:
    """Variance of what is 0 but for this probability."""
    return probability * variance + probability * (1.0 - probability) * mean * mean


def sd_mispricing(market: MarketSpec, step: float) -> float:
    """Standard deviation of the mispricing in the long run, spikes included, over all regimes."""
    return math.sqrt(float(mispricing_squares(market, step).sum()))


def mispricing_squares(market: MarketSpec, step: float) -> NDArray[np.float64]:
    """E[x^2; regime] of each component in the long run, shape [component, regime]."""
    squares = [
        weights @ [component_variance(part, step) for part in parts]
        for weights, parts in zip(_origins(market, step), _components(market), strict=True)
    ]
    return np.array(squares).reshape(-1, len(market.regimes))


def mispricing_sources(market: MarketSpec, step: float, count: int = 0) -> NDArray[np.float64]:
    """P(source | regime now) of at least `count` components, shape [component, regime, source].

    x is a sum of decayed noises. Their variances, over those of the regimes that they fell in, are
    weights that sum to 1 on every path: averaged, a law of the regime that x comes from. x drawn
    in that regime's long run then has the variance of the long run of the chain.
    """
    shares = np.array(regime_shares(market))[:, None]
    found = [
        np.where(shares > 0.0, weights / np.where(shares > 0.0, shares, 1.0), np.eye(len(shares)))
        for weights in _origins(market, step, count)
    ]
    return np.array(found).reshape(-1, len(shares), len(shares))


def _origins(market: MarketSpec, step: float, count: int = 0) -> list[NDArray[np.float64]]:
    """P(regime now, source) for each component, shape [regime, source].

    A step takes 1 - d^2 of x's variance from the regime at its start, d that regime's decay, and
    then the chain moves: with W these, P the step matrix and pi the shares,
    W = P' (d^2 W + (1 - d^2) diag(pi)). Where the long run is not unique, that of the initial
    regime for ever.
    """
    shares = np.array(regime_shares(market))
    moves = transition_matrix(market.chain, step)
    if not np.allclose(shares @ moves, shares, atol=1e-9):
        moves = np.eye(len(shares))
    found: list[NDArray[np.float64]] = []
    for parts in _components(market, count):
        kept = np.array([decay(part.half_life, step) ** 2 for part in parts])
        system = np.eye(len(shares)) - moves.T * kept
        solved = np.linalg.solve(system, moves.T * ((1.0 - kept) * shares))
        found.append(solved.astype(np.float64))
    return found


def _components(market: MarketSpec, count: int = 0) -> list[list[MispricingSpec]]:
    """At least `count` components in every regime; still where a regime lacks one."""
    most = max(count, *(len(regime.mispricing) for regime in market.regimes))
    return [
        [(*regime.mispricing, *([STILL] * most))[k] for regime in market.regimes]
        for k in range(most)
    ]


def component_variance(component: MispricingSpec, step: float) -> float:
    """Variance of a component in its long run, spikes included."""
    return component.std**2 + spike_memory(component, step) * component.spike_std**2


def spike_memory(component: MispricingSpec, step: float) -> float:
    """The mean sum of the squared decays of all past spikes.

    Spikes of size s add s^2 times this to the stationary variance; for small steps it is
    nu / (2 k), nu their rate and k that of the decay.
    """
    kept = decay(component.half_life, step)
    return event_probability(component.spike_intensity, step) / (1.0 - kept * kept)


def min_variance_ratio(market: AnyMarket) -> float:
    """The hedge ratio cov / var_b of the stationary diffusion, or of the whole history."""
    _, cov, var_b = covariance(market)
    return max(cov / var_b, 0.0) if var_b > 0.0 else 1.0


def usual_moments(market: AnyMarket) -> tuple[tuple[float, float], float]:
    """Volatilities and correlation in the most frequent states, or of the whole history."""
    market = believed(market)
    if isinstance(market, ReplaySpec):
        var_a, cov, var_b = covariance(market)
        spread = math.sqrt(var_a * var_b)
        return (math.sqrt(var_a), math.sqrt(var_b)), cov / spread if spread > 0.0 else 0.0
    usual = market.regimes[int(np.argmax(regime_shares(market)))]
    a, b = (v * m for v, m in zip(usual.volatility, usual_multiplier(market), strict=True))
    return (a, b), usual_correlation(market, usual)


def sizing_factor(market: AnyMarket, hedge_ratio: float, assumed: float) -> float:
    """min(1, sd_spread(rho) / sd_spread(assumed)), rho that of the most frequent states."""
    volatility, usual = usual_moments(market)
    base, feared = (_spread(volatility, hedge_ratio, rho) for rho in (usual, assumed))
    return min(1.0, base / feared) if feared > 0.0 else 1.0


def _spread(volatility: tuple[float, float], hedge_ratio: float, rho: float) -> float:
    a, b = volatility[0], hedge_ratio * volatility[1]
    return math.sqrt(max(a * a + b * b - 2.0 * rho * a * b, 0.0))


def resolved(policy: PolicySpec, market: AnyMarket) -> PolicySpec:
    """The policy with everything that it takes from the market as plain numbers."""
    hedge = policy.hedge_ratio
    if hedge is None:
        hedge = min_variance_ratio(market)
    leverage = policy.leverage
    if policy.sizing_correlation is not None:
        leverage *= sizing_factor(market, hedge, policy.sizing_correlation)
    return replace(policy, hedge_ratio=hedge, leverage=leverage, sizing_correlation=None)
