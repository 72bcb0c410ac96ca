"""The directional bias: latched by volatility in the direction of the trend, and let go."""

from __future__ import annotations

from typing import Any

import pytest

from markets import policy, tape_of
from stresscube_kernels.spec import PolicySpec
from whole import free, settle

# h 1, L 2, bias 20%: legs 1.2 and .8 while a is favoured, .8 and 1.2 while b is.


def biased(bias: float = 0.2, hedge: float = 1.0, **rest: Any) -> PolicySpec:
    return policy(
        hedge, 2.0, venues=(free(taker_fee=0.01),), directional_bias=bias, bias_trigger=2.0, **rest
    )


def book(trends: list[float], spec: PolicySpec, **tick: float) -> dict[str, float]:
    tape = tape_of(*({"trend": value, **tick} for value in trends))
    return settle(tape, spec, signals=True)


def legs(trends: list[float], spec: PolicySpec, **tick: float) -> tuple[float, float]:
    """|N_a| and |N_b| held in the last step, by what 1% of each leg earns there."""
    found: list[float] = []
    for leg in ("a", "b"):
        steps = [{"trend": value, **tick} for value in trends]
        steps[-1] = {**steps[-1], f"return_{leg}": 0.01}
        found.append(abs(settle(tape_of(*steps), spec, signals=True)[f"pnl_{leg}"]) / 0.01)
    return found[0], found[1]


def test_latched_in_the_direction_of_the_trend() -> None:
    """Above the trigger with a rising market the long leg is favoured, falling the short one."""
    assert legs([1.0, 2.1], biased()) == pytest.approx((1.2, 0.8))
    assert legs([1.0, -2.1], biased()) == pytest.approx((0.8, 1.2))
    assert legs([1.0, 1.9], biased()) == pytest.approx((1.0, 1.0))
    assert legs([1.0, 2.0], biased()) == pytest.approx((1.0, 1.0))  # risen above, not to


def test_it_stays_as_it_was_latched() -> None:
    """A trend that turns while volatility stays high changes nothing, and costs nothing."""
    made = book([1.0, 2.1, -3.0, -2.5], biased())
    assert made["rebalances"] == 1
    assert legs([1.0, 2.1, -3.0, -2.5], biased()) == pytest.approx((1.2, 0.8))


def test_released_below_the_trigger_and_latched_anew() -> None:
    trends = [1.0, 2.1, 1.9, 1.0, -2.2]
    assert legs(trends[:3], biased()) == pytest.approx((1.0, 1.0))
    assert legs(trends, biased()) == pytest.approx((0.8, 1.2))
    made = book(trends, biased())
    assert made["rebalances"] == 3
    # in: .2 + .2, out the same, in the other way the same; opening 2, closing 2
    assert made["turnover"] == pytest.approx(2 + 3 * 0.4 + 2)
    assert made["fees"] == pytest.approx(0.01 * made["turnover"])


def test_it_always_rebalances_and_keeps_gross() -> None:
    """With the threshold off. a +50% first: N = 1.5, -1, gross 2.5; favoured a: 1.5 and 1.0.

    2.5 * .6 = 1.5: nothing to trade, and yet a rebalance.
    """
    tape = tape_of({"trend": 1.0, "return_a": 0.5}, {"trend": 2.5}, {"trend": 2.5, "return_a": 0.1})
    made = settle(tape, biased(), signals=True)
    assert made["rebalances"] == 1
    assert made["turnover"] == pytest.approx(2 + 0 + 1.65 + 1.0)
    assert made["pnl_a"] == pytest.approx(0.5 + 0.15)


def test_the_hedge_is_the_biased_one_meanwhile() -> None:
    """Drift is measured from h* = .8 / 1.2: at that ratio a threshold of 0.1% finds nothing."""
    made = book([1.0, 2.1, 2.1, 2.1], biased(rebalance_threshold=0.001))
    assert made["rebalances"] == 1


@pytest.mark.parametrize("hedge", [0.5, 1.0, 2.0])
def test_the_ratio_of_any_hedge(hedge: float) -> None:
    """a scaled by 1.2, b by .8, then both to the same gross of 2."""
    a, b = 1.2 / (1 + hedge), 0.8 * hedge / (1 + hedge)
    scale = 1 / (a + b)
    assert legs([1.0, 2.1], biased(hedge=hedge)) == pytest.approx((2 * a * scale, 2 * b * scale))


def test_a_trade_opened_while_hot_is_biased() -> None:
    assert legs([2.5], biased()) == pytest.approx((1.2, 0.8))
    assert book([2.5, 2.5], biased())["rebalances"] == 0


def test_a_short_a_trade_favours_its_own_long_leg() -> None:
    """By funding b is long: a rising market favours b."""
    spec = biased(side="funding")
    assert legs([1.0, 2.1], spec, funding_a=0.01) == pytest.approx((0.8, 1.2))
    assert legs([1.0, -2.1], spec, funding_a=0.01) == pytest.approx((1.2, 0.8))


def test_no_bias_beside_biased_policies_does_nothing() -> None:
    """The code has biases; this policy has none: no rebalance when volatility rises."""
    spec = biased(0.0)
    tape = tape_of({"trend": 1.0, "return_a": 0.1}, {"trend": 5.0}, {"trend": -5.0})
    made = settle(tape, spec, signals=True, bias=True)
    assert made["rebalances"] == 0
    assert made["turnover"] == pytest.approx(2 + 2.1)


def test_a_single_leg_has_no_other_to_favour() -> None:
    made = book([1.0, 2.5, 1.0], biased(hedge=0.0))
    assert made["rebalances"] == 0
    assert made["turnover"] == pytest.approx(4)
