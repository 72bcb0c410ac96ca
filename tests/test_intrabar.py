"""Lows and highs inside a step: by hand, against steps so fine that nothing is left inside them.

In the ledgers equity starts at 1, margin is 10% and nothing costs anything unless said.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from markets import HOUR, of, policy, tape_of, venue
from replays import random_replay_job, wild_history
from stresscube_kernels import oracle, pack
from stresscube_kernels.contract import Tick
from stresscube_kernels.spec import (
    HistorySpec,
    Job,
    PolicySpec,
    ReplaySpec,
    SimulationSpec,
    VenueSpec,
)
from stresscube_kernels.ticks import Extremes, extremes, with_extremes
from test_ledgers import check
from whole import settle

TEN_PERCENT = ((0.0, 0.1),)
EXCHANGE = venue(maintenance_tiers=TEN_PERCENT)
LONG = policy(0.0, 5.0, venues=(EXCHANGE,))
PAIR = policy(1.0, 4.0, venues=(EXCHANGE,))


STILL = (0.0, 0.0)


def step(
    return_a: float = 0.0,
    return_b: float = 0.0,
    *,
    a: tuple[float, float] = STILL,
    b: tuple[float, float] = STILL,
    coincidence: float = 1.0,
) -> dict[str, float]:
    """A tick with lows and highs (low, high); they hold 0 and the step's return."""
    low_a, high_a = min(a[0], return_a, 0.0), max(a[1], return_a, 0.0)
    low_b, high_b = min(b[0], return_b, 0.0), max(b[1], return_b, 0.0)
    still = Tick(*([0.0] * len(Tick._fields)))._replace(slippage_multiplier=1.0)
    tick = still._replace(return_a=return_a, return_b=return_b)
    made = with_extremes(tick, Extremes(low_a, high_a, low_b, high_b, coincidence))
    assert extremes(made) == Extremes(low_a, high_a, low_b, high_b, coincidence)
    return made._asdict()


def book(spec: PolicySpec, *steps: dict[str, float], **features: bool) -> dict[str, float]:
    return settle(tape_of(*steps), spec, intrabar=True, **features)


def test_a_low_liquidates_a_long_leg() -> None:
    """L 5: at -12% E = .4, N = 4.4, M = .44: hit, though the step ends where it began.

    It is found at min(M, E1) = min(.5, 1) at the step's end: kept .5, cost .5.
    At -11% E = .45 and M = .445: alive.
    """
    dead = book(LONG, step(a=(-0.12, 0.05)), step())
    check(dead, final_equity=0.5, liquidation_step=1, liquidation_cost=0.5, shadow_equity=1.0)
    check(dead, recovered=1.0, extra_margin=0.0, max_drawdown=0.5)
    check(book(LONG, step(a=(-0.11, 0.05)), step()), final_equity=1.0, liquidation_step=0)


def test_a_high_does_not_harm_a_long_leg() -> None:
    check(book(LONG, step(a=(0.0, 9.0))), final_equity=1.0, liquidation_step=0)


def test_the_end_of_the_step_still_counts() -> None:
    """-12% at the end: E = .4 < M = .44, found there."""
    check(book(LONG, step(-0.12)), final_equity=0.4, liquidation_step=1, liquidation_cost=0.0)


def test_a_low_and_an_end_below_it_close_at_the_end() -> None:
    """A low of -15% and an end at -14%: min(M, E1) = min(.43, .3) = .3."""
    check(book(LONG, step(-0.14, a=(-0.15, 0.0))), final_equity=0.3, liquidation_step=1)


def test_costs_at_the_fill_can_liquidate() -> None:
    """Fee 2%, margin 19%: E = .9 after the fill, M = .95 at start prices; the step ends at +10%.

    E1 = .9 + .5 = 1.4, M = 1.045: kept 1.045.
    """
    tight = venue(taker_fee=0.02, maintenance_tiers=((0.0, 0.19),))
    spec = policy(0.0, 5.0, venues=(tight,))
    check(book(spec, step(0.1)), final_equity=1.045, liquidation_step=1, liquidation_cost=0.355)


# Legs 2 and -2. With a at x and b at y, E - M = .6 - 1.8 x' ... written out below.


