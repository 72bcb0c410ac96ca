"""Threshold against static legs and against a clock of 15 minutes."""

from __future__ import annotations

import math
from collections.abc import Iterator

from stresscube.claims.altered import FREE, spiky
from stresscube.claims.cells import Cell, Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.estimate import Estimate
from stresscube.claims.spikes import captured, spikes_offered
from stresscube.claims.trial import Trial, tried
from stresscube.claims.verdicts import Verdict, above, every
from stresscube.claims.words import written

DEAR = 2.0
"""Fees have "destroyed" an edge if the clock pays at least this many times the threshold's."""
MORE = 1.73
POINTS = 0.15

FIXED: Cell = {"side": "fixed", "entry_z": 0, "holding": 1}
STATIC: Cell = FIXED | {"rebalance_threshold": math.inf, "rebalance_interval": "off"}
THRESHOLD: Cell = FIXED | {"rebalance_threshold": 0.008, "rebalance_interval": "off"}
CLOCK: Cell = FIXED | {"rebalance_threshold": math.inf, "rebalance_interval": "15min"}
REOPENED: Cell = STATIC | {"holding": 0.25}
DRIFT: Cell = {"rebalance_threshold": 0.008}
ENTRIES: Cell = STATIC | {"side": "spread", "entry_z": 3}


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield what becomes of fees, captured spikes and win rate."""
    yield _fees(cube)
    yield _spikes(cube)
    yield _wins(cube)


def _of(cube: Cube, cell: Cell) -> Cell:
    """Return the cell without what a market that never reverts does not have."""
    return {key: it for key, it in cell.items() if key in cube.data.dims}


def _fees(cube: Cube) -> Finding:
    base = cube.at("fees_mean", **_of(cube, THRESHOLD))
    figure, turned = (cube.at("fees_mean", **_of(cube, it)) / base for it in (CLOCK, REOPENED))
    return Finding(
        cube.market,
        "fees of rebalancing every 15 minutes, over those of the threshold",
        figure,
        Unit.TIMES,
        _dear(figure),
        why="a rebalance trades only what has drifted, which within a quarter of an hour is next "
        "to nothing; opening and closing the trade is what costs",
        tried=tried("if the clock", [("closes and re-opens the whole trade", turned)], _dear),
    )


def _dear(figure: Estimate) -> Verdict:
    return above(figure, DEAR)


def _spikes(cube: Cube) -> Finding:
    words = "spikes captured, threshold less static legs, in percent of what spikes offered"
    why = (
        "a spike that reverts leaves static legs where they were, and restoring the ratio on the "
        "way buys the leg that is dear and sells it again when it is not. A spike is captured by "
        "entering because of it, whether or not the trade rebalances"
    )
    if cube.market is Market.PAIR:
        nothing = "this pair is not cointegrated, so its legs carry no spikes that revert"
        other = (_entries(cube.variants["spiky"], WITH_BASIS, altered=True),)
        return Finding(cube.market, words, None, Unit.POINTS, Verdict.FAILS, nothing, why, other)
    first, second, entries, both = (
        captured(cube, **it) for it in (THRESHOLD, STATIC, ENTRIES, ENTRIES | DRIFT)
    )
    return Finding(
        cube.market,
        words,
        first - second,
        Unit.POINTS,
        _more(first, second),
        f"static legs capture {written(second, Unit.PERCENT)}, entries {_percent(entries)}, and "
        f"{_percent(both)} with the threshold; they return "
        f"{_percent(cube.at('return_mean', **ENTRIES))} a day after costs. Spikes offered "
        f"{spikes_offered(cube) * 1e2:.2g} % of leg b's notional",
        why,
        (_entries(cube, BY_SPREAD),),
    )


def _entries(cube: Cube, label: str, *, altered: bool = False) -> Trial:
    """Return whether entries by the spread capture more than static legs."""
    first, second = (captured(cube, **it) for it in (ENTRIES, STATIC))
    return Trial(label, "", first - second, _more(first, second), altered)


def _percent(figure: Estimate) -> str:
    return written(figure, Unit.PERCENT)


def _more(first: Estimate, second: Estimate) -> Verdict:
    """Judge that the first captures something, and 73% more than the second at least."""
    return every((above(first), above(first - second * MORE)))


def _wins(cube: Cube) -> Finding:
    wins, before, by_clock = (
        cube.at("win_rate", **_of(cube, it)) for it in (THRESHOLD, STATIC, CLOCK)
    )
    places = [] if cube.market is Market.PAIR else [(cube, BY_SPREAD, False)]
    places += [(it, WITHOUT_COSTS, False) for name, it in cube.variants.items() if name == "free"]
    places += [(it, WITH_BASIS, True) for name, it in cube.variants.items() if name == "spiky"]
    return Finding(
        cube.market,
        "win rate, threshold less static legs",
        wins - before,
        Unit.POINTS,
        above(wins - before, POINTS),
        f"{_percent(before)} of trades held for an hour end with a gain under static legs; against "
        f"the clock the threshold gains {written(wins - by_clock, Unit.POINTS)}",
        tried=tuple(_winning(*it) for it in places),
    )


def _winning(cube: Cube, label: str, altered: bool) -> Trial:
    figure = cube.at("win_rate", **ENTRIES) - cube.at("win_rate", **STATIC)
    return Trial(label, "", figure, above(figure, POINTS), altered)


BY_SPREAD = "for entries at 3 standard deviations of the spread"
WITHOUT_COSTS = f"{BY_SPREAD} on a venue without costs"
WITH_BASIS = f"with the article's basis in its prices, {BY_SPREAD}"
SHORT = (
    'sweep.rebalance_interval=["off"]',
    "sweep.rebalance_threshold=[inf]",
    'sweep.holding=["1h"]',
)
CLAIM = Claim(
    name="threshold",
    title="A drift threshold against static legs and against the clock",
    sentence="“a specific rebalancing frequency that captures 73% more inefficiency spikes than "
    "static positioning … it improved my win rate by about 15 percentage points”; “time-based "
    "rebalancing every 15 minutes, which destroyed my edge through fees”",
    taken="Trades of one hour at gross leverage 10, long one leg and short the other, re-opened at "
    "once: static, rebalanced at a drift of 0.8%, or every 15 minutes. Captured is P&L from "
    "mispricing over the sum of |spike| times leg b's notional. Fees destroy an edge if they at "
    "least double. Other readings that are tried: a clock that closes and re-opens the trade, and "
    "entries by the spread.",
    studies=(
        Study(),
        Study(
            Market.PAIR,
            ('sweep.side=["fixed"]', "sweep.entry_z=[0]"),
            variants=(("spiky", Study(Market.PAIR, (*spiky(Market.PAIR), *SHORT))),),
        ),
        Study(Market.BASIS, variants=(("free", Study(Market.BASIS, (*FREE, *SHORT))),)),
    ),
    judge=judge,
)
