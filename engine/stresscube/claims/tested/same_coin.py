"""Two coins, or one coin on two venues."""

from __future__ import annotations

from collections.abc import Iterator

from stresscube.claims.altered import twins
from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.estimate import Estimate
from stresscube.claims.trial import Trial
from stresscube.claims.verdicts import below
from stresscube.claims.words import written

ALIKE = 1.5


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield how much riskier two coins are, and what the spread earns in either."""
    same = cube.variants["same"]
    base: dict[str, object] = {"leverage": 10}
    two = cube.at("return_std", **base | ({} if cube.market is Market.PAIR else FIXED))
    one = same.at("return_std", **base | FIXED)
    dead = [
        written(it.at("liquidation_probability", leverage=20, **side), Unit.PERCENT)
        for it, side in ((cube, {} if cube.market is Market.PAIR else FIXED), (same, FIXED))
    ]
    earned = [
        written(it.at("sharpe", side="spread", **base))
        for it in ((cube, same) if cube.market is not Market.PAIR else (same,))
    ]
    yield Finding(
        cube.market,
        "standard deviation of a week of two coins, over that of one coin on two venues",
        two / one,
        Unit.TIMES,
        below(two / one, ALIKE),
        f"liquidated at 20× in one account: {dead[0]} and {dead[1]}. Sharpe ratio entered by the "
        f"spread after fees: {' and '.join(earned)}"
        + ("" if len(earned) > 1 else ", of one coin; two coins have no spread that reverts"),
        "two coins move apart, one coin does so only by its basis; alike are only coins whose "
        "prices part no further",
        tuple(_alike(it, one) for name, it in cube.variants.items() if name == "twins"),
    )


FIXED: dict[str, object] = {"side": "fixed"}
TWINS = {Market.ARTICLE: 0.9995, Market.PAIR: 0.999999}
"""Correlation of two coins that hardly part."""


def _alike(cube: Cube, one: Estimate) -> Trial:
    side = {} if cube.market is Market.PAIR else FIXED
    ratio = cube.at("return_std", leverage=10, **side) / one
    words = f"for two coins of one volatility with a correlation of {TWINS[cube.market]:g}"
    words += " and one funding rate" if cube.market is Market.PAIR else ""
    return Trial(words, "", ratio, below(ratio, ALIKE), altered=True)


def _twins(market: Market, *more: str) -> tuple[str, Study]:
    return "twins", Study(market, (*twins(market, TWINS[market]), *more))


ONE_RATE = tuple(
    f"market.funding_regimes.premium-{place}.funding.{key}"
    for place in (1, 2, 3, 4)
    for key in ("mean=[0.0001, 0.0001]", "std=[0.0003, 0.0003]", "correlation=1")
)
ONE_COIN = (
    "market.regimes.calm.correlation=1",
    "market.regimes.calm.volatility=[0.45, 0.45]",
    "market.regimes.calm.jumps.std=[0.022, 0.022]",
    "market.regimes.calm.jumps.correlation=1",
    "market.regimes.spike.correlation=1",
    "market.regimes.spike.volatility=[1.45, 1.45]",
    "market.regimes.spike.jumps.std=[0.022, 0.022]",
    "market.regimes.spike.jumps.correlation=1",
)
CLAIM = Claim(
    name="same-coin",
    title="Two coins, or one coin on two venues",
    sentence="“run paired long/short positions on correlated assets or the same asset across "
    "different exchanges”",
    taken="The sentence offers them as the same trade: a week at gross leverage 10, in daily "
    "trades of legs of equal size, in either. They are alike if the standard deviation of two "
    "coins is at most half again that of one. For the real pair, one coin is the real basis.",
    studies=(
        Study(variants=(("same", Study(settings=ONE_COIN)), _twins(Market.ARTICLE))),
        Study(
            Market.PAIR,
            ('sweep.side=["fixed"]',),
            variants=(
                ("same", Study(Market.BASIS)),
                _twins(Market.PAIR, 'sweep.side=["fixed"]', *ONE_RATE),
            ),
        ),
    ),
    judge=judge,
)
