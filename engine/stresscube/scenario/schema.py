"""The grammar of a scenario file as frozen pydantic models.

Durations are held in hours, "off", "horizon" and "forever" as infinity, everything else
in the units that the descriptions name.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from stresscube.scenario.code import Parameter, Parameters, Place
from stresscube.scenario.leaves import (
    Choice,
    Duration,
    FileName,
    Files,
    Moment,
    Pair,
    Real,
    Shares,
    Switch,
    Text,
    Whole,
)
from stresscube.scenario.tables import Tables
from stresscube.scenario.tiers import Tiers, TierTable

NAME = Text(r"[A-Za-z0-9][A-Za-z0-9_-]*", 'a name of letters, digits, "-" and "_"')
FILE_NAME = Text(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", 'a name of at most 100 letters, digits, "-", "_" and "."'
)
STATIONARY = "stationary"


class Table(BaseModel):
    """A table of the file: no unknown keys, never changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def key(default: Any, description: str, example: Any, title: str | None = None) -> Any:
    """A key with its default (... where the file must state it), meaning and example."""
    return Field(default, description=description, examples=[example], title=title)


class Simulation(Table):
    """How many paths, how long, how fine, and the random stream."""

    paths: Annotated[int, Whole(1, 2**32, "1 to 2**32")] = key(
        ..., "Market paths; every policy runs on the same ones.", 20000
    )
    horizon: Annotated[float, Duration()] = key(
        ..., "Length of every path, a whole number of steps.", "7d"
    )
    step: Annotated[float, Duration()] = key(..., "Length of one time step.", "1min")
    seed: Annotated[int, Whole(0, 2**63 - 1, "0 to 2**63 - 1")] = key(
        ..., "Key of the random streams: the same seed gives the same paths.", 42
    )
    precision: Annotated[str, Choice(("float32", "float64"))] = key(
        "float32", "Arithmetic of the simulation.", "float32"
    )
    capital: Annotated[float, Real(0, 1e15, "quote currency", low_open=True)] = key(
        100_000.0, "Starting equity; it only says where margin tiers bite.", 100_000
    )
    bridge: Annotated[bool, Switch()] = key(
        True, "Liquidation between step ends, by the Brownian bridge.", True
    )
    by_regime: Annotated[bool, Switch()] = key(
        False, "Keep metrics by regime too: what was earned and lost in each.", True
    )
    save_paths: Annotated[bool, Switch()] = key(
        False, "Keep the outcomes of every path in the group /paths.", False
    )


class Jumps(Table):
    """News: both legs jump together."""

    intensity: Annotated[float, Real(0, 1e9, "year^-1")] = key(..., "Jumps a year.", 20)
    mean: Annotated[tuple[float, float], Pair(Real(-5, 5))] = key(
        (0.0, 0.0), "Mean log-jump of each leg.", [0.0, 0.0]
    )
    std: Annotated[tuple[float, float], Pair(Real(0, 5))] = key(
        (0.0, 0.0), "Standard deviation of each leg's log-jump.", [0.010, 0.013]
    )
    correlation: Annotated[float, Real(-1, 1)] = key(
        0.0, "Correlation of the legs' jump sizes.", 0.8
    )


class LegJumps(Table):
    """Jumps of one leg alone."""

    intensity: Annotated[float, Real(0, 1e9, "year^-1")] = key(..., "Jumps a year.", 10)
    mean: Annotated[float, Real(-5, 5)] = key(0.0, "Mean log-jump.", 0.0)
    std: Annotated[float, Real(0, 5)] = key(0.0, "Standard deviation of the log-jump.", 0.02)


class Mispricing(Table):
    """One mean-reverting component of leg b's log-price."""

    half_life: Annotated[float, Duration()] = key(..., "Half-life.", "20min")
    std: Annotated[float, Real(0, 1)] = key(0.0, "Stationary standard deviation.", 0.0015)
    spike_intensity: Annotated[float, Real(0, 1e9, "year^-1")] = key(0.0, "Spikes a year.", 5000)
    spike_std: Annotated[float, Real(0, 1)] = key(0.0, "Standard deviation of a spike.", 0.003)

    @property
    def moves(self) -> bool:
        """Whether it ever leaves 0."""
        return self.std > 0.0 or self.spike_intensity * self.spike_std > 0.0


class Funding(Table):
    """The premium index behind funding, each leg an Ornstein-Uhlenbeck process."""

    mean: Annotated[tuple[float, float], Pair(Real(-1, 1, "1 per interval"))] = key(
        ..., "Mean premium of each leg.", [-0.00046, -0.00046]
    )
    std: Annotated[tuple[float, float], Pair(Real(0, 1, "1 per interval"))] = key(
        ..., "Stationary standard deviation of each leg's premium.", [0.00005, 0.00005]
    )
    half_life: Annotated[float, Duration()] = key(..., "Half-life.", "1d")
    correlation: Annotated[float, Real(-1, 1)] = key(
        0.0, "Correlation of the legs' premiums.", 0.85, "correlation of the premiums"
    )