def distance(x: float, y: float) -> float:
    """E - M of the pair with leg a moved by x and leg b by y."""
    return 1.0 + 2.0 * x - 2.0 * y - 0.1 * (2.0 * (1.0 + x) + 2.0 * (1.0 + y))


@pytest.mark.parametrize("coincidence", [0.0, 0.3, 0.62, 0.7, 0.78, 0.8, 0.9, 1.0])
def test_coincidence_places_the_other_leg(coincidence: float) -> None:
    """Both legs range over +-20%. While a is at -20%, b is at -20% + 40% c, and the reverse."""
    other = -0.2 + 0.4 * coincidence
    least = min(distance(-0.2, other), distance(-other, 0.2))
    wide = step(a=(-0.2, 0.2), b=(-0.2, 0.2), coincidence=coincidence)
    found = book(PAIR, wide)
    assert (found["liquidation_step"] == 1.0) == (least <= 0.0), least
    check(found, final_equity=0.4 if least <= 0.0 else 1.0)  # M of the closing sizes: .1 * 4


def test_the_certain_and_the_possible() -> None:
    """At 1 both are at their worst together (-.2); at 0 a's low meets b's low, which helps."""
    assert distance(-0.2, 0.2) == pytest.approx(-0.2)
    assert distance(-0.2, -0.2) > 0.0
    assert distance(-0.6, -0.2) < 0.0  # certain: even b at its best does not save it
    for coincidence in (0.0, 1.0):
        wild = step(a=(-0.6, 0.0), b=(-0.2, 0.1), coincidence=coincidence)
        check(book(PAIR, wild), liquidation_step=1)


def test_isolated_legs_need_no_coincidence() -> None:
    """E = .5 a leg. a at -20%: .5 - .4 < .16: dead at the end's min(M, E1) = min(.2, .5) = .2."""
    alone = replace(EXCHANGE, margin_mode="isolated")
    spec = policy(1.0, 4.0, venues=(alone,))
    for coincidence in (0.0, 1.0):
        wide = step(a=(-0.2, 0.0), b=(-0.2, 0.0), coincidence=coincidence)
        check(book(spec, wide, step()), liquidation_step=1, final_equity=0.2 + 0.5)
        calm = step(a=(-0.15, 0.2), b=(-0.2, 0.12), coincidence=coincidence)
        check(book(spec, calm, step()), liquidation_step=0, final_equity=1.0)


def test_a_survivor_can_die_inside_a_step() -> None:
    """a dies in step 1 (kept .2), b is held (2, E .5). Step 2: b up to +20%: E .1 < M .24: dead,

    found at its end, min(.2, .5) = .2.
    """
    held = replace(EXCHANGE, margin_mode="isolated", after_leg_death="hold")
    spec = policy(1.0, 4.0, venues=(held,))
    steps = (step(a=(-0.2, 0.0)), step(b=(0.0, 0.2)), step())
    check(book(spec, *steps), liquidation_step=1, final_equity=0.4)
    check(book(spec, steps[0], step(b=(0.0, 0.1)), step()), final_equity=0.7)


# --- against finer steps ----------------------------------------------------------------


FOLD = 12


def fine_history(bars: int = 4800, seed: int = 4) -> HistorySpec:
    """Closes alone, correlated and wild: with nothing inside a step they are the truth."""
    rng = np.random.default_rng(seed)
    noise = rng.multivariate_normal([0.0, 0.0], [[1.0, 0.6], [0.6, 1.1]], bars)
    close = np.array([100.0, 7.0]) * np.exp(np.cumsum(0.006 * noise, axis=0))
    return HistorySpec(close, HOUR / FOLD)


def folded(fine: HistorySpec) -> HistorySpec:
    """The same in bars of FOLD steps, whose lows and highs are those of the steps."""
    grouped = fine.close.reshape(-1, FOLD, 2)
    return HistorySpec(grouped[:, -1], HOUR, grouped.min(axis=1), grouped.max(axis=1))


def deaths(history: HistorySpec, policies: tuple[PolicySpec, ...], fold: int, **rest: Any
           ) -> NDArray[Any]:  # fmt: skip
    """The hour, from 1, in which each account dies in each window of 40 hours; inf for never."""
    steps = 40 * FOLD // fold
    market = ReplaySpec(history, stride=10 * HOUR, variance_half_life=6 * HOUR, **rest)
    run = SimulationSpec(steps, history.step, 0, "float64", bridge=history.low is not None)
    found = of(oracle.run(Job(market, policies, run), 0, 32).per_policy, "liquidation_step")
    return np.where(found > 0, np.ceil(found * fold / FOLD), np.inf)


