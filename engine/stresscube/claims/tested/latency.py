"""A lag of 1.2 s against 0.3 s, half a second and none."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from stresscube.claims.altered import in_every_regime
from stresscube.claims.cells import Cell, Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.estimate import Estimate
from stresscube.claims.tested.holding import minutes
from stresscube.claims.trial import Trial
from stresscube.claims.verdicts import Verdict, above, below

LEAK = 0.01
"""Share of the P&L that counts as measurable leakage."""
ENOUGH = 0.05
"""Share that half a second may cost where it is fast enough."""
DIM = "mispricing_0_half_life"


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield what 1.2 s costs against 0.3 s, and what half a second costs against none."""
    question = "of the P&L that {} earns, lost by a lag of {}"
    yield _finding(cube, question.format("a lag of 0.3 s", "1.2 s"), ("quick", "slow"), _leaks)
    yield _finding(cube, question.format("no lag", "0.5 s"), ("none", "half"), _enough)


def _finding(
    cube: Cube, question: str, venues: tuple[str, str], rule: Callable[[Estimate], Verdict]
) -> Finding:
    lives = list(reversed(cube.axis(DIM))) if DIM in cube.data.dims else []
    base = _lost(cube, *venues, {DIM: lives[0]} if lives else {})
    places: list[tuple[Cube, Cell, float]] = [(cube, {DIM: it}, it) for it in lives[1:]]
    places += [(it, {}, SHORT[name]) for name, it in cube.variants.items()]
    return Finding(
        cube.market,
        question,
        base,
        Unit.PERCENT,
        rule(base),
        why="a lag costs what a spike reverts meanwhile, so the half-life of spikes decides",
        tried=tuple(
            _trial(_lost(at, *venues, cell), hours, rule, altered=not lives)
            for at, cell, hours in places
        ),
    )


def _trial(
    figure: Estimate, hours: float, rule: Callable[[Estimate], Verdict], *, altered: bool
) -> Trial:
    return Trial("for a half-life of", minutes(hours), figure, rule(figure), altered)


SHORT = {"20s": 20 / 3600, "5s": 5 / 3600}
"""Half-lives, in hours, that the basis is given in place of its own."""


def _lost(cube: Cube, fast: str, slow: str, base: dict[str, object]) -> Estimate:
    """Return the share of gross P&L that a slower venue loses; costs are added back."""
    quick, late = (_gross(cube, base | {"venue": it}) for it in (fast, slow))
    return (quick - late) / quick


def _gross(cube: Cube, cell: dict[str, object]) -> Estimate:
    net, fees, slippage = (
        cube.at(metric, **cell) for metric in ("return_mean", "fees_mean", "slippage_mean")
    )
    return net + fees + slippage


def _leaks(figure: Estimate) -> Verdict:
    return above(figure, LEAK)


def _enough(figure: Estimate) -> Verdict:
    return below(figure, ENOUGH)


def _quick(half_life: str) -> tuple[str, Study]:
    settings = in_every_regime(Market.BASIS, "mispricing[0].half_life", f'"{half_life}"')
    return half_life, Study(Market.BASIS, settings)


CLAIM = Claim(
    name="latency",
    title="1.2 s of lag against 0.3 s, and under half a second",
    sentence="“when you’re running 1-hour durations and trying to capture short-lived "
    "inefficiencies, that delay compounds into measurable P&L leakage”; “execution speeds under "
    "0.5 seconds”",
    taken="Six hours in steps of 5 s at gross leverage 10, entered and left by the spread, on one "
    "venue with four lags and nothing else that differs. Leakage is measurable if 1.2 s loses at "
    "least 1% of the P&L before costs that 0.3 s earns; half a second is enough if it loses less "
    "than 5% of what no lag earns. The half-life of spikes is swept down to seconds. The real "
    "pair has none.",
    studies=(Study(), Study(Market.BASIS, variants=tuple(map(_quick, SHORT)))),
    judge=judge,
)
