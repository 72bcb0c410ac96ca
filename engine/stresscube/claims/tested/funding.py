"""Funding and news over longer holding."""

from __future__ import annotations

import math
from collections.abc import Iterator

from stresscube.claims.altered import REGIMES
from stresscube.claims.cells import Cell, Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.estimate import Estimate
from stresscube.claims.trial import Trial, tried
from stresscube.claims.verdicts import Verdict, above
from stresscube.claims.words import written

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
        _matters(funding / fees),
        f"a book pays {written(funding, Unit.PERCENT)} of equity in a week, and "
        f"{written(hour, Unit.PERCENT)} in trades of an hour. To be as much as the fees, the "
        f"legs' rates would have to part {written(abs(fees / funding), Unit.TIMES)} as far",
        "what one leg pays the other receives, and a book that is opened again at once is there "
        "at every print, in short trades as in long ones",
        tuple(_apart(it, *APART[name]) for name, it in cube.variants.items() if name in APART),
    )
    free: Cell = {"venue": "free"}
    figure = _ratio(cube, fixed | free)
    trials = (
        []
        if cube.market is Market.PAIR
        else [("by the spread and flat in between", _ratio(cube, {"side": "spread"} | free))]
    )
    one, four = (cube.variants[it] for it in ("one", "four"))
    trade = four.at("return_std", **free) / one.at("return_std", **free)
    alone = tried("for the standard deviation of", [("one trade", trade)], _riskier)
    yield Finding(
        cube.market,
        "standard deviation of a week in trades of 4 hours, over trades of an hour, always in",
        figure,
        Unit.TIMES,
        _riskier(figure),
        why="a book that re-opens at once is there when news come, in short trades as in long "
        "ones; a longer trade is more exposed by itself, and so is a book that is flat in between",
        tried=(*tried("entered", trials, _riskier), *alone),
    )


APART = {
    "apart": (8.0, "in trades of 8 hours"),
    "week": (math.inf, "in one trade of a week"),
}
PRINTS = 21.0
"""In a week, every 8 hours; the paying leg has the notional of the starting equity."""


def _apart(cube: Cube, holding: float, words: str) -> Trial:
    funding, fees = (
        cube.at(it, venue="C", holding=holding) for it in ("funding_mean", "fees_mean")
    )
    place = f"where leg a pays {written(funding / PRINTS, Unit.PERCENT)} more at every print"
    return Trial(f"{place},", words, funding / fees, _matters(funding / fees), altered=True)


def _matters(figure: Estimate) -> Verdict:
    return above(figure, 1.0)


def _riskier(figure: Estimate) -> Verdict:
    return above(figure, MORE)


def _ratio(cube: Cube, base: Cell) -> Estimate:
    long, short = (cube.at("return_std", holding=it, **base) for it in (4, 1))
    return long / short


def _variants(market: Market) -> tuple[tuple[str, Study], ...]:
    """Return rates that part, and one trade of an hour or of four."""
    usual = ('sweep.side=["fixed"]', "simulation.paths=1000")
    one = ('sweep.holding=["horizon"]', 'sweep.venue=["free"]', 'sweep.side=["fixed"]')
    return (
        ("apart", Study(market, (*usual, *_premiums(market, 0.003), 'sweep.holding=["8h"]'))),
        ("week", Study(market, (*usual, *_premiums(market, 0.0007), 'sweep.holding=["horizon"]'))),
        ("one", Study(market, (*one, 'simulation.horizon="1h"'))),
        ("four", Study(market, (*one, 'simulation.horizon="4h"'))),
    )


def _premiums(market: Market, first: float) -> tuple[str, ...]:
    """Return the settings that give leg a a premium of its own, and leg b none."""
    if market is Market.PAIR:
        places = [f"market.funding_regimes.premium-{it}" for it in (1, 2, 3, 4)]
    else:
        places = [f"market.regimes.{it}" for it in REGIMES[market]]
    return tuple(f"{it}.funding.mean=[{first}, 0]" for it in places)


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
    studies=(
        Study(variants=_variants(Market.ARTICLE)),
        Study(Market.PAIR, ('sweep.side=["fixed"]',), variants=_variants(Market.PAIR)),
    ),
    judge=judge,
)
