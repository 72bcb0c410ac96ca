"""A directional bias of 10 to 15% in spikes of volatility."""

from __future__ import annotations

from collections.abc import Iterator

from stresscube.claims.altered import REGIMES
from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.estimate import Estimate
from stresscube.claims.trial import Trial
from stresscube.claims.verdicts import below
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
    leans = [(bias, trigger) for bias in BIASES for trigger in TRIGGERS]
    trials = [_trial(cube, lean, where, "") for lean in leans[1:]]
    trials += [
        _trial(cube.variants[name], lean, where, place, altered=True)
        for name, place in WHERE.items()
        for lean in leans
    ]
    if "again" in cube.variants and leverage == 10.0:
        again, day = cube.variants["again"], cube.variants["day"]
        trials += [_trial(again, (bias, 2.5), where, OTHERS) for bias in BIASES]
        trials += [_trial(day, (bias, 1.5), where, DAY, altered=True) for bias in BIASES]
    figure = _gained(cube, LIQUIDATION, leans[0], where)
    before = cube.at(LIQUIDATION, directional_bias=0, bias_trigger=1.5, **where)
    cost = _gained(cube, "return_mean", leans[0], where)
    return Finding(
        cube.market,
        f"liquidations in a week at {leverage:g}×, {words}, with a bias of 10% above 1.5 times "
        "the usual volatility, less those without",
        figure,
        Unit.POINTS,
        below(figure),
        f"without a bias {written(before, Unit.PERCENT)} are liquidated; the bias changes the mean "
        f"return of the week by {written(cost, Unit.PERCENT)}",
        "latching a lean and letting it go trade, and a lean is exposure: it helps only where a "
        "move that has begun goes on. In one account it must be a rise, for a lean to the leg that "
        "is long, the calmer one, takes equal sizes nearer to minimum variance, and one to the "
        "other further from it",
        tuple(trials),
    )


WHERE = {
    "falling": "where prices fall in every spike, ",
    "rising": "where prices rise in every spike, ",
}
OTHERS = "on 12,000 other paths, "
DAY = f"in a day that begins in a spike in which prices fall, {OTHERS}"
BIASES = (0.10, 0.15)
TRIGGERS = (1.5, 2.5)

Lean = tuple[float, float]
"""Bias and trigger."""


def _trial(
    cube: Cube, lean: Lean, where: dict[str, object], place: str, *, altered: bool = False
) -> Trial:
    figure = _gained(cube, LIQUIDATION, lean, where)
    label = f"{lean[0] * 1e2:g}% above {lean[1]:g}"
    return Trial(f"{place}for", label, figure, below(figure), altered)


def _gained(cube: Cube, metric: str, lean: Lean, where: dict[str, object]) -> Estimate:
    """Return a metric with a bias less the same without."""
    with_it, without = (
        cube.at(metric, directional_bias=it, bias_trigger=lean[1], **where) for it in (lean[0], 0)
    )
    return with_it - without


AGAIN = (
    "simulation.paths=12000",
    "simulation.seed=43",
    'sweep.venue=["B-isolated"]',
    "sweep.leverage=[10]",
)
"""What a first look left open, on more paths and on other ones."""
WILDEST = REGIMES[Market.PAIR][-1]
BEGINS = (
    'simulation.horizon="1d"',
    f'market.initial_regime="{WILDEST}"',
    f"market.regimes.{WILDEST}.drift=[-300, -300]",
    "sweep.bias_trigger=[1.5]",
)


def _moving(drift: float) -> Study:
    """Return the fitted pair with a drift of both legs in its two wilder regimes."""
    wild = (f"market.regimes.{name}.drift=[{drift}, {drift}]" for name in REGIMES[Market.PAIR][-2:])
    return Study(Market.PAIR, tuple(wild))


CLAIM = Claim(
    name="bias",
    title="A directional bias of 10 to 15% in spikes of volatility",
    sentence="“allowing your AI to temporarily favor one direction by 10-15% during volatility "
    "spikes … you reduce the correlation pressure on your legs and actually improve survival "
    "rates”",
    taken="A week of daily trades. While volatility is above the trigger, the leg that the trend "
    "favours is larger by the bias and the other smaller, at the same gross. Leverage is where "
    "accounts die often enough to be counted: higher with one account, 10 where each leg has its "
    "own. Tried too: 15%, a higher trigger, and spikes in which prices fall or rise all the "
    "while, by a drift of 300 a year; the fitted pair's spikes are its two wilder regimes. "
    "Stronger drifts, higher triggers and longer spikes of that pair were tried with an account "
    "for each leg, and settled nothing.",
    studies=(
        Study(
            variants=(
                (
                    "falling",
                    Study(settings=("market.regimes.spike.drift=[-300, -300]",)),
                ),
                ("rising", Study(settings=("market.regimes.spike.drift=[300, 300]",))),
            )
        ),
        Study(
            Market.PAIR,
            variants=(
                ("falling", _moving(-300)),
                ("rising", _moving(300)),
                ("again", Study(Market.PAIR, (*AGAIN, "sweep.bias_trigger=[2.5]"))),
                ("day", Study(Market.PAIR, (*AGAIN, *BEGINS))),
            ),
        ),
    ),
    judge=judge,
)
