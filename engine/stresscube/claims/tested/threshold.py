"""Threshold against static legs and against a clock of 15 minutes."""

from __future__ import annotations

import math
from collections.abc import Iterator

from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.estimate import Estimate
from stresscube.claims.spikes import captured, spikes_offered
from stresscube.claims.verdicts import Verdict, above, every, or_only_if
from stresscube.claims.words import written

DEAR = 2.0
"""Fees have "destroyed" an edge if the clock pays at least this many times the threshold's."""
MORE = 1.73
POINTS = 0.15

Cell = dict[str, object]
FIXED: Cell = {"side": "fixed", "entry_z": 0, "holding": 1}
STATIC: Cell = FIXED | {"rebalance_threshold": math.inf, "rebalance_interval": "off"}
THRESHOLD: Cell = FIXED | {"rebalance_threshold": 0.008, "rebalance_interval": "off"}
CLOCK: Cell = FIXED | {"rebalance_threshold": math.inf, "rebalance_interval": "15min"}
REOPENED: Cell = STATIC | {"holding": 0.25}
ENTRIES: Cell = STATIC | {"side": "spread", "entry_z": 3}


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield what becomes of fees, captured spikes and win rate."""
    cells = [THRESHOLD, STATIC, CLOCK, REOPENED, ENTRIES]
    if cube.market is Market.PAIR:
        cells = [{k: v for k, v in it.items() if k not in ("side", "entry_z")} for it in cells[:4]]
    threshold, static, clock, reopened = cells[:4]
    yield _fees(cube, threshold, clock, reopened)
    if cube.market is Market.PAIR:
        nothing = "this pair is not cointegrated, so its legs carry no spikes that revert"
        yield Finding(cube.market, SPIKES, None, Unit.PERCENT, Verdict.FAILS, nothing)
    else:
        yield _spikes(cube, threshold, static)
    yield _wins(cube, threshold, static, clock)


SPIKES = "spikes captured, threshold less static legs, in percent of what spikes offered"


def _fees(cube: Cube, threshold: Cell, clock: Cell, reopened: Cell) -> Finding:
    base = cube.at("fees_mean", **threshold)
    figure, turned = (cube.at("fees_mean", **it) / base for it in (clock, reopened))
    return Finding(
        cube.market,
        "fees of rebalancing every 15 minutes, over those of the threshold",
        figure,
        Unit.TIMES,
        or_only_if(above(figure, DEAR), [above(turned, DEAR)]),
        "a rebalance trades only what has drifted, which within a quarter of an hour is next to "
        "nothing; opening and closing the trade is what costs. The claim would need a clock that "
        f"closes and re-opens the whole trade: that pays {written(turned, Unit.TIMES)}",
    )


def _spikes(cube: Cube, threshold: Cell, static: Cell) -> Finding:
    first, second = (captured(cube, **it) for it in (threshold, static))
    entries = captured(cube, **ENTRIES)
    return Finding(
        cube.market,
        SPIKES,
        first - second,
        Unit.POINTS,
        or_only_if(_more(first, second), [_more(entries, second)]),
        f"static legs capture {written(second, Unit.PERCENT)}: a spike that reverts leaves them "
        "where they were, and restoring the ratio on the way buys the leg that is dear and sells "
        "it again when it is not. A spike is captured by entering because of it: entries at 3 "
        f"standard deviations of the spread capture {written(entries, Unit.PERCENT)}, whether or "
        f"not they rebalance ({written(_entered(cube), Unit.PERCENT)} with the threshold), and "
        f"return {written(cube.at('return_mean', **ENTRIES), Unit.PERCENT)} a day after costs. "
        f"Spikes offered {spikes_offered(cube) * 1e2:.2g} % of leg b's notional over the horizon",
    )


def _entered(cube: Cube) -> Estimate:
    return captured(cube, **ENTRIES | {"rebalance_threshold": 0.008})


def _more(first: Estimate, second: Estimate) -> Verdict:
    """Judge that the first captures something, and 73% more than the second at least."""
    return every((above(first), above(first - second * MORE)))


def _wins(cube: Cube, threshold: Cell, static: Cell, clock: Cell) -> Finding:
    wins, before, by_clock = (cube.at("win_rate", **it) for it in (threshold, static, clock))
    figure = wins - before
    entries = [] if cube.market is Market.PAIR else [cube.at("win_rate", **ENTRIES) - before]
    words = "".join(
        f"; entries by the spread instead: {written(it, Unit.POINTS)}" for it in entries
    )
    return Finding(
        cube.market,
        "win rate, threshold less static legs",
        figure,
        Unit.POINTS,
        or_only_if(above(figure, POINTS), [above(it, POINTS) for it in entries]),
        f"of trades held for an hour {written(before, Unit.PERCENT)} end with a gain under static "
        f"legs; against the clock the threshold gains {written(wins - by_clock, Unit.POINTS)}"
        + words,
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
        ),
        Study(Market.BASIS),
    ),
    judge=judge,
)
