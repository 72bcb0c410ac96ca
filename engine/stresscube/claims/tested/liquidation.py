"""Liquidation rates of the venues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.estimate import Estimate, exact
from stresscube.claims.trial import tried
from stresscube.claims.verdicts import Verdict, above, between

LEAST, MOST = 0.05, 0.12
"""What counts as "around 8%"."""
RATIO = 1.5
"""12% over 8%."""
CAP = 20.0
MONTH = 30.0
WINDOWS = (10.0, 20.0, 40.0, 48.0)
"""Days for which accounts are counted, besides a month."""


MORE = (
    'simulation.horizon="7d"',
    'sweep.venue=["B"]',
    "sweep.leverage=[30, 35, 40, 50]",
)
"""What C does not allow; a week is long enough for trades of a day."""


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield the rate on venue C per account and per trade, and B's against it."""
    levels = [it for it in cube.axis("leverage") if it <= CAP]
    accounts = [(f"{it:g}× for {MONTH:g} days", dead(cube, it, MONTH)) for it in levels[1:]]
    accounts += [(f"{CAP:g}× for {it:g} days", dead(cube, CAP, it)) for it in WINDOWS]
    yield _rate(cube, "of accounts in a month", dead(cube, 10.0, MONTH), accounts)
    trades = [(f"{it:g}×", _a_trade(cube, "C", it)) for it in levels]
    more = cube.variants["more"]
    trades += [(f"{it:g}× on B", _a_trade(more, "B", it)) for it in more.axis("leverage")]
    yield _rate(cube, "of trades of a day", trades[0][1], trades[1:])
    c, same, high = (
        cube.at("liquidation_probability", venue=venue, leverage=it)
        for venue, it in (("C", CAP), ("B", CAP), ("B", 30.0))
    )
    yield Finding(
        cube.market,
        f"accounts liquidated on venue B over venue C, both at {CAP:g}×",
        same / c,
        Unit.TIMES,
        _higher(same / c),
        why="slippage, lag and fees hardly move a liquidation; what a venue lets its users borrow "
        "does. A rate of a venue says how much leverage its users take",
        tried=tried("with", [("30× on B, which C does not allow", high / c)], _higher),
    )


def _a_trade(cube: Cube, venue: str, leverage: float) -> Estimate:
    return cube.at("liquidation_probability_per_trade", venue=venue, leverage=leverage)


def _higher(figure: Estimate) -> Verdict:
    return above(figure, RATIO)


def dead(cube: Cube, leverage: float, days: float) -> Estimate:
    """Return the share of accounts on venue C that are liquidated within some days."""
    return exact(1.0) - cube.at("survival", venue="C", leverage=leverage, time=days * 24.0)


def _rate(cube: Cube, of: str, base: Estimate, settings: Sequence[tuple[str, Estimate]]) -> Finding:
    return Finding(
        cube.market,
        f"liquidated on venue C at 10×, {of}",
        base,
        Unit.PERCENT,
        eight(base),
        why="leverage decides, above all, and the time",
        tried=tried("at", settings, eight),
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
    "month and over other times, and trades, these also at up to 50× on B. "
    "Around 8% is 5 to 12%, where the industry's average begins; the difference is shown if B's "
    "rate is at least half again C's.",
    studies=tuple(
        Study(market, variants=(("more", Study(market, MORE)),))
        for market in (Market.ARTICLE, Market.PAIR)
    ),
    judge=judge,
)
