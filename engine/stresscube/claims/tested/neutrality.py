"""How neutral equal exposures are, and minimum variance."""

from __future__ import annotations

from collections.abc import Iterator

from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.estimate import Estimate
from stresscube.claims.verdicts import Verdict, below, every
from stresscube.claims.words import written

NEUTRAL = 0.1
"""Largest beta, in either leg and either direction, of what may be called neutral."""

WOULD_HOLD = {
    "1": "It would hold for legs of about equal volatility, with a correlation above .9",
    "min-variance": "It would hold with a correlation above .95: in the leg that is not hedged "
    "out, beta is one less its square",
}
"""With volatilities s, t and correlation r the betas of P&L = x - h y are 1 - h r t/s on x and
r s/t - h on y. For h = 1 the product of r t/s and r s/t is r², so that both are .9 or more only
if r is. For h = r s/t they are 1 - r² and 0."""

Cell = dict[str, object]


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield betas of equal exposures and of minimum variance, in calm and in the breakdown."""
    for words, place in _places(cube):
        for ratio, kind in (("1", "equal exposures"), ("min-variance", "minimum variance")):
            yield _finding(cube, f"{kind}, {words}", place | {"hedge_ratio": ratio})


def _places(cube: Cube) -> list[tuple[str, Cell]]:
    if cube.market is Market.PAIR:
        dim = "market_initial_correlation_regime"
        return [("tightest coupling", {dim: "coupling-3"}), ("loosest", {dim: "coupling-1"})]
    calm: Cell = {"market_initial_regime": "calm", "spike_correlation": 0.85}
    spike: Cell = {"market_initial_regime": "spike"}
    return [
        ("in calm", calm),
        ("in a spike", spike | {"spike_correlation": 0.85}),
        ("in a spike with a correlation of .3", spike | {"spike_correlation": 0.3}),
    ]


def _finding(cube: Cube, words: str, cell: Cell) -> Finding:
    betas = {leg: cube.at("pnl_beta", leg=leg, **cell) for leg in ("a", "b")}
    leg, worst = max(betas.items(), key=lambda it: abs(it[1].value))
    assets = dict(zip("ab", cube.scenario.market.assets, strict=True))
    spread = cube.at("return_std", **cell)
    return Finding(
        cube.market,
        f"larger beta of P&L on a leg's return, {words}",
        worst,
        Unit.NUMBER,
        every(_neutral(it) for it in betas.values()),
        "beta "
        + " and ".join(f"{written(it)} on {assets[name]}" for name, it in betas.items())
        + f", per unit of leg a's notional; an hour's standard deviation is "
        f"{written(spread, Unit.PERCENT)}. The larger one is on {assets[leg]}. "
        + WOULD_HOLD[str(cell["hedge_ratio"])],
    )


def _neutral(beta: Estimate) -> Verdict:
    return below(abs(beta), NEUTRAL)


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
        Study(),
        Study(
            Market.PAIR,
            ('sweep.market.initial_correlation_regime=["coupling-1", "coupling-3"]',),
        ),
    ),
    judge=judge,
)
