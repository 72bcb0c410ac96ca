"""The simulated market against its theory: chains, correlations, moments, and which path is which.

Every tolerance is K standard errors of the exact law, computed from it. The tests below make
about 60 comparisons, so that K = 4.5 fails by chance once in 2000 changes of seed.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import expm

from markets import DAY, HOUR, driftless, market_shape, slow_states, steady, two_state
from stresscube_kernels import chain, view
from stresscube_kernels.contract import MarketState, Tick
from stresscube_kernels.oracle import simulate
from stresscube_kernels.spec import (
    NEVER,
    ChainSpec,
    Job,
    MarketSpec,
    RegimeSpec,
    SimulationSpec,
)
from stresscube_kernels.ticks import unpack

K = 4.5
# calm -> (stress, rally), stress -> calm, rally -> (calm, stress)
THREE = ChainSpec(
    (7 * HOUR, 2 * HOUR, 3 * HOUR), ((0.0, 0.7, 0.3), (1.0, 0.0, 0.0), (0.4, 0.6, 0.0))
)
REGIMES = tuple(
    RegimeSpec(name, (0.1 * k, -0.1), vols, rho, slippage_multiplier=1.0 + k)
    for k, (name, vols, rho) in enumerate(
        [("calm", (0.4, 0.55), 0.85), ("stress", (1.2, 1.6), 0.3), ("rally", (0.8, 0.7), -0.4)]
    )
)
MARKET = MarketSpec(REGIMES, THREE)
RUN = SimulationSpec(steps=300, step=HOUR / 4, seed=2718281828, precision="float64")


def tapes(
    market: MarketSpec, run: SimulationSpec, paths: int, first: int = 0, dtype: str = "float64"
) -> tuple[NDArray[Any], MarketState]:
    """Tapes [paths, steps, fields] and the last state."""
    return simulate(Job(market, (), run), first, paths, dtype, market_shape(market))


def ticks(market: MarketSpec, run: SimulationSpec, paths: int) -> Tick:
    """The fields of the simulated tapes, each [paths, steps]."""
    tape, _ = tapes(market, run, paths)
    assert np.isfinite(tape).all()
    return Tick(*np.moveaxis(tape, -1, 0))


def regimes(made: Tick) -> NDArray[np.int64]:
    """The regime of every step, [paths, steps]."""
    return unpack(made.state).regime


@pytest.fixture(scope="module")
def made() -> Tick:
    return ticks(MARKET, RUN, 2000)


def stationary_of(matrix: Any) -> NDArray[np.float64]:
    """The stationary law, by running the chain for ever."""
    return np.linalg.matrix_power(matrix, 2**20)[0]


def test_generator_by_hand() -> None:
    """Rates per hour: 1/7 out of calm, split 0.7 : 0.3."""
    rates = chain.generator(THREE) * HOUR
    expected = [[-1 / 7, 0.1, 0.3 / 7], [1 / 2, -1 / 2, 0.0], [0.4 / 3, 0.2, -1 / 3]]
    np.testing.assert_allclose(rates, expected, rtol=1e-12)


def test_stationary_law_by_hand() -> None:
    """Two states: shares are proportional to mean durations. One absorbing state takes all."""
    np.testing.assert_allclose(chain.stationary(two_state((3.0, 1.0))), [0.75, 0.25], rtol=1e-12)
    absorbing = ChainSpec((1.0, NEVER), ((0.0, 1.0), (0.0, 0.0)))
    np.testing.assert_allclose(chain.stationary(absorbing), [0.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(
        chain.stationary(THREE), stationary_of(expm(chain.generator(THREE) * HOUR)), atol=1e-12
    )


def test_two_absorbing_states_have_no_stationary_law() -> None:
    with pytest.raises(ValueError, match="not unique"):
        chain.stationary(ChainSpec((NEVER, NEVER), ((0.0, 0.0), (0.0, 0.0))))


def test_the_chain_is_the_same_seen_hourly_or_by_the_minute() -> None:
    minute = chain.transition_matrix(THREE, HOUR / 60)
    np.testing.assert_allclose(
        np.linalg.matrix_power(minute, 60), chain.transition_matrix(THREE, HOUR), rtol=1e-10
    )


def test_integer_thresholds() -> None:
    """Cumulative probabilities in units of 2^-31, so that 0 and 1 are exact."""
    made = chain.cumulative(np.array([[0.25, 0.75, 0.0], [1.0, 0.0, 0.0]]))
    assert made.tolist() == [[2**29, 2**31, 2**31], [2**31] * 3]


def test_first_regime_has_the_stationary_law(made: Tick) -> None:
    law = stationary_of(expm(chain.generator(THREE) * RUN.step))
    first = regimes(made)[:, 0]
    share = np.array([(first == k).mean() for k in range(3)])
    assert np.all(np.abs(share - law) < K * np.sqrt(law * (1 - law) / len(first)))


def test_regime_shares(made: Tick) -> None:
    """The variance of a path's share of time is the sum of the chain's autocovariances."""
    matrix = expm(chain.generator(THREE) * RUN.step)
    law = stationary_of(matrix)
    states = regimes(made)
    paths, steps = states.shape
    covariance = np.zeros(3)
    power = np.eye(3)
    for lag in range(steps):
        weight = steps if lag == 0 else 2 * (steps - lag)
        covariance += weight * (law * np.diag(power) - law**2)
        power = power @ matrix
    error = np.sqrt(covariance / steps**2 / paths)
    share = np.array([(states == k).mean() for k in range(3)])
    assert np.all(np.abs(share - law) < K * error)


@pytest.mark.parametrize("gap", [1, 8])
def test_switching_against_expm(made: Tick, gap: int) -> None:
    """Pairs of steps `gap` apart, taken without overlap, against expm(Q gap step)."""
    matrix = expm(chain.generator(THREE) * RUN.step * gap)
    states = regimes(made)[:, ::gap]
    counts = np.zeros((3, 3))
    np.add.at(counts, (states[:, :-1].ravel(), states[:, 1:].ravel()), 1)
    visits = counts.sum(axis=1, keepdims=True)
    error = np.sqrt(matrix * (1 - matrix) / visits)
    assert visits.min() > 1000
    assert np.all(np.abs(counts / visits - matrix) < K * error)


def test_durations_are_geometric(made: Tick) -> None:
    """A completed stay has mean 1 / (1 - p) steps, p the chance to be there one step later.

    Stays are taken that begin in the first third of a path: few of them outlast it (the longest
    mean is 28 steps, what is left 200), and those count with the length seen.
    """
    matrix = expm(chain.generator(THREE) * RUN.step)
    states = regimes(made)
    steps = states.shape[1]
    stays: list[list[int]] = [[], [], []]
    for path in states:
        ends = np.flatnonzero(np.diff(path)) + 1
        for begin, end in zip(ends, np.append(ends[1:], steps), strict=True):
            if begin < steps // 3:
                stays[path[begin]].append(int(end - begin))
    for k, found in enumerate(stays):
        stay = matrix[k, k]
        left = steps - steps // 3
        bias = stay**left / (1 - stay)  # what is cut off at most
        error = np.sqrt(stay) / (1 - stay) / np.sqrt(len(found))
        assert len(found) > 1000
        assert bias < 0.2 * error
        assert abs(np.mean(found) - 1 / (1 - stay)) < K * error + bias


def test_initial_regime_and_absorption() -> None:
    market = dataclasses.replace(
        MARKET, chain=ChainSpec((HOUR, NEVER, HOUR), ((0, 1, 0), (0, 0, 0), (1, 0, 0)), initial=2)
    )
    states = regimes(ticks(market, RUN, 200))
    assert np.all(states[:, 0] == 2)
    assert np.all(states[:, -1] == 1)
    assert np.all((np.diff(states)[states[:, :-1] == 1]) == 0)
    fixed = dataclasses.replace(MARKET, chain=dataclasses.replace(THREE, initial=1))
    assert np.all(regimes(ticks(fixed, RUN, 50))[:, 0] == 1)


def test_each_regime_has_its_own_numbers(made: Tick) -> None:
    """The step's covariance and slippage multiplier are those of the regime in force."""
    for k, regime in enumerate(REGIMES):
        here = regimes(made) == k
        a, b = regime.volatility
        rho = regime.correlation
        assert rho is not None
        exact = {
            "variance_a": a * a * RUN.step,
            "covariance": rho * a * b * RUN.step,
            "variance_b": b * b * RUN.step,
            "slippage_multiplier": regime.slippage_multiplier,
        }
        for name, value in exact.items():
            np.testing.assert_allclose(getattr(made, name)[here], value, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("noise", [False, True], ids=["returns", "execution noise"])
def test_moments_of_each_regime(made: Tick, noise: bool) -> None:
    """Mean, variance and correlation of log-returns; the noise has mean 0, the same covariance."""
    for k, regime in enumerate(REGIMES):
        here = regimes(made) == k
        n = here.sum()
        pair: list[NDArray[np.float64]] = []
        for leg in (0, 1):
            sd = regime.volatility[leg] * RUN.step**0.5
            mean = (regime.drift[leg] - regime.volatility[leg] ** 2 / 2) * RUN.step
            if noise:
                x = (made.noise_a, made.noise_b)[leg][here]
                mean = 0.0
            else:
                x = np.log1p((made.return_a, made.return_b)[leg][here])
            assert abs(x.mean() - mean) < K * sd / n**0.5
            assert abs(x.var() / sd**2 - 1) < K * (2 / n) ** 0.5
            pair.append(x)
        rho = regime.correlation
        assert rho is not None
        # standard error of a normal sample's correlation
        assert abs(np.corrcoef(pair[0], pair[1])[0, 1] - rho) < K * (1 - rho**2) / n**0.5


def test_draws_are_independent(made: Tick) -> None:
    """Returns, execution noise and bridge draws, of this step and of the next: correlation 0."""
    n = made.state.size
    sd = np.sqrt(made.variance_a)
    a, noise = np.log1p(made.return_a) / sd, made.noise_a / sd
    later = {"returns": (a[:, :-1], a[:, 1:]), "bridge": (made.bridge[:, :-1], made.bridge[:, 1:])}
    pairs = {"noise": (a, noise), "draw": (a, made.bridge), "size": (a * a, made.bridge), **later}
    for name, (x, y) in pairs.items():
        assert abs(np.corrcoef(x.ravel(), y.ravel())[0, 1]) < K / n**0.5, name


def test_bridge_draw_is_exponential(made: Tick) -> None:
    n = made.bridge.size
    assert abs(made.bridge.mean() - 1) < K / n**0.5
    assert abs((made.bridge**2).mean() - 2) < K * (20 / n) ** 0.5  # E e^4 - 4 = 20
    assert made.bridge.min() >= 0


def test_correlation_chain_and_its_override() -> None:
    """Calm has no correlation of its own and follows the slow chain; stress keeps its own."""
    own = dataclasses.replace(REGIMES[1], correlation=0.1)
    market = MarketSpec(
        (dataclasses.replace(REGIMES[0], correlation=None), own),
        two_state((7 * HOUR, 2 * HOUR)),
        slow_states(0.9, -0.2),
        two_state((3 * DAY, DAY)),
    )
    made = ticks(market, RUN, 1000)
    states = unpack(made.state)
    law = np.array([0.75, 0.25])
    share = np.array([(states.correlation_regime[:, 0] == k).mean() for k in range(2)])
    assert np.all(np.abs(share - law) < K * np.sqrt(law * (1 - law) / 1000))
    rho = np.where(states.regime == 1, 0.1, np.where(states.correlation_regime == 0, 0.9, -0.2))
    np.testing.assert_allclose(
        made.covariance, rho * np.sqrt(made.variance_a * made.variance_b), rtol=1e-12
    )
    for correlation in (0.9, -0.2, 0.1):
        here = rho == correlation
        x, y = np.log1p(made.return_a[here]), np.log1p(made.return_b[here])
        # scaled by the regime's deviation, which is the same for all of `here` only up to regime
        x, y = x / np.sqrt(made.variance_a[here]), y / np.sqrt(made.variance_b[here])
        error = (1 - correlation**2) / here.sum() ** 0.5
        assert here.sum() > 10_000
        assert abs(np.corrcoef(x, y)[0, 1] - correlation) < K * error
    # the two chains are independent: shares multiply
    joint = ((states.regime[:, 0] == 1) & (states.correlation_regime[:, 0] == 1)).mean()
    exact = (2 / 9) * 0.25
    assert abs(joint - exact) < K * (exact * (1 - exact) / 1000) ** 0.5
    # and each switches as its own matrix says
    matrix = expm(chain.generator(two_state((3 * DAY, DAY))) * RUN.step)
    before, after = states.correlation_regime[:, :-1], states.correlation_regime[:, 1:]
    for k in range(2):
        found = (after[before == k] != k).mean()
        p = 1 - matrix[k, k]
        assert abs(found - p) < K * (p / (before == k).sum()) ** 0.5
    # and not together: as many steps switch both as independent chains would
    fast = expm(chain.generator(two_state((7 * HOUR, 2 * HOUR))) * RUN.step)
    slow = 1 - np.diag(matrix)[before]
    both = slow * (1 - np.diag(fast)[states.regime[:, :-1]])
    together = ((before != after) & (np.diff(states.regime) != 0)).sum()
    assert abs(together - both.sum()) < K * both.sum() ** 0.5


def test_drift_and_variance_of_prices() -> None:
    """E[price] = exp(mu t), whatever the volatility; the log-price has variance sigma^2 t."""
    drift, vols, years = (0.8, -0.5), (0.9, 0.6), 0.25
    regime = RegimeSpec("r", drift, vols, 0.7)
    run = SimulationSpec(steps=8, step=years / 8, seed=99, precision="float64")
    paths = 100_000
    _, state = tapes(steady(regime), run, paths)
    for price, mu, sigma in zip((state.price_a, state.price_b), drift, vols, strict=True):
        error = np.exp(mu * years) * np.sqrt(np.expm1(sigma**2 * years) / paths)
        assert abs(price.mean() - np.exp(mu * years)) < K * error
        variance = np.log(price).var()
        assert abs(variance / (sigma**2 * years) - 1) < K * (2 / paths) ** 0.5
    rho = np.corrcoef(np.log(state.price_a), np.log(state.price_b))[0, 1]
    assert abs(rho - 0.7) < K * (1 - 0.7**2) / paths**0.5


def test_perfect_correlation_moves_both_legs_alike() -> None:
    made = ticks(steady(driftless((0.7, 0.7), 1.0)), RUN, 50)
    assert np.array_equal(made.return_a, made.return_b)
    assert np.array_equal(made.noise_a, made.noise_b)


def test_without_volatility_prices_follow_the_drift() -> None:
    still = steady(RegimeSpec("r", (1.0, 0.0), (0.0, 0.0), 0.0))
    _, state = tapes(still, RUN, 3)
    exact = np.exp(RUN.steps * RUN.step)
    np.testing.assert_allclose(state.price_a, exact, rtol=1e-12)
    assert np.all(state.price_b == 1.0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_path_alone_is_the_path_of_a_batch(dtype: str) -> None:
    """Paths 0-299 of 600 are those of 300, and path 417 alone is path 417 of them all."""
    run = dataclasses.replace(RUN, steps=40)
    every, _ = tapes(MARKET, run, 600, dtype=dtype)
    for first, count in ((0, 300), (417, 1), (250, 64)):
        part, _ = tapes(MARKET, run, count, first, dtype)
        assert np.array_equal(part, every[first : first + count])


def test_the_last_paths_of_all() -> None:
    """Path numbers are 32-bit counters: the highest are paths like others."""
    run = dataclasses.replace(RUN, steps=10)
    last, _ = tapes(MARKET, run, 4, 2**32 - 4)
    first, _ = tapes(MARKET, run, 4)
    assert len(np.unique(np.concatenate([last, first])[:, 0, 0])) == 8


def test_both_words_of_the_seed_matter() -> None:
    run = dataclasses.replace(RUN, steps=2)
    seeds = (1, 2, 1 + 2**32, 1 + 2**62)
    found = [tapes(MARKET, dataclasses.replace(run, seed=seed), 1)[0][0, 0, 0] for seed in seeds]
    assert len(set(found)) == len(seeds)


def test_switching_a_feature_on_shifts_no_other_numbers() -> None:
    """With a correlation chain added, the regimes and the first leg's returns stay as they were."""
    run = dataclasses.replace(RUN, steps=50)
    slow = MarketSpec(REGIMES, THREE, slow_states(0.9, 0.1), two_state((DAY, DAY)))
    alone, both = ticks(MARKET, run, 40), ticks(slow, run, 40)
    assert np.array_equal(regimes(alone), regimes(both))
    for name in ("return_a", "return_b", "noise_a", "bridge"):
        assert np.array_equal(getattr(alone, name), getattr(both, name)), name


def test_view_shows_the_tape(made: Tick) -> None:
    shown = view.paths(MARKET, RUN, 5, 7)
    assert np.array_equal(shown["regime"], regimes(made)[5:12])
    growth = shown["price"][0, :, 1:] / shown["price"][0, :, :-1] - 1
    np.testing.assert_allclose(growth, made.return_a[5:12], atol=1e-13)
    rho = np.array([r.correlation for r in REGIMES])[shown["regime"]]
    np.testing.assert_allclose(shown["correlation"], rho, rtol=1e-12)
