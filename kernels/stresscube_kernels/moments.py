"""Long-run moments of a market: averages over the stationary laws of its chains."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from .chain import stationary
from .spec import (
    AnyMarket,
    ChainSpec,
    HistorySpec,
    MarketSpec,
    MispricingSpec,
    PolicySpec,
    RegimeSpec,
    ReplaySpec,
)


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

    The change of a stationary component over a step has variance 2 var(x) (1 - decay).
    """
    change = sum(
        share * 2.0 * component_variance(component) * (1.0 - 0.5 ** (step / component.half_life))
        for share, regime in zip(regime_shares(market), market.regimes, strict=True)
        for component in regime.mispricing
    )
    return long_run_variance(market) * step + change / 4.0


def long_run_variance(market: MarketSpec) -> float:
    """Variance a year of the legs' mean return: diffusion and jumps."""
    var_a, cov, var_b = covariance(market)
    total = (var_a + 2.0 * cov + var_b) / 4.0
    for share, regime in zip(regime_shares(market), market.regimes, strict=True):
        if regime.jumps is not None:
            jump = regime.jumps
            mean = sum(jump.mean) / 2.0
            sum_of_squares = jump.std[0] ** 2 + jump.std[1] ** 2
            cross = 2.0 * jump.correlation * jump.std[0] * jump.std[1]
            total += share * jump.intensity * (mean**2 + (sum_of_squares + cross) / 4.0)
        for alone in regime.leg_jumps or ():
            total += share * alone.intensity * (alone.mean**2 + alone.std**2) / 4.0
    return total


def sd_mispricing(market: MarketSpec) -> float:
    """Standard deviation of the mispricing, spikes included, averaged over regimes."""
    return math.sqrt(
        sum(
            share * component_variance(component)
            for share, regime in zip(regime_shares(market), market.regimes, strict=True)
            for component in regime.mispricing
        )
    )


def component_variance(component: MispricingSpec) -> float:
    """Stationary variance of a component.

    Spikes of rate nu and size s that decay at rate k add nu s^2 / (2 k).
    """
    decay = math.log(2.0) / component.half_life
    spikes = component.spike_intensity * component.spike_std**2 / (2.0 * decay)
    return component.std**2 + spikes


def min_variance_ratio(market: AnyMarket) -> float:
    """The hedge ratio cov / var_b of the stationary diffusion, or of the whole history."""
    _, cov, var_b = covariance(market)
    return max(cov / var_b, 0.0) if var_b > 0.0 else 1.0


def usual_moments(market: AnyMarket) -> tuple[tuple[float, float], float]:
    """Volatilities and correlation in the most frequent states, or of the whole history."""
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
