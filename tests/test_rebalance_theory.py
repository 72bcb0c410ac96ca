"""How often a drift band rebalances, and how deep a driftless walk draws down, against theory."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.stats import norm

from markets import (
    DAY,
    HOUR,
    PLAIN,
    compiled,
    driftless,
    job,
    of,
    policy,
    simulation,
    steady,
    venue,
)

K = 4.0
OVERSHOOT = 0.5826  # -zeta(1/2) / sqrt(2 pi): what a Gaussian walk oversteps a level by, in steps
PAIR = driftless((0.7, 0.5), 0.85)
RATIO_VARIANCE = 0.7**2 + 0.5**2 - 2 * 0.85 * 0.7 * 0.5  # 0.145 a year, of log(P_b / P_a)


def waiting_times(threshold: float, step: float, most: int) -> NDArray[np.float64]:
    """The law of the number of steps until |N_b| / (h |N_a|) leaves 1 -+ threshold, [most + 1].

    The density of its log inside the band, carried from step to step by Gauss-Legendre quadrature.
    """
    low, high = math.log1p(-threshold), math.log1p(threshold)
    deviation = math.sqrt(RATIO_VARIANCE * step)
    at, weights = np.polynomial.legendre.leggauss(80)
    at, weights = low + (at + 1) * (high - low) / 2, weights * (high - low) / 2
    inside = norm.pdf(at / deviation) / deviation
    onwards = norm.pdf((at[None, :] - at[:, None]) / deviation) / deviation
    alive = np.ones(most + 1)
    for n in range(1, most + 1):
        alive[n] = inside @ weights
        inside = (inside * weights) @ onwards
    return np.append(0.0, -np.diff(alive))


def rebalances(law: NDArray[np.float64], steps: int) -> tuple[float, float]:
    """Mean and variance of the number of rebalances filled in so many steps.

    Each restores the hedge exactly, so waits are independent. u[n], the chance of one at step n,
    obeys u = f + f * u; what is decided at the last step is never filled.
    """
    padded = np.zeros(steps)
    padded[: len(law)] = law[:steps]
    impulse = np.zeros(steps)
    impulse[0] = 1.0
    u = np.asarray(lfilter(padded, np.append(1.0, -padded[1:]), impulse))
    mean = float(u.sum())
    # E[N (N - 1)] / 2 = sum over pairs of steps i < j of u_i u_(j-i)
    pairs = float(u @ np.cumsum(u)[::-1])
    return mean, 2 * pairs + mean - mean**2


def test_the_exact_law_is_near_the_textbook() -> None:
    """A year: sigma_r^2 / delta^2 = 362.5 when looked at all the time; with hourly looks the band
    is wider by .5826 sigma_r sqrt(dt), and 289.8 are left. The exact law of hourly looks is
    within 1% of the latter, and goes to the former as the looks get denser.
    """
    assert pytest.approx(0.145) == RATIO_VARIANCE
    delta = 0.02
    assert RATIO_VARIANCE / delta**2 == pytest.approx(362.5)
    wider = delta + OVERSHOOT * math.sqrt(RATIO_VARIANCE * HOUR)
    assert RATIO_VARIANCE / wider**2 == pytest.approx(289.8, abs=0.05)
    law = waiting_times(delta, HOUR, 1500)
    assert law.sum() == pytest.approx(1, abs=1e-9)
    assert rebalances(law, 8760)[0] == pytest.approx(289.8, rel=0.01)

    def yearly(step: float, most: int) -> float:
        law = waiting_times(delta, step, most)
        return 1 / (step * float(law @ np.arange(most + 1)))

    # Richardson: the shortfall is of the order of the root of the step
    coarse, fine = yearly(HOUR / 4, 4000), yearly(HOUR / 16, 16_000)
    assert coarse < fine < 362.5
    assert 2 * fine - coarse == pytest.approx(362.5, rel=0.01)


def test_drift_rebalances_a_year() -> None:
    """Hourly looks, bands of 1, 2 and 4%: the mean and the spread of the count per path."""
    deltas = (0.01, 0.02, 0.04)
    tame = venue(maintenance_tiers=((0.0, 0.0),))
    policies = [policy(1.0, 0.1, venues=(tame,), rebalance_threshold=d) for d in deltas]
    steps, paths = 8760, 640
    described = job(steady(PAIR), policies, simulation(steps, HOUR, 31))
    made = compiled(described, paths, shape=PLAIN).per_policy
    assert np.all(of(made, "liquidation_step") == 0)
    found = of(made, "rebalances")
    for k, delta in enumerate(deltas):
        mean, variance = rebalances(waiting_times(delta, HOUR, 6000), steps)
        error = math.sqrt(variance / paths)
        assert abs(found[k].mean() - mean) < K * error, delta
        assert K * error < 0.02 * mean  # the test can tell 362.5 from 289.8, and 1% from 2%
        spread = found[k].std() / math.sqrt(variance)
        assert abs(spread - 1) < K / math.sqrt(2 * paths), delta


@pytest.mark.parametrize("steps", [50, 250])
def test_max_drawdown_of_a_driftless_walk(steps: int) -> None:
    """(sqrt(pi / 2) - 1.165 / sqrt(n)) sigma sqrt(T), 1.165 twice the overshoot.

    A single leg at leverage 1 without margin or costs is the price itself, so -log(1 - drawdown)
    is the greatest fall of its logarithm. For Brownian motion that fall is distributed like the
    greatest |B|: mean sqrt(pi / 2), mean square 2 G = 1.83193 (G Catalan's constant), and this
    variance sets the standard error. The formula's next term is of order 1 / n.
    """
    sigma, horizon, paths = 0.6, 30 * DAY, 20_000
    held = policy(0.0, 1.0, venues=(venue(maintenance_tiers=((0.0, 0.0),)),))
    run = simulation(steps, horizon / steps, 41, bridge=False)
    described = job(steady(driftless((sigma, sigma), 0.0)), [held], run)
    made = compiled(described, paths, shape=PLAIN).per_policy
    fall = -np.log1p(-of(made, "max_drawdown")[0].astype(np.float64)) / (sigma * math.sqrt(horizon))
    exact = math.sqrt(math.pi / 2) - 2 * OVERSHOOT / math.sqrt(steps)
    error = math.sqrt((1.83193 - math.pi / 2) / paths)
    next_term = 1 / steps
    assert abs(fall.mean() - exact) < K * error + next_term
    # power: the uncorrected mean is out of reach
    assert abs(fall.mean() - math.sqrt(math.pi / 2)) > 2 * (K * error + next_term)
