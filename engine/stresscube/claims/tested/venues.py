"""What slippage and lag of the venues cost."""

from __future__ import annotations

from collections.abc import Iterator

from stresscube.claims.altered import spiky
from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.estimate import Estimate
from stresscube.claims.trial import Trial
from stresscube.claims.verdicts import above
from stresscube.claims.words import written

MOST_OF_IT = 0.5
SECONDS = "if spikes as the article's revert with a half-life of 5 s"
WORDS = {"seconds": SECONDS, "equal": f"{SECONDS} and B slips no more than C"}


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield the share of B's disadvantage that is its lag, and what A's slippage is worth."""
    yield _lag(cube)
    yield _execution(cube)


def _lag(cube: Cube) -> Finding:
    lag, gap = _less(cube)
    share = lag / gap
    return Finding(
        cube.market,
        "share of what B costs more than C that is its lag",
        share,
        Unit.PERCENT,
        above(share, MOST_OF_IT),
        f"a day on B returns {written(gap, Unit.PERCENT)} of equity less than on C, of which the "
        f"lag makes {written(lag, Unit.PERCENT)}",
        "fees and slippage make the rest: a lag costs only what a spike reverts meanwhile",
        tuple(
            Trial(words, "", lag / gap, above(lag / gap, MOST_OF_IT), altered=True)
            for words, (lag, gap) in (
                (WORDS[name], _less(it)) for name, it in cube.variants.items() if name in WORDS
            )
        ),
    )


def _less(cube: Cube) -> tuple[Estimate, Estimate]:
    """Return what a day on C with B's lag returns less than on C, and what one on B does."""
    b, c, slow = (cube.at("return_mean", venue=it) for it in ("B", "C", "C-slow"))
    return c - slow, c - b


def _execution(cube: Cube) -> Finding:
    a, c, slipping = (cube.at("return_mean", venue=it) for it in ("A", "C", "C-slipping"))
    costs = [written(cube.at(it, venue="A"), Unit.PERCENT) for it in ("slippage_mean", "fees_mean")]
    trials: list[Trial] = []
    if "free" in cube.variants:
        value = cube.variants["free"].at("return_mean", venue="A")
        trials.append(Trial("if A", "asks no fees", value, above(value)))
    if "spiky" in cube.variants:
        value = cube.variants["spiky"].at("return_mean", venue="A")
        words = "with the article's basis in its prices, entered by the spread"
        trials.append(Trial(words, "", value, above(value), altered=True))
    return Finding(
        cube.market,
        "return of a day on A, with slippage of 0.02% on all that is traded",
        a,
        Unit.PERCENT,
        above(a),
        f"slippage takes {costs[0]} of equity, fees {costs[1]}. With A's slippage in place of its "
        f"own, a tenth of a permille, C would return {written(c - slipping, Unit.PERCENT)} less",
        "execution earns nothing; what is traded must revert by more than it costs to trade",
        tuple(trials),
    )


def _seconds(market: Market) -> tuple[tuple[str, Study], ...]:
    """Return B against C where spikes are gone in seconds, as B is and with C's slippage."""
    there = (
        *spiky(market, "5s"),
        "simulation.paths=1000",
        'simulation.horizon="6h"',
        'simulation.step="5s"',
        'sweep.venue=["B", "C", "C-slow"]',
    )
    return (
        ("seconds", Study(market, there)),
        ("equal", Study(market, (*there, "venues.B.slippage=0.0001"))),
    )


def _spiky(market: Market) -> tuple[str, Study]:
    return "spiky", Study(market, (*spiky(market), 'sweep.venue=["A"]'))


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
    studies=(
        Study(variants=_seconds(Market.ARTICLE)),
        Study(
            Market.PAIR,
            ('policy.side="fixed"',),
            variants=(*_seconds(Market.PAIR), _spiky(Market.PAIR)),
        ),
        Study(
            Market.BASIS,
            variants=(
                *_seconds(Market.BASIS),
                ("free", Study(Market.BASIS, ("venues.A.taker_fee=0", 'sweep.venue=["A"]'))),
                _spiky(Market.BASIS),
            ),
        ),
    ),
    judge=judge,
)
