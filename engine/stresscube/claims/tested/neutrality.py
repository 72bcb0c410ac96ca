"""How neutral equal exposures are, and minimum variance."""

from __future__ import annotations

from collections.abc import Iterator

from stresscube.claims.altered import in_every_regime, twins
from stresscube.claims.cells import Cell, Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.estimate import Estimate
from stresscube.claims.trial import Trial
from stresscube.claims.verdicts import Verdict, below, every
from stresscube.claims.words import written

NEUTRAL = 0.1
"""Largest beta, in either leg and either direction, of what may be called neutral."""

WHY = {
    "1": "with volatilities s and t of the legs and a correlation r the betas are 1 - r t/s and "
    "r s/t - 1: both are small only for legs of about equal volatility with a correlation above .9",
    "min-variance": "with a correlation r the beta on the leg that is not hedged out is 1 - r², "
    "so that takes a correlation above .95",
}
"""With volatilities s, t and correlation r the betas of P&L = x - h y are 1 - h r t/s on x and
r s/t - h on y. For h = 1 the product of r t/s and r s/t is r², so that both are .9 or more only
if r is. For h = r s/t they are 1 - r² and 0."""
NEVER = {
    "1": "while the correlation is .3: of r t/s and r s/t, whose product is r², the smaller is "
    ".3 at most, so that one beta is .7 at least",
    "min-variance": "while the correlation is .3: 1 - r² is .91",
}
TWINS = 0.98
"""Correlation of the legs that are tried in place of the market's own."""


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield betas of equal exposures and of minimum variance, in calm and in the breakdown."""
    for words, place in _places(cube):
        for ratio, kind in (("1", "equal exposures"), ("min-variance", "minimum variance")):
            yield _finding(cube, f"{kind}, {words}", place | {"hedge_ratio": ratio})


REGIME, COUPLING = "market_initial_regime", "market_initial_correlation_regime"
RHO = "spike_correlation"


def _places(cube: Cube) -> list[tuple[str, Cell]]:
    if cube.market is Market.PAIR:
        return [
            ("tightest coupling", {COUPLING: "coupling-3"}),
            ("loosest", {COUPLING: "coupling-1"}),
        ]
    return [
        ("in calm", {REGIME: "calm", RHO: 0.85}),
        ("in a spike", {REGIME: "spike", RHO: 0.85}),
        ("in a spike with a correlation of .3", {REGIME: "spike", RHO: 0.3}),
    ]


def _finding(cube: Cube, words: str, cell: Cell) -> Finding:
    betas = _betas(cube, cell)
    worst = _larger(betas)
    ratio = str(cell["hedge_ratio"])
    assets = dict(zip("ab", cube.scenario.market.assets, strict=True))
    spread = cube.at("return_std", **cell)
    return Finding(
        cube.market,
        f"larger beta of P&L on a leg's return, {words}",
        worst,
        Unit.NUMBER,
        _neutral(betas),
        "beta "
        + " and ".join(f"{written(it)} on {assets[name]}" for name, it in betas.items())
        + ", per unit of leg a's notional; an hour's standard deviation is "
        + written(spread, Unit.PERCENT),
        WHY[ratio],
        tuple(_twins(it, cell) for it in cube.variants.values()),
        NEVER[ratio] if cell.get(RHO) == 0.3 else "",
    )


def _betas(cube: Cube, cell: Cell) -> dict[str, Estimate]:
    return {leg: cube.at("pnl_beta", leg=leg, **cell) for leg in ("a", "b")}


def _larger(betas: dict[str, Estimate]) -> Estimate:
    return max(betas.values(), key=lambda it: abs(it.value))


def _neutral(betas: dict[str, Estimate]) -> Verdict:
    return every(below(abs(it), NEUTRAL) for it in betas.values())


def _twins(cube: Cube, cell: Cell) -> Trial:
    """Return the same book of legs that hardly differ."""
    place = {key: it for key, it in cell.items() if key not in (RHO, COUPLING)}
    betas = _betas(cube, place)
    return Trial(
        "with legs of one volatility, no basis,",
        f"and a correlation of {TWINS:g}",
        _larger(betas),
        _neutral(betas),
        altered=True,
    )


SWEPT = "market.regimes.spike.correlation"


def _alike(market: Market, *more: str) -> tuple[str, Study]:
    alike = [it for it in twins(market, TWINS) if not it.startswith(SWEPT)]
    return "twins", Study(market, (*alike, *more))


CLAIM = Claim(
    name="neutrality",
    title="How neutral a neutral book is",
    sentence="“A true market neutral position holds equal exposure in both directions — you’re not "
    "betting on Bitcoin going up or down”; “genuine market neutrality works against you during "
    "sudden directional moves”",
    taken="The slope of the book's return on each leg's, over an hour, with leg a of 1: legs of "
    "equal size, and the ratio of minimum variance. A book is neutral if neither slope is beyond "
    ".1, a tenth of what holding a leg alone would be.",
    studies=(
        Study(
            variants=(
                _alike(
                    Market.ARTICLE,
                    *in_every_regime(Market.ARTICLE, "mispricing", "[]"),
                    f"sweep.{SWEPT}=[{TWINS}]",
                ),
            )
        ),
        Study(
            Market.PAIR,
            ('sweep.market.initial_correlation_regime=["coupling-1", "coupling-3"]',),
            variants=(_alike(Market.PAIR),),
        ),
    ),
    judge=judge,
)
