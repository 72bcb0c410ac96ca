"""A directional bias of 10 to 15% in spikes of volatility."""

from __future__ import annotations

from collections.abc import Iterator

from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.estimate import Estimate
from stresscube.claims.trial import Trial
from stresscube.claims.verdicts import below, or_only_if
from stresscube.claims.words import written

MODES = {"B": (30.0, "one account"), "B-isolated": (10.0, "an account for each leg")}
"""Venue -> a leverage at which accounts die often enough to be counted, and its margin mode."""
LIQUIDATION = "liquidation_probability"


def judge(cube: Cube) -> Iterator[Finding]:
    """Yield what the bias does to survival in either margin mode, and where moves go on."""
    for venue, (leverage, words) in MODES.items():
        yield _finding(cube, venue, leverage, words)


def _finding(cube: Cube, venue: str, leverage: float, words: str) -> Finding:
    where: dict[str, object] = {"venue": venue, "leverage": leverage}
    figure = _saved(cube, 0.10, 1.5, where)
    trials = [_trial(cube, bias, trigger, where, "") for bias in BIASES for trigger in TRIGGERS]
    trials += [
        _trial(it, bias, trigger, where, f"{WHERE[name]}, ")
        for name, it in cube.variants.items()
        for bias in BIASES
        for trigger in TRIGGERS
    ]
    kept = [it.label for it in trials if it.holds]
    before = cube.at(LIQUIDATION, directional_bias=0, bias_trigger=1.5, **where)
    cost = cube.at("return_mean", directional_bias=0.10, bias_trigger=1.5, **where) - cube.at(
        "return_mean", directional_bias=0, bias_trigger=1.5, **where
    )
    figures = "; ".join(f"{it.label}: {written(it.figure, Unit.POINTS)}" for it in trials)
    return Finding(
        cube.market,
        f"liquidations in a week at {leverage:g}×, {words}, with a bias of 10% above 1.5 times "
        "the usual volatility, less those without",
        figure,
        Unit.POINTS,
        or_only_if(below(figure), [it.verdict for it in trials]),
        f"without a bias {written(before, Unit.PERCENT)} are liquidated; the bias changes the mean "
        f"return of the week by {written(cost, Unit.PERCENT)}, since latching it and letting it go "
        "trade. A lean is exposure, and helps only where a move that has begun goes on. "
        + (f"It holds {', or '.join(kept)}" if kept else "It holds in none of what was tried")
        + f" ({figures})",
    )


WHERE = {"falling": "where prices fall in every spike"}
BIASES = (0.10, 0.15)
TRIGGERS = (1.5, 2.5)


def _trial(cube: Cube, bias: float, trigger: float, where: dict[str, object], place: str) -> Trial:
    figure = _saved(cube, bias, trigger, where)
    return Trial(f"{place}{bias * 1e2:g}% above {trigger:g}", figure, below(figure))


def _saved(cube: Cube, bias: float, trigger: float, where: dict[str, object]) -> Estimate:
    with_it, without = (
        cube.at(LIQUIDATION, directional_bias=it, bias_trigger=trigger, **where) for it in (bias, 0)
    )
    return with_it - without


CLAIM = Claim(
    name="bias",
    title="A directional bias of 10 to 15% in spikes of volatility",
    sentence="“allowing your AI to temporarily favor one direction by 10-15% during volatility "
    "spikes … you reduce the correlation pressure on your legs and actually improve survival "
    "rates”",
    taken="A week of daily trades. While volatility is above the trigger, the leg that the trend "
    "favours is larger by the bias and the other smaller, at the same gross. Leverage is where "
    "accounts die often enough to be counted: higher with one account, 10 where each leg has its "
    "own. Tried too: 15%, a higher trigger, and spikes in which "
    "prices fall all the while, by a drift of -300 a year.",
    studies=(
        Study(
            variants=(
                (
                    "falling",
                    Study(settings=("market.regimes.spike.drift=[-300, -300]",)),
                ),
            )
        ),
        Study(
            Market.PAIR,
            variants=(
                (
                    "falling",
                    Study(Market.PAIR, ("market.regimes.regime-4.drift=[-300, -300]",)),
                ),
            ),
        ),
    ),
    judge=judge,
)
