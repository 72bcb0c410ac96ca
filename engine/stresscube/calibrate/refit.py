"""One simulated history fitted anew, in the design that was found: a row of the bootstrap.

Everything of the calibration but its choices: the likelihood of the returns, the slope of
cointegrated legs and what reverts between them, the premiums behind the prints. Each begins at
what was found, which made the history, and is climbed by the code of the calibration itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stresscube.calibrate import basis, funding
from stresscube.calibrate.draws import columns
from stresscube.calibrate.fit import Fit, finished, limits
from stresscube.calibrate.parts import saying
from stresscube.calibrate.simulated import Simulated, histories, step_for, stood_still
from stresscube.scenario import Scenario, loads
from stresscube.scenario.draws import holds
from stresscube.scenario.expand import market_spec
from stresscube_kernels.spec import MarketSpec

Array = NDArray[np.float64]
EDGE = 1e-3
"""Distance from a limit, in the parameters' units, at which a parameter counts as at it."""
UNSETTLED = "did not settle"
NOT_HELD = "gave numbers that no scenario may hold"


@dataclass(frozen=True)
class Prints:
    """Of funding: what was fitted, how many prints, hours between them, interest an interval."""

    found: funding.Premiums
    count: int
    interval: float
    interest: float


@dataclass(frozen=True)
class Found:
    """A calibration, as far as a refit needs it.

    text: the scenario that was written, without draws. slope, mispricing: of leg b, where the legs
    are cointegrated. hours: a bar's length. filled: bars [bars + 1, 2] that the files lack.
    """

    fit: Fit
    text: str
    slope: float
    mispricing: tuple[basis.Component, ...]
    prints: Prints | None
    hours: float
    assets: tuple[str, str]
    filled: NDArray[np.bool_]

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario, read."""
        return loads(self.text)

    @cached_property
    def market(self) -> MarketSpec:
        """The market that makes histories."""
        return market_spec(self.scenario, {})


class Refit(NamedTuple):
    """row: dotted keys and values as a file of draws has them. edges: parameters that ended at the
    edge of what bars can show, where the fit has none. failure: why it is no draw, or nothing.
    """

    row: dict[str, str]
    edges: int
    failure: str = ""


def history(found: Found, seed: int, path: int) -> Simulated:
    """A history of the calibrated market, with as many bars and prints as were recorded."""
    every = round(found.hours / step_for(found.scenario, found.hours))
    bars, prints = found.fit.bars, 0
    if found.prints is not None:
        prints = found.prints.count
        bars = max(bars, 1 + int(np.ceil(prints * found.prints.interval / found.hours)))
    made = histories(found.market, bars, seed, path, 1, found.hours, every)[0]
    close = stood_still(made.close[: found.fit.bars + 1], found.filled)
    return Simulated(close, made.funding[:prints])


def refit(found: Found, simulated: Simulated, goes_on: Callable[[], None] = lambda: None) -> Refit:
    """What the calibration says of a history that its own market made.

    goes_on: called now and then; what it raises ends the refit.
    """
    design, like = found.fit.design, found.fit.theta
    returns = np.diff(np.log(simulated.close), axis=0)
    made = finished(returns, found.fit, goes_on=goes_on)
    settled, slope, mispricing, premiums = made.converged, found.slope, (), None
    if design.legs == 1:
        slope = basis.slope_of(simulated.close)
        rest = basis.residual(simulated.close, slope)
        mispricing = basis.components(rest, found.hours, found.mispricing)
    if found.prints is not None:
        premiums, climbed = funding.refit(
            simulated.funding, found.prints.interval, found.prints.found,
            interest=found.prints.interest, goes_on=goes_on,
        )  # fmt: skip
        settled = settled and climbed
    if not settled:
        return Refit({}, 0, UNSETTLED)
    parts = saying(design, found.hours, slope, mispricing, like)(made.theta)
    row = columns(parts, premiums, found.assets)
    return Refit(row, _edges(found.fit, made), "" if holds(found.scenario, row) else NOT_HELD)


def _edges(found: Fit, made: Fit) -> int:
    """How many parameters are at a limit that were not."""
    low, high = np.transpose(limits(found.design, found.theta, found.bars))
    was, now = ((theta < low + EDGE) | (theta > high - EDGE) for theta in (found.theta, made.theta))
    return int((now & ~was).sum())
