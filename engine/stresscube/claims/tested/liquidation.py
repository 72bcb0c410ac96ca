"""Liquidation rates of the venues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.estimate import Estimate, exact
from stresscube.claims.trial import found, tried
from stresscube.claims.verdicts import Verdict, above, between, or_only_if
from stresscube.claims.words import written

LEAST, MOST = 0.05, 0.12
"""What counts as "around 8%"."""
RATIO = 1.5
"""12% over 8%."""
CAP = 20.0
MONTH = 30.0
WINDOWS = (10.0, 20.0, 40.0, 48.0)
"""Days for which accounts are counted, besides a month."""


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield the rate on venue C per account and per trade, and B's against it."""
    levels = [it for it in cube.axis("leverage") if it <= CAP]
    accounts = [(f"{it:g}× for {MONTH:g} days", dead(cube, it, MONTH)) for it in levels]
    accounts += [(f"{CAP:g}× for {it:g} days", dead(cube, CAP, it)) for it in WINDOWS]
    yield _rate(cube, "of accounts in a month", dead(cube, 10.0, MONTH), accounts)
    trades = [
        (f"{it:g}×", cube.at("liquidation_probability_per_trade", venue="C", leverage=it))
        for it in levels
    ]
    yield _rate(cube, "of trades of a day", trades[levels.index(10.0)][1], trades)
    c, same, more = (
        cube.at("liquidation_probability", venue=venue, leverage=it)
        for venue, it in (("C", CAP), ("B", CAP), ("B", 30.0))
    )
    yield Finding(
        cube.market,
        f"accounts liquidated on venue B over venue C, both at {CAP:g}×",
        same / c,
        Unit.TIMES,
        or_only_if(above(same / c, RATIO), [above(more / c, RATIO)]),
        "slippage, lag and fees hardly move a liquidation; what a venue lets its users borrow "
        f"does. With {30:g}× on B, which C does not allow, it is {written(more / c, Unit.TIMES)}. "
        "A rate of a venue says how much leverage its users take",
    )


def dead(cube: Cube, leverage: float, days: float) -> Estimate:
    """Return the share of accounts on venue C that are liquidated within some days."""
    return exact(1.0) - cube.at("survival", venue="C", leverage=leverage, time=days * 24.0)


def _rate(cube: Cube, of: str, base: Estimate, settings: Sequence[tuple[str, Estimate]]) -> Finding:
    trials = tried(settings, eight)
    return Finding(
        cube.market,
        f"liquidated on venue C at 10×, {of}",
        base,
        Unit.PERCENT,
        or_only_if(eight(base), [it.verdict for it in trials]),
        f"leverage, above all, and the time. {found(trials, Unit.PERCENT, 'at')}",
    )


def eight(figure: Estimate) -> Verdict:
    """Judge that a rate is around 8%."""
    return between(figure, LEAST, MOST)


CLAIM = Claim(
    name="liquidation",
    title="8% liquidated on venue C against 12 to 15% elsewhere",
    sentence="“average liquidation rates around 8% for their market neutral AI users, compared to "
    "the industry average that hovers closer to 12-15%”",
    taken="Up to 48 days of daily trades, legs of equal size, cross margin, on C and on B. The "
    "article does not say of what 8% is a share, nor in what time: accounts are counted over a "
    "month and over other times, and trades. "
    "Around 8% is 5 to 12%, where the industry's average begins; the difference is shown if B's "
    "rate is at least half again C's.",
    studies=(Study(), Study(Market.PAIR)),
    judge=judge,
)
