"""10× against lower leverage and against 20× and 50×."""

from __future__ import annotations

from collections.abc import Iterator

from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.estimate import Estimate
from stresscube.claims.verdicts import above, below, every, or_only_if
from stresscube.claims.words import written

Cell = dict[str, object]


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield whether 10× is best, gross or per leg, and what 20× and 50× add."""
    base: Cell = {} if cube.market is Market.PAIR else {"side": "spread"}
    levels = cube.axis("leverage")
    best = max(levels, key=lambda it: _median(cube, base, it).value)
    sharpest = max(levels, key=lambda it: cube.at("sharpe", leverage=it, **base).value)
    listed = "; ".join(
        f"{it:g}×: {written(_median(cube, base, it), Unit.PERCENT)}, liquidated "
        f"{written(cube.at('liquidation_probability', leverage=it, **base), Unit.PERCENT)}"
        for it in levels
    )
    for level, words in ((10.0, "gross"), (20.0, "for each leg")):
        gaps = [
            _median(cube, base, level) - _median(cube, base, it) for it in levels if it != level
        ]
        nearest = min(gaps, key=lambda it: it.value)
        yield Finding(
            cube.market,
            f"median return of two weeks at 10× {words}, less that of the best other leverage",
            nearest,
            Unit.PERCENT,
            every(above(it) for it in gaps),
            f"the edge. By the median {best:g}× gross is best of those tried, by the Sharpe ratio "
            f"{sharpest:g}×" + (f" ({listed})" if words == "gross" else ""),
        )
    yield _proportion(cube, base)


def _median(cube: Cube, base: Cell, leverage: float) -> Estimate:
    return cube.at("return_quantile", quantile=0.5, leverage=leverage, **base)


def _proportion(cube: Cube, base: Cell) -> Finding:
    """Judge that 20× and 50× add liquidations without returns in proportion."""
    ten, twenty, fifty = (cube.at("return_mean", leverage=it, **base) for it in (10, 20, 50))
    dead = [cube.at("liquidation_probability", leverage=it, **base) for it in (10, 20, 50)]
    fifties = every((below(fifty - ten * 5.0), above(dead[2] - dead[0])))
    twenties = every((below(twenty - ten * 2.0), above(dead[1] - dead[0])))
    return Finding(
        cube.market,
        "mean return of two weeks at 50× gross, less five times that at 10×",
        fifty - ten * 5.0,
        Unit.PERCENT,
        or_only_if(every((twenties, fifties)), [twenties, fifties]),
        "the claim is of 20× as of 50×, that they are liquidated more often and return less than "
        f"in proportion. At 20× the mean is {written(twenty - ten * 2.0, Unit.PERCENT)} off twice "
        f"that at 10×: {twenties.value}. At 50×: {fifties.value}. Liquidated: "
        + ", ".join(written(it, Unit.PERCENT) for it in dead),
    )


CLAIM = Claim(
    name="leverage",
    title="10× against lower leverage, 20× and 50×",
    sentence="“10x leverage provides the best balance … Higher leverage like 20x or 50x increases "
    "rebalancing frequency and liquidation risk without proportionally improving returns, while "
    "lower leverage reduces capital utilization unnecessarily”",
    taken="Two weeks of trades of an hour on venue B, entered by the spread where there is one. "
    "The article does not say whether 10× is gross or of each leg, which is 20 gross: both are "
    "tried. The best balance is the highest median return, in which ruin counts.",
    studies=(Study(), Study(Market.PAIR, ('sweep.side=["fixed"]',)), Study(Market.BASIS)),
    judge=judge,
)