def grid(exchange: VenueSpec) -> tuple[PolicySpec, ...]:
    """Positions that nothing changes before they end: what fine steps decide does not differ."""
    return tuple(
        policy(hedge, leverage, venues=(exchange,))
        for hedge in (0.0, 0.8, 1.2)
        for leverage in (3.0, 6.0, 12.0, 25.0)
    )


TIERS = ((0.0, 0.01), (500_000.0, 0.02), (1_500_000.0, 0.05))


def test_the_truth_lies_between_the_certain_and_the_possible() -> None:
    """Who dies by coincidence 0 has died, at the latest in that hour; who died dies by 1.

    And in bars of 3 steps the two are closer to it than in bars of 12.
    """
    policies = grid(venue(maintenance_tiers=TIERS))
    fine = fine_history()
    truth = deaths(fine, policies, 1)
    certain = deaths(folded(fine), policies, FOLD, coincidence=0.0)
    possible = deaths(folded(fine), policies, FOLD, coincidence=1.0)
    between = deaths(folded(fine), policies, FOLD, coincidence=0.5)
    assert np.all(possible <= truth)
    assert np.all(truth <= certain)
    assert np.all((possible <= between) & (between <= certain))
    assert 0.2 < np.isfinite(truth).mean() < 0.8
    assert (possible < truth).any()
    assert (truth < certain).any()
    assert np.array_equal(possible[:4], truth[:4])  # a single leg: exact
    assert np.array_equal(certain[:4], truth[:4])
    ends = deaths(replace(folded(fine), low=None, high=None), policies, FOLD)
    assert np.all(certain <= ends)
    assert (truth < ends).any()  # who looks at closes alone misses deaths


def test_isolated_margin_is_exact() -> None:
    """Each leg has its own lows and highs: the first death falls in the very hour."""
    exchange = replace(venue(maintenance_tiers=TIERS), margin_mode="isolated")
    fine = fine_history(seed=5)
    truth = deaths(fine, grid(exchange), 1)
    assert 0.2 < np.isfinite(truth).mean() < 0.9
    for coincidence in (0.0, 1.0):
        found = deaths(folded(fine), grid(exchange), FOLD, coincidence=coincidence)
        assert np.array_equal(found, truth)


@pytest.mark.parametrize("mode", ["cross", "isolated"])
def test_more_coincidence_never_saves_an_account(mode: str) -> None:
    """Over random jobs with everything in them."""
    job = random_replay_job(np.random.default_rng(77), policies=60, margin_mode=mode)
    assert isinstance(job.market, ReplaySpec)
    found: list[NDArray[Any]] = []
    for coincidence in (0.0, 0.4, 1.0):
        market = replace(job.market, coincidence=coincidence)
        steps = of(oracle.run(replace(job, market=market), 0, 20).per_policy, "liquidation_step")
        found.append(np.where(steps > 0, steps, np.inf))
    assert np.all(found[0] >= found[1])
    assert np.all(found[1] >= found[2])
    if mode == "isolated":
        assert np.array_equal(found[0], found[2])
    else:
        assert np.any(found[0] > found[2])


def test_only_liquidation_sees_the_inside() -> None:
    """With no margin to keep, lows and highs change nothing: the same bits as without them."""
    free = venue(taker_fee=0.0005, latency=0.3 * HOUR, maintenance_tiers=((0.0, 0.0),))
    spec = policy(1.0, 1.0, venues=(free,), rebalance_threshold=0.01, holding=7 * HOUR)
    history = wild_history()
    run = SimulationSpec(50, HOUR, 5, "float64", bridge=True)
    outcomes: list[NDArray[Any]] = []
    for ranges in (True, False):
        market = ReplaySpec(history, stride=9 * HOUR, ranges=ranges)
        job = Job(market, (spec,), replace(run, bridge=ranges))
        assert pack.job_shape(job).features.intrabar == ranges
        outcomes.append(oracle.run(job, 0, 60).per_policy)
    assert of(outcomes[0], "liquidation_step").max() == 0
    assert np.array_equal(outcomes[0], outcomes[1])
