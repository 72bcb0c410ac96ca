"""A calibrated market as a scenario file, with standard errors and origin as comments."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stresscube.calibrate.basis import Component
from stresscube.calibrate.funding import Premiums
from stresscube.calibrate.parts import Chain, Jumps, Parts

Array = NDArray[np.float64]
VENUES = """\
# Chosen, not measured: fees, latency and tiers in the style of a large exchange.
[[venues]]
name = "X"
taker_fee = 0.0005
slippage = 0.0001
latency = "300ms"
max_leverage = 20
maintenance_tiers = [[0, 0.004], [50_000, 0.005], [600_000, 0.01], [3_000_000, 0.025]]
liquidation_fee = 0.0125
"""
POLICY = """\
[policy]
venue = "{venue}"
hedge_ratio = 1.0
leverage = 5
rebalance_threshold = 0.01

[sweep]
leverage = [2, 5, 10]
"""


@dataclass(frozen=True)
class Source:
    """Where a calibration comes from: names, period, hash of the data, and what was found."""

    assets: tuple[str, str]
    files: tuple[str, ...]
    period: tuple[str, str]
    bars: int
    hours: float
    hash: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Errors:
    """Standard errors in the shape of the numbers: of regimes, slow chain and correlations, each
    (durations, numbers), NaN where the data say nothing; jumps: of each kind's numbers.
    """

    regimes: tuple[Array, Array]
    volatility: tuple[Array, Array] | None
    correlation: tuple[Array, Array]
    jumps: tuple[Array, ...] = ()


def scenario(
    name: str, source: Source, parts: Parts, errors: Errors, premiums: Premiums | None,
    remarks: Sequence[str], venues: str | None = None, venue: str = "X", interval: float = 8.0,
) -> str:  # fmt: skip
    """The text of a scenario file that `stresscube run` takes."""
    blocks = [_head(name, source, remarks, interval)]
    mispricing = _mispricing(parts.mispricing)
    extra = [
        _jumps(parts.jumps, errors.jumps, k) + mispricing for k in range(len(parts.regimes.names))
    ]
    blocks.append(_regimes(parts.regimes, errors.regimes, extra))
    if parts.volatility is not None and errors.volatility is not None:
        blocks.append(_volatility(parts.volatility, errors.volatility))
    blocks.append(_correlation(parts.correlation, errors.correlation))
    if premiums is not None:
        blocks.append(_funding(premiums))
    blocks += [venues if venues is not None else VENUES, POLICY.format(venue=venue)]
    return "\n".join(blocks)


def _head(name: str, source: Source, remarks: Sequence[str], interval: float) -> str:
    told = [
        f"{source.bars:,} bars of {source.hours:g} h, {source.period[0]} to {source.period[1]} UTC",
        f"from {', '.join(source.files)}",
        f"sha256 of the data {source.hash}",
        *source.notes,
        *remarks,
    ]
    lines = "\n".join(f"# {line}" for line in told)
    assets, called = json.dumps(source.assets), json.dumps(name)
    return f"""\
# Calibrated by maximum likelihood:
{lines}
# A comment "± x" is a standard error; "± ?" marks a number of which the data say nothing.

name = {called}

[simulation]
paths = 2000
horizon = "7d"
step = "1min"
seed = 1

[market]
assets = {assets}
tail_interval = "{duration(source.hours)}"
funding_interval = "{duration(interval)}"
"""


def _mispricing(found: Sequence[Component]) -> list[str]:
    """The line of a regime, and the errors above it."""
    if not found:
        return []
    told = "; ".join(f"half_life {_pm(c.errors[0], 'h')}, std {_pm(c.errors[1])}" for c in found)
    parts = [
        f'{{ half_life = "{duration(c.half_life)}", std = {c.std:.4g}'
        + (f", spike_intensity = {c.spikes:.4g}, spike_std = {c.spike_std:.4g}" if c.spikes else "")
        + " }"
        for c in found
    ]
    return [f"# mispricing: {told}", f"mispricing = [{', '.join(parts)}]"]


def _jumps(found: Sequence[Jumps], errors: Sequence[Array], regime: int) -> list[str]:
    """The lines of a regime's jumps, with the errors above each."""
    lines: list[str] = []
    alone: dict[str, str] = {}
    for jump, error in zip(found, errors, strict=True):
        if jump.regime != regime:
            continue
        told = ", ".join(_pm(value) for value in error)
        rate, *rest = (f"{value:.4g}" for value in jump.numbers)
        if jump.kind == "news":
            mean, std = (f"[{pair[0]}, {pair[1]}]" for pair in (rest[:2], rest[2:4]))
            lines += [
                f"# jumps of both legs, in this order: {told}",
                f"jumps = {{ intensity = {rate}, mean = {mean}, std = {std}, "
                f"correlation = {rest[4]} }}",
            ]
        else:
            lines.append(f"# jumps of leg {jump.kind} alone, in this order: {told}")
            alone[jump.kind] = f"{{ intensity = {rate}, mean = {rest[0]}, std = {rest[1]} }}"
    if alone:
        both = ", ".join(alone.get(leg, "{ intensity = 0 }") for leg in "ab")
        lines.append(f"idiosyncratic_jumps = [{both}]")
    return lines


