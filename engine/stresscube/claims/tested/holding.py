"""Holding times from a quarter of an hour to four hours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.trial import Trial
from stresscube.claims.verdicts import above, every, or_only_if
from stresscube.claims.words import written

MASSIVE = 2.0
OTHERS = (0.25, 0.5, 2, 4)
"""Hours that the article tried besides one."""

Cell = dict[str, object]


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield what short trades cost, and whether an hour is best."""
    bases: list[tuple[str, Cell]] = [("always in", {"side": "fixed"})]
    if cube.market is Market.PAIR:
        bases[0][1].clear()
    dim = "mispricing_0_half_life"
    if dim in cube.data.dims:
        bases[0][1][dim] = START
        lives = [(f"entered by the spread, half-life {minutes(it)}", it) for it in cube.axis(dim)]
        for words, life in lives:
            bases.append((words, {"side": "spread", dim: life}))
    elif cube.market is Market.BASIS:
        bases.append(("entered by the spread", {"side": "spread"}))
    yield _costs(cube, bases[0][1])
    yield _optimum(cube, bases)


START = 1 / 3
"""Hours of the basis's half-life in the article's market."""


def minutes(hours: float) -> str:
    """Return a time as text."""
    if hours < 1 / 60:
        return f"{hours * 3600:.3g} s"
    return f"{hours:g} h" if hours >= 1 else f"{hours * 60:.3g} min"


def _costs(cube: Cube, base: Cell) -> Finding:
    quarter, hour = (cube.at("fees_mean", holding=it, **base) for it in (0.25, 1))
    figure = quarter / hour
    net = cube.at("return_mean", holding=0.25, **base)
    return Finding(
        cube.market,
        "fees of a day in trades of 15 minutes, over those in trades of an hour",
        figure,
        Unit.TIMES,
        above(figure, MASSIVE),
        f"every trade pays for being opened and closed: at this leverage a day of them costs "
        f"{written(quarter, Unit.PERCENT)} of equity in fees, and returns "
        f"{written(net, Unit.PERCENT)}. An hour costs {written(hour, Unit.PERCENT)}",
    )


def _optimum(cube: Cube, bases: Sequence[tuple[str, Cell]]) -> Finding:
    trials = [_trial(cube, words, base) for words, base in bases]
    best = "; ".join(
        f"{words}: {minutes(_best(cube, base))} ({written(trial.figure)})"
        for (words, base), trial in zip(bases, trials, strict=True)
    )
    return Finding(
        cube.market,
        "Sharpe ratio of one hour, less the best of 15 min, 30 min, 2 h and 4 h",
        trials[0].figure,
        Unit.NUMBER,
        or_only_if(trials[0].verdict, [it.verdict for it in trials[1:]]),
        "without an edge that ends, the longest trade is best, because it pays the fewest turns. "
        "With one, the best time follows the half-life of what is traded. The best of the times, "
        f"and an hour's Sharpe ratio less the best other's: {best}",
    )


def _trial(cube: Cube, words: str, base: Cell) -> Trial:
    """Judge that an hour is shown better than each other time, and earns something."""
    hour = cube.at("sharpe", holding=1, **base)
    less = [hour - cube.at("sharpe", holding=it, **base) for it in OTHERS]
    nearest = min(less, key=lambda it: it.value)
    return Trial(words, nearest, every(above(it) for it in (hour, *less)))


def _best(cube: Cube, base: Cell) -> float:
    return max((1.0, *OTHERS), key=lambda it: cube.at("sharpe", holding=it, **base).value)


CLAIM = Claim(
    name="holding",
    title="Trades of 15 minutes to 4 hours, and an hour as the best",
    sentence="“Short durations under 30 minutes generated massive transaction costs … Longer "
    "durations over 2 hours exposed positions to overnight funding rate shifts and unpredictable "
    "news events. The 1-hour window hit a balance point”",
    taken="A day at gross leverage 10, in trades of each length: a pair that is always held and "
    "re-opened, or one that is entered by the spread and left by the clock. An hour is best if "
    "its Sharpe ratio is above that of each other length. The half-life of the basis is swept.",
    studies=(Study(), Study(Market.PAIR, ('sweep.side=["fixed"]',)), Study(Market.BASIS)),
    judge=judge,
)
