"""What two weeks of paper trading can show, or 18 months at a Sharpe ratio of 2."""

from __future__ import annotations

import math
from collections.abc import Iterator

from scipy.stats import norm

from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Finding, Study, Unit
from stresscube.claims.estimate import exact
from stresscube.claims.trial import tried
from stresscube.claims.verdicts import above, below
from stresscube.claims.words import number, written

SHARPE = 2.0
TOLD = 2.0
"""Standard errors from 0 at which a record shows an edge."""
LOST = 0.05
DRIFT = 0.6384
DAYS = 365.0


def sharpe_error(sharpe: float, years: float, periods: float = DAYS) -> float:
    """Return the standard error of an annual Sharpe ratio estimated from independent returns.

    Lo (2002): √((1 + S²/2)/n) for the ratio S of one period, here with `periods` a year, over
    `years`; in annual terms √((1 + sharpe²/(2 periods))/years).
    """
    return math.sqrt((1.0 + sharpe**2 / (2.0 * periods)) / years)


def loss_probability(sharpe: float, years: float) -> float:
    """Return the probability that a book of this Sharpe ratio has lost after these years.

    Of normal returns that add up: Φ(−S √T).
    """
    return float(norm.cdf(-sharpe * math.sqrt(years)))


def luckiest(tries: int, years: float) -> float:
    """Return the Sharpe ratio that the best of some books worth nothing is expected to show.

    The expected maximum of normal variables by Bailey and López de Prado (2014), times the
    standard error.
    """
    euler = 0.5772156649015329
    first, second = norm.ppf(1.0 - 1.0 / tries), norm.ppf(1.0 - 1.0 / (tries * math.e))
    return float((1.0 - euler) * first + euler * second) * sharpe_error(0.0, years)


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield what a record of two weeks and one of 18 months can tell."""
    weeks, months = cube, cube.variants["months"]
    lasting = [it.scenario.simulation.horizon / (DAYS * 24.0) for it in (weeks, months)]
    errors = [sharpe_error(SHARPE, it) for it in lasting]
    lost = [it.at("under_water_probability", drift_BTC=DRIFT) for it in (weeks, months)]
    gained = exact(1.0) - weeks.at("under_water_probability", drift_BTC=0)
    needed = (TOLD * sharpe_error(SHARPE, 1.0) / SHARPE) ** 2
    told = [exact(SHARPE / it) for it in errors]
    yield Finding(
        cube.market,
        "standard errors between a Sharpe ratio of 2 and none after two weeks",
        told[0],
        Unit.NUMBER,
        above(told[0], TOLD),
        f"the standard error of a Sharpe ratio after two weeks is {errors[0]:.2g}, whatever is "
        f"traded, and it takes {needed:.1f} years to tell 2 from 0 at {TOLD:g} standard errors; "
        f"{written(gained, Unit.PERCENT)} of books with none have gained. Costs, slippage and "
        "rebalances for each trade are another matter: those two weeks do show",
        tried=tried("after", [("18 months", told[1])], lambda it: above(it, TOLD)),
    )
    yield Finding(
        cube.market,
        "books with a Sharpe ratio of 2 that have lost after two weeks",
        lost[0],
        Unit.PERCENT,
        below(lost[0], LOST),
        "by theory it is "
        f"{number(loss_probability(SHARPE, lasting[0]), Unit.PERCENT)}, and after 18 months "
        f"{number(loss_probability(SHARPE, lasting[1]), Unit.PERCENT)}",
        tried=tried("after", [("18 months", lost[1])], lambda it: below(it, LOST)),
    )
    yield Finding(
        cube.market,
        "standard errors between a Sharpe ratio of 2 and none after 18 months",
        told[1],
        Unit.NUMBER,
        above(told[1], TOLD),
        f"the standard error is {errors[1]:.2g}. That is for one book, tried once: the luckiest of "
        f"ten worth nothing would show {luckiest(10, lasting[1]):.2g} in that time, of a hundred "
        f"{luckiest(100, lasting[1]):.2g}",
    )


CLAIM = Claim(
    name="paper-trading",
    title="What two weeks of paper trading can show, and 18 months",
    sentence="“Start with paper trading for at least two weeks … The data will tell you whether "
    "your theoretical edge survives real-world friction”; “Sharpe ratios consistently above 2.0 "
    "over the past 18 months”",
    taken="A record tells if a Sharpe ratio of 2 lies two standard errors from none, by the error "
    "of Lo (2002), and if a good book rarely shows a loss. The same books are simulated: no "
    "costs, a drift that makes the ratio 2, or no drift. This holds in any market.",
    studies=(Study(variants=(("months", Study(settings=('simulation.horizon="547d"',))),)),),
    judge=judge,
)
