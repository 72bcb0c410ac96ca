"""Holding times from a quarter of an hour to four hours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stresscube.claims.altered import spiky
from stresscube.claims.cells import Cell, Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.trial import Trial
from stresscube.claims.verdicts import above, every
from stresscube.claims.words import written

MASSIVE = 2.0
OTHERS = (0.25, 0.5, 2, 4)
"""Hours that the article tried besides one."""


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield what short trades cost, and whether an hour is best."""
    always: Cell = {} if cube.market is Market.PAIR else {"side": "fixed"}
    spread: Cell = {"side": "spread"}
    others: list[Trial] = []
    if DIM in cube.data.dims:
        always[DIM] = START
        others += [
            _trial(cube, (BY_LIFE, minutes(it)), spread | {DIM: it}) for it in cube.axis(DIM)
        ]
    elif cube.market is Market.BASIS:
        others.append(_trial(cube, ("entered by", "the spread"), spread))
    others += [
        _trial(it, (APART if name == "apart" else SPIKY, LIVES[name]), spread, altered=True)
        for name, it in cube.variants.items()
    ]
    yield _costs(cube, always)
    yield _optimum(cube, always, others)


DIM = "mispricing_0_half_life"
BY_LIFE = "entered by the spread, with a half-life of"
SPIKY = f"with the article's basis in its prices, {BY_LIFE}"
APART = f"for legs with a correlation of .85, {SPIKY}"
LIVES = {"spiky": "20 min", "half": "10 min", "quarter": "5 min", "apart": "15 min"}
"""Half-lives of the article's basis in another market, by the name of the variant."""
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
        f"a day of short trades costs {written(quarter, Unit.PERCENT)} of equity in fees, and "
        f"returns {written(net, Unit.PERCENT)}; one of hours costs {written(hour, Unit.PERCENT)}",
        "every trade pays for being opened and closed",
    )


def _optimum(cube: Cube, base: Cell, others: Sequence[Trial]) -> Finding:
    always = _trial(cube, ("", ""), base)
    return Finding(
        cube.market,
        "Sharpe ratio of one hour, less the best of 15 min, 30 min, 2 h and 4 h",
        always.figure,
        Unit.NUMBER,
        always.verdict,
        f"always in, the best is {minutes(_best(cube, base))}",
        "without an edge that ends, the longest trade is best, because it pays the fewest turns. "
        "With one, the best time follows the half-life of what is traded",
        tuple(others),
    )


def _trial(cube: Cube, words: tuple[str, str], base: Cell, *, altered: bool = False) -> Trial:
    """Judge that an hour is shown better than each other time, and earns something."""
    hour = cube.at("sharpe", holding=1, **base)
    less = [hour - cube.at("sharpe", holding=it, **base) for it in OTHERS]
    nearest = min(less, key=lambda it: it.value)
    label = f"{words[1]}, best {minutes(_best(cube, base))}"
    return Trial(words[0], label, nearest, every(above(it) for it in (hour, *less)), altered)


def _best(cube: Cube, base: Cell) -> float:
    return max((1.0, *OTHERS), key=lambda it: cube.at("sharpe", holding=it, **base).value)


def _spiky(market: Market, name: str = "spiky") -> tuple[str, Study]:
    basis = spiky(market, LIVES[name].replace(" ", ""))
    more = MORE if name == "apart" else ()
    return name, Study(market, (*basis, 'sweep.side=["spread"]', *more))


MORE = (
    "market.correlation_regimes.coupling-1.correlation=0.85",
    "simulation.paths=12000",
    "simulation.seed=43",
)
"""Two coins, on more paths, as Sharpe ratios of times near the best hardly differ."""


CLAIM = Claim(
    name="holding",
    title="Trades of 15 minutes to 4 hours, and an hour as the best",
    sentence="“Short durations under 30 minutes generated massive transaction costs … Longer "
    "durations over 2 hours exposed positions to overnight funding rate shifts and unpredictable "
    "news events. The 1-hour window hit a balance point”",
    taken="A day at gross leverage 10, in trades of each length: a pair that is always held and "
    "re-opened, or one that is entered by the spread and left by the clock. An hour is best if "
    "its Sharpe ratio is above that of each other length. The half-life of the basis is swept.",
    studies=(
        Study(),
        Study(Market.PAIR, ('sweep.side=["fixed"]',), variants=(_spiky(Market.PAIR),)),
        Study(Market.BASIS, variants=tuple(_spiky(Market.BASIS, it) for it in LIVES)),
    ),
    judge=judge,
)
