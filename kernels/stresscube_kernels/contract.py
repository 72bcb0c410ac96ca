"""The records that market, policy and backends exchange. Field order is memory layout.

Every record is a NamedTuple of scalars (or of arrays, or of a tracer's symbols: the steps
do not care). F marks a real number, U a 32-bit unsigned integer, T a table of
reals. Notionals, equity and
costs are in units of starting equity.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

F: TypeAlias = Any
U: TypeAlias = Any
T: TypeAlias = Any


class Tick(NamedTuple):
    """One step of one path, as a policy sees it: 16 numbers, 64 bytes in float32.

    Fields that no feature fills are 0. The order keeps what is read together in the same
    16 bytes, because a GPU loads them four at a time.
    """

    return_a: F  # simple return of leg a over the step
    return_b: F
    noise_a: F  # execution noise: a normal with the step's standard deviation
    noise_b: F
    variance_a: F  # of the step's diffusive return, given regime and mixing variable
    covariance: F
    variance_b: F
    bridge: F  # Exp(1), shared by every policy: decides hits between step ends
    slippage_multiplier: F
    state: F  # chains and events of the step, packed: `ticks.py`
    funding_a: F  # the rate that leg a's holder is to pay: predicted, and paid where it is due
    funding_b: F
    mispricing: F  # the part of return_b that the mispricing made
    z: F  # the signal at the step's start: noisy mispricing over its standard deviation
    trend: F  # at the step's start: volatility over its long-run value, signed by the trend
    mark_b: F  # leg b's mark price over its traded price, less 1


class Tier(NamedTuple):
    """One branch of the maintenance margin max_k(rate_k * notional - deduction_k)."""

    rate: F
    deduction: F  # in units of starting equity


class Venue(NamedTuple):
    """What one leg pays and owes at its venue."""

    taker_fee: F
    slippage: F
    latency: F  # as a fraction of the step
    latency_root: F  # sqrt(latency * (1 - latency))
    liquidation_fee: F
    funding_cap: F
    holds_survivor: F  # 1: a leg that outlives the other is held to the end of the trade
    tiers: tuple[Tier, ...]


class Policy(NamedTuple):
    """One policy in kernel units: durations are numbers of steps, 1e30 means never."""

    hedge_ratio: F
    leg_share: F  # 1 / (1 + hedge_ratio): leg a's share of gross notional
    raised_ratio: F  # the ratio and leg a's share while a bias favours leg b
    raised_share: F
    lowered_ratio: F  # and while it favours leg a
    lowered_share: F
    leverage: F  # after the venue's cap and the sizing correlation
    rebalance_threshold: F
    rebalance_interval: F
    holding: F
    side: F  # 0: long leg a, 1: the spread decides, 2: funding decides
    entry_z: F
    exit_z: F
    bias_trigger: F
    by_equity: F  # 1: drift is measured against equity, 0: against the hedge
    to_leverage: F  # 1: a rebalance restores leverage, 0: keeps gross notional
    nets: F  # 1: a roll pays the difference, 0: both turns
    venues: tuple[Venue, ...]  # one for both legs, or leg a's and leg b's


class Account(NamedTuple):
    """The state of one policy on one path, marked to market at a step's end.

    After a liquidation the position and `equity` live on as the shadow account, while
    everything that the account itself earned or paid stays frozen.
    """

    notional_a: F  # signed
    notional_b: F
    equity: F
    equity_a: F  # leg a's part of it, and leg b's, under isolated margin
    equity_b: F
    alive: F  # 1 until liquidation
    direction: F  # 1: long a and short b, -1: the reverse
    bias: F  # 1: the long leg is favoured, -1: the short leg, 0: none
    mark: F  # leg b's mark over its price, less 1, at the last step's end
    until: F  # number of the step at whose start the trade is over, 0 when flat
    next_rebalance: F  # number of the step at whose start the interval is due
    opened_equity: F  # equity when the trade was opened, before its costs
    kept: F  # what a liquidation left
    rest: F  # notional of the leg that outlived the other, while it is still held
    rest_equity: F  # what stands in that leg's account
    rest_is_b: F  # 1 if it is leg b
    liquidated_at: F  # number of the step, from 1; 0 while it never happened
    pnl_a: F
    pnl_b: F
    pnl_mispricing: F  # the part of pnl_b that the mispricing made
    fees: F
    slippage: F
    funding: F
    liquidation_cost: F
    deficit: F
    turnover: F
    peak: F  # highest equity so far
    deepest_peak: F  # peak and trough of the deepest drawdown so far
    deepest_trough: F
    under_water: F  # steps ended below the peak
    extra_margin: F  # largest (margin - equity) of the shadow account
    rebalances: F
    trades: F
    wins: F
    trade_sum_1: F  # sums of powers of closed trades' returns
    trade_sum_2: F
    trade_sum_3: F
    trade_sum_4: F
    trade_downside: F  # sum of squared negative trade returns


class Outcome(NamedTuple):
    """What one policy made of one path."""

    final_equity: F
    max_drawdown: F  # fraction of the peak
    liquidation_step: F  # number of the step, from 1; 0 means never
    shadow_equity: F  # the shadow account's final equity; final_equity if never liquidated
    recovered: F  # 1 if liquidated and the shadow account ended at or above the trade's opening
    extra_margin: F
    deficit: F
    pnl_a: F
    pnl_b: F
    pnl_mispricing: F
    fees: F
    slippage: F
    funding: F
    liquidation_cost: F
    turnover: F  # traded notional
    under_water: F  # steps ended below the running peak
    rebalances: F
    trades: F
    wins: F
    trade_sum_1: F
    trade_sum_2: F
    trade_sum_3: F
    trade_sum_4: F
    trade_downside: F


class RegimeBook(NamedTuple):
    """What one policy made of the steps of one regime."""

    gain: F  # what the account was worth after them, less what it was worth before
    lived: F  # how many of them it was not yet liquidated at the start of
    liquidated: F  # 1 if it was liquidated in one of them
    deepest: F  # 1 if its deepest drawdown ended in one of them


class Jump(NamedTuple):
    """Joint jumps of both legs: at most one a step."""

    probability: U  # of a jump in a step, in units of 2^-31
    mean_a: F  # of the log-jump
    mean_b: F
    std_a: F
    std_b: F
    correlation: F


class LegJump(NamedTuple):
    """Jumps of one leg alone."""

    probability: U
    mean: F
    std: F


class Component(NamedTuple):
    """One Ornstein-Uhlenbeck component of the mispricing."""

    decay: F  # over one step
    kick: F  # standard deviation of a step's noise
    std: F  # stationary, without spikes
    spike_probability: U
    spike_std: F
    spike_memory: F  # sum over past steps of the probability of a spike, times decay squared
    source: tuple[U, ...]  # cumulative probabilities of the regime that x at time 0 comes from


class Premium(NamedTuple):
    """The premium index of one leg, an Ornstein-Uhlenbeck process."""

    mean: F
    decay: F
    kick: F
    std: F
    shared: F  # weight of the other leg's noise: the correlation for leg b, 0 for leg a
    own: F  # weight of its own: sqrt(1 - shared^2)


class Regime(NamedTuple):
    """One regime in kernel units (per step). Tuples are empty where a feature is off."""

    drift_a: F  # of the log-return: (mu - sigma^2 / 2) * step, less the jumps' compensation
    drift_b: F
    deviation_a: F  # sigma * sqrt(step)
    deviation_b: F
    correlation: F
    own_correlation: F  # 1 if `correlation` overrides the correlation chain
    slippage_multiplier: F
    jumps: tuple[Jump, ...]  # none or one
    leg_jumps: tuple[LegJump, ...]  # none, or leg a's and leg b's
    mispricing: tuple[Component, ...]
    premium: tuple[Premium, ...]  # none, or leg a's and leg b's
    next: tuple[U, ...]  # cumulative probabilities of the next state, in units of 2^-31
    start: U  # cumulative probability of starting here or before


class VolatilityRegime(NamedTuple):
    """One state of the slow chain that multiplies the legs' deviations."""

    multiplier_a: F
    multiplier_b: F
    next: tuple[U, ...]
    start: U


