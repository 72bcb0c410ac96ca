"""Funding: the rule's point mass, the chain behind it, when it is due, and who pays whom."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import integrate, stats

from markets import HOUR, policy, tape_of
from stresscube_kernels.contract import FundingRule
from stresscube_kernels.funding import rate
from stresscube_kernels.ops import NumpyOps
from stresscube_kernels.spec import (
    ChainSpec,
    FundingRegimeSpec,
    MarketSpec,
    PremiumSpec,
    SimulationSpec,
)
from whole import alone, calm, event, free, settle, simulated

K = 4.5
BP = 1e-4
# The premium index behind real BTC prints: (weight, mean, std) in basis points.
MIXTURE = ((0.53, -4.6, 0.48), (0.21, -0.3, 3.5), (0.25, 5.6, 5.5))
TOTAL = sum(weight for weight, _, _ in MIXTURE)
RULE = FundingRule(interval=8.0, interest=1 * BP, clamp=5 * BP)


def rule(premium: Any) -> NDArray[np.float64]:
    return np.asarray(rate(NumpyOps(), RULE, premium))


def test_the_rule_at_its_corners() -> None:
    """P + clamp(I - P, +-5): 1 bp from -4 to 6 and exactly so, 5 bp from P beyond."""
    premium = np.array([-30.0, -5.0, -4.0, -3.9, 0.0, 1.0, 5.9, 6.0, 7.0, 40.0]) * BP
    expected = np.array([-25.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 35.0]) * BP
    np.testing.assert_allclose(rule(premium), expected, rtol=1e-12, atol=1e-18)
    assert np.all(rule(np.linspace(-3.99, 5.99, 999) * BP) == 1 * BP)
    written = premium + np.clip(1 * BP - premium, -5 * BP, 5 * BP)
    np.testing.assert_allclose(rule(premium), written, atol=1e-18)


def moments() -> dict[str, float]:
    """Mean, sd, share below 0 and share at 1 bp of the mixture's rates, by quadrature."""

    def over(function: Any) -> float:
        total = 0.0
        for weight, mean, std in MIXTURE:
            ends = np.clip((-5.0, -4.0, 6.0), mean - 12 * std, mean + 12 * std)
            edges = np.unique([mean - 12 * std, *ends, mean + 12 * std])
            for low, high in pairwise(edges):
                part, _ = integrate.quad(
                    lambda p, m=mean, s=std: function(float(rule(p * BP)) / BP)
                    * stats.norm.pdf(p, m, s),
                    low, high, epsabs=1e-12,
                )  # fmt: skip
                total += weight / TOTAL * part
        return total

    mean = over(lambda r: r)
    return {
        "mean": mean,
        "sd": over(lambda r: (r - mean) ** 2) ** 0.5,
        "negative": over(lambda r: r < 0),
        "point": over(lambda r: abs(r - 1) < 1e-9),
    }


@pytest.fixture(scope="module")
def exact() -> dict[str, float]:
    return moments()


def test_the_mixture_through_the_clamp(exact: dict[str, float]) -> None:
    """What real prints show: mean 1.10 bp, sd 1.98, 13% negative, 35% at 1 bp exactly."""
    assert exact["mean"] == pytest.approx(1.10, abs=0.02)
    assert exact["sd"] == pytest.approx(1.98, abs=0.02)
    assert exact["negative"] == pytest.approx(0.13, abs=0.006)
    assert exact["point"] == pytest.approx(0.35, abs=0.006)


def test_one_gaussian_cannot() -> None:
    """A premium of mean 1.1 and sd 2.1 prints 1 bp 98% of the time."""
    law = stats.norm(1.1, 2.1)
    assert law.cdf(6) - law.cdf(-4) == pytest.approx(0.98, abs=0.005)


