"""What slippage and lag of the venues cost."""

from __future__ import annotations

from collections.abc import Iterator

from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.verdicts import above
from stresscube.claims.words import written

MOST_OF_IT = 0.5


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield the share of B's disadvantage that is its lag, and what A's slippage is worth."""
    a, b, c, slow, slipping = (
        cube.at("return_mean", venue=it) for it in ("A", "B", "C", "C-slow", "C-slipping")
    )
    lag, gap = c - slow, c - b
    share = lag / gap
    yield Finding(
        cube.market,
        "share of what B costs more than C that is its lag",
        share,
        Unit.PERCENT,
        above(share, MOST_OF_IT),
        f"a day on B returns {written(gap, Unit.PERCENT)} of equity less than on C, of which the "
        f"lag makes {written(lag, Unit.PERCENT)}: fees and slippage make the rest. It "
        "would hold between venues alike in both, for spikes that revert in seconds",
    )
    slipped = c - slipping
    costs = [written(cube.at(it, venue="A"), Unit.PERCENT) for it in ("slippage_mean", "fees_mean")]
    yield Finding(
        cube.market,
        "return of a day on A, with slippage of 0.02% on all that is traded",
        a,
        Unit.PERCENT,
        above(a),
        f"slippage takes {costs[0]} of equity, fees {costs[1]}. With A's slippage in place of its "
        f"own, a tenth of a permille, C would return {written(slipped, Unit.PERCENT)} less",
    )


CLAIM = Claim(
    name="venues",
    title="Slippage and lag of the venues",
    sentence="“Platform A offers institutional-grade execution with median slippage under 0.02%”; "
    "“Platform B … execution lag averages 1.2 seconds on market orders … that delay compounds "
    "into measurable P&L leakage”",
    taken="A day at gross leverage 10, entered by the spread where there is one, on the three "
    "venues, on C with B's lag, and on C with A's slippage. Lag is what is wrong with B if it "
    "makes at least half of the difference to C; A's execution is good enough if a day returns "
    "anything after it. Fees and the slippage of B and C are chosen, not the article's.",
    studies=(Study(), Study(Market.PAIR, ('policy.side="fixed"',)), Study(Market.BASIS)),
    judge=judge,
)
