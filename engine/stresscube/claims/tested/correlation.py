"""Correlation falls from .85 to .3, and sizing for it."""

from __future__ import annotations

from collections.abc import Iterator

from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.verdicts import above, below
from stresscube.claims.words import written

WILDER = 1.5
SAVED = 0.5
LIQUIDATION = "liquidation_probability"


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield what the breakdown does to the book, and how far sizing for it helps."""
    dim = "coupling-1_correlation" if cube.market is Market.PAIR else "spike_correlation"
    broken: dict[str, object] = {dim: 0.3}
    usual: dict[str, object] = {dim: 0.85}
    off: dict[str, object] = {"sizing_correlation": "off"}
    wild, calm = (cube.at("return_std", leverage=10, **it, **off) for it in (broken, usual))
    dead = [
        f"at {it:g}× {written(cube.at(LIQUIDATION, leverage=it, **usual, **off), Unit.PERCENT)} "
        f"become {written(cube.at(LIQUIDATION, leverage=it, **broken, **off), Unit.PERCENT)}"
        for it in cube.axis("leverage")
    ]
    yield Finding(
        cube.market,
        "standard deviation of three days at a correlation of .3, over that at .85, 10×",
        wild / calm,
        Unit.TIMES,
        above(wild / calm, WILDER),
        f"how long the breakdown lasts, and leverage: liquidations {'; '.join(dead)}",
    )
    sized, unsized = (
        cube.at(LIQUIDATION, leverage=20, sizing_correlation=it, **broken) for it in (0.4, "off")
    )
    before = cube.at(LIQUIDATION, leverage=20, **usual, **off)
    yield Finding(
        cube.market,
        "liquidations in the breakdown at 20×, sized for .4 over sized as usual",
        sized / unsized,
        Unit.TIMES,
        below(sized / unsized, SAVED),
        f"sized for .4, {written(sized, Unit.PERCENT)} of accounts are liquidated instead of "
        f"{written(unsized, Unit.PERCENT)}; without a breakdown and sized as usual it is "
        f"{written(before, Unit.PERCENT)}. It helps because it is less leverage, in calm as well",
    )


CLAIM = Claim(
    name="correlation",
    title="Correlation falls from .85 to .3, and sizing for the weaker one",
    sentence="“Two assets might show 0.85 correlation in normal conditions but drop to 0.3 … Your "
    "“neutral” position suddenly becomes heavily directional … size positions assuming the weaker "
    "correlation”",
    taken="Three days that begin in the breakdown: in the article's market a spike of volatility "
    "of half a day on average, in the fitted one its loosest regime of correlation. Heavily "
    "directional is a standard deviation at least half again as large; sizing helps if it at "
    "least halves liquidations. Beta is under neutrality.",
    studies=(
        Study(),
        Study(
            Market.PAIR,
            (
                'market.initial_correlation_regime="coupling-1"',
                "sweep.market.correlation_regimes.coupling-1.correlation=[0.85, 0.3]",
            ),
        ),
    ),
    judge=judge,
)
