"""10× against lower leverage and against 20× and 50×."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stresscube.claims.altered import in_every_regime, spiky
from stresscube.claims.cells import Cell, Cube, Place
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.estimate import Estimate, combine
from stresscube.claims.trial import Trial
from stresscube.claims.verdicts import Verdict, above, below, every
from stresscube.claims.words import written
from stresscube.policies import Floats

NOISE = "market_signal_noise"
WORDS = {
    "edge": "without costs, where leg a gains 0.27% a day on leg b",
    "double": "without costs, where leg a gains 0.55% a day on leg b",
    "apart": "for legs with a correlation of .85 and the article's basis,",
}
SKILL = " with noise of {:g} standard deviations in the signal"
FAR = 4.0
LEAST = 1e-12
"""What counts as left of an account in ruin, for its logarithm."""


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield whether 10× is best, gross or per leg, and what 20× and 50× add."""
    noises = cube.axis(NOISE) if NOISE in cube.data.dims else []
    own: Cell = {NOISE: noises[0]} if noises else {}
    places = [Levered(SKILL.format(it).strip(), cube, {NOISE: it}) for it in noises[1:]]
    for name, it in cube.variants.items():
        swept = it.axis(NOISE) if NOISE in it.data.dims else []
        cells: list[tuple[str, Cell]] = [(SKILL.format(noise), {NOISE: noise}) for noise in swept]
        places += [
            Levered(f"{WORDS[name]}{words}", it, cell, altered=True)
            for words, cell in cells or [("", {})]
        ]
    for level, words in ((10.0, "gross"), (20.0, "for each leg, 20 gross")):
        yield _best(Levered("", cube, own), places, level, words)
    yield _proportion(Levered("", cube, own), places)


@dataclass(frozen=True, slots=True)
class Levered(Place):
    """A place, and what becomes of an account there at a leverage."""

    def growth(self, leverage: float) -> Estimate:
        """Return the growth of the median at a leverage."""
        return growth(self.cube, self.cell, leverage)

    def dead(self, leverage: float) -> Estimate:
        """Return how many are liquidated at a leverage."""
        return self.cube.at("liquidation_probability", leverage=leverage, **self.cell)

    @property
    def top(self) -> float:
        """The leverage at which the median grows most."""
        return max(self.cube.axis("leverage"), key=lambda it: self.growth(it).value)


def _best(own: Levered, places: Sequence[Levered], level: float, words: str) -> Finding:
    figure, stated = _gap(own.cube, own.cell, level)
    listed = "; ".join(f"{it:g}×: {_grown(own, it)}" for it in own.cube.axis("leverage"))
    return Finding(
        own.cube.market,
        f"growth of the median account in two weeks at 10× {words}, less that at the best other",
        figure,
        Unit.NUMBER,
        stated,
        f"best is {own.top:g}× gross"
        + (
            f". Growth, the logarithm of the median, and all liquidations: {listed}"
            if level == 10.0
            else ""
        ),
        "growth rises with leverage as the edge does and falls as its square, with the variance: "
        "what is best is a matter of the edge. Where a trade loses it is the least, where hardly "
        "anything varies the most",
        tuple(_at(it, level) for it in places),
    )


def _at(place: Levered, level: float) -> Trial:
    """Return whether a leverage is best at a place, and by how much it leads those far from it."""
    nearest, verdict = _gap(place.cube, place.cell, level)
    if verdict is not Verdict.HOLDS:
        return Trial(f"{place.words},", f"best {place.top:g}×", nearest, verdict, place.altered)
    lead = min(_far(_gaps(place.cube, place.cell, level), level), key=lambda it: it.value)
    label = f"best {level:g}×, ahead of those far from it by at least"
    return Trial(f"{place.words},", label, lead, verdict, place.altered)


def _gaps(cube: Cube, base: Cell, level: float) -> dict[float, Estimate]:
    """Return by how much the median grows more than at each other leverage."""
    own = growth(cube, base, level)
    return {it: own - growth(cube, base, it) for it in cube.axis("leverage") if it != level}


def _far(gaps: dict[float, Estimate], level: float) -> list[Estimate]:
    """Return the gaps to leverages four times as high or more, or a quarter as high or less."""
    return [gap for it, gap in gaps.items() if it >= FAR * level or level >= FAR * it]


