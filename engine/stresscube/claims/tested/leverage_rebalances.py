"""How much more often 50× rebalances than 10×."""

from __future__ import annotations

from collections.abc import Iterator

from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.estimate import Estimate
from stresscube.claims.trial import tried
from stresscube.claims.verdicts import Verdict, between
from stresscube.claims.words import number

LEAST, MOST = 5.0, 8.0
START = 0.008


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield the ratio of rebalances, by either measure of drift."""
    ratio, equity = (times(cube, measure, START) for measure in ("ratio", "equity"))
    settings = [
        (number(it, Unit.PERCENT), times(cube, "equity", it))
        for it in cube.axis("rebalance_threshold")
    ]
    others = tried("for drift of net exposure over equity above", settings, claimed)
    yield Finding(
        cube.market,
        "rebalances a day at 50× over those at 10×, drift of the legs' ratio above 0.8 %",
        ratio,
        Unit.TIMES,
        claimed(ratio),
        why="the ratio of the legs does not know of leverage; net exposure over equity does",
        tried=others,
    )
    yield Finding(
        cube.market,
        "the same, drift of net exposure above 0.8 % of equity",
        equity,
        Unit.TIMES,
        claimed(equity),
        why="a drift that is a fifth as wide is left 25 times as soon by a diffusion that is "
        "watched without pause; seen once a minute it is less, and jumps make it less still",
        tried=() if claimed(equity) is Verdict.HOLDS else others,
    )


def times(cube: Cube, measure: str, threshold: float) -> Estimate:
    """Return rebalances a day lived at 50× over those at 10×."""
    high, low = (
        cube.at(
            "rebalances_per_day",
            leverage=leverage,
            rebalance_threshold=threshold,
            drift_measure=measure,
        )
        for leverage in (50, 10)
    )
    return high / low


def claimed(figure: Estimate) -> Verdict:
    """Judge that the figure is between 5 and 8."""
    return between(figure, LEAST, MOST)


CLAIM = Claim(
    name="leverage-rebalances",
    title="50× rebalances 5 to 8 times as often as 10×",
    sentence="“At 50x leverage, your drift thresholds might trigger rebalancing 5-8 times more "
    "frequently than at 10x”",
    taken="Rebalances for each day that an account lived, gross leverage 50 over gross leverage "
    "10, one trade a day, on the venue that allows 50×. Drift is the article's, of the legs from "
    "their target ratio, or net exposure over equity, at several thresholds.",
    studies=(Study(), Study(Market.PAIR)),
    judge=judge,
)
