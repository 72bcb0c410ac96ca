"""The two legs' premium indices together, and how long funding remembers.

K standard errors from theory; about 40 comparisons.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from markets import HOUR, two_state
from stresscube_kernels import pack
from stresscube_kernels.spec import (
    ChainSpec,
    FundingRegimeSpec,
    MarketSpec,
    PremiumSpec,
    SimulationSpec,
)
from test_funding import BP, MIXTURE, TOTAL, rule
from whole import alone, calm, shape_of, simulated

K = 4.5
PATHS = 20_000
RUN = SimulationSpec(9, HOUR, 61, "float64")
HIGH = PremiumSpec((0.02, -0.02), (0.001, 0.002), 4 * HOUR)
"""Far from the rule's bend: a rate is the premium less or plus the clamp."""


def premiums(market: MarketSpec, run: SimulationSpec = RUN) -> tuple[NDArray[np.float64], Any]:
    """The premium indices of HIGH at every step's start, [leg, path, step], and the states."""
    made, states, _ = simulated(market, run, PATHS)
    return np.stack([made.funding_a + 5 * BP, made.funding_b - 5 * BP]), states


def alike(x: NDArray[np.float64], y: NDArray[np.float64], rho: float) -> bool:
    """Whether two samples correlate by rho: the error of a correlation is (1 - rho^2) / sqrt(n)."""
    found = np.corrcoef(x.ravel(), y.ravel())[0, 1]
    return bool(abs(found - rho) <= K * (1 - rho**2) / x.size**0.5 + 1e-9)


@pytest.mark.parametrize("rho", [-1.0, -0.4, 0.0, 0.85, 1.0])
def test_levels_and_steps_have_the_correlation(rho: float) -> None:
    """At time 0, later, and what each step adds; each leg keeps its mean, sd and half-life."""
    market = alone(replace(calm(), premium=replace(HIGH, correlation=rho)))
    made, _ = premiums(market)
    for k in (0, 1, 8):
        assert alike(made[0, :, k], made[1, :, k], rho), k
    kept = 0.5**0.25
    noise = made[:, :, 1:] - kept * made[:, :, :-1]
    assert alike(noise[0], noise[1], rho)
    for leg in (0, 1):
        mean, std = HIGH.mean[leg], HIGH.std[leg]
        for k in (0, 8):
            x = made[leg, :, k]
            assert abs(x.mean() - mean) < K * std / PATHS**0.5
            assert abs(x.var() / std**2 - 1) < K * (2 / PATHS) ** 0.5
        assert alike(made[leg, :, 0], made[leg, :, 4], 0.5)
    # noise of one leg tells nothing of the other's next
    assert alike(noise[0, :, 0], noise[1, :, 1], 0.0)


