"""The slow chain that multiplies volatilities: its own law, and what it leaves alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.linalg import expm

from markets import DAY, HOUR, slow_states, two_state
from stresscube_kernels import chain
from stresscube_kernels.contract import Tick
from stresscube_kernels.moments import covariance, usual_moments
from stresscube_kernels.spec import MarketSpec, RegimeSpec, SimulationSpec, VolatilityRegimeSpec
from whole import shape_of, simulated

K = 4.5
"""Standard errors that a mean over independent paths or draws may be off."""
VOLATILITIES = ((0.3, 0.4), (1.2, 1.5))
MULTIPLIERS = ((0.5, 0.6), (1.5, 2.5))
FAST, SLOW, COUPLING = (7 * HOUR, 3 * HOUR), (6 * DAY, 2 * DAY), (3 * DAY, DAY)
RUN = SimulationSpec(steps=200, step=HOUR, seed=11, precision="float64")
PATHS = 1500


def market() -> MarketSpec:
    """Two regimes, two multipliers, two correlations; prices drift."""
    regimes = tuple(
        RegimeSpec(f"r{k}", (0.4, -0.3), pair, None) for k, pair in enumerate(VOLATILITIES)
    )
    return MarketSpec(
        regimes,
        two_state(FAST),
        slow_states(0.9, 0.2),
        two_state(COUPLING),
        volatility_regimes=tuple(
            VolatilityRegimeSpec(f"v{k}", pair) for k, pair in enumerate(MULTIPLIERS)
        ),
        volatility_chain=two_state(SLOW),
    )


@pytest.fixture(scope="module")
def made() -> tuple[Tick, np.ndarray, np.ndarray, np.ndarray]:
    """Ticks, and the states of the regime, correlation and volatility chains [paths, steps].

    The tape does not hold the slow chain's state: it is read off the variance, which must be that
    of the regime times the square of one of the two multipliers.
    """
    tick, states, _ = simulated(market(), RUN, PATHS)
    quiet = np.array(VOLATILITIES)[states.regime, 0] ** 2 * RUN.step
    ratio = np.sqrt(tick.variance_a / quiet)
    loud = (np.abs(ratio - MULTIPLIERS[1][0]) < np.abs(ratio - MULTIPLIERS[0][0])).astype(int)
    np.testing.assert_allclose(ratio, np.array(MULTIPLIERS)[loud, 0], rtol=1e-12)
    return tick, states.regime, states.correlation_regime, loud


def test_each_leg_has_its_multiplier_and_the_correlation_is_untouched(
    made: tuple[Tick, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    tick, regime, coupling, loud = made
    sigma, m = np.array(VOLATILITIES)[regime], np.array(MULTIPLIERS)[loud]
    a, b = np.moveaxis(sigma * m, -1, 0)
    rho = np.array([0.9, 0.2])[coupling]
    np.testing.assert_allclose(tick.variance_b, b * b * RUN.step, rtol=1e-12)
    np.testing.assert_allclose(tick.covariance, rho * a * b * RUN.step, rtol=1e-12)
    for k in (0, 1):
        here = loud == k
        x = np.log1p(tick.return_b[here]) / np.sqrt(tick.variance_b[here])
        assert abs(x.var() - 1) < K * (2 / here.sum()) ** 0.5


def test_the_chain_has_its_own_law(
    made: tuple[Tick, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Stationary at the start, switching by its own matrix, independent of both other chains."""
    _, regime, coupling, loud = made
    assert abs(loud[:, 0].mean() - 0.25) < K * (0.25 * 0.75 / PATHS) ** 0.5
    matrix = expm(chain.generator(two_state(SLOW)) * RUN.step)
    before, after = loud[:, :-1], loud[:, 1:]
    for k in (0, 1):
        p = 1 - matrix[k, k]
        count = (before == k).sum()
        assert abs((after[before == k] != k).mean() - p) < K * (p / count) ** 0.5
    for other, durations in ((regime, FAST), (coupling, COUPLING)):
        share = durations[1] / sum(durations)
        joint = (loud[:, 0] & other[:, 0]).mean()
        exact = 0.25 * share
        assert abs(joint - exact) < K * (exact * (1 - exact) / PATHS) ** 0.5
        leave = 1 - np.diag(expm(chain.generator(two_state(durations)) * RUN.step))
        both = ((1 - np.diag(matrix))[before] * leave[other[:, :-1]]).sum()
        together = ((before != after) & (np.diff(other) != 0)).sum()
        assert abs(together - both) < K * both**0.5


def test_drift_stays_that_of_the_price() -> None:
    """E[price] = exp(mu t) though the volatility, and so the log-price's drift, switches."""
    run = dataclasses.replace(RUN, steps=12, step=4 * DAY)
    paths = 60_000
    _, _, state = simulated(market(), run, paths)
    for price, mu in ((state.price_a, 0.4), (state.price_b, -0.3)):
        error = price.std() / paths**0.5
        assert abs(price.mean() - np.exp(mu * run.steps * run.step)) < K * error


def test_long_run_moments_are_those_of_the_paths(
    made: tuple[Tick, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    tick = made[0]
    parts = (tick.variance_a, tick.covariance, tick.variance_b)
    for exact, part in zip(covariance(market()), parts, strict=True):
        by_path = part.mean(axis=1) / RUN.step
        assert abs(by_path.mean() - exact) < K * by_path.std() / PATHS**0.5
    volatility, rho = usual_moments(market())
    assert volatility == pytest.approx((0.3 * 0.5, 0.4 * 0.6), rel=1e-15)
    assert rho == 0.9


def test_multipliers_of_one_change_nothing() -> None:
    """Every number of the tape is the same, to the bit: nothing else shares the chain's draws."""
    bare = dataclasses.replace(market(), volatility_regimes=(), volatility_chain=None)
    ones = tuple(VolatilityRegimeSpec(f"v{k}", (1.0, 1.0)) for k in range(2))
    same = dataclasses.replace(market(), volatility_regimes=ones)
    assert shape_of(same).volatility_regimes == 2
    found = [simulated(spec, RUN, 20)[0] for spec in (bare, same)]
    for name, x, y in zip(Tick._fields, *found, strict=True):
        # the trend is over the long-run volatility, a sum over the chain's shares that make 1
        np.testing.assert_allclose(x, y, rtol=1e-14 if name == "trend" else 0.0, err_msg=name)
