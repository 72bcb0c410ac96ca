"""10× against lower leverage and against 20× and 50×."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.estimate import Estimate, combine
from stresscube.claims.trial import Trial
from stresscube.claims.verdicts import Verdict, above, below, every, or_only_if
from stresscube.claims.words import written
from stresscube.policies import Floats

Cell = dict[str, object]
NOISE = "market_signal_noise"
FAR = 4.0
LEAST = 1e-12
"""What counts as left of an account in ruin, for its logarithm."""


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield whether 10× is best, gross or per leg, and what 20× and 50× add."""
    bases: list[tuple[str, Cell]] = [("as it is", {})]
    if NOISE in cube.data.dims:
        bases = [(f"noise of {it:g} standard deviations", {NOISE: it}) for it in cube.axis(NOISE)]
    for level, words in ((10.0, "gross"), (20.0, "for each leg, 20 gross")):
        yield _best(cube, bases, level, words)
    yield _proportion(cube, bases[0][1])


def _best(cube: Cube, bases: Sequence[tuple[str, Cell]], level: float, words: str) -> Finding:
    trials = [Trial(name, *_gap(cube, base, level)) for name, base in bases]
    tops = "; ".join(f"{name}: {_top(cube, base):g}×" for name, base in bases)
    listed = "; ".join(
        f"{it:g}×: {written(growth(cube, bases[0][1], it))}, liquidated "
        f"{written(cube.at('liquidation_probability', leverage=it, **bases[0][1]), Unit.PERCENT)}"
        for it in cube.axis("leverage")
    )
    return Finding(
        cube.market,
        f"growth of the median account in two weeks at 10× {words}, less that at the best other",
        trials[0].figure,
        Unit.NUMBER,
        or_only_if(trials[0].verdict, [it.verdict for it in trials[1:]]),
        "the edge, and so what leverage is best, gross, by the noise in the signal: "
        f"{tops}. The claim, in turn: {', '.join(it.verdict.value for it in trials)}"
        + (f". Growth, the logarithm of the median, as it is: {listed}" if level == 10.0 else ""),
    )


def _gap(cube: Cube, base: Cell, level: float) -> tuple[Estimate, Verdict]:
    """Judge that a leverage is best by the estimate, grows, and beats all that are far from it.

    Growth is flat about its maximum, so neighbours need not be told apart; one that is shown
    better decides against it.
    """
    own = growth(cube, base, level)
    gaps = {it: own - growth(cube, base, it) for it in cube.axis("leverage") if it != level}
    nearest = min(gaps.values(), key=lambda it: it.value)
    far = [gap for it, gap in gaps.items() if it >= FAR * level or level >= FAR * it]
    if any(below(it) is Verdict.HOLDS for it in gaps.values()):
        return nearest, Verdict.FAILS
    if nearest.value < 0.0:
        return nearest, Verdict.UNSETTLED
    return nearest, every((above(own), *map(above, far)))


def _top(cube: Cube, base: Cell) -> float:
    return max(cube.axis("leverage"), key=lambda it: growth(cube, base, it).value)


def growth(cube: Cube, base: Cell, leverage: float) -> Estimate:
    """Return the logarithm of what becomes of 1 in the median; ruin counts as LEAST."""
    median = cube.at("return_quantile", quantile=0.5, leverage=leverage, **base)
    return combine(_log_growth, median)


def _log_growth(gain: Floats) -> Floats:
    return np.log(np.maximum(1.0 + gain, LEAST))


def _proportion(cube: Cube, base: Cell) -> Finding:
    """Judge that 20× and 50× add liquidations without returns in proportion."""
    ten, twenty, fifty = (growth(cube, base, it) for it in (10, 20, 50))
    dead = [cube.at("liquidation_probability", leverage=it, **base) for it in (10, 20, 50)]
    parts = [
        every((_out_of_proportion(ten, it, level / 10.0), above(risk - dead[0])))
        for it, level, risk in ((twenty, 20.0, dead[1]), (fifty, 50.0, dead[2]))
    ]
    return Finding(
        cube.market,
        "growth of the median account in two weeks at 50× gross, over that at 10×",
        fifty / ten,
        Unit.TIMES,
        or_only_if(every(parts), parts),
        "the claim is of 20× and of 50×, that more are liquidated and growth is less than in "
        f"proportion, or is loss. Growth at 10× is {written(ten)}; at 20× it is "
        f"{written(twenty / ten, Unit.TIMES)} that. The claim of 20×: {parts[0].value}; of 50×: "
        f"{parts[1].value}. Liquidated at 10×, 20× and 50×: "
        + ", ".join(written(it, Unit.PERCENT) for it in dead),
    )


def _out_of_proportion(ten: Estimate, more: Estimate, times: float) -> Verdict:
    if above(ten) is not Verdict.HOLDS:
        return below(more)
    return below(more - ten * times)


CLAIM = Claim(
    name="leverage",
    title="10× against lower leverage, 20× and 50×",
    sentence="“10x leverage provides the best balance … Higher leverage like 20x or 50x increases "
    "rebalancing frequency and liquidation risk without proportionally improving returns, while "
    "lower leverage reduces capital utilization unnecessarily”",
    taken="Two weeks of trades of an hour on venue B, entered by the spread where there is one. "
    "The article does not say whether 10× is gross or of each leg, which is 20 gross: both are "
    "tried. The best balance is the leverage at which the median account grows most, for signals "
    "with less and less skill; as growth is flat about its best, it must be shown to grow, and "
    "faster than at four times the leverage and more, and at a quarter and less.",
    studies=(Study(), Study(Market.PAIR, ('policy.side="fixed"',)), Study(Market.BASIS)),
    judge=judge,
)
