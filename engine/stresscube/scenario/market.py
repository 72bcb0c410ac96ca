"""[market] of the scenario file: simulated, replayed, or with numbers that are drawn."""

from __future__ import annotations

import math
from typing import Annotated

from stresscube.scenario.chains import STATIONARY
from stresscube.scenario.code import Parameter, Parameters, Place
from stresscube.scenario.leaves import (
    Choice,
    Duration,
    FileName,
    Files,
    Moment,
    Pair,
    Real,
    Switch,
    Whole,
)
from stresscube.scenario.regimes import (
    CorrelationRegime,
    FundingRegime,
    Regime,
    Shock,
    VolatilityRegime,
)
from stresscube.scenario.tables import NAME, Table, Tables, key


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
