"""A Sharpe ratio above 2 with a drawdown under 8% at 10×."""

from __future__ import annotations

import math
from collections.abc import Iterator

from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.estimate import Estimate
from stresscube.claims.trial import Trial, found
from stresscube.claims.verdicts import above, below, every, or_only_if
from stresscube.claims.words import number, written

SHARPE, DRAWDOWN = 2.0, 0.08
DIM = "mispricing_0_spike_intensity"

Cell = dict[str, object]


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield the Sharpe ratio and the drawdown, and what drawdown a given Sharpe ratio has."""
    fixed, spread = _bases(cube)
    sharpe = cube.at("sharpe", leverage=10, **fixed)
    tries = [
        Trial(words, _sharpe(cube, it, 10), above(_sharpe(cube, it, 10), SHARPE))
        for words, it in spread
    ]
    a_day = cube.at("trade_return_mean", leverage=10, **fixed)
    yield Finding(
        cube.market,
        "Sharpe ratio at 10×, a pair always held in trades of an hour",
        sharpe,
        Unit.NUMBER,
        or_only_if(above(sharpe, SHARPE), [it.verdict for it in tries]),
        f"an average trade returns {written(a_day, Unit.PERCENT)} of equity, its costs. "
        + (found(tries, Unit.NUMBER, "entered by the spread with") if tries else NO_SPREAD),
    )
    drawdown = cube.at("max_drawdown_mean", leverage=10, **fixed)
    both = [
        Trial(
            f"{level:g}× with {words}",
            cube.at("max_drawdown_mean", leverage=level, **it),
            every(
                (
                    above(_sharpe(cube, it, level), SHARPE),
                    below(cube.at("max_drawdown_mean", leverage=level, **it), DRAWDOWN),
                )
            ),
        )
        for words, it in spread[:: max(len(spread) - 1, 1)]
        for level in cube.axis("leverage")
    ]
    yield Finding(
        cube.market,
        "mean of the deepest drawdown in a month at 10×",
        drawdown,
        Unit.PERCENT,
        or_only_if(below(drawdown, DRAWDOWN), [it.verdict for it in both]),
        "in 18 months it is deeper than in one. "
        + (found(both, Unit.PERCENT, "entered by the spread, at") if both else NO_SPREAD),
    )
    if "given" in cube.variants:
        yield _given(cube.variants["given"])


NO_SPREAD = "Nothing in this pair reverts, so it cannot be entered by the spread"


def _bases(cube: Cube) -> tuple[Cell, list[tuple[str, Cell]]]:
    """Return the cell of the pair always held, and those entered by the spread, by name."""
    if cube.market is Market.PAIR:
        return {}, []
    if DIM not in cube.data.dims:
        return {"side": "fixed"}, [("its basis", {"side": "spread"})]
    rates = cube.axis(DIM)
    spread = [(f"{it / 365:.2g} spikes a day in calm", it) for it in reversed(rates)]
    return (
        {"side": "fixed", DIM: rates[-1]},
        [(words, {"side": "spread", DIM: rate}) for words, rate in spread],
    )


def _sharpe(cube: Cube, cell: Cell, leverage: float) -> Estimate:
    return cube.at("sharpe", leverage=leverage, **cell)


def _given(cube: Cube) -> Finding:
    """Judge the drawdown of a book whose Sharpe ratio is 2 by construction."""
    regime = cube.scenario.market.regimes[0]
    first, second = regime.volatility
    rho = regime.correlation or 0.0
    spread = math.sqrt(first**2 + second**2 - 2.0 * rho * first * second)
    levels = cube.axis("leverage")
    figures = {it: cube.at("max_drawdown_mean", leverage=it) for it in levels}
    trials = [
        Trial(
            f"{it:g}×, a volatility of {number(it / 2.0 * spread, Unit.PERCENT)} a year",
            figure,
            below(figure, DRAWDOWN),
        )
        for it, figure in figures.items()
    ]
    return Finding(
        cube.market,
        "mean of the deepest drawdown in 18 months at 10×, a Sharpe ratio of 2 given",
        figures[10.0],
        Unit.PERCENT,
        or_only_if(below(figures[10.0], DRAWDOWN), [it.verdict for it in trials]),
        "a drawdown is a matter of the book's volatility, whatever its Sharpe ratio; at 10× two "
        "coins with a correlation of .85 have far too much. " + found(trials, Unit.PERCENT, "at"),
    )


CLAIM = Claim(
    name="sharpe",
    title="A Sharpe ratio above 2 with a drawdown under 8% at 10×",
    sentence="“Sharpe ratios consistently above 2.0 over the past 18 months, with maximum drawdown "
    "staying under 8%. That’s while running 10x leverage”",
    taken="A month of trades of an hour, rebalanced at 0.8%: a pair that is always held, or one "
    "that is entered by the spread, with fewer and more spikes, at several leverages. And a book "
    "that is given its Sharpe ratio of 2, by a drift and without costs, over 18 months.",
    studies=(
        Study(variants=(("given", Study(file="sharpe-given.toml")),)),
        Study(Market.PAIR, ('sweep.side=["fixed"]',)),
        Study(Market.BASIS),
    ),
    judge=judge,
)
