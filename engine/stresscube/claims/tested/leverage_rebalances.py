"""How much more often 50× rebalances than 10×."""

from __future__ import annotations

from collections.abc import Iterator

from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.estimate import Estimate
from stresscube.claims.verdicts import Verdict, between, or_only_if
from stresscube.claims.words import number, written

LEAST, MOST = 5.0, 8.0
START = 0.008


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield the ratio of rebalances, by either measure of drift."""
    ratio = times(cube, "ratio", START)
    tried = {it: times(cube, "equity", it) for it in cube.axis("rebalance_threshold")}
    kept = [it for it, figure in tried.items() if claimed(figure) is Verdict.HOLDS]
    where = f"it is between {LEAST:g} and {MOST:g} at " + ", ".join(
        f"{number(it, Unit.PERCENT)} ({written(tried[it], Unit.TIMES)})" for it in kept
    )
    yield Finding(
        cube.market,
        "rebalances a day at 50× over those at 10×, drift of the legs' ratio above 0.8 %",
        ratio,
        Unit.TIMES,
        or_only_if(claimed(ratio), [claimed(it) for it in tried.values()]),
        "the ratio of the legs does not know of leverage. It matters where drift is net exposure "
        f"over equity: {where if kept else 'yet no threshold that was tried gives 5 to 8 times'}",
    )
    equity = tried[START]
    yield Finding(
        cube.market,
        "the same, drift of net exposure above 0.8 % of equity",
        equity,
        Unit.TIMES,
        or_only_if(claimed(equity), [claimed(it) for it in tried.values()]),
        "a drift that is a fifth as wide is left 25 times as soon by a diffusion that is watched "
        "without pause; seen once a minute it is less, and jumps make it less still. "
        + "; ".join(
            f"{number(it, Unit.PERCENT)}: {written(figure, Unit.TIMES)}"
            for it, figure in tried.items()
        ),
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
