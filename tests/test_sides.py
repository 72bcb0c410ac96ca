"""Which leg is long, when a trade opens and when it is left, on hand-made tapes.

Each step's returns tell the legs' positions: where a gains 1% and b nothing, a trade of legs +1
and -1 earns .01 on a, and one the other way round loses it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from markets import policy, tape_of
from stresscube_kernels.contract import Features
from stresscube_kernels.oracle import run_policies
from stresscube_kernels.pack import pack_policies
from stresscube_kernels.spec import PolicySpec, SimulationSpec
from whole import WHOLE, free, settle

NONE = Features(*([False] * len(Features._fields)))


def sides(z: list[float], spec: PolicySpec) -> list[int]:
    """Whether leg a is long (1), short (-1) or flat (0) in each step: by the sign of what a
    return of 1% of a in that step alone would earn."""
    found: list[int] = []
    for step in range(len(z)):
        tape = tape_of(*({"z": value, "return_a": 0.01 * (k == step)} for k, value in enumerate(z)))
        found.append(int(np.sign(round(settle(tape, spec, spread=True)["pnl_a"], 9))))
    return found


def spread(entry: float, leave: float, **rest: Any) -> PolicySpec:
    return policy(
        1.0, 2.0, venues=(free(),), side="spread", entry_z=entry, exit_z=leave, **rest
    )  # fmt: skip


def test_entry_direction_and_exit() -> None:
    """Enter at |z| >= 2, b shorted when it is dear (z > 0: long a); leave at sign * z <= .5.

    1.9 nothing; 2.0 in, long a; .6 stays; .5 out; -2.5 in, short a; -.6 stays; .2 out.
    """
    z = [1.9, 2.0, 0.6, 0.5, 0.0, -2.5, -0.6, 0.2, 1.0]
    assert sides(z, spread(2.0, 0.5)) == [0, 1, 1, 0, 0, -1, -1, 0, 0]


def test_exit_may_be_beyond_the_middle() -> None:
    """exit_z -1: held until the spread is as far on the other side."""
    assert sides([2.0, 0.0, -0.9, -1.0, 0.0], spread(2.0, -1.0)) == [1, 1, 1, 0, 0]


def test_a_turn_within_one_step() -> None:
    """Out of the one side and into the other at once: two turns are paid."""
    spec = spread(2.0, 0.5)
    assert sides([2.0, -2.0, -2.0], spec) == [1, -1, -1]
    tape = tape_of({"z": 2.0}, {"z": -2.0}, {"z": -2.0})
    book = settle(tape, spec, spread=True)
    assert book["turnover"] == pytest.approx(2 + 4 + 2)
    assert book["trades"] == 2


def test_entry_again_where_the_exit_leaves_room() -> None:
    """exit_z above entry_z: what was left is entered again at once, while |z| is large enough."""
    book = settle(tape_of({"z": 1.0}, {"z": 1.0}, {"z": 0.2}), spread(0.5, 1.5), spread=True)
    assert book["trades"] == 2
    assert sides([1.0, 1.0, 0.2], spread(0.5, 1.5)) == [1, 1, 0]


def test_a_spread_that_never_opens_costs_nothing() -> None:
    book = settle(tape_of(*[{"z": 1.0, "return_a": 0.5}] * 3), spread(2.0, 0.0), spread=True)
    assert book["final_equity"] == 1
    assert book["trades"] == 0
    assert book["turnover"] == 0
    assert book["max_drawdown"] == 0


def test_expiry_comes_first_and_may_enter_again() -> None:
    """holding 2 while z stays high: out and in at step 3; low then: out for good."""
    high = spread(2.0, 0.0, holding=2.0)
    assert settle(tape_of(*[{"z": 3.0}] * 4), high, spread=True)["trades"] == 2
    assert sides([3.0, 3.0, 1.0, 1.0], high) == [1, 1, 0, 0]


def test_the_trade_is_booked_when_it_is_left() -> None:
    """h 1, L 2, fee 1%. Opened at 1 with .02 of costs, b +10% loses .1, a +5% gains .05.

    Left at the start of step 3 (z .4): N = 1.05, -1.1; closing costs .0215. Trade
    1 - .02 - .05 - .0215 - 1 = -.0915. Flat in step 3.
    """
    spec = policy(
        1.0, 2.0, venues=(free(taker_fee=0.01),), side="spread", entry_z=2.0, exit_z=0.5
    )  # fmt: skip
    tape = tape_of(
        {"z": 2.0, "return_b": 0.1}, {"z": 1.0, "return_a": 0.05}, {"z": 0.4, "return_a": 0.5}
    )
    book = settle(tape, spec, spread=True)
    assert book["final_equity"] == pytest.approx(0.9085)
    assert book["trade_sum_1"] == pytest.approx(-0.0915)
    assert (book["trades"], book["wins"]) == (1, 0)
    assert book["turnover"] == pytest.approx(2 + 2.15)


def test_a_short_a_trade_mirrors_a_long_a_trade() -> None:
    """Signs of z turned and the legs' returns turned: P&L of each leg the same, margins too."""
    rng = np.random.default_rng(3)
    steps = [
        {"z": z, "return_a": a, "return_b": b}
        for z, a, b in zip(
            [2.5, 1.0, 0.1, 2.2, 2.0], *rng.normal(0, 0.001, (2, 5)), strict=True
        )
    ]  # fmt: skip
    mirrored = [{name: -value for name, value in step.items()} for step in steps]
    one, two = (settle(tape_of(*s), spread(2.0, 0.5), spread=True) for s in (steps, mirrored))
    for name in ("pnl_a", "pnl_b", "final_equity"):
        # notionals of a short fall where those of a long rise: equal to first order
        assert one[name] == pytest.approx(two[name], abs=1e-4)
    assert one["trades"] == two["trades"] == 2
    assert one["turnover"] == pytest.approx(two["turnover"], rel=0.01)


