"""Markets whose parameters are known, to be simulated by the engine and calibrated back."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stresscube.calibrate.densities import Jump
from stresscube.calibrate.design import Design, Layer
from stresscube_kernels.spec import (
    ChainSpec,
    CorrelationRegimeSpec,
    JumpSpec,
    LegJumpSpec,
    MarketSpec,
    MispricingSpec,
    RegimeSpec,
)

Array = NDArray[np.float64]
HOURS = 8760.0
CALM, WILD, PANIC = (0.35, 0.5), (1.0, 1.25), (2.6, 3.4)
LASTING = (150.0, 60.0, 25.0)
NEXT = ((0.0, 0.8, 0.2), (0.7, 0.0, 0.3), (0.3, 0.7, 0.0))
CHAIN = ChainSpec((400.0 / HOURS, 700.0 / HOURS), ((0.0, 1.0), (1.0, 0.0)))
CORRELATIONS = (CorrelationRegimeSpec("low", 0.5), CorrelationRegimeSpec("high", 0.88))
NEWS = JumpSpec(120.0, (-0.02, -0.03), (0.07, 0.08), 0.7)
ALONE = (LegJumpSpec(0.0, 0.0, 0.0), LegJumpSpec(80.0, 0.02, 0.09))
BASIS = MispricingSpec(12.0 / HOURS, 0.003)


def market(regimes: int, *extra: str) -> MarketSpec:
    """So many regimes, the last with jumps if asked, a chain of correlations, a basis."""
    legs = [CALM, WILD, PANIC][:regimes]
    if "cointegration" in extra:
        legs = [(a, a) for a, _ in legs]
    rows: Sequence[Sequence[float]] = NEXT if regimes == 3 else ((0.0, 1.0), (1.0, 0.0))
    jumps = "jumps" in extra
    states = tuple(
        RegimeSpec(
            name=f"regime-{k + 1}",
            drift=(0.0, 0.0),
            volatility=pair,
            correlation=_correlation(extra),
            tail_dof=6.0,
            jumps=NEWS if jumps and k == 0 and "cointegration" not in extra else None,
            leg_jumps=ALONE if jumps and k == 1 and "cointegration" not in extra else None,
            mispricing=(BASIS,) if "cointegration" in extra else (),
        )
        for k, pair in enumerate(legs)
    )
    chained = "correlation" in extra
    return MarketSpec(
        regimes=states,
        chain=ChainSpec(
            tuple(hours / HOURS for hours in LASTING[:regimes]), tuple(map(tuple, rows))
        ),
        correlation_regimes=CORRELATIONS if chained else (),
        correlation_chain=CHAIN if chained else None,
        tail_interval=1.0 / HOURS,
    )


def _correlation(extra: Sequence[str]) -> float | None:
    if "cointegration" in extra:
        return 1.0
    return None if "correlation" in extra else 0.8


def numbers(known: MarketSpec) -> dict[str, float]:
    """What a calibration should find, under the names of `round_trip.found`."""
    told: dict[str, float] = {}
    for k, regime in enumerate(known.regimes):
        name = regime.name
        told[f"{name} duration"] = known.chain.mean_durations[k] * HOURS
        # of cointegrated legs leg b's volatility is a multiple of leg a's, and no finding
        legs = "a" if regime.mispricing else "ab"
        told |= {f"{name} {leg}": regime.volatility["ab".index(leg)] for leg in legs}
        told[f"{name} dof"] = regime.tail_dof
        if regime.jumps is not None:
            news = regime.jumps
            row = [news.intensity, *news.mean, *news.std, news.correlation]
            told |= {f"{name} news {i}": value for i, value in enumerate(row)}
        for leg, one in zip("ab", regime.leg_jumps or (), strict=False):
            if one.intensity > 0.0:
                row = [one.intensity, one.mean, one.std]
                told |= {f"{name} {leg} {i}": value for i, value in enumerate(row)}
    lone = known.regimes[0].correlation
    for k, state in enumerate(known.correlation_regimes):
        assert known.correlation_chain is not None
        told[f"coupling-{k + 1} duration"] = known.correlation_chain.mean_durations[k] * HOURS
        told[f"coupling-{k + 1} rho"] = state.correlation
    if lone is not None and lone < 1.0:
        told["coupling-1 rho"] = lone
    for part in known.regimes[0].mispricing:
        told |= {"basis half-life": part.half_life * HOURS, "basis std": part.std}
    return {name: float(value) for name, value in told.items() if math.isfinite(value)}


def design(known: MarketSpec) -> tuple[Design, Array]:
    """The design of a calibration that made the data, and its parameters."""
    basis = known.regimes[0].mispricing
    jumps = tuple(
        Jump(k, kind)
        for k, regime in enumerate(known.regimes)
        for kind, there in (("b", regime.leg_jumps), ("news", regime.jumps))
        if there is not None
    )  # fmt: skip
    layers = (
        Layer("regime", len(known.regimes), 50.0),
        Layer("correlation", max(1, len(known.correlation_regimes)), 300.0),
    )
    made = Design(layers, jumps=jumps, legs=1 if basis else 2)
    values: dict[str, float] = {"1.rho0": math.atanh((known.regimes[0].correlation or 0.0) * 0.999)}
    for k, regime in enumerate(known.regimes):
        for leg, volatility in zip("ab", regime.volatility, strict=True):
            values[f"0.{leg}{k}"] = math.log(volatility / math.sqrt(HOURS))
        values[f"0.nu{k}"] = math.log(regime.tail_dof - 2.0)
        if regime.jumps is not None:
            news = regime.jumps
            row = [math.log(news.intensity / HOURS), *news.mean, *np.log(news.std)]
            row.append(math.atanh(news.correlation))
            values |= dict(zip(Jump(k, "news").names, row, strict=True))
        if regime.leg_jumps is not None:
            one = regime.leg_jumps[1]
            row = [math.log(one.intensity / HOURS), one.mean, math.log(one.std)]
            values |= dict(zip(Jump(k, "b").names, row, strict=True))
    for k, state in enumerate(known.correlation_regimes):
        values[f"1.rho{k}"] = math.atanh(state.correlation)
    for layer, chain in enumerate((known.chain, known.correlation_chain)):
        for i, lasting in enumerate(chain.mean_durations if chain else ()):
            for j, share in enumerate(chain.jump_probabilities[i] if chain else ()):
                values[f"{layer}.q{i}{j}"] = math.log(max(share, 1e-6) / (lasting * HOURS))
    return made, np.array([values[name] for name in made.names])


def shape(known: MarketSpec) -> tuple[int, int, int, int, int]:
    """Regimes, states of slow volatility, of correlation, kinds of jumps, parts of the basis."""
    jumps = sum(
        (regime.jumps is not None) + sum(one.intensity > 0.0 for one in regime.leg_jumps or ())
        for regime in known.regimes
    )
    correlations = max(1, len(known.correlation_regimes))
    basis = len(known.regimes[0].mispricing)
    return len(known.regimes), 1, correlations, jumps, basis
