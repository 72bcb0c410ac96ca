"""A Sharpe ratio above 2 with a drawdown under 8% at 10×."""

from __future__ import annotations

import math
from collections.abc import Iterator

from stresscube.claims.altered import FREE, in_every_regime
from stresscube.claims.cells import Cell, Cube, Place
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.estimate import Estimate
from stresscube.claims.trial import Trial
from stresscube.claims.verdicts import Verdict, above, below, every
from stresscube.claims.words import number, written

SHARPE, DRAWDOWN = 2.0, 0.08
DIM = "mispricing_0_spike_intensity"


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield the Sharpe ratio and the drawdown, and what drawdown a given Sharpe ratio has."""
    fixed, spread = _bases(cube)
    figure = _sharpe(cube, fixed, 10)
    a_trade = cube.at("trade_return_mean", leverage=10, **fixed)
    yield Finding(
        cube.market,
        "Sharpe ratio at 10×, a pair always held in trades of an hour",
        figure,
        Unit.NUMBER,
        _skilled(figure),
        f"an average trade returns {written(a_trade, Unit.PERCENT)} of equity, its costs",
        "what is held for an hour must move in its favour by more than it costs to open and close",
        tuple(_sharp(it) for it in spread),
    )
    drawdown = cube.at("max_drawdown_mean", leverage=10, **fixed)
    ends = spread[:: max(len(spread) - 1, 1)]
    yield Finding(
        cube.market,
        "mean of the deepest drawdown in a month at 10×, with that Sharpe ratio",
        drawdown,
        Unit.PERCENT,
        every((_skilled(figure), below(drawdown, DRAWDOWN))),
        why="in 18 months it is deeper than in one",
        tried=tuple(_shallow(it, level) for it in ends for level in it.cube.axis("leverage")),
    )
    if "given" in cube.variants:
        yield _given(cube.variants["given"])


def _bases(cube: Cube) -> tuple[Cell, list[Place]]:
    """Return the cell of the pair always held, and all places where it may be better."""
    places = [
        Place(WORDS[name], cube.variants[name], {}, altered=name != "free")
        for name in WORDS
        if name in cube.variants
    ]
    if cube.market is Market.PAIR:
        return {}, places
    if DIM not in cube.data.dims:
        return {"side": "fixed"}, [
            Place("entered by the spread", cube, {"side": "spread"}),
            *places,
        ]
    rates = cube.axis(DIM)
    words = "entered by the spread, with {:.2g} spikes a day in calm"
    places += [
        Place(words.format(it / 365), cube, {"side": "spread", DIM: it}) for it in reversed(rates)
    ]
    return {"side": "fixed", DIM: rates[-1]}, places


def _skilled(figure: Estimate) -> Verdict:
    return above(figure, SHARPE)


def _sharp(at: Place) -> Trial:
    figure = _sharpe(at.cube, at.cell, 10)
    return Trial(at.words, "", figure, _skilled(figure), at.altered)


def _shallow(at: Place, level: float) -> Trial:
    """Judge the drawdown of a book that has the Sharpe ratio as well."""
    drawdown = at.cube.at("max_drawdown_mean", leverage=level, **at.cell)
    both = every((_skilled(_sharpe(at.cube, at.cell, level)), below(drawdown, DRAWDOWN)))
    return Trial(f"{at.words}, at", f"{level:g}×", drawdown, both, at.altered)


WORDS = {
    "paid": "where leg a gains 8.6% a day on leg b",
    "unpaid": "without costs, where leg a gains 0.55% a day on leg b",
    "free": "entered by the spread, without costs",
}


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
            "at",
            f"{it:g}×, a volatility of {number(it / 2.0 * spread, Unit.PERCENT)} a year",
            figure,
            below(figure, DRAWDOWN),
        )
        for it, figure in figures.items()
        if it != 10.0
    ]
    return Finding(
        cube.market,
        "mean of the deepest drawdown in 18 months at 10×, a Sharpe ratio of 2 given",
        figures[10.0],
        Unit.PERCENT,
        below(figures[10.0], DRAWDOWN),
        why="a drawdown is a matter of the book's volatility, whatever its Sharpe ratio; at 10× "
        "two coins with a correlation of .85 have far too much",
        tried=tuple(trials),
    )


FIXED = ('sweep.side=["fixed"]',)
LOW = "sweep.leverage=[0.5, 1, 2, 10]"


def _gaining(drift: float) -> tuple[str, ...]:
    return in_every_regime(Market.PAIR, "drift", f"[{drift}, 0]")


CLAIM = Claim(
    name="sharpe",
    title="A Sharpe ratio above 2 with a drawdown under 8% at 10×",
    sentence="“Sharpe ratios consistently above 2.0 over the past 18 months, with maximum drawdown "
    "staying under 8%. That’s while running 10x leverage”",
    taken="A month of trades of an hour, rebalanced at 0.8%: a pair that is always held, or one "
    "that is entered by the spread, with fewer and more spikes, at several leverages, or is given "
    "a drift. And a book "
    "that is given its Sharpe ratio of 2, by a drift and without costs, over 18 months.",
    studies=(
        Study(variants=(("given", Study(file="sharpe-given.toml")),)),
        Study(
            Market.PAIR,
            FIXED,
            variants=(
                ("paid", Study(Market.PAIR, (*FIXED, *_gaining(30.0)))),
                ("unpaid", Study(Market.PAIR, (*FIXED, *FREE, *_gaining(2.0), LOW))),
            ),
        ),
        Study(
            Market.BASIS,
            variants=(("free", Study(Market.BASIS, (*FREE, 'sweep.side=["spread"]'))),),
        ),
    ),
    judge=judge,
)
