"""Funding and news over longer holding."""

from __future__ import annotations

from collections.abc import Iterator

from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.estimate import Estimate
from stresscube.claims.verdicts import above, or_only_if
from stresscube.claims.words import written

MORE = 1.25
"""Standard deviation, four hours over one, that counts as more exposure."""


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield what funding is beside fees, and whether longer trades make a week riskier."""
    fixed: dict[str, object] = {} if cube.market is Market.PAIR else {"side": "fixed"}
    funding, fees = (cube.at(it, holding=8, **fixed) for it in ("funding_mean", "fees_mean"))
    hour = cube.at("funding_mean", holding=1, **fixed)
    yield Finding(
        cube.market,
        "funding paid in a week of trades of 8 hours, over the fees of it",
        funding / fees,
        Unit.TIMES,
        above(funding / fees, 1.0),
        f"what one leg pays the other receives, so a book pays {written(funding, Unit.PERCENT)} of "
        f"equity in a week, and {written(hour, Unit.PERCENT)} in trades of an hour, which are "
        "opened again at once and so are there at every print",
    )
    figure = _ratio(cube, fixed)
    others = [] if cube.market is Market.PAIR else [_ratio(cube, {"side": "spread"})]
    yield Finding(
        cube.market,
        "standard deviation of a week in trades of 4 hours, over trades of an hour, always in",
        figure,
        Unit.TIMES,
        or_only_if(above(figure, MORE), [above(it, MORE) for it in others]),
        "a book that re-opens at once is as exposed in short trades as in long ones; shorter "
        "trades have a smaller spread of outcomes only because what they pay leaves less equity "
        "to risk. Entered by the spread, and flat in between, "
        + (f"it is {written(others[0], Unit.TIMES)}" if others else "it would be less exposed"),
    )


def _ratio(cube: Cube, base: dict[str, object]) -> Estimate:
    long, short = (cube.at("return_std", holding=it, **base) for it in (4, 1))
    return long / short


CLAIM = Claim(
    name="funding",
    title="Funding and news over longer holding",
    sentence="“Longer durations over 2 hours exposed positions to overnight funding rate shifts "
    "and unpredictable news events”",
    taken="A week at gross leverage 2, in trades of one hour to a day. Funding matters if it "
    "exceeds the fees of trades of 8 hours; longer trades are more exposed if the week's standard "
    "deviation in trades of 4 hours is at least a quarter above that in trades of one. News are "
    "jumps of both legs.",
    studies=(Study(), Study(Market.PAIR, ('sweep.side=["fixed"]',))),
    judge=judge,
)