class Regime(Table):
    """One volatility regime of the market; pairs are [leg a, leg b]."""

    name: Annotated[str, NAME] = key(..., "Name, used in dotted keys.", "calm")
    mean_duration: Annotated[float, Duration(off="forever")] = key(
        math.inf, "Mean time until the regime ends.", "7h", "mean duration"
    )
    next: Annotated[dict[str, float] | None, Shares()] = key(
        None,
        "Where the market goes from here. May be left out with one regime (it lasts) "
        "or two (the other).",
        {"stress": 1.0},
    )
    drift: Annotated[tuple[float, float], Pair(Real(-1000, 1000, "year^-1"))] = key(
        (0.0, 0.0), "Drift of each leg's price.", [0.0, 0.0], "drift of the price"
    )
    volatility: Annotated[tuple[float, float], Pair(Real(0, 100, "year^-0.5"))] = key(
        ..., "Volatility of each leg.", [0.40, 0.55], "volatility"
    )
    correlation: Annotated[float | None, Real(-1, 1)] = key(
        None,
        "Correlation of the legs' returns; needed unless there are correlation regimes, "
        "which it overrides while the regime is on.",
        0.85,
        "correlation of the legs",
    )
    tail_dof: Annotated[float, Real(2, low_open=True, infinite=True)] = key(
        math.inf, "Degrees of freedom of Student-t returns; inf is Gaussian.", 5
    )
    slippage_multiplier: Annotated[float, Real(0, 1000)] = key(
        1.0, "Multiplies every venue's slippage.", 1.0, "slippage multiplier"
    )
    jumps: Jumps | None = key(None, "News jumps of both legs.", {"intensity": 20})
    idiosyncratic_jumps: Annotated[tuple[LegJumps, ...], Tables(LegJumps, 2)] = key(
        (), "Jumps of each leg alone: a list of two tables.", None
    )
    mispricing: Annotated[tuple[Mispricing, ...], Tables(Mispricing, 2)] = key(
        (),
        "Mean-reverting components of leg b's log-price: one or two, as many in every regime.",
        None,
    )
    funding: Funding | None = key(
        None,
        "Premium index while the regime is on: in every regime or in none, or in funding regimes.",
        None,
    )


class VolatilityRegime(Table):
    """One state of the slow chain that multiplies the volatilities of the regimes."""

    name: Annotated[str, NAME] = key(..., "Name, used in dotted keys.", "loud")
    mean_duration: Annotated[float, Duration(off="forever")] = key(
        math.inf, "Mean time until the state ends.", "30d", "mean duration"
    )
    next: Annotated[dict[str, float] | None, Shares()] = key(
        None, "Where the chain goes from here, as for regimes.", {"still": 1.0}
    )
    multiplier: Annotated[tuple[float, float], Pair(Real(0, 100))] = key(
        ..., "Multiplies each leg's volatility, whatever the regime.", [1.6, 1.8], "multiplier"
    )


class CorrelationRegime(Table):
    """One state of the slow chain that carries only the correlation."""

    name: Annotated[str, NAME] = key(..., "Name, used in dotted keys.", "coupled")
    mean_duration: Annotated[float, Duration(off="forever")] = key(
        math.inf, "Mean time until the state ends.", "54d", "mean duration"
    )
    next: Annotated[dict[str, float] | None, Shares()] = key(
        None, "Where the chain goes from here, as for regimes.", {"loose": 1.0}
    )
    correlation: Annotated[float, Real(-1, 1)] = key(
        ..., "Correlation of the legs' returns.", 0.90, "correlation of the legs"
    )


class FundingRegime(Table):
    """One state of the slow chain that carries only funding."""

    name: Annotated[str, NAME] = key(..., "Name, used in dotted keys.", "quiet")
    mean_duration: Annotated[float, Duration(off="forever")] = key(
        math.inf, "Mean time until the state ends.", "4d"
    )
    next: Annotated[dict[str, float] | None, Shares()] = key(
        None, "Where the chain goes from here, as for regimes.", {"loud": 1.0}
    )
    funding: Funding = key(..., "Premium index while the state is on.", None)


class Shock(Table):
    """A named crash that hits every path."""

    at: Annotated[float, Duration(zero=True)] = key(..., "When it begins.", "12h")
    duration: Annotated[float, Duration()] = key(..., "Over what time it spreads.", "30min")
    returns: Annotated[tuple[float, float], Pair(Real(-1, 100, low_open=True))] = key(
        ..., "Simple return of each leg over the whole shock.", [-0.12, -0.20]
    )
    regime: Annotated[str | None, NAME] = key(None, "Regime forced meanwhile.", "stress")


