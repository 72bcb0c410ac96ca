"""Liquidation probabilities against exact laws.

A driftless log-price (mu = sigma^2 / 2) is a Brownian motion, and by reflection it reaches a
level at distance b before T with probability 2 Phi(-b / sqrt(V)), V its variance at T. With no
costs and no rebalancing an account is liquidated exactly when a price, or the ratio of two,
reaches a level. Tolerances are K standard errors of the exact probability.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from markets import (
    BRIDGED,
    DAY,
    HOUR,
    PLAIN,
    compiled,
    driftless,
    hit_share,
    job,
    of,
    policy,
    share_error,
    simulation,
    steady,
    two_state,
)
from stresscube_kernels.chain import start_probabilities, transition_matrix
from stresscube_kernels.spec import MarketSpec, RegimeSpec

K = 4.0
MARGIN = 0.004
OVERSHOOT = 0.5826  # -zeta(1/2) / sqrt(2 pi): Broadie, Glasserman and Kou 1997


def reaches(distance: float, variance: float) -> float:
    """The chance that a Brownian motion of this final variance reaches a level."""
    return 2 * float(norm.cdf(-distance / math.sqrt(variance)))


def spread_variance(regime: RegimeSpec) -> float:
    """Variance a year of the log of the price ratio."""
    a, b = regime.volatility
    assert regime.correlation is not None
    return a * a + b * b - 2 * regime.correlation * a * b


# --- pairs ---------------------------------------------------------------------------------

PAIR = driftless((0.7, 0.5), 0.85)


def self_financed(hedge: float) -> float:
    """The leverage at which E = N_a - N_b, so that only the ratio of prices matters."""
    return (1 + hedge) / (1 - hedge)


def ratio_distance(hedge: float) -> float:
    """Liquidated when P_a / P_b = h (1 + m) / (1 - m); the distance of its log from 0."""
    return -math.log(hedge * (1 + MARGIN) / (1 - MARGIN))


def test_pair() -> None:
    """E = N_a - N_b, no rebalancing: 0.048753 at hedge ratio 0.8, and other ratios.

    The steps are 6 hours: the bridge sees what happens inside them. Its own bias, of first
    order in the step (see `test_the_bridge_converges`), is below a standard error there.
    """
    hedges = (0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
    exact = np.array([reaches(ratio_distance(h), spread_variance(PAIR) * 30 * DAY) for h in hedges])
    assert exact[2] == pytest.approx(0.048753, abs=5e-7)
    policies = [policy(h, self_financed(h)) for h in hedges]
    run = simulation(steps=120, step=6 * HOUR, seed=1001)
    paths = 120_000
    found = hit_share(compiled(job(steady(PAIR), policies, run), paths, shape=BRIDGED))
    assert np.all(np.abs(found - exact) < K * share_error(exact, paths))


def test_pair_sees_its_cash() -> None:
    """rho = 1, equal volatilities, any leverage: hit at price (D - 1) / (D - m L).

    D = L (1 - h) / (1 + h) is the net exposure: E = 1 + D (P - 1), margin = m L P. Above 1 the
    account holds debt and dies below, under m L (leverage eats its margin) it dies above.
    """
    vol, days = 0.9, 30
    cases = [(0.5, 10.0), (0.5, 20.0), (0.8, 20.0), (0.9, 45.0), (1.5, 12.0), (1.0, 200.0)]
    exact: list[float] = []
    for hedge, leverage in cases:
        net = leverage * (1 - hedge) / (1 + hedge)
        level = (net - 1) / (net - MARGIN * leverage)
        assert level > 0
        exact.append(reaches(abs(math.log(level)), vol**2 * days * DAY))
    run = simulation(steps=120, step=6 * HOUR, seed=1002)
    paths = 100_000
    policies = [policy(hedge, leverage) for hedge, leverage in cases]
    made = compiled(job(steady(driftless((vol, vol), 1.0)), policies, run), paths, shape=BRIDGED)
    assert min(exact) > 0.01
    assert np.all(np.abs(hit_share(made) - exact) < K * share_error(np.array(exact), paths))


# --- a pair under switching volatility -----------------------------------------------------

CALM = driftless((0.5, 0.4), 0.85, "calm")
WILD = driftless((1.3, 1.0), 0.6, "wild")
SWITCHING = MarketSpec((CALM, WILD), two_state((60 * HOUR, 24 * HOUR)))
SWITCHING_RUN = simulation(steps=480, step=HOUR, seed=1003)
HEDGES = (0.8, 0.9, 0.92)  # exact: 0.13, 0.48, 0.58


def occupation_law() -> NDArray[np.float64]:
    """The law of the number of steps spent in the wild regime, [steps + 1].

    Dynamic programming over the chain as the engine steps it: weight[state, n] after each step,
    the step counting for the state it starts in.
    """
    matrix = transition_matrix(SWITCHING.chain, SWITCHING_RUN.step)
    steps = SWITCHING_RUN.steps
    weight = np.zeros((2, steps + 1))
    weight[:, 0] = start_probabilities(SWITCHING.chain)
    for _ in range(steps):
        weight[1, 1:] = weight[1, :-1].copy()
        weight[1, 0] = 0.0
        weight = matrix.T @ weight
    return weight.sum(axis=0)


def switching_probability(hedge: float) -> float:
    """E[2 Phi(-b / sqrt(V))], V random through the time spent in each regime."""
    law = occupation_law()
    wild = np.arange(len(law))
    calm = SWITCHING_RUN.steps - wild
    variance = calm * spread_variance(CALM) + wild * spread_variance(WILD)
    chances = 2 * norm.cdf(-ratio_distance(hedge) / np.sqrt(variance * SWITCHING_RUN.step))
    return float(law @ chances)


def test_occupation_law() -> None:
    """It is a law; its mean is the stationary share of time."""
    law = occupation_law()
    assert law.sum() == pytest.approx(1.0, abs=1e-12)
    assert law @ np.arange(len(law)) == pytest.approx(SWITCHING_RUN.steps * 24 / 84, rel=1e-9)


def test_switching_regimes() -> None:
    """The bridge gives the exact probability; looking at hourly ends only misses 4 to 6% of it."""
    exact = np.array([switching_probability(h) for h in HEDGES])
    described = job(SWITCHING, [policy(h, self_financed(h)) for h in HEDGES], SWITCHING_RUN)
    paths = 50_000
    with_bridge = compiled(described, paths, shape=BRIDGED)
    without = compiled(described, paths, shape=PLAIN)
    found = hit_share(with_bridge)
    error = share_error(exact, paths)
    assert np.all(np.abs(found - exact) < K * error)

    # The same paths: the difference is the share that only the bridge saw, and its error is small.
    inside = of(with_bridge.per_policy, "liquidation_step") > 0
    at_ends = of(without.per_policy, "liquidation_step") > 0
    assert not np.any(at_ends & ~inside)
    # (of 480 hours the share missed is 4 to 6% where half of the accounts die)
    missed = (inside & ~at_ends).mean(axis=1)[1:]
    relative, noise = missed / exact[1:], K * np.sqrt(missed / paths) / exact[1:]
    assert noise.max() < 0.01
    assert np.all(relative + noise > 0.04)
    assert np.all(relative - noise < 0.06)
    # An engine that only looked at the ends would fail the first comparison.
    assert np.all(np.abs(hit_share(without) - exact) > K * error)


# --- a single long leg ---------------------------------------------------------------------

VOLATILITY, DAYS = 0.6, 7
LEVERAGES = (5.0, 10.0, 20.0)
LEG = steady(driftless((VOLATILITY, VOLATILITY), 0.0))
LEG_POLICIES = [policy(0.0, leverage) for leverage in LEVERAGES]


def leg_level(leverage: float) -> float:
    """Liquidated at price (L - 1) / (L (1 - m))."""
    return (leverage - 1) / (leverage * (1 - MARGIN))


def by_rule(leverage: float, steps: int, *, bridge: bool) -> float:
    """The exact probability that the rule of one step, repeated, liquidates the account.

    The density of the log-distance to the level among survivors, carried from step to step by
    Gauss-Legendre quadrature. With the bridge a step survives with 1 - exp(-2 d0 d1 / v).
    """
    level = leg_level(leverage)
    start = -math.log(level)
    deviation = VOLATILITY * math.sqrt(DAYS * DAY / steps)
    top = start + 7 * VOLATILITY * math.sqrt(DAYS * DAY)
    at, weights = np.polynomial.legendre.leggauss(500)
    at, weights = (at + 1) * top / 2, weights * top / 2

    def kernel(x0: NDArray[np.float64], x1: NDArray[np.float64]) -> NDArray[np.float64]:
        density = norm.pdf((x1 - x0) / deviation) / deviation
        if not bridge:
            return density
        # distances over N (1 - m) times the starting price
        d0, d1 = 1 - np.exp(-x0), np.exp(x1 - x0) - np.exp(-x0)
        return density * -np.expm1(-2 * d0 * d1 / deviation**2)

    alive = kernel(np.array([start]), at)
    onwards = kernel(at[:, None], at[None, :])
    for _ in range(steps - 1):
        alive = (alive * weights) @ onwards
    return 1 - float(alive @ weights)


def leg_probabilities() -> NDArray[np.float64]:
    variance = VOLATILITY**2 * DAYS * DAY
    return np.array([reaches(-math.log(leg_level(leverage)), variance) for leverage in LEVERAGES])


def test_single_leg_exact_values() -> None:
    """The closed forms, and the quadrature, are what they should be.

    Hourly checks: .007313, .205970 and .539198 are the continuity correction (the level moved by
    .5826 sigma sqrt(dt)); the exact values of hourly checks are within 1% of it.
    """
    continuous = leg_probabilities()
    assert continuous == pytest.approx([0.008357, 0.222549, 0.569303], abs=5e-7)
    variance, step = VOLATILITY**2 * DAYS * DAY, VOLATILITY * math.sqrt(HOUR)
    moved = [reaches(-math.log(leg_level(lev)) + OVERSHOOT * step, variance) for lev in LEVERAGES]
    assert moved == pytest.approx([0.007313, 0.205970, 0.539198], abs=2e-6)
    hourly = [by_rule(leverage, DAYS * 24, bridge=False) for leverage in LEVERAGES]
    assert hourly == pytest.approx(moved, rel=0.01)


def test_single_leg_with_the_bridge() -> None:
    """Continuous: 5x .008357, 10x .222549, 20x .569303, from hourly steps."""
    exact = leg_probabilities()
    paths = 100_000
    run = simulation(steps=DAYS * 24, step=HOUR, seed=1004)
    found = hit_share(compiled(job(LEG, LEG_POLICIES, run), paths, shape=BRIDGED))
    assert np.all(np.abs(found - exact) < K * share_error(exact, paths))


def test_single_leg_checked_hourly() -> None:
    """Without the bridge the same accounts are looked at once an hour, and fewer are caught."""
    hourly = np.array([by_rule(lev, DAYS * 24, bridge=False) for lev in LEVERAGES])
    paths = 100_000
    run = simulation(steps=DAYS * 24, step=HOUR, seed=1005)
    found = hit_share(compiled(job(LEG, LEG_POLICIES, run), paths, shape=PLAIN))
    error = share_error(hourly, paths)
    assert np.all(np.abs(found - hourly) < K * error)
    assert np.all((leg_probabilities() - found)[1:] > K * error[1:])  # power against no difference


def test_the_bridge_converges() -> None:
    """Its bias is of first order in the step, and vanishes with it.

    The rule's own probability, by quadrature, halves its distance from the continuous value when
    the step is halved; and the kernels follow the rule at steps so long that the bias is plain.
    """
    continuous = leg_probabilities()
    halvings = (4, 8, 16, 32, 64)
    bias = np.array(
        [[by_rule(lev, n, bridge=True) for lev in LEVERAGES] for n in halvings]
    ) / continuous - 1  # fmt: skip
    order = np.log2(bias[:-1] / bias[1:])
    assert np.all(np.abs(order[1:, 1:] - 1) < 0.1)
    assert np.all(np.abs(order[-1] - 1) < 0.1)
    assert np.all(bias[-1] < 0.0025)

    paths = 200_000
    for steps in (2, 4):
        rule = np.array([by_rule(lev, steps, bridge=True) for lev in LEVERAGES])
        run = simulation(steps=steps, step=DAYS * DAY / steps, seed=1006 + steps)
        found = hit_share(compiled(job(LEG, LEG_POLICIES, run), paths, shape=BRIDGED))
        error = share_error(rule, paths)
        assert np.all(np.abs(found - rule) < K * error), steps
        # and this can tell the rule from the continuous value
        assert np.all(np.abs(rule - continuous)[1:] > K * error[1:]), steps
