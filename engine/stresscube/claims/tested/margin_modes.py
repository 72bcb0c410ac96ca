"""One margin account for both legs, or one each."""

from __future__ import annotations

from collections.abc import Iterator

from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.estimate import Estimate
from stresscube.claims.trial import tried
from stresscube.claims.verdicts import Verdict, below
from stresscube.claims.words import written

BOUND = 0.08
MODES = {
    "cross": "one account for both legs",
    "close": "an account for each leg, the other closed when one dies",
    "hold": "an account for each leg, the other held when one dies",
}


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield the liquidations of a month at 10× in each margin mode."""
    for venue, words in MODES.items():
        trials = tried(
            "at",
            (
                (f"{it:g}×", cube.at("liquidation_probability", venue=venue, leverage=it))
                for it in cube.axis("leverage")
                if it != 10.0
            ),
            manageable,
        )
        base = cube.at("liquidation_probability", venue=venue, leverage=10)
        mean = cube.at("return_mean", venue=venue, leverage=10)
        yield Finding(
            cube.market,
            f"liquidated in a month at 10×, {words}",
            base,
            Unit.PERCENT,
            manageable(base),
            f"the month returns {written(mean, Unit.PERCENT)}",
            tried=trials,
        )


def manageable(figure: Estimate) -> Verdict:
    """Judge that fewer are liquidated than the article's own 8%."""
    return below(figure, BOUND)


CLAIM = Claim(
    name="margin-modes",
    title="Legs that cancel, by margin mode",
    sentence="“10x leverage, which sounds aggressive but becomes surprisingly manageable when your "
    "positions truly cancel each other out on directional exposure”; “both your long and short "
    "legs get stress-tested simultaneously”",
    taken="A month of daily trades on venue C, with cross or isolated margin. Manageable is fewer "
    "than 8% liquidated. Legs cancel only in an account that holds both: with isolated margin, as "
    "on two exchanges, each leg is margined as if it stood alone.",
    studies=(Study(), Study(Market.PAIR)),
    judge=judge,
)
