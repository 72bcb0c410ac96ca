"""What a caller describes: a market, policies and a simulation in plain numbers.

Durations are in years of 365 days, volatilities per sqrt(year), drifts per year,
fees and rates as fractions. Nothing here knows steps, float32 or memory layout:
`pack.py` turns these into the numbers that the kernels read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
NEVER = math.inf
"""A duration or threshold that is never reached."""


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """A number that code outside the package takes; a duration is in years."""

    name: str
    value: float
    duration: bool = False

    def number(self, step: float) -> float:
        """What the code sees: durations in steps (of so many years), whole where they are."""
        if not self.duration:
            return self.value
        steps = self.value / step
        whole = round(steps)
        return float(whole) if abs(steps - whole) <= 1e-9 * steps else steps


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
class JumpSpec:
    """News that moves both legs: intensity a year, normal log-jumps."""

    intensity: float
    mean: tuple[float, float]
    std: tuple[float, float]
    correlation: float


@dataclass(frozen=True, slots=True)
class LegJumpSpec:
    """Jumps of one leg alone: intensity a year, normal log-jumps."""

    intensity: float
    mean: float
    std: float


@dataclass(frozen=True, slots=True)
class MispricingSpec:
    """One component of leg b's mispricing. half_life: years; std, spike_std: log units."""

    half_life: float
    std: float
    spike_intensity: float = 0.0
    spike_std: float = 0.0


@dataclass(frozen=True, slots=True)
class PremiumSpec:
    """Premium indices of (leg a, leg b) per funding interval; half_life in years.

    correlation: of the legs' indices.
    """

    mean: tuple[float, float]
    std: tuple[float, float]
    half_life: float
    correlation: float = 0.0


@dataclass(frozen=True, slots=True)
class ShockSpec:
    """Simple returns (leg a, leg b) that every path has, spread evenly; times in years.

    regime: index of the regime forced meanwhile, or None.
    """

    at: float
    duration: float
    returns: tuple[float, float]
    regime: int | None = None


@dataclass(frozen=True, slots=True)
class RegimeSpec:
    """One volatility regime; the pairs are (leg a, leg b).

    correlation None means that the correlation chain decides, premium None that the funding
    chain does (or that there is no funding).
    """

    name: str
    drift: tuple[float, float]
    volatility: tuple[float, float]
    correlation: float | None
    slippage_multiplier: float = 1.0
    tail_dof: float = NEVER
    jumps: JumpSpec | None = None
    leg_jumps: tuple[LegJumpSpec, LegJumpSpec] | None = None
    mispricing: tuple[MispricingSpec, ...] = ()
    premium: PremiumSpec | None = None


@dataclass(frozen=True, slots=True)
class VolatilityRegimeSpec:
    """One state of the slow chain that multiplies the volatilities of (leg a, leg b)."""

    name: str
    multiplier: tuple[float, float]


@dataclass(frozen=True, slots=True)
class CorrelationRegimeSpec:
    """One state of the slow chain that carries only the correlation."""

    name: str
    correlation: float


@dataclass(frozen=True, slots=True)
class FundingRegimeSpec:
    """One state of the slow chain that carries only the premium indices."""

    name: str
    premium: PremiumSpec


@dataclass(frozen=True, slots=True)
class MarketSpec:
    """One market point: regimes with their chain, optional chains, and what holds throughout.

    tail_interval, funding_interval, signal_half_life, mark_smoothing: years (mark_smoothing 0 is
    off). interest: of the funding rule, per 8 hours. clamp: of the same, per interval.
    signal_noise: in standard deviations of the mispricing.
    rules: what makes ticks of these numbers, a name in `rules.py`. parameters: what it takes
    besides.
    """

    regimes: tuple[RegimeSpec, ...]
    chain: ChainSpec
    correlation_regimes: tuple[CorrelationRegimeSpec, ...] = ()
    correlation_chain: ChainSpec | None = None
    funding_regimes: tuple[FundingRegimeSpec, ...] = ()
    funding_chain: ChainSpec | None = None
    tail_interval: float = 1.0 / (365 * 24)
    funding_interval: float = 8.0 / (365 * 24)
    interest: float = 0.0001
    clamp: float = 0.0005
    signal_half_life: float = 0.5 / (365 * 24)
    signal_noise: float = 0.0
    mark_smoothing: float = 0.0
    shocks: tuple[ShockSpec, ...] = ()
    rules: str = "regimes"
    parameters: tuple[ParameterSpec, ...] = ()
    volatility_regimes: tuple[VolatilityRegimeSpec, ...] = ()
    volatility_chain: ChainSpec | None = None


