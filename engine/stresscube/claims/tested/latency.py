"""A lag of 1.2 s against 0.3 s, half a second and none."""

from __future__ import annotations

from collections.abc import Iterator

from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.estimate import Estimate
from stresscube.claims.tested.holding import minutes
from stresscube.claims.trial import Trial, found, tried
from stresscube.claims.verdicts import Verdict, above, below, or_only_if

LEAK = 0.01
"""Share of the P&L that counts as measurable leakage."""
ENOUGH = 0.05
"""Share that half a second may cost where it is fast enough."""
DIM = "mispricing_0_half_life"


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield what 1.2 s costs against 0.3 s, and what half a second costs against none."""
    slow = [(words, _lost(cube, "quick", "slow", base)) for words, base in _places(cube)]
    half = [(words, _lost(cube, "none", "half", base)) for words, base in _places(cube)]
    question = "of the P&L that {} earns, lost by a lag of {}"
    yield _finding(cube, question.format("a lag of 0.3 s", "1.2 s"), tried(slow, _leaks))
    yield _finding(cube, question.format("no lag", "0.5 s"), tried(half, _enough))


def _places(cube: Cube) -> list[tuple[str, dict[str, object]]]:
    """Return the half-lives of the market, the longest first."""
    if DIM not in cube.data.dims:
        return [("as fitted", {})]
    return [(minutes(it), {DIM: it}) for it in reversed(cube.axis(DIM))]


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


def _finding(cube: Cube, question: str, trials: list[Trial]) -> Finding:
    return Finding(
        cube.market,
        question,
        trials[0].figure,
        Unit.PERCENT,
        or_only_if(trials[0].verdict, [it.verdict for it in trials[1:]]),
        "a lag costs what a spike reverts meanwhile, so the half-life of spikes decides. "
        + found(trials, Unit.PERCENT, "for a half-life of"),
    )


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
    studies=(Study(), Study(Market.BASIS)),
    judge=judge,
)