def chained(half_life: float = HOUR / 10, **rest: Any) -> MarketSpec:
    """The mixture as a funding chain that goes round, its durations in the weights' ratio.

    The premium forgets in a tenth of an hour what its state was before.
    """
    states = tuple(
        FundingRegimeSpec(
            f"f{k}", PremiumSpec((mean * BP, mean * BP), (std * BP, std * BP), half_life)
        )
        for k, (_, mean, std) in enumerate(MIXTURE)
    )
    chain = ChainSpec(
        tuple(weight * 100 * HOUR for weight, _, _ in MIXTURE),
        ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0)),
    )
    return alone(calm(), funding_regimes=states, funding_chain=chain, **rest)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_simulated_rates_have_that_law(exact: dict[str, float], dtype: str) -> None:
    """The last prints of many paths, K standard errors each; sd's from the fourth moment seen.

    In the hour before, one path in 30 changed its state, and 2^-10 of its premium is of the old:
    nothing beside the errors. The point mass is exact in either precision.
    """
    paths = 20_000
    made, states, _ = simulated(chained(), SimulationSpec(16, HOUR, 5, dtype), paths, dtype=dtype)
    assert np.array_equal(np.flatnonzero(states.due[0]), [7, 15])
    for rates in (made.funding_a[:, -1], made.funding_b[:, -1]):
        bp = rates.astype(np.float64) / BP
        assert abs(bp.mean() - exact["mean"]) < K * exact["sd"] / paths**0.5
        fourth = ((bp - bp.mean()) ** 4).mean()
        error = np.sqrt((fourth / exact["sd"] ** 4 - 1) / paths) / 2
        assert abs(bp.std() / exact["sd"] - 1) < K * error
        for share, p in (
            ((bp < 0).mean(), exact["negative"]),
            ((rates == np.dtype(dtype).type(1 * BP)).mean(), exact["point"]),
        ):
            assert abs(share - p) < K * np.sqrt(p * (1 - p) / paths)
    both = np.corrcoef(made.funding_a[:, -1], made.funding_b[:, -1])[0, 1]
    assert both > 0.2  # the legs share the chain and nothing else
    for k in range(3):
        here = states.funding_regime[:, -2] == k  # when the premium of the last print was made
        within = np.corrcoef(made.funding_a[here, -1], made.funding_b[here, -1])[0, 1]
        assert abs(within) < K / here.sum() ** 0.5


@pytest.mark.parametrize("step", [0.5, 2.0])
def test_the_premium_is_an_ou_process(step: float) -> None:
    """Without the rule's bend (P far above): mean, sd and half-life at two step lengths."""
    premium = PremiumSpec((0.02, -0.02), (0.001, 0.002), 4 * HOUR)
    market = alone(replace(calm(), premium=premium))
    paths = 20_000
    run = SimulationSpec(round(8 / step), step * HOUR, 6, "float64")
    made, _, state = simulated(market, run, paths)
    for leg, rates in enumerate((made.funding_a, made.funding_b)):
        shift = -5 * BP if leg == 0 else 5 * BP
        p = rates - shift
        last = (state.premium_a, state.premium_b)[leg]
        mean, std = premium.mean[leg], premium.std[leg]
        for x in (p[:, 0], p[:, -1], last):
            assert abs(x.mean() - mean) < K * std / paths**0.5
            assert abs(x.var() / std**2 - 1) < K * (2 / paths) ** 0.5
        rho = np.corrcoef(p[:, 0], p[:, round(4 / step)])[0, 1]
        assert abs(rho - 0.5) < K * 0.75 / paths**0.5
    legs = np.corrcoef(state.premium_a, state.premium_b)[0, 1]
    assert abs(legs) < K / paths**0.5


@pytest.mark.parametrize(("hours", "step"), [(8, 1.0), (1, 0.25), (3, 0.5)])
def test_due_at_every_interval_and_not_at_0(hours: int, step: float) -> None:
    """At k * interval, k >= 1: at the end of steps 8, 16, ... of an hour."""
    run = SimulationSpec(40, step * HOUR, 7, "float64")
    _, states, _ = simulated(chained(funding_interval=hours * HOUR), run, 20)
    every = round(hours / step)
    expected = (np.arange(1, 41) % every == 0).astype(int)
    assert np.array_equal(states.due, np.broadcast_to(expected, states.due.shape))


def test_interest_is_scaled_to_the_interval_and_the_clamp_is_not() -> None:
    """Every 4 hours I is half a basis point; a premium of 9 bp still pays 4."""
    premium = PremiumSpec((0.0, 9 * BP), (0.0, 0.0), HOUR)
    market = alone(replace(calm(), premium=premium), funding_interval=4 * HOUR)
    made, _, _ = simulated(market, SimulationSpec(4, HOUR, 8, "float64"), 2)
    np.testing.assert_allclose(made.funding_a, 0.5 * BP, rtol=1e-12)
    np.testing.assert_allclose(made.funding_b, 4 * BP, rtol=1e-12)
    other = replace(market, interest=3 * BP, clamp=1 * BP, funding_interval=8 * HOUR)
    made, _, _ = simulated(other, SimulationSpec(4, HOUR, 8, "float64"), 2)
    np.testing.assert_allclose(made.funding_a, 1 * BP, rtol=1e-12)
    np.testing.assert_allclose(made.funding_b, 8 * BP, rtol=1e-12)


LEGS = policy(1.0, 2.0, venues=(free(),))


def paid(**tick: float) -> float:
    return settle(tape_of({"state": event(due=True), **tick}), LEGS, funding=True)["funding"]


def test_who_pays() -> None:
    """Long a of 1, short b of 1: the long pays positive rates, the short receives them."""
    assert paid(funding_a=0.01) == pytest.approx(0.01)
    assert paid(funding_a=-0.01) == pytest.approx(-0.01)
    assert paid(funding_b=0.01) == pytest.approx(-0.01)
    assert paid(funding_b=-0.01) == pytest.approx(0.01)
    assert paid(funding_a=0.01, funding_b=0.03) == pytest.approx(-0.02)


