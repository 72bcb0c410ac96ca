"""Survivors under water, and the recovery of the liquidated."""

from __future__ import annotations

import math
from collections.abc import Iterator

from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.estimate import Estimate
from stresscube.claims.trial import tried
from stresscube.claims.verdicts import Verdict, above
from stresscube.claims.words import written

MANY = 0.25
SOME = 0.10
LEVELS = (20, 30, 50)


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield the share of survivors under water, and of the liquidated who would have recovered."""
    cell: dict[str, object] = {"leverage": 20, "holding": 24}
    dead = cube.at("liquidation_probability", **cell)
    under = cube.at("under_water_probability", **cell)
    wins = cube.at("win_rate", **cell)
    yield Finding(
        cube.market,
        "survivors of two weeks of daily trades at 20× who are under water",
        under,
        Unit.PERCENT,
        above(under, MANY),
        f"{written(dead, Unit.PERCENT)} are liquidated; of trades {written(wins, Unit.PERCENT)} "
        "end with a gain",
    )
    trials = tried(
        "at",
        (
            (f"{level}× {words}", cube.at("recovery_probability", leverage=level, holding=hours))
            for hours, words in ((24, "in trades of a day"), (math.inf, "in one trade"))
            for level in LEVELS
        ),
        _some,
    )
    base = trials[0].figure
    whole: dict[str, object] = {"leverage": 20, "holding": math.inf}
    margin = cube.at("extra_margin_quantile", quantile=0.5, **whole)
    yield Finding(
        cube.market,
        "liquidated trades of a day at 20× that would have come back",
        base,
        Unit.PERCENT,
        _some(base),
        "the median of the margin that would have kept one trade of two weeks open at 20× is "
        f"{written(margin, Unit.PERCENT)} of the starting equity",
        "what decides is the time to recover, and how little it takes to be liquidated: the more "
        "leverage, the smaller the move that must come back",
        trials[1:],
    )


def _some(figure: Estimate) -> Verdict:
    """Judge that a share worth tracking would have recovered."""
    return above(figure, SOME)


CLAIM = Claim(
    name="underwater",
    title="Survivors under water, and the recovery of the liquidated",
    sentence="“Many of those surviving positions were underwater, just not below the liquidation "
    "threshold”; “positions that would have recovered if they’d had more capital buffer”",
    taken="Two weeks on venue B, in trades of a day or in one. Many is a quarter of survivors. A "
    "liquidated trade recovers if without margin calls it ends at or above the equity it was "
    "opened with; the claim is worth a test if one in ten does.",
    studies=(Study(), Study(Market.PAIR)),
    judge=judge,
)