class Replay(Table):
    """Recorded history in place of a simulated market: where it is, how paths are cut from it."""

    files: Annotated[tuple[str, ...], Files()] = key(
        (),
        "Bars of both assets: Parquet, Feather or CSV, one file or several.",
        ["BTCUSDT-1m.csv", "ETHUSDT-1m.csv"],
    )
    funding: Annotated[tuple[str, ...], Files()] = key(
        (), "Funding prints of both assets; without them none is paid.", ["funding.csv"]
    )
    start: Annotated[str | None, Moment()] = key(
        None, "The first time that is used; all there is by default.", "2021-01-01"
    )
    end: Annotated[str | None, Moment()] = key(
        None, "The time before which the last bar closes.", "2025-01-01"
    )
    method: Annotated[str, Choice(("windows", "bootstrap"))] = key(
        "windows",
        "Paths are stretches of the history, or blocks of it in random order.",
        "bootstrap",
    )
    stride: Annotated[float, Duration(off="horizon")] = key(
        math.inf,
        "Time between the starts of windows; less than the horizon makes them overlap.",
        "1h",
        "time between windows",
    )
    block_length: Annotated[float, Duration()] = key(
        24.0, "Mean length of the bootstrap's blocks.", "1d", "mean length of a block"
    )
    ranges: Annotated[bool, Switch()] = key(
        True,
        "Liquidation inside a step by the bars' lows and highs, where the files have them; "
        "false: by the Brownian bridge.",
        True,
    )
    coincidence: Annotated[float, Real(0, 1)] = key(
        1.0,
        "Where one leg is while the other is at its worst price of the bar: 1 is at its own worst, "
        "so that more are liquidated than were, 0 at its best, so that fewer are.",
        1.0,
        "coincidence of the legs' worst prices",
    )
    slippage_multiplier: Annotated[float, Real(0, 1000)] = key(
        1.0, "Multiplies every venue's slippage.", 1.0, "slippage multiplier"
    )
    variance_half_life: Annotated[float, Duration()] = key(
        6.0, "Half-life of the average behind the variances of a step.", "6h"
    )
    spread_half_life: Annotated[float, Duration(off="off")] = key(
        math.inf,
        'Half-life of mean and deviation behind z, which side = "spread" needs.',
        "1d",
        "half-life of the spread's mean",
    )


class Uncertainty(Table):
    """Draws of numbers that are only estimated: each path has one, or each market point."""

    file: Annotated[str, FileName()] = key(
        ..., "A CSV file: a line of dotted keys, then a line of values for each draw.",
        "btc_eth.draws.csv",
    )  # fmt: skip
    draws: Annotated[int, Whole(1, 4096, "1 to 4096")] = key(
        32, "How many of its rows are used, from the first on.", 32
    )
    per: Annotated[str, Choice(("path", "market"))] = key(
        "path",
        "Paths have the draws in turn, 64 neighbours each, and errors are those of draws; or each "
        'draw is a market point, on an axis "draw".',
        "market",
    )
    draw: Annotated[float | None, Real(0, 4095)] = key(
        None, "The only draw that is used, counted from 0; it may be swept.", 3
    )