def test_leg_a_is_the_same_whatever_the_correlation() -> None:
    one, two = (
        premiums(alone(replace(calm(), premium=replace(HIGH, correlation=rho))))[0]
        for rho in (0.0, 0.9)
    )
    assert np.array_equal(one[0], two[0])
    assert not np.array_equal(one[1], two[1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_correlation_of_0_is_none(dtype: str) -> None:
    """No code where all are 0, and the same numbers from the code that has it, to the last bit."""
    market = alone(replace(calm(), premium=HIGH))
    assert not pack.market_shape(market).features.correlated_premiums
    shape = shape_of(market)
    with_it = shape._replace(features=shape.features._replace(correlated_premiums=True))
    plain, _, _ = simulated(market, RUN, 500, shape=shape, dtype=dtype)
    made, _, _ = simulated(market, RUN, 500, shape=with_it, dtype=dtype)
    for name in ("funding_a", "funding_b"):
        assert np.array_equal(getattr(plain, name), getattr(made, name))


def test_each_funding_regime_has_its_own() -> None:
    """Of the noise of the steps that begin in it; the chain starts in its long run."""
    rhos = 0.9, -0.5
    states = tuple(
        FundingRegimeSpec(f"f{k}", replace(HIGH, correlation=rho)) for k, rho in enumerate(rhos)
    )
    market = alone(calm(), funding_regimes=states, funding_chain=two_state((5 * HOUR, 3 * HOUR)))
    assert pack.market_shape(market).features.correlated_premiums
    made, seen = premiums(market)
    noise = made[:, :, 1:] - 0.5**0.25 * made[:, :, :-1]
    for k, rho in enumerate(rhos):
        here = seen.funding_regime[:, :-1] == k
        assert here.mean() > 0.3
        assert alike(noise[0][here], noise[1][here], rho)
        first = seen.funding_regime[:, 0] == k
        assert alike(made[0, first, 0], made[1, first, 0], rho)


def exact_correlation(rho: float) -> float:
    """Of the two legs' rates, each the mixture through the clamp, the legs in one state."""
    z = np.linspace(-8, 8, 1601)
    mass = stats.norm.pdf(z) * (z[1] - z[0])
    other = rho * z[:, None] + np.sqrt(1 - rho**2) * z[None, :]
    mean = square = product = 0.0
    for weight, centre, std in MIXTURE:
        here = rule((centre + std * z) * BP) / BP
        there = (rule((centre + std * other) * BP) / BP) @ mass
        mean += weight / TOTAL * float(here @ mass)
        square += weight / TOTAL * float(here**2 @ mass)
        product += weight / TOTAL * float((here * there) @ mass)
    return (product - mean**2) / (square - mean**2)


def test_rates_correlate_as_real_ones_do() -> None:
    """Real BTC and ETH prints: .85. The legs share the chain, which alone makes .28; premiums
    that correlate by .85 make the rest. Error by the delta method from the products seen."""
    assert exact_correlation(0.0) == pytest.approx(0.28, abs=0.01)
    exact = exact_correlation(0.85)
    assert exact == pytest.approx(0.85, abs=0.01)
    states = tuple(
        FundingRegimeSpec(f"f{k}", PremiumSpec((m * BP, m * BP), (s * BP, s * BP), HOUR / 10, 0.85))
        for k, (_, m, s) in enumerate(MIXTURE)
    )
    chain = ChainSpec(
        tuple(weight * 100 * HOUR for weight, _, _ in MIXTURE),
        ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0)),
    )
    market = alone(calm(), funding_regimes=states, funding_chain=chain)
    made, _, _ = simulated(market, RUN, PATHS)
    a, b = ((r - r.mean()) / r.std() for r in (made.funding_a[:, -1], made.funding_b[:, -1]))
    found = np.mean(a * b)
    error = np.std(a * b - found * (a * a + b * b) / 2) / PATHS**0.5
    assert abs(found - exact) < K * error


SLOW = (60.0, 24.0, 90.0)
"""Mean durations of the three states in days, which make the mixture's weights."""
HALF_LIVES = (2.0, 2.0, 120.0)
"""Of their premiums, in hours."""


def test_how_long_funding_remembers() -> None:
    """Real prints correlate by .80, .70 and .46 with those 8 h, 24 h and 7 d before.

    Three states that last months, the premium of the highest with a half-life of five days, come
    to .88, .79 and .45: what is right after a week is too slow within the day, since an index has
    one half-life at a time. Standard errors are about .01; the bounds state those numbers to .04.
    """
    states = tuple(
        FundingRegimeSpec(f"f{k}", PremiumSpec((m * BP, m * BP), (s * BP, s * BP), hours * HOUR))
        for k, ((_, m, s), hours) in enumerate(zip(MIXTURE, HALF_LIVES, strict=True))
    )
    chain = ChainSpec(
        tuple(days * 24 * HOUR for days in SLOW),
        ((0.0, 0.84, 0.16), (0.85, 0.0, 0.15), (0.52, 0.48, 0.0)),
    )
    market = alone(calm(), funding_regimes=states, funding_chain=chain)
    made, _, _ = simulated(market, SimulationSpec(222, 8 * HOUR, 62, "float64"), 6000)
    rates = made.funding_a / BP  # a print every step
    assert rates[:, 200:].mean() == pytest.approx(1.10, abs=0.15)
    assert rates[:, 200:].std() == pytest.approx(1.98, abs=0.15)
    for steps, expected in ((1, 0.88), (3, 0.79), (21, 0.45)):
        found = np.corrcoef(rates[:, 200], rates[:, 200 + steps])[0, 1]
        assert found == pytest.approx(expected, abs=0.04), steps
