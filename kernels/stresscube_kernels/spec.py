"""What a caller describes: a market, policies and a simulation in plain numbers.

Durations are in years of 365 days, volatilities per sqrt(year), drifts per year,
fees and rates as fractions. Nothing here knows steps, float32 or memory layout:
`pack.py` turns these into the numbers that the kernels read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

NEVER = math.inf
"""A duration or threshold that is never reached."""


@dataclass(frozen=True, slots=True)
class ChainSpec:
    """A continuous-time Markov chain.

    mean_durations: years per state (`NEVER` for an absorbing state), shape [n].
    jump_probabilities: where the chain goes when it leaves a state, shape [n, n],
        zero diagonal, rows summing to 1 (a row of zeros for an absorbing state).
    initial: index of the state at time 0, or None to draw it from the stationary law.
    """

    mean_durations: tuple[float, ...]
    jump_probabilities: tuple[tuple[float, ...], ...]
    initial: int | None = None


@dataclass(frozen=True, slots=True)
class RegimeSpec:
    """One volatility regime; the pairs are (leg a, leg b).

    correlation None means that the correlation chain decides.
    """

    name: str
    drift: tuple[float, float]
    volatility: tuple[float, float]
    correlation: float | None
    slippage_multiplier: float = 1.0


@dataclass(frozen=True, slots=True)
class CorrelationRegimeSpec:
    """One state of the slow chain that carries only the correlation."""

    name: str
    correlation: float


@dataclass(frozen=True, slots=True)
class MarketSpec:
    """One market point: regimes with their chain, and the optional correlation chain."""

    regimes: tuple[RegimeSpec, ...]
    chain: ChainSpec
    correlation_regimes: tuple[CorrelationRegimeSpec, ...] = ()
    correlation_chain: ChainSpec | None = None


@dataclass(frozen=True, slots=True)
class VenueSpec:
    """What one exchange charges and demands.

    latency: years from decision to fill. maintenance_tiers: (notional floor in quote
    currency, maintenance margin rate), ascending, the first floor 0.
    """

    name: str
    taker_fee: float
    slippage: float
    latency: float
    max_leverage: float
    maintenance_tiers: tuple[tuple[float, float], ...]
    liquidation_fee: float


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """One policy: how a pair is sized, held and rebalanced, and on which venue.

    venues: one venue for both legs (two, leg a's and leg b's, are accepted by the kernels).
    hedge_ratio: |N_b| / |N_a|. leverage: gross notional over equity, before the venue's cap.
    rebalance_threshold: relative drift of |N_b| from hedge_ratio * |N_a|; NEVER switches it off.
    rebalance_interval, holding: years; NEVER means off, and to the horizon.
    rules: what a policy does with these numbers, a name in `rules.py`.
    """

    venues: tuple[VenueSpec, ...]
    hedge_ratio: float
    leverage: float
    rebalance_threshold: float = NEVER
    rebalance_interval: float = NEVER
    holding: float = NEVER
    rules: str = "pair"


@dataclass(frozen=True, slots=True)
class SimulationSpec:
    """How long, how fine, which random stream. step in years; capital in quote currency."""

    steps: int
    step: float
    seed: int
    precision: str = "float32"
    capital: float = 100_000.0
    bridge: bool = True


@dataclass(frozen=True, slots=True)
class Job:
    """One market point and the policies that run on its paths."""

    market: MarketSpec
    policies: tuple[PolicySpec, ...]
    simulation: SimulationSpec
