"""Facts of two series of returns and of funding prints: numbers that a market should reproduce.

Every fact is computed by the same code on recorded and on simulated series. A return is a
log-return; the spread's is leg b's less leg a's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
HOURS_A_YEAR = 8760.0
LAGS = {"1 h": 1.0, "24 h": 24.0, "7 d": 168.0}
WINDOWS = {"24 h": 24.0, "7 d": 168.0}
QUANTILES = (0.01, 0.05, 0.50, 0.95)
FEWEST = 3
"""Bars that a window must have for a correlation, and a series lags for a memory."""


@dataclass(frozen=True)
class Series:
    """returns: [bars, 2]. step: hours a bar. funding: prints [prints, 2] of both legs, or none.

    interval: hours between prints. point: the rate where the exchange's clamp puts a point mass.
    slope: of leg b's log-price on leg a's, where what is left of it reverts: the basis.
    """

    returns: Array
    step: float
    funding: Array | None = None
    interval: float = 8.0
    point: float = 0.0001
    slope: float | None = None


def facts(series: Series, assets: tuple[str, str]) -> dict[str, float]:
    """Every fact that the series' length and step allow, by name."""
    return dict([*_of_prices(series, assets), *_of_basis(series), *_of_funding(series, assets)])


def _of_prices(series: Series, assets: tuple[str, str]) -> Iterator[tuple[str, float]]:
    hour = max(1, round(1.0 / series.step))
    hourly = summed(series.returns, hour)
    step = series.step * hour
    a, b = hourly.T
    legs = {assets[0]: a, assets[1]: b, "spread": b - a}
    unit = "1 h" if step <= 1.0 else f"{step:g} h"
    for name, x in legs.items():
        yield f"{name} volatility a year", float(x.std() * math.sqrt(HOURS_A_YEAR / step))
        yield f"{name} kurtosis, {unit}", kurtosis(x)
        if (day := round(24.0 / step)) > 1 and len(x) >= 30 * day:
            yield f"{name} kurtosis, 24 h", kurtosis(summed(x, day))
        for lag, hours in LAGS.items():
            bars = round(hours / step)
            if bars >= 1 and len(x) > FEWEST * bars:
                yield f"{name} memory of |r|, {lag}", memory(np.abs(x), bars)
        worst = x.min() if name != "spread" else np.abs(x).max()
        yield f"{name} worst {unit}", float(worst)
    yield "correlation", float(np.corrcoef(a, b)[0, 1])
    for window, hours in WINDOWS.items():
        bars = round(hours / step)
        if bars >= FEWEST and len(a) > 10 * bars:
            rolled = np.quantile(rolling_correlation(hourly, bars), QUANTILES)
            for q, value in zip(QUANTILES, rolled, strict=True):
                yield f"correlation over {window}, {q:.0%}", float(value)


def _of_basis(series: Series) -> Iterator[tuple[str, float]]:
    """Of the basis at the bars' ends, less a straight line: prices begin anywhere, and drift."""
    if series.slope is None:
        return
    a, b = np.cumsum(series.returns, axis=0).T
    basis = b - series.slope * a
    line = np.linspace(-1.0, 1.0, len(basis))
    basis = basis - basis.mean() - line * (basis @ line / (line @ line))
    yield "basis sd", float(basis.std())
    for lag, hours in LAGS.items():
        bars = round(hours / series.step)
        if bars >= 1 and len(basis) > FEWEST * bars:
            yield f"basis half-life over {lag}, h", half_life(basis, bars) * series.step
    yield "basis kurtosis", kurtosis(basis)
    yield "basis furthest", float(np.abs(basis).max())


def half_life(x: Array, lag: int) -> float:
    """The half-life, in bars, of the exponential that has x's autocorrelation at a lag.

    0 where that is not positive. Several lags tell a fast part from a slow one.
    """
    left = memory(x, lag)
    return lag * math.log(0.5) / math.log(min(left, 1.0 - 1e-12)) if left > 0.0 else 0.0


def _of_funding(series: Series, assets: tuple[str, str]) -> Iterator[tuple[str, float]]:
    if series.funding is None or len(series.funding) < FEWEST:
        return
    for name, rates in zip(assets, series.funding.T, strict=True):
        yield f"{name} funding mean", float(rates.mean())
        yield f"{name} funding sd", float(rates.std())
        # prints have six to eight digits, and float32 rounds in the eighth
        yield (
            f"{name} funding at {series.point:g}",
            float((np.abs(rates - series.point) < 1e-8).mean()),
        )
        yield f"{name} funding below 0", float((rates < 0.0).mean())
        for lag, hours in {"8 h": 8.0, "24 h": 24.0, "7 d": 168.0}.items():
            prints = round(hours / series.interval)
            if prints >= 1 and len(rates) > FEWEST * prints:
                yield f"{name} funding memory, {lag}", memory(rates, prints)


def summed(x: Array, count: int) -> Array:
    """Sums of `count` neighbours along the first axis, an incomplete last group left out."""
    whole = len(x) // count * count
    return x[:whole].reshape(-1, count, *x.shape[1:]).sum(axis=1)


def kurtosis(x: Array) -> float:
    """The fourth moment over the square of the second: 3 for Gaussian returns.

    0 of a series that stands still.
    """
    deviation = x - x.mean()
    square = float((deviation**2).mean()) ** 2
    return float((deviation**4).mean()) / square if square > 0.0 else 0.0


def memory(x: Array, lag: int) -> float:
    """The autocorrelation at a lag; 0 of a series that stands still."""
    deviation = x - x.mean()
    square = float((deviation**2).mean())
    return float((deviation[lag:] * deviation[:-lag]).mean() / square) if square > 0.0 else 0.0


def rolling_correlation(returns: Array, bars: int) -> Array:
    """The correlation of the two columns over every window of so many bars; windows in which a
    leg's price stands still are left out.
    """

    def sums(x: Array) -> Array:
        totals = np.pad(np.cumsum(x), (1, 0))
        return totals[bars:] - totals[:-bars]

    a, b = (returns - returns.mean(axis=0)).T
    moves = np.minimum(*(sums((leg != 0.0).astype(np.float64)) for leg in returns.T)) > 0.5
    mean_a, mean_b = sums(a) / bars, sums(b) / bars
    variance_a = sums(a * a) / bars - mean_a**2
    variance_b = sums(b * b) / bars - mean_b**2
    product = sums(a * b) / bars - mean_a * mean_b
    return product[moves] / np.sqrt(variance_a[moves] * variance_b[moves])