class Market(Table):
    """The two assets and the chains that drive them."""

    assets: Annotated[tuple[str, str], Pair(NAME)] = key(
        ..., "Names of leg a and leg b.", ["BTC", "ETH"]
    )
    source: Annotated[str, Choice(("simulated", "replay"))] = key(
        "simulated",
        "Regimes make the market, or recorded history does; then only market.replay and "
        "signal_half_life act of this table.",
        "replay",
    )
    replay: Replay | None = key(None, Replay.__doc__ or "", None)
    uncertainty: Uncertainty | None = key(None, Uncertainty.__doc__ or "", None)
    initial_regime: Annotated[str, NAME] = key(
        STATIONARY,
        'Regime at time 0: a name, or "stationary" for a draw from the long-run law.',
        "stationary",
        "initial regime",
    )
    initial_volatility_regime: Annotated[str, NAME] = key(
        STATIONARY,
        "Volatility regime at time 0, likewise.",
        "stationary",
        "initial volatility regime",
    )
    initial_correlation_regime: Annotated[str, NAME] = key(
        STATIONARY,
        "Correlation regime at time 0, likewise.",
        "stationary",
        "initial correlation regime",
    )
    initial_funding_regime: Annotated[str, NAME] = key(
        STATIONARY, "Funding regime at time 0, likewise.", "stationary", "initial funding regime"
    )
    tail_interval: Annotated[float, Duration()] = key(
        1.0, "Clock blocks over which the Student-t mixing variable is constant.", "1h"
    )
    funding_interval: Annotated[float, Duration()] = key(8.0, "Time between fundings.", "8h")
    interest: Annotated[float, Real(-1, 1, "1 per 8 h")] = key(
        0.0001, "Interest in the funding rule.", 0.0001
    )
    clamp: Annotated[float, Real(0, 1, "1 per interval")] = key(
        0.0005, "Clamp in the funding rule.", 0.0005
    )
    signal_half_life: Annotated[float, Duration()] = key(
        0.5, "Half-life of the volatility and trend signals.", "30min"
    )
    signal_noise: Annotated[float, Real(0, 1000)] = key(
        0.5, "Noise in the spread signal, in its standard deviations.", 0.5
    )
    mark_smoothing: Annotated[float, Duration(off="off")] = key(
        math.inf, "Half-life of the smoothing of mispricing in the mark.", "off"
    )
    regimes: Annotated[tuple[Regime, ...], Tables(Regime, 8, least=1)] = key(
        (), "Volatility regimes, 1 to 8; needed unless the source is a replay.", None
    )
    volatility_regimes: Annotated[tuple[VolatilityRegime, ...], Tables(VolatilityRegime, 8)] = key(
        (), "An independent, slow chain that multiplies the volatilities, up to 8.", None
    )
    correlation_regimes: Annotated[tuple[CorrelationRegime, ...], Tables(CorrelationRegime, 8)] = (
        key((), "A second, independent chain that carries the correlation, up to 8.", None)
    )
    funding_regimes: Annotated[tuple[FundingRegime, ...], Tables(FundingRegime, 8)] = key(
        (), "A third, independent chain that carries funding, up to 8.", None
    )
    shocks: Annotated[tuple[Shock, ...], Tables(Shock, 16)] = key(
        (), "Crashes at set times, up to 16; they must not overlap.", None
    )
    step: Annotated[str | None, Place()] = key(
        None,
        "A market step of one's own (docs/own_rules.md); it runs only with --trust.",
        "my_market.py:step",
    )
    parameters: Annotated[dict[str, Parameter], Parameters()] = key(
        {}, "What market.step takes; each may be swept.", {"amplitude": 0.4, "day": "24h"}
    )

    @property
    def replayed(self) -> bool:
        """Whether recorded history makes the market."""
        return self.source == "replay"

    @property
    def reads_files(self) -> bool:
        """Whether files beside the scenario's are read: history, or draws of the numbers."""
        return self.replayed or self.uncertainty is not None

    @property
    def mispriced(self) -> bool:
        """Whether leg b's price ever leaves its fair value."""
        return any(part.moves for regime in self.regimes for part in regime.mispricing)

    @property
    def funded(self) -> bool:
        """Whether funding is paid."""
        return bool(self.funding_regimes) or any(r.funding is not None for r in self.regimes)

    @property
    def fat_tailed(self) -> bool:
        """Whether some regime has Student-t returns."""
        return any(regime.tail_dof < math.inf for regime in self.regimes)


class Venue(Table):
    """What one exchange charges and demands."""

    name: Annotated[str, NAME] = key(..., "Name, used by policy.venue.", "C")
    taker_fee: Annotated[float, Real(0, 1, high_open=True)] = key(
        0.0, "Fee on traded notional.", 0.0005
    )
    slippage: Annotated[float, Real(0, 1, high_open=True)] = key(
        0.0, "Slippage on traded notional, times the regime's multiplier.", 0.0001
    )
    latency: Annotated[float, Duration(zero=True)] = key(
        0.0, "From decision to fill, at most one step.", "300ms"
    )
    max_leverage: Annotated[float, Real(0, low_open=True, infinite=True)] = key(
        math.inf, "Cap on leverage; a policy that asks for more is clipped.", 20
    )
    maintenance_tiers: Annotated[TierTable | dict[str, TierTable], Tiers()] = key(
        ((0.0, 0.0),),
        "Maintenance margin rate from each notional floor up; the deductions follow by continuity. "
        "A table of such lists, one for each asset, where they differ.",
        [[0, 0.004], [50_000, 0.005], [600_000, 0.01]],
    )
    liquidation_fee: Annotated[float, Real(0, 1, high_open=True)] = key(
        0.0, "Fee on liquidated notional.", 0.0125
    )
    funding_cap: Annotated[float, Real(0, infinite=True)] = key(
        math.inf, "Largest funding rate either way, per interval.", 0.003
    )
    margin_mode: Annotated[str, Choice(("cross", "isolated"))] = key(
        "cross", "One margin account for both legs, or one each.", "isolated"
    )
    after_leg_death: Annotated[str, Choice(("close", "hold"))] = key(
        "close",
        "Under isolated margin, what becomes of the other leg when one is liquidated: closed after "
        "latency, or held to the end of the trade. Each leg's venue says it for its own leg.",
        "hold",
    )