@dataclass(frozen=True, slots=True, eq=False)
class HistorySpec:
    """Recorded prices of (leg a, leg b), bars of one length without holes.

    close: [bars, 2], prices at bar ends. low, high: [bars, 2], or None; low <= close <= high.
    rates: [bars, 2], the funding that each leg's holder pays at a bar's end where `due` [bars]
    holds; None for no funding. known: [bars, 2], the last rates printed before the bar's start.
    step: years.
    """

    close: Array
    step: float
    low: Array | None = None
    high: Array | None = None
    rates: Array | None = None
    due: Array | None = None
    known: Array | None = None


@dataclass(frozen=True, slots=True)
class ReplaySpec:
    """A market point whose paths are cut out of a history; durations in years.

    method: "windows", each `stride` after the other, or "bootstrap" in blocks of mean length
    `block_length`. ranges: whether lows and highs decide liquidation inside a step.
    coincidence: 1 where a leg's worst price meets the other's worst, 0 where it meets its best.
    Half-lives are of the averages behind variances, vol_ratio and trend, and z; spread_half_life
    is NEVER where nobody reads z.
    """

    history: HistorySpec
    method: str = "windows"
    stride: float = NEVER
    block_length: float = 1.0 / 365
    ranges: bool = True
    coincidence: float = 1.0
    slippage_multiplier: float = 1.0
    variance_half_life: float = 6.0 / (365 * 24)
    signal_half_life: float = 0.5 / (365 * 24)
    spread_half_life: float = NEVER


@dataclass(frozen=True, slots=True)
class DrawnSpec:
    """A market point whose numbers are not known: paths have draws of them in turn (`draws.py`).

    centre: the market that traders believe in; what policies and signals take from a market is
    its. draws: one market each.
    """

    centre: MarketSpec
    draws: tuple[MarketSpec, ...]


AnyMarket = MarketSpec | ReplaySpec | DrawnSpec


def believed(market: AnyMarket) -> MarketSpec | ReplaySpec:
    """The market that traders take theirs for: of one whose numbers are not known, its centre."""
    return market.centre if isinstance(market, DrawnSpec) else market


@dataclass(frozen=True, slots=True)
class VenueSpec:
    """What one exchange charges and demands.

    latency: years from decision to fill. maintenance_tiers: (notional floor in quote
    currency, maintenance margin rate), ascending, the first floor 0; of leg b, where they differ,
    maintenance_tiers_b. funding_cap: of the rate per interval. margin_mode: "cross" or "isolated".
    after_leg_death, under isolated margin: "close" or "hold" the leg that outlives the other.
    """

    name: str
    taker_fee: float
    slippage: float
    latency: float
    max_leverage: float
    maintenance_tiers: tuple[tuple[float, float], ...]
    liquidation_fee: float
    maintenance_tiers_b: tuple[tuple[float, float], ...] | None = None
    funding_cap: float = NEVER
    margin_mode: str = "cross"
    after_leg_death: str = "close"


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """One policy: how a pair is sized, held and rebalanced, and on which venue.

    venues: one venue for both legs, or leg a's and leg b's.
    hedge_ratio: |N_b| / |N_a|, None for the minimum-variance ratio of the market. leverage: gross
    notional over equity, before the venue's cap.
    rebalance_threshold: relative drift of |N_b| from hedge_ratio * |N_a|; NEVER switches it off.
    rebalance_interval, holding: years; NEVER means off, and to the horizon.
    side: "fixed" (long leg a), "spread" or "funding". bias_trigger: of vol_ratio.
    sizing_correlation: None for off. roll: "close" or "net". rebalance_to: "ratio" or "leverage".
    drift_measure: "ratio" or "equity".
    rules: what a policy does with these numbers, a name in `rules.py`. parameters: what it takes
    besides.
    """

    venues: tuple[VenueSpec, ...]
    hedge_ratio: float | None
    leverage: float
    rebalance_threshold: float = NEVER
    rebalance_interval: float = NEVER
    holding: float = NEVER
    side: str = "fixed"
    entry_z: float = 0.0
    exit_z: float = 0.0
    directional_bias: float = 0.0
    bias_trigger: float = 2.0
    sizing_correlation: float | None = None
    roll: str = "close"
    rebalance_to: str = "ratio"
    drift_measure: str = "ratio"
    rules: str = "pair"
    parameters: tuple[ParameterSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class SimulationSpec:
    """How long, how fine, which random stream. step in years; capital in quote currency.

    by_regime: whether policies keep a book for each regime.
    """

    steps: int
    step: float
    seed: int
    precision: str = "float32"
    capital: float = 100_000.0
    bridge: bool = True
    by_regime: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """One market point and the policies that run on its paths."""

    market: AnyMarket
    policies: tuple[PolicySpec, ...]
    simulation: SimulationSpec

    @property
    def simulated(self) -> MarketSpec:
        """The market, where regimes make it. Raises TypeError where history does."""
        if not isinstance(self.market, MarketSpec):
            raise TypeError("the market of this job is a recorded history")
        return self.market
