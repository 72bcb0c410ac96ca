"""What a scenario's market looks like in hours, beside what real prices and fundings do.

`python -m benchmarks.facts [SCENARIO]` simulates years of it from the stationary law and prints
the moments, quantiles and autocorrelations that its comments speak of. No policy runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stresscube.scenario import load
from stresscube.scenario.expand import market_spec, simulation_spec
from stresscube_kernels.compiled import numba_kernels
from stresscube_kernels.contract import MarketState, Tick
from stresscube_kernels.pack import market_shape, seed_words
from stresscube_kernels.pack_market import pack_market, split
from stresscube_kernels.print_numba import LANES
from stresscube_kernels.spec import ChainSpec, MarketSpec, SimulationSpec
from stresscube_kernels.tree import values

from .case import SCENARIO

HOURS_A_YEAR = 8760
WEEK = 168
BASIS_POINT = 1e-4
Array = NDArray[np.float64]
Facts = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Series:
    """log_returns: of leg a and leg b over hours, [2, path, hour]. funding: rates of both legs
    where they are due, [2, path, print]."""

    log_returns: Array
    funding: Array


def simulate(market: MarketSpec, simulation: SimulationSpec, paths: int) -> Series:
    """Hourly series of at least so many paths; steps must be a whole part of an hour."""
    groups = [list(_days(market, simulation, at)) for at in range(0, paths, LANES)]
    hours, rates = ([np.concatenate([day[k] for day in days], axis=-1) for days in groups]
                    for k in (0, 1))  # fmt: skip
    return Series(np.concatenate(hours, axis=1), np.concatenate(rates, axis=1))


def _days(market: MarketSpec, simulation: SimulationSpec, first: int) -> Iterator[tuple[Any, Any]]:
    """(log-returns by hour, funding rates due) of a group of paths, a day at a time."""
    shape, dtype = market_shape(market), np.dtype(simulation.precision)
    kernels = numba_kernels(shape, simulation.precision)
    numbers = split(values(pack_market(market, simulation, shape)), dtype)
    low, high = map(int, seed_words(simulation.seed))
    hour = round(1.0 / (HOURS_A_YEAR * simulation.step))
    due = round(market.funding_interval / simulation.step)
    states = np.full(len(MarketState._fields) * LANES, np.nan, dtype)
    tape = np.full((LANES, 24 * hour, len(Tick._fields)), np.nan, dtype)
    kernels.market_start(numbers, (low, high), first, states)
    for at in range(0, simulation.steps, 24 * hour):
        kernels.market_run(numbers, (low, high), first, at, 24 * hour, states, tape)
        tick = Tick(*np.moveaxis(tape.astype(np.float64), -1, 0))
        legs = np.log1p(np.stack([tick.return_a, tick.return_b]))
        prints = (np.arange(at, at + 24 * hour) + 1) % due == 0
        rates = np.stack([tick.funding_a, tick.funding_b])[:, :, prints]
        yield legs.reshape(2, LANES, 24, hour).sum(axis=-1), rates


def stationary(market: MarketSpec) -> MarketSpec:
    """The market, begun from the stationary law of every chain."""

    def freed(chain: ChainSpec | None) -> ChainSpec | None:
        return chain and replace(chain, initial=None)

    return replace(
        market,
        chain=replace(market.chain, initial=None),
        correlation_chain=freed(market.correlation_chain),
        funding_chain=freed(market.funding_chain),
    )


def moments(x: Array) -> dict[str, float]:
    """Volatility a year, kurtosis, quantiles of |x| in standard deviations, memory of |x|."""
    sd = float(x.std())
    scaled = np.abs(x - x.mean()) / sd
    made = {"volatility": sd * HOURS_A_YEAR**0.5, "kurtosis": float(np.mean(scaled**4))}
    made |= {f"{p:.2%}": float(np.quantile(scaled, p)) for p in (0.5, 0.99, 0.999, 0.9999)}
    return made | {f"memory {k} h": correlation(scaled, k) for k in (1, 24)}


def correlation(x: Array, lag: int) -> float:
    """Autocorrelation along the last axis."""
    return float(np.corrcoef(x[:, :-lag].ravel(), x[:, lag:].ravel())[0, 1])


def rolling(returns: Array) -> Array:
    """Correlation of the legs in every week, [path, hour]."""
    a, b = returns

    def mean(x: Array) -> Array:
        sums = np.cumsum(np.concatenate([np.zeros((len(x), 1)), x], axis=1), axis=1)
        return (sums[:, WEEK:] - sums[:, :-WEEK]) / WEEK

    spread_a, spread_b = (mean(x * x) - mean(x) ** 2 for x in (a, b))
    return (mean(a * b) - mean(a) * mean(b)) / np.sqrt(spread_a * spread_b)


def weeks(returns: Array) -> dict[str, float]:
    """The legs' correlation over all, and of seven days."""
    found = rolling(returns)
    a, b = returns
    made = {"correlation": float(np.corrcoef(a.ravel(), b.ravel())[0, 1])}
    made |= {f"week {p:.0%}": float(np.quantile(found, p)) for p in (0.01, 0.05, 0.5)}
    return made | {"week below .7": float(np.mean(found < 0.7))}


def prints(rates: Array, interest: float) -> dict[str, float]:
    """Funding in basis points: moments, the point mass at the interest rate, memory."""
    scaled = rates / BASIS_POINT
    made = {"mean": float(scaled.mean()), "sd": float(scaled.std())}
    made["negative"] = float(np.mean(scaled < 0.0))
    made["at interest"] = float(np.mean(np.abs(rates - interest) < 1e-3 * interest))
    lags = {"8 h": 1, "24 h": 3, "7 d": 21}
    return made | {f"memory {name}": correlation(scaled, k) for name, k in lags.items()}


def facts(market: MarketSpec, simulation: SimulationSpec, paths: int) -> Facts:
    """Everything, by what it is of."""
    found = simulate(stationary(market), simulation, paths)
    a, b = found.log_returns
    made = {"leg a": moments(a), "leg b": moments(b), "b less a": moments(b - a)}
    made["legs"] = weeks(found.log_returns)
    if found.funding.any():
        interest = market.interest * market.funding_interval * HOURS_A_YEAR / 8
        made |= {f"funding {leg}": prints(rates, interest)
                 for leg, rates in zip("ab", found.funding, strict=True)}  # fmt: skip
        first, second = (rates.ravel() for rates in found.funding)
        made["fundings"] = {"correlation": float(np.corrcoef(first, second)[0, 1])}
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.facts", description=__doc__)
    parser.add_argument("scenario", nargs="?", type=Path, default=SCENARIO)
    parser.add_argument("--paths", type=int, default=256)
    parser.add_argument("--days", type=int, default=364)
    asked = parser.parse_args(arguments)
    loaded = load(asked.scenario)
    simulation = simulation_spec(loaded)
    steps = round(asked.days / 365 / simulation.step)
    simulation = replace(simulation, steps=steps)
    for name, numbers in facts(market_spec(loaded, {}), simulation, asked.paths).items():
        print(f"{name}: " + ", ".join(f"{key} {value:.3g}" for key, value in numbers.items()))


if __name__ == "__main__":
    main()