class CorrelationRegime(NamedTuple):
    """One state of the correlation chain in kernel units."""

    correlation: F
    next: tuple[U, ...]
    start: U


class FundingRegime(NamedTuple):
    """One state of the chain that carries only the premium indices."""

    premium: tuple[Premium, ...]
    next: tuple[U, ...]
    start: U


class FundingRule(NamedTuple):
    """How venues make a funding rate of a premium index."""

    interval: F  # steps
    interest: F  # per interval
    clamp: F


class Signals(NamedTuple):
    """Half-lives and scales of what a strategy sees."""

    decay: F  # of the moving averages, over one step
    variance: F  # long-run variance of a step's mean return
    scale: F  # 1 / sd(x)
    noise: F  # in units of sd(x)
    noise_decay: F
    noise_kick: F  # sqrt(1 - noise_decay^2)


class Shock(NamedTuple):
    """A return that every path has, spread evenly over steps [start, end)."""

    start: U
    end: U
    return_a: F  # log-return a step
    return_b: F
    regime: F  # the regime forced meanwhile, -1 for none


class Market(NamedTuple):
    """One market point in kernel units. Tuples are empty where a feature is off."""

    regimes: tuple[Regime, ...]
    volatility_regimes: tuple[VolatilityRegime, ...]
    correlation_regimes: tuple[CorrelationRegime, ...]
    funding_regimes: tuple[FundingRegime, ...]
    tail_interval: F  # steps
    tails: T  # the mixing variable of every regime by tail probability: `tails.py`
    funding: FundingRule
    signals: Signals
    shocks: tuple[Shock, ...]
    mark_decay: F