def _grown(own: Levered, level: float) -> str:
    """Return growth as text, and how many were liquidated if any was."""
    dead = own.dead(level)
    return written(own.growth(level)) + (
        f", liquidated {written(dead, Unit.PERCENT)}" if dead.value else ""
    )


def _gap(cube: Cube, base: Cell, level: float) -> tuple[Estimate, Verdict]:
    """Judge that a leverage is best by the estimate, grows, and beats all that are far from it.

    Growth is flat about its maximum, so neighbours need not be told apart; one that is shown
    better decides against it.
    """
    own, gaps = growth(cube, base, level), _gaps(cube, base, level)
    nearest = min(gaps.values(), key=lambda it: it.value)
    far = _far(gaps, level)
    if any(below(it) is Verdict.HOLDS for it in gaps.values()):
        return nearest, Verdict.FAILS
    if nearest.value < 0.0:
        return nearest, Verdict.UNSETTLED
    return nearest, every((above(own), *map(above, far)))


def growth(cube: Cube, base: Cell, leverage: float) -> Estimate:
    """Return the logarithm of what becomes of 1 in the median; ruin counts as LEAST."""
    median = cube.at("return_quantile", quantile=0.5, leverage=leverage, **base)
    return combine(_log_growth, median)


def _log_growth(gain: Floats) -> Floats:
    return np.log(np.maximum(1.0 + gain, LEAST))


def _proportion(own: Levered, places: Sequence[Levered]) -> Finding:
    """Judge that 20× and 50× add liquidations without returns in proportion."""
    parts = [_part(own, it) for it in (20.0, 50.0)]
    ten, fifty = own.growth(10), own.growth(50)
    trials = [Trial("of", f"{it:g}× alone", *_part(own, it)) for it in (20.0, 50.0)]
    trials += [
        Trial("of 50× alone,", it.words, *_part(it, 50.0), it.altered)
        for it in places
        if it.altered
    ]
    return Finding(
        own.cube.market,
        "growth of the median account in two weeks at 50× gross, over that at 10×",
        fifty / ten,
        Unit.TIMES,
        every(verdict for _, verdict in parts),
        f"growth at 10× is {written(ten)}. Liquidated at 10×, 20× and 50×: "
        + ", ".join(written(own.dead(it), Unit.PERCENT) for it in (10, 20, 50)),
        "the claim is of 20× and of 50×, that more are liquidated and growth is less than in "
        "proportion, or is loss",
        tuple(trials),
    )


def _part(place: Levered, level: float) -> tuple[Estimate, Verdict]:
    """Judge one leverage against 10×: the growth over that at 10×, and the verdict."""
    ten, more = place.growth(10), place.growth(level)
    less = _out_of_proportion(ten, more, level / 10.0)
    return more / ten, every((less, above(place.dead(level) - place.dead(10))))


def _out_of_proportion(ten: Estimate, more: Estimate, times: float) -> Verdict:
    if above(ten) is not Verdict.HOLDS:
        return below(more)
    return below(more - ten * times)


def _gaining(drift: float) -> Study:
    settings = ("venues.B.taker_fee=0", "venues.B.slippage=0", 'policy.side="fixed"')
    drifts = in_every_regime(Market.PAIR, "drift", f"[{drift}, 0]")
    return Study(Market.PAIR, (*settings, *drifts))


def _apart() -> Study:
    """Return the real basis as a pair of two coins, for traders with less and less skill."""
    settings = [it for it in spiky(Market.BASIS) if "signal_noise" not in it]
    settings += [
        "simulation.paths=4000",
        "market.correlation_regimes.coupling-1.correlation=0.85",
        "sweep.market.signal_noise=[1.095, 1.11]",
    ]
    return Study(Market.BASIS, tuple(settings))


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
    studies=(
        Study(),
        Study(
            Market.PAIR,
            ('policy.side="fixed"',),
            variants=(("edge", _gaining(1.0)), ("double", _gaining(2.0))),
        ),
        Study(Market.BASIS, variants=(("apart", _apart()),)),
    ),
    judge=judge,
)
