"""The whole way from bars to the text of a scenario."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stresscube.calibrate import errors, funding, parts
from stresscube.calibrate.choose import choose
from stresscube.calibrate.design import correlation_of
from stresscube.calibrate.fit import Fit
from stresscube.calibrate.write import Errors, Source, scenario
from stresscube.errors import StresscubeError
from stresscube.history import History

Array = NDArray[np.float64]
LEAST_BARS = 1000


@dataclass(frozen=True)
class Calibration:
    """What was fitted, and the scenario's text."""

    fit: Fit
    parts: parts.Parts
    text: str


def calibrate(
    history: History, *, name: str, regimes: int | None, prints: Array | None, interval: float,
    venues: tuple[str, str] | None, threads: int, tell: Callable[[str], None],
) -> Calibration:  # fmt: skip
    """Fit a market to a history.

    regimes: how many, None for by BIC. prints: funding [prints, 2], `interval` hours apart.
    venues: text of [[venues]] tables and the name of one. Raises StresscubeError for a history
    too short, or legs that never part.
    """
    returns = np.diff(np.log(history.close), axis=0)
    _check(returns)
    hours = history.step_hours
    found = choose(returns, hours, regimes, tell)
    tell("standard errors")
    spread = errors.covariance(returns, found, threads)
    made = parts.parts(found.design, found.theta, hours)

    def numbers(theta: Array) -> Array:
        return parts.flat(parts.parts(found.design, theta, hours))

    premiums = None
    if prints is not None:
        premiums = funding.fit(prints, interval, tell)
    source = Source(
        history.assets,
        history.sources,
        (_day(history.period[0]), _day(history.period[1])),
        len(history),
        hours,
        history.hash,
        history.notes,
    )
    remarks = [f"BIC {found.bic:,.1f}, log-likelihood {found.log_likelihood:,.1f}"]
    text, venue = venues or (None, "X")
    split = _split(errors.of(numbers, found.theta, spread), made)
    return Calibration(
        found, made, scenario(name, source, made, split, premiums, remarks, text, venue)
    )


def _check(returns: Array) -> None:
    if len(returns) < LEAST_BARS:
        raise StresscubeError(
            f"data: {len(returns)} returns, and {LEAST_BARS} are the least to calibrate on"
        )
    deviations = returns.std(axis=0)
    if (deviations == 0.0).any():
        raise StresscubeError("data: a leg's price never moves")
    if abs(correlation_of(returns)) > 0.9999:
        raise StresscubeError("data: the legs never part; is it the same series twice?")


def _split(row: Array, made: parts.Parts) -> Errors:
    """A row of errors in the shape of the chains."""
    at = 0

    def take(chain: parts.Chain) -> tuple[Array, Array]:
        nonlocal at
        n, k = chain.numbers.shape
        found = row[at : at + n], row[at + n : at + n + n * k].reshape(n, k)
        at += n + n * k
        return found

    regimes = take(made.regimes)
    volatility = take(made.volatility) if made.volatility is not None else None
    return Errors(regimes, volatility, take(made.correlation))


def _day(time: np.datetime64) -> str:
    return str(np.datetime_as_string(time, unit="m")).replace("T", " ")
