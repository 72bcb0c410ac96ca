"""Regimes of each chain and what they carry: the arrays of tables under [market]."""

from __future__ import annotations

import math
from typing import Annotated

from stresscube.scenario.leaves import Duration, Pair, Real, Shares
from stresscube.scenario.tables import NAME, Table, Tables, key


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
