"""The whole way from bars to the text of a scenario."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stresscube.calibrate import basis, errors, funding, parts
from stresscube.calibrate import draws as uncertain
from stresscube.calibrate.bootstrap import bootstrap
from stresscube.calibrate.choose import choose
from stresscube.calibrate.design import correlation_of
from stresscube.calibrate.fit import Fit
from stresscube.calibrate.refit import Found, Prints
from stresscube.calibrate.write import Errors, Source, scenario
from stresscube.errors import StresscubeError
from stresscube.history import History

Array = NDArray[np.float64]
Tell = Callable[[str], None]
By = Literal["bootstrap", "covariance"]
LEAST_BARS = 1000
LEAST_MOVING = 0.1
JUMPS = "jumps stand in the regimes in which BIC approves of them"
NO_JUMPS = "no jumps: by BIC the tails say all"
INTEREST, EIGHT_HOURS = 1e-4, 8.0
BY_BOOTSTRAP = "refits of histories that it made, each fitted in the design that was found"
BY_COVARIANCE = "normal, by the covariance of the estimate"


@dataclass(frozen=True)
class Draws:
    """How many draws of the numbers, and by what. keep: a file of the refits that are done, for
    another calibration of the same data to go on with.
    """

    count: int
    by: By = "bootstrap"
    keep: Path | None = None


@dataclass(frozen=True)
class Calibration:
    """What was fitted, the covariance of its parameters, its standard errors, the scenario's text,
    what refits need, and draws of its numbers: the text of their file, and what is to be said.
    """

    fit: Fit
    covariance: Array
    parts: parts.Parts
    errors: Errors
    text: str
    found: Found
    draws: str = ""
    said: str = ""


def calibrate(
    history: History, *, name: str, regimes: int | None, prints: tuple[Array, float] | None,
    venues: tuple[str, str] | None, threads: int, tell: Tell, draws: Draws | None = None,
) -> Calibration:  # fmt: skip
    """Fit a market to a history.

    regimes: how many, None for by BIC. prints: funding [prints, 2] and the hours between.
    venues: text of [[venues]] tables and the name of one. draws: of the numbers. Raises
    StresscubeError for a history too short, legs that never part, or numbers that cannot be drawn.
    """
    returns = np.diff(np.log(history.close), axis=0)
    _check(history, returns)
    hours = history.step_hours
    tested = basis.test(history.close, hours)
    tell(tested.words)
    legs = 1 if tested.reverts else 2
    with _Beside(prints, tell) as beside:
        found = choose(returns, hours, regimes, tell, threads, legs)
        tell("standard errors")
        spread = errors.covariance(returns, found, threads)
        premiums = beside.result()
    made, split = in_words(history, found, spread, tested)
    nothing = "" if tested.reverts else ": no mispricing"
    remarks = [
        f"BIC {found.bic:,.1f}, log-likelihood {found.log_likelihood:,.1f}",
        f"{tested.words}{nothing}",
        JUMPS if made.jumps else NO_JUMPS,
    ]
    text, venue = venues or (None, "X")
    interval = EIGHT_HOURS if prints is None else prints[1]
    written = scenario(name, source(history), made, split, premiums, remarks, text, venue, interval)
    paid = None
    if prints is not None and premiums is not None:
        paid = Prints(premiums, len(prints[0]), prints[1], _interest(prints[1]))
    known = Found(
        found, written, tested.slope, made.mispricing, paid, hours, history.assets, history.filled
    )
    done = Calibration(found, spread, made, split, written, known)
    if draws is None:
        return done
    rows, said = drawn(done, draws, tell, threads)
    text = uncertain.asked(written, name, draws.count)
    return replace(done, text=text, draws=uncertain.text(rows, said), said=said[-1])


def drawn(
    made: Calibration, draws: Draws, tell: Tell, threads: int
) -> tuple[list[dict[str, str]], list[str]]:
    """Rows of keys and values, and sentences about them."""
    known, count = made.found, draws.count
    if draws.by == "bootstrap":
        refits = bootstrap(known, count, tell, workers=threads, keep=draws.keep)
        head = f"{count} draws of what a calibration leaves open: {BY_BOOTSTRAP}."
        return [draw.row for draw in refits.draws], [head, refits.words]
    like, design = made.fit.theta, made.fit.design
    market = parts.saying(design, known.hours, known.slope, known.mispricing, like)
    premiums = known.prints.found if known.prints is not None else None
    rows = uncertain.by_covariance(made.fit, made.covariance, market, premiums, known.assets, count)
    return rows, [f"{count} draws of what a calibration leaves open: {BY_COVARIANCE}."]


def in_words(
    history: History, found: Fit, spread: Array, tested: basis.Tested
) -> tuple[parts.Parts, Errors]:
    """A fit in the words of scenarios, with standard errors; with a basis if it is of one leg."""
    hours = history.step_hours
    mispricing = ()
    if found.design.legs == 1:
        mispricing = basis.components(basis.residual(history.close, tested.slope), hours)
    market = parts.saying(found.design, hours, tested.slope, mispricing)
    made = market(found.theta)
    row = errors.of(lambda theta: parts.flat(market(theta)), found.theta, spread)
    return made, _split(row, made)


def source(history: History) -> Source:
    """Where a calibration on a history comes from."""
    return Source(
        history.assets,
        history.sources,
        (_day(history.period[0]), _day(history.period[1])),
        len(history),
        history.step_hours,
        history.hash,
        history.notes,
    )


class _Beside:
    """The premiums' fit in a thread of its own, given up as soon as the rest is."""

    def __init__(self, prints: tuple[Array, float] | None, tell: Tell) -> None:
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self._paid = None if prints is None else self._pool.submit(self._fit, *prints, tell)

    def __enter__(self) -> _Beside:
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        self._pool.shutdown()

    def result(self) -> funding.Premiums | None:
        """The premiums, once they are there."""
        return None if self._paid is None else self._paid.result()

    def _fit(self, prints: Array, interval: float, tell: Tell) -> funding.Premiums:
        interest = _interest(interval)
        return funding.fit(prints, interval, tell, interest=interest, goes_on=self._goes_on)

    def _goes_on(self) -> None:
        if self._stopped.is_set():
            raise StresscubeError("the fit of the premiums was given up")


def _interest(interval: float) -> float:
    """The interest of an interval of so many hours."""
    return INTEREST * interval / EIGHT_HOURS


def _check(history: History, returns: Array) -> None:
    if len(returns) < LEAST_BARS:
        raise StresscubeError(
            f"data: {len(returns)} returns, and {LEAST_BARS} are the least to calibrate on; "
            "take a longer period or finer bars"
        )
    moving = (returns != 0.0).mean(axis=0)
    still = [
        f"data: {asset} moves in {share:.2%} of its bars, and {LEAST_MOVING:.0%} are the least to "
        "calibrate on; take coarser bars or another series"
        for asset, share in zip(history.assets, moving, strict=True)
        if share < LEAST_MOVING
    ]
    if still:
        raise StresscubeError("\n".join(still))
    if abs(correlation_of(returns)) > 0.9999999:
        first, second = history.assets
        raise StresscubeError(
            f"data: {first} and {second} never part: the same series twice? Take another for one"
        )


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
    correlation = take(made.correlation)
    ends = np.cumsum([len(jump.numbers) for jump in made.jumps], dtype=int)
    return Errors(regimes, volatility, correlation, tuple(np.split(row[at:], ends)[:-1]))


def _day(time: np.datetime64) -> str:
    return str(np.datetime_as_string(time, unit="m")).replace("T", " ")