@pytest.mark.parametrize(
    ("rates", "long_a"),
    [((0.01, 0.02), True), ((0.02, 0.01), False), ((-0.02, -0.01), True), ((0.01, 0.01), True)],
)
def test_the_funding_side_shorts_the_dearer_leg(rates: tuple[float, float], long_a: bool) -> None:
    """The leg with the higher predicted rate is shorted; equal rates leave a long."""
    spec = policy(1.0, 2.0, venues=(free(),), side="funding")
    tape = tape_of({"funding_a": rates[0], "funding_b": rates[1], "return_a": 0.01})
    book = settle(tape, spec, funding=True)
    assert book["pnl_a"] == pytest.approx(0.01 if long_a else -0.01)


def test_the_funding_side_compares_rates_before_the_cap() -> None:
    """2% and 1%, both capped at .5%: a is still the dearer, and shorted."""
    spec = policy(1.0, 2.0, venues=(free(funding_cap=0.005),), side="funding")
    tape = tape_of({"funding_a": 0.02, "funding_b": 0.01, "return_a": 0.01})
    assert settle(tape, spec, funding=True)["pnl_a"] == pytest.approx(-0.01)


def test_the_funding_side_is_chosen_anew_with_each_trade() -> None:
    """Held for 2 steps: the rates of step 2 do not matter, those of step 3 do."""
    spec = policy(1.0, 2.0, venues=(free(),), side="funding", holding=2.0)
    steps = [
        {"funding_a": 0.01, "return_a": 0.01},
        {"funding_b": 0.01, "return_a": 0.02},
        {"funding_b": 0.01, "return_a": 0.04},
    ]
    book = settle(tape_of(*steps), spec, funding=True)
    # short 1 of a: -.01, then -1.01 * .02; then long .9698 / 1 of equity 1 - .01 - .0202 = .9698
    assert book["pnl_a"] == pytest.approx(-0.01 - 0.0202 + 0.9698 * 0.04)


def outcomes(spec: PolicySpec, tape: NDArray[np.float64], features: Features) -> NDArray[Any]:
    run = SimulationSpec(tape.shape[1], 1.0, 0, "float64", 1.0, bridge=False)
    shape = WHOLE._replace(features=features, venues=1, tiers=1)
    return run_policies(tape, pack_policies((spec,), run, shape), shape)


def test_a_fixed_side_is_the_same_in_the_code_of_any_side() -> None:
    """Beside spread and funding policies a fixed one does what it does alone."""
    rng = np.random.default_rng(8)
    tape = tape_of(*(
        {"z": z, "return_a": a, "return_b": b, "funding_a": f}
        for z, a, b, f in rng.normal(0, 0.01, (50, 4)) * [300, 1, 1, 1]
    ))  # fmt: skip
    spec = policy(0.8, 3.0, venues=(free(taker_fee=0.001),), holding=7.0, rebalance_threshold=0.01)
    plain = NONE._replace(rolls=True)
    every = plain._replace(spread=True, spread_side=True, funding_side=True)
    assert np.array_equal(outcomes(spec, tape, plain), outcomes(spec, tape, every))


def test_a_dead_account_opens_no_other_trade() -> None:
    """Killed in step 1 (-60% on a long a of 1, against b up 50%); z calls again: nothing."""
    venue = free(maintenance_tiers=((0.0, 0.05),))
    spec = policy(1.0, 2.0, venues=(venue,), side="spread", entry_z=2.0, exit_z=0.5)
    tape = tape_of(
        {"z": 2.0, "return_a": -0.6, "return_b": 0.5}, {"z": 0.0}, {"z": 3.0}, {"z": 3.0}
    )
    book = settle(tape, spec, spread=True)
    assert book["liquidation_step"] == 1
    assert book["trades"] == 1
    assert book["turnover"] == pytest.approx(2)
    assert book["deficit"] == pytest.approx(0.1)
