"""Funding and news over longer holding."""

from __future__ import annotations

from collections.abc import Iterator

from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.estimate import Estimate
from stresscube.claims.verdicts import above, or_only_if
from stresscube.claims.words import written

Cell = dict[str, object]
MORE = 1.25
"""Standard deviation, four hours over one, that counts as more exposure."""


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield what funding is beside fees, and whether longer trades make a week riskier."""
    fixed: Cell = {} if cube.market is Market.PAIR else {"side": "fixed"}
    fixed["venue"] = "C"
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
        "opened again at once and so are there at every print. To be as much as the fees, the "
        f"legs' rates would have to part {written(abs(fees / funding), Unit.TIMES)} as far",
    )
    free: Cell = {"venue": "free"}
    figure = _ratio(cube, fixed | free)
    others = [] if cube.market is Market.PAIR else [_ratio(cube, {"side": "spread"} | free)]
    yield Finding(
        cube.market,
        "standard deviation of a week in trades of 4 hours, over trades of an hour, always in",
        figure,
        Unit.TIMES,
        or_only_if(above(figure, MORE), [above(it, MORE) for it in others]),
        "a book that re-opens at once is there when news come, in short trades as in long ones. "
        + (
            f"Entered by the spread, and flat in between, it is {written(others[0], Unit.TIMES)}: "
            "then longer trades are more time in the market"
            if others
            else "Longer trades add exposure only to a book that is flat in between"
        ),
    )


def _ratio(cube: Cube, base: Cell) -> Estimate:
    long, short = (cube.at("return_std", holding=it, **base) for it in (4, 1))
    return long / short


CLAIM = Claim(
    name="funding",
    title="Funding and news over longer holding",
    sentence="“Longer durations over 2 hours exposed positions to overnight funding rate shifts "
    "and unpredictable news events”",
    taken="A week at gross leverage 2, in trades of one hour to a day. Funding matters if it "
    "exceeds the fees of trades of 8 hours; longer trades are more exposed if the week's standard "
    "deviation in trades of 4 hours is at least a quarter above that in trades of one, on a venue "
    "without costs, which would otherwise leave less equity to risk. News are "
    "jumps of both legs; in the fitted pair they are in its tails.",
    studies=(Study(), Study(Market.PAIR, ('sweep.side=["fixed"]',))),
    judge=judge,
)