def _regimes(chain: Chain, errors: tuple[Array, Array], extra: Sequence[list[str]]) -> str:
    made: list[str] = ["# Regimes of volatility, per square root of a year."]
    for k, (a, b, dof) in enumerate(chain.numbers):
        lines = [
            "[[market.regimes]]",
            *_state(chain, k, errors[0]),
            f"volatility = [{a:.5g}, {b:.5g}]  # {_pm(errors[1][k, 0])}, {_pm(errors[1][k, 1])}",
        ]
        if math.isfinite(dof):
            lines.append(f"tail_dof = {dof:.4g}  # {_pm(errors[1][k, 2])}")
        lines += extra[k]
        made.append("\n".join(lines))
    return "\n\n".join(made) + "\n"


def _volatility(chain: Chain, errors: tuple[Array, Array]) -> str:
    made = ["# A slow chain on top: its multipliers' mean squares are 1."]
    for k, (a, b) in enumerate(chain.numbers):
        lines = [
            "[[market.volatility_regimes]]",
            *_state(chain, k, errors[0]),
            f"multiplier = [{a:.5g}, {b:.5g}]  # {_pm(errors[1][k, 0])}, {_pm(errors[1][k, 1])}",
        ]
        made.append("\n".join(lines))
    return "\n\n".join(made) + "\n"


def _correlation(chain: Chain, errors: tuple[Array, Array]) -> str:
    made = ["# Correlation, in a chain of its own."]
    for k, (rho,) in enumerate(chain.numbers):
        lines = [
            "[[market.correlation_regimes]]",
            *_state(chain, k, errors[0]),
            f"correlation = {rho:.5g}  # {_pm(errors[1][k, 0])}",
        ]
        made.append("\n".join(lines))
    return "\n\n".join(made) + "\n"


def _funding(found: Premiums) -> str:
    names = tuple(f"premium-{k + 1}" for k in range(len(found.mean)))
    chain = Chain(names, found.durations, found.next, found.mean)
    made = ["# Premium indices, from the prints through the exchange's clamp."]
    for k in range(len(names)):
        mean, std = (", ".join(f"{v:.4g}" for v in pair[k]) for pair in (found.mean, found.std))
        error = [_pm(value) for value in found.errors[k, :6]]
        error[4] += " h"
        told = ", ".join(error)
        lines = [
            "[[market.funding_regimes]]",
            *_state(chain, k, found.errors[:, 6]),
            f"# mean, std, half_life and correlation: {told}",
            f"funding = {{ mean = [{mean}], std = [{std}], "
            f'half_life = "{duration(found.half_life[k])}", correlation = {found.rho[k]:.4g} }}',
        ]
        made.append("\n".join(lines))
    return "\n\n".join(made) + "\n"


def _state(chain: Chain, k: int, errors: Array | None) -> list[str]:
    lines = [f'name = "{chain.names[k]}"']
    if math.isinf(chain.durations[k]):
        return lines
    error = "" if errors is None else f"  # {_pm(errors[k], 'h')}"
    lines.append(f'mean_duration = "{duration(chain.durations[k])}"{error}')
    if len(chain.names) > 2:
        lines.append(f"next = {{ {_shares(chain, k)} }}")
    return lines


def _shares(chain: Chain, k: int) -> str:
    """Probabilities in steps of 1e-6 that sum to 1."""
    counts = [round(float(share) * 1e6) for share in chain.next[k]]
    counts[counts.index(max(counts))] += 1_000_000 - sum(counts)
    return ", ".join(
        f"{name} = {count / 1e6:.6f}"
        for name, count in zip(chain.names, counts, strict=True)
        if count > 0
    )


def duration(hours: float) -> str:
    """A duration of four digits that count."""
    for unit, size in (("d", 24.0), ("h", 1.0), ("min", 1.0 / 60.0), ("s", 1.0 / 3600.0)):
        if hours >= 2.0 * size or unit == "s":
            return f"{float(f'{hours / size:.4g}'):f}".rstrip("0").rstrip(".") + unit
    raise AssertionError


def _pm(error: float, unit: str = "") -> str:
    return f"± {error:.2g}{' ' + unit if unit else ''}" if math.isfinite(error) else "± ?"
