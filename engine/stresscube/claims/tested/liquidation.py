"""Liquidation rates of the venues."""

from __future__ import annotations

from collections.abc import Iterator

from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.estimate import Estimate
from stresscube.claims.trial import found, tried
from stresscube.claims.verdicts import Verdict, above, between, or_only_if
from stresscube.claims.words import written

LEAST, MOST = 0.05, 0.12
"""What counts as "around 8%"."""
RATIO = 1.5
"""12% over 8%."""
PER_ACCOUNT, PER_TRADE = "liquidation_probability", "liquidation_probability_per_trade"


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield the rate on venue C per account and per trade, and B's against it."""
    for metric, words in ((PER_ACCOUNT, "of accounts in a month"), (PER_TRADE, "of trades")):
        levels = [it for it in cube.axis("leverage") if it <= CAP]
        trials = tried(
            ((f"{it:g}×", cube.at(metric, venue="C", leverage=it)) for it in levels), eight
        )
        base = cube.at(metric, venue="C", leverage=10)
        yield Finding(
            cube.market,
            f"liquidated on venue C at 10×, {words}",
            base,
            Unit.PERCENT,
            or_only_if(eight(base), [it.verdict for it in trials]),
            f"leverage, above all. {found(trials, Unit.PERCENT, 'at')}",
        )
    same = cube.at(PER_ACCOUNT, venue="B", leverage=CAP) / cube.at(
        PER_ACCOUNT, venue="C", leverage=CAP
    )
    other = cube.at(PER_ACCOUNT, venue="B", leverage=30) / cube.at(
        PER_ACCOUNT, venue="C", leverage=CAP
    )
    yield Finding(
        cube.market,
        f"accounts liquidated on venue B over venue C, both at {CAP:g}×",
        same,
        Unit.TIMES,
        or_only_if(above(same, RATIO), [above(other, RATIO)]),
        "slippage, lag and fees hardly move a liquidation; what a venue lets its users borrow "
        f"does. With {30:g}× on B, which C does not allow, it is {written(other, Unit.TIMES)}. "
        "A rate of a venue says how much leverage its users take",
    )


CAP = 20.0


def eight(figure: Estimate) -> Verdict:
    """Judge that a rate is around 8%."""
    return between(figure, LEAST, MOST)


CLAIM = Claim(
    name="liquidation",
    title="8% liquidated on venue C against 12 to 15% elsewhere",
    sentence="“average liquidation rates around 8% for their market neutral AI users, compared to "
    "the industry average that hovers closer to 12-15%”",
    taken="A month of daily trades, legs of equal size, cross margin, on C and on B. The "
    "article does not say of what 8% is a share: both accounts in a month and trades are counted. "
    "Around 8% is 5 to 12%, where the industry's average begins; the difference is shown if B's "
    "rate is at least half again C's.",
    studies=(Study(), Study(Market.PAIR)),
    judge=judge,
)