def test_only_where_due_and_on_step_end_notionals() -> None:
    """a +50%, not due; a -20% then, due: 1.5 * .8 = 1.2 at 1%: .012. b -10% twice: -.81 at 2%."""
    rates = {"funding_a": 0.01, "funding_b": 0.02, "return_b": -0.1}
    tape = tape_of(
        {"return_a": 0.5, **rates}, {"return_a": -0.2, **rates, "state": event(due=True)}
    )
    book = settle(tape, LEGS, funding=True)
    assert book["funding"] == pytest.approx(0.012 - 0.0162, abs=1e-15)
    total = 1 + book["pnl_a"] + book["pnl_b"] - book["funding"]
    assert book["final_equity"] == pytest.approx(total, abs=1e-15)
    assert settle(tape, LEGS)["funding"] == 0  # a market without funding


def test_the_caps_of_each_venue() -> None:
    """Caps of 0.5% on a, 0.3% on b, on either sign: 1 * .005 and -(-1) * .003."""
    venues = free(name="x", funding_cap=0.005), free(name="y", funding_cap=0.003)
    spec = policy(1.0, 2.0, venues=venues)
    for sign in (1.0, -1.0):
        tick = {"funding_a": sign * 0.01, "funding_b": -sign * 0.02, "state": event(due=True)}
        book = settle(tape_of(tick), spec, funding=True)
        assert book["funding"] == pytest.approx(sign * (0.005 + 0.003), abs=1e-15)
    inside = tape_of({"funding_a": 0.004, "state": event(due=True)})
    assert settle(inside, spec, funding=True)["funding"] == pytest.approx(0.004)


def test_a_jump_in_the_same_step_hides_nothing() -> None:
    """The bit of a jump stands beside the bit of funding."""
    tape = tape_of({"funding_a": 0.01, "state": event(due=True, jumped=True)})
    assert settle(tape, LEGS, funding=True)["funding"] == pytest.approx(0.01)
    tape = tape_of({"funding_a": 0.01, "state": event(jumped=True)})
    assert settle(tape, LEGS, funding=True)["funding"] == 0


@pytest.mark.parametrize("bridge", [False, True])
def test_funding_can_kill(bridge: bool) -> None:
    """A long leg of 5, margin 10%, liquidation fee 1%. Nothing moves: E 1, M .5.

    Funding of 12% of 5 = .6: E = .4 < M. The account is found where it is, whatever the bridge:
    E_c = .4, fee .05, kept .35; funding .6 and the fee are all it lost. It lacks .1; its shadow
    closes at .4.
    """
    exchange = free(maintenance_tiers=((0.0, 0.1),), liquidation_fee=0.01)
    spec = policy(0.0, 5.0, venues=(exchange,))
    tape = tape_of({"funding_a": 0.12, "state": event(due=True)}, {})
    book = settle(tape, spec, bridge=bridge, funding=True)
    expected = {
        "final_equity": 0.35, "liquidation_step": 1, "funding": 0.6, "liquidation_cost": 0.05,
        "deficit": 0, "extra_margin": 0.1, "shadow_equity": 0.4, "trades": 1, "recovered": 0,
        "max_drawdown": 0.65, "under_water": 2,
    }  # fmt: skip
    assert {name: book[name] for name in expected} == pytest.approx(expected, abs=1e-12)


def test_funding_can_take_more_than_there_is() -> None:
    """30% of 5 = 1.5: E = -.5, deficit .5, nothing kept, no fee left to take."""
    exchange = free(maintenance_tiers=((0.0, 0.1),), liquidation_fee=0.01)
    tape = tape_of({"funding_a": 0.3, "state": event(due=True)})
    book = settle(tape, policy(0.0, 5.0, venues=(exchange,)), bridge=True, funding=True)
    assert book["final_equity"] == 0
    assert book["deficit"] == pytest.approx(0.5, abs=1e-12)
    assert book["liquidation_cost"] == pytest.approx(0, abs=1e-12)


def test_the_dead_do_not_pay() -> None:
    """A step kills (-25% on 5, no bridge), and funding falls due: it is the shadow's alone.

    E = 1 - 1.25 = -.25; the shadow holds 3.75 and pays .0375: it ends at -.2875.
    """
    exchange = free(maintenance_tiers=((0.0, 0.1),))
    tape = tape_of({"return_a": -0.25, "funding_a": 0.01, "state": event(due=True)})
    book = settle(tape, policy(0.0, 5.0, venues=(exchange,)), funding=True)
    assert book["funding"] == 0
    assert book["deficit"] == pytest.approx(0.25)
    assert book["shadow_equity"] == pytest.approx(-0.2875)