class Bar(NamedTuple):
    """One bar of a recorded history in kernel units: what a tick takes from it.

    Lows and highs are simple returns from the close before, so low <= 0 <= high, and they hold the
    bar's own return.
    """

    return_a: F
    return_b: F
    variance_a: F  # of the bar's returns, as estimated before it began
    covariance: F
    variance_b: F
    low_a: F
    high_a: F
    low_b: F
    high_b: F
    due: F  # 1 where funding is paid at the bar's end
    funding_a: F  # what is paid then, which nobody knew when the bar began
    funding_b: F
    known_gap: F  # the last prints before the bar, leg b's less leg a's
    z: F
    trend: F


class Replay(NamedTuple):
    """One market point whose tapes are cut out of a recorded history."""

    bars: T  # [count * BAR_STRIDE], records of Bar one after the other
    count: U  # of bars
    last: F  # count - 1
    resamples: F  # 1: a stationary block bootstrap, 0: windows
    restart: U  # probability of a new block after a step, in units of 2^-31
    windows: U  # windows of each batch
    extra: U  # batches that have one window more
    stride: U  # bars between windows
    coincidence: F  # how much of the other leg's adverse extreme meets a leg's own
    slippage_multiplier: F


BAR_STRIDE = 16
"""Numbers from one bar of a history to the next."""


class MarketState(NamedTuple):
    """What a path carries from step to step."""

    regime: F
    volatility_regime: F
    correlation_regime: F
    funding_regime: F
    price_a: F  # over the price at time 0
    price_b: F
    tail_word: F  # tail probability of the mixing variable, in units of 2^-32
    tail_wait: F  # steps to the next
    x_1: F  # mispricing components, in log units
    x_2: F
    noise: F  # of the signal, in units of its own standard deviation
    premium_a: F
    premium_b: F
    funding_wait: F  # steps to the next payment
    variance: F  # moving averages of the legs' mean return
    drift: F
    mark: F  # smoothed mispricing


class Draw(NamedTuple):
    """Which random numbers: the Philox counter and key of one step of one path."""

    path: U
    step: U
    key_0: U
    key_1: U


class Features(NamedTuple):
    """What the compiled code contains. Resolved before any code runs."""

    bridge: bool = True
    latency: bool = True
    interval: bool = True
    rolls: bool = True
    mispricing: bool = False
    tails: bool = False
    funding: bool = False
    signals: bool = False  # vol_ratio and trend
    spread: bool = False  # z
    mark: bool = False
    events: bool = False  # jumps, spikes or shocks
    spread_side: bool = False  # some policy trades the spread
    funding_side: bool = False
    bias: bool = False
    by_equity: bool = False
    to_leverage: bool = False
    nets: bool = False
    correlated_premiums: bool = False
    isolated: bool = False  # each leg in a margin account of its own
    by_regime: bool = False  # accounts keep a book for each regime
    intrabar: bool = False  # the tick holds the step's lows and highs: `ticks.py`
    prints: bool = False  # funding is what was paid; the tick also holds what was known: `ticks.py`


class Shape(NamedTuple):
    """Everything that decides which code is generated; numbers are arguments of that code."""

    features: Features = Features()
    regimes: int = 1
    volatility_regimes: int = 0
    correlation_regimes: int = 0
    funding_regimes: int = 0
    jumps: int = 0  # 1 if any regime has joint jumps
    leg_jumps: int = 0  # 2 if any leg jumps alone
    mispricing: int = 0  # components
    shocks: int = 0
    venues: int = 1
    tiers: int = 1
    rules: str = "pair"  # a name in `rules.py`
    market: str = "regimes"  # a name of market rules there
    drawn: int = 0  # 1 if the market's numbers differ by path: `draws.py`
