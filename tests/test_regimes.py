"""Books by regime: they add up on every backend, change nothing else, and follow theory."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import linalg

from markets import HOUR, driftless, of, simulation, tape_of, two_state, venue
from stresscube_kernels import cpu, oracle, ticks
from stresscube_kernels.contract import RegimeBook, Shape
from stresscube_kernels.own import Own, policy_rules
from stresscube_kernels.pack import job_shape, pack_policies
from stresscube_kernels.policy import policy_step
from stresscube_kernels.regimes import by_regime
from stresscube_kernels.rules import Rules, outcome_fields, register
from stresscube_kernels.spec import Job, MarketSpec, PolicySpec, RegimeSpec, SimulationSpec
from test_whole_model import BACKENDS, MODES, SEEDS, STEPS, exact, example, found
from whole import alone, calm, event

FREE = venue()
COSTLY = venue(taker_fee=0.01)


def books(outcomes: NDArray[Any], fields: tuple[str, ...]) -> list[RegimeBook]:
    """The book of each regime, its fields [policies, paths]."""
    first = next(k for k, name in enumerate(fields) if name.startswith("regimes_"))
    size = len(RegimeBook._fields)
    return [RegimeBook(*outcomes[k : k + size]) for k in range(first, len(fields), size)]


@pytest.fixture(params=list(MODES))
def mode(request: pytest.FixtureRequest) -> str:
    """The margin mode."""
    return request.param


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("backend", ["oracle", *BACKENDS])
def test_the_books_of_all_regimes_add_up(mode: str, backend: str, precision: str) -> None:
    """To what the account gained, how long it lived, whether it died, where it was lowest.

    A step rounds a gain and a book by half a unit in the last place of numbers no larger than the
    highest equity: a whole rounding a step of twice that is a bound.
    """
    seen = np.zeros(3)
    for seed in SEEDS:
        job = example(mode, seed, precision)
        outcomes = (
            exact(mode, seed, precision) if backend == "oracle" else found(mode, backend, job)
        )
        kept = books(outcomes, outcome_fields(MODES[mode]))
        total = RegimeBook(*map(sum, zip(*kept, strict=True)))
        final, dead = of(outcomes, "final_equity"), of(outcomes, "liquidation_step") > 0
        size = 2.0 + 2.0 * sum(np.abs(book.gain) for book in kept)
        bound = STEPS * np.finfo(outcomes.dtype).eps * size
        assert np.all(np.abs(total.gain - (final - 1.0)) <= bound)
        assert np.array_equal(total.liquidated, dead)
        steps = np.where(dead, of(outcomes, "liquidation_step"), STEPS)
        assert np.array_equal(total.lived, steps)
        assert np.array_equal(total.deepest, of(outcomes, "max_drawdown") > 0)
        seen += [kept[1].liquidated.sum(), kept[1].deepest.sum(), np.abs(kept[1].gain).sum()]
    assert np.all(seen > 10)  # the second regime has its part of everything


def test_they_change_no_other_number(mode: str) -> None:
    """Bit for bit, in the oracle and in compiled code."""
    job, shape = example(mode, 0, "float32"), MODES[mode]
    bare = shape._replace(features=shape.features._replace(by_regime=False))
    size = len(outcome_fields(bare))
    for run in (lambda code: cpu.prepare(job, shape=code).run(0, 64).per_policy, with_oracle(job)):
        with_books, without = run(shape), run(bare)
        assert len(without) == size < len(with_books)
        assert np.array_equal(with_books[:size], without)


def with_oracle(job: Job) -> Any:
    def run(code: Shape) -> NDArray[Any]:
        tape, _ = oracle.simulate(job, 0, 16, np.float32, code)
        packed = pack_policies(job.policies, job.simulation, code)
        return oracle.run_policies(tape, packed, code, np.float32)

    return run


def settled(tape: NDArray[np.float64], spec: PolicySpec) -> list[RegimeBook]:
    """The books of one policy on a hand-made tape of two regimes; a step lasts a year."""
    run = SimulationSpec(tape.shape[1], 1.0, 0, "float64", 1.0, bridge=False, by_regime=True)
    shape = job_shape(Job(alone(calm()), (spec,), run))._replace(regimes=2)
    outcomes = oracle.run_policies(tape, pack_policies((spec,), run, shape), shape)
    return [
        RegimeBook(*(field.item() for field in b)) for b in books(outcomes, outcome_fields(shape))
    ]


STRESS = ticks.pack(1.0, 3.0, 2.0, 1.0, 1.0)
"""The second regime; other chains and events have no part in it."""


def test_a_ledger_by_hand() -> None:
    """A single leg of 2 for 1, 1% fees: +10% calm, -20% in stress, +5% calm, then closed."""
    spec = PolicySpec((COSTLY,), 0.0, 2.0)
    tape = tape_of(
        {"return_a": 0.1, "state": event()},
        {"return_a": -0.2, "state": STRESS},
        {"return_a": 0.05, "state": event()},
    )
    quiet, stress = settled(tape, spec)
    fees = 0.01 * 2.0 + 0.01 * 2.0 * 1.1 * 0.8 * 1.05
    assert quiet.gain == pytest.approx(0.2 + 2.2 * 0.8 * 0.05 - fees, abs=1e-14)
    assert stress.gain == pytest.approx(-0.44, abs=1e-14)
    assert (quiet.lived, stress.lived) == (2, 1)
    assert (quiet.liquidated, stress.liquidated) == (0, 0)
    assert (quiet.deepest, stress.deepest) == (0, 1)


def test_a_death_belongs_to_its_regime() -> None:
    """What the account loses is booked where it dies; its shadow has no books."""
    spec = PolicySpec((FREE,), 0.0, 5.0)
    tape = tape_of(
        {"return_a": 0.02, "state": event()},
        {"return_a": -0.5, "state": STRESS},
        {"return_a": 0.9, "state": event()},
    )
    quiet, stress = settled(tape, spec)
    assert quiet == RegimeBook(pytest.approx(0.1, abs=1e-14), 1, 0, 0)
    assert stress == RegimeBook(pytest.approx(-1.1, abs=1e-14), 1, 1, 1)


def test_closing_belongs_to_the_last_step() -> None:
    """Its costs may deepen the drawdown, too."""
    spec = PolicySpec((COSTLY,), 0.0, 1.0)
    quiet, stress = settled(tape_of({"state": event()}, {"state": STRESS}), spec)
    assert quiet == RegimeBook(pytest.approx(-0.01, abs=1e-14), 1, 0, 0)
    assert stress == RegimeBook(pytest.approx(-0.01, abs=1e-14), 1, 0, 1)


def test_gains_of_a_martingale() -> None:
    """A leg held without costs: gains have mean 0 and the exact variance in each regime.

    With S the price and q(r) = exp(v(r)) - 1, v the variance of a step's log-return, the gain in r
    has variance leverage^2 sum_t E[S_t^2; r_t = r] q(r), and E[S^2; r] follows the chain.
    """
    steps, paths, leverage = 48, 40_000, 0.4
    levels = (0.5, 2.0)
    market = MarketSpec(
        tuple(RegimeSpec(f"r{k}", (0.0, 0.0), (level, 0.1), 0.0) for k, level in enumerate(levels)),
        two_state((12 * HOUR, 6 * HOUR), initial=0),
    )
    run = simulation(steps, HOUR, 20261122, bridge=False, by_regime=True)
    made = Job(market, (PolicySpec((FREE,), 0.0, leverage),), run)
    outcomes = cpu.prepare(made).run(0, paths).per_policy.astype(np.float64)
    kept = books(outcomes, outcome_fields(job_shape(made)))

    growth = np.exp(np.square(levels) * HOUR)
    rates = np.array([1 / 12, 1 / 6])  # of leaving, an hour
    move = linalg.expm(np.array([[-rates[0], rates[0]], [rates[1], -rates[1]]]))
    square, variance, time = np.array([1.0, 0.0]), np.zeros(2), np.zeros(2)
    occupied = np.array([1.0, 0.0])
    for _ in range(steps):
        variance += leverage**2 * square * (growth - 1.0)
        time += occupied
        square, occupied = (square * growth) @ move, occupied @ move
    for k, book in enumerate(kept):
        gain, lived = book.gain[0], book.lived[0]
        assert gain.mean() == pytest.approx(0.0, abs=4 * gain.std() / paths**0.5)
        second = gain**2
        assert second.mean() == pytest.approx(variance[k], abs=4 * second.std() / paths**0.5)
        assert lived.mean() == pytest.approx(time[k], abs=4 * lived.std() / paths**0.5)


def test_a_step_of_one_s_own_has_books_too() -> None:
    """After its memory; and as it trades like the built-in one, the same."""

    def counted(*given: Any) -> Any:
        *usual, memory = given
        return policy_step(*usual), memory + 1.0

    rules = register(policy_rules(Own("counts its steps", counted, memory=0.0)))
    plain, own = PolicySpec((FREE,), 0.5, 2.0), PolicySpec((FREE,), 0.5, 2.0, rules=rules.name)
    run = simulation(50, HOUR, 5, precision="float64", by_regime=True)
    market = MarketSpec(
        (driftless((0.5, 0.6), 0.8), driftless((2.0, 2.0), 0.1, name="stress")),
        two_state((12 * HOUR, 6 * HOUR)),
    )
    ours, theirs = (
        cpu.prepare(Job(market, (spec,), run)).run(0, 128).per_policy for spec in (own, plain)
    )
    np.testing.assert_array_equal(ours, theirs)


class Odd(NamedTuple):
    """An account of another making."""

    pair: Any


def test_accounts_of_another_making_are_refused() -> None:
    with pytest.raises(TypeError, match=r"need an account with .*alive"):
        by_regime(Rules("odd", account=Odd(0.0)), 2)
