"""Spikes of the mispricing that fell before time 0: x starts as it goes on.

K standard errors from exact cumulants; about 60 comparisons.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from markets import HOUR, share_error, two_state
from stresscube_kernels import mispricing, moments, special
from stresscube_kernels.ops import NumpyOps
from stresscube_kernels.spec import (
    NEVER,
    ChainSpec,
    JumpSpec,
    MarketSpec,
    MispricingSpec,
    SimulationSpec,
)
from whole import MINUTE, alone, calm, simulated

K = 4.5
PATHS = 20_000
SIZE, HALF_LIFE = 0.006, 30 * MINUTE
KEPT = 0.5 ** (1 / 30)
PAIR = calm((0.6, 0.6), 1.0)


def run_of(minutes: int, step: float = MINUTE) -> SimulationSpec:
    return SimulationSpec(minutes, step, 505, "float64")


def spiky(a_step: float, std: float = 0.0) -> MispricingSpec:
    """Spikes of so many a minute."""
    return MispricingSpec(HALF_LIFE, std, a_step / MINUTE, SIZE)


def cumulants(part: MispricingSpec) -> tuple[float, float]:
    """Variance and fourth cumulant of the sum of decaying kicks, each N(0, s^2) with chance p."""
    p = -math.expm1(-part.spike_intensity * MINUTE)
    second = part.std**2 + p * SIZE**2 / (1 - KEPT**2)
    return second, (3 * p - 3 * p * p) * SIZE**4 / (1 - KEPT**4)


@pytest.mark.parametrize("std", [0.0, 0.002])
@pytest.mark.parametrize("a_step", [0.001, 0.02, 0.09])
def test_x_has_its_long_run_variance_from_time_0(a_step: float, std: float) -> None:
    """At time 0 and after; (kappa_4 + 2 kappa_2^2) / n is the variance of a sample variance.

    Without the spikes before time 0 the first would be 0 or std^2, and the second half of the rest.
    """
    part = spiky(a_step, std)
    made, _, _ = simulated(alone(replace(PAIR, mispricing=(part,))), run_of(46), PATHS)
    variance, fourth = cumulants(part)
    sd = moments.sd_mispricing(alone(replace(PAIR, mispricing=(part,))), MINUTE)
    assert sd**2 == pytest.approx(variance, rel=1e-12)
    error = np.sqrt((fourth / variance**2 + 2) / PATHS)
    for k in (0, 1, 15, 45):
        assert abs(made.z[:, k].var() - 1) < K * error, k
        assert abs(made.z[:, k].mean()) < K / PATHS**0.5


@pytest.mark.parametrize("a_step", [0.002, 0.02])
def test_the_shape_at_time_0_is_that_of_later(a_step: float) -> None:
    """Shares beyond half a spike to two spikes, at time 0 and after six half-lives of a run whose
    seed is another, K standard errors of their difference; a normal of that variance fails."""
    part = spiky(a_step, 0.0003)
    market = alone(replace(PAIR, mispricing=(part,)))
    other = replace(run_of(181), seed=506)
    paths = 40_000
    sd = moments.sd_mispricing(market, MINUTE)
    start = np.abs(simulated(market, run_of(1), paths)[0].z[:, 0]) * sd / SIZE
    parts = [simulated(market, replace(other, seed=seed), 10_000)[0].z[:, 180] for seed in range(4)]
    later = np.abs(np.concatenate(parts)) * sd / SIZE
    gaussian = []
    for level in (0.1, 0.25, 0.5, 1.0, 1.5, 2.0):
        first, second = (start > level).mean(), (later > level).mean()
        error = share_error((first + second) / 2, paths // 2)
        assert abs(first - second) < K * error, level
        gaussian.append(abs(2 * stats.norm.sf(level * SIZE / sd) - second) > K * error)
    assert sum(gaussian) >= 4


def memories(memory: float, count: int) -> NDArray[np.float64]:
    words = np.random.default_rng(9).integers(0, 2**32, (4, count), dtype=np.uint32)
    return mispricing.remembered(NumpyOps(), np.float64(memory), tuple(words))


@pytest.mark.parametrize("memory", [0.02, 0.3, 1.0, 5.0, 40.0])
def test_moments_of_what_is_remembered(memory: float) -> None:
    """W sums the squared decays of a Poisson process back in time: mean m, variance m / 2, of
    which (m / (m + 2))^4 is missing, that of the spikes before the last four."""
    count = 200_000
    found = memories(memory, count)
    variance = memory / 2 * (1 - (memory / (memory + 2)) ** 4)
    fourth = ((found - memory) ** 4).mean()
    assert abs(found.mean() - memory) < K * (variance / count) ** 0.5
    assert abs(found.var() - variance) < K * np.sqrt((fourth - variance**2) / count)


@pytest.mark.parametrize("memory", [0.02, 0.3])
def test_the_law_of_what_is_remembered(memory: float) -> None:
    """P(W <= w) = e^(-gamma m) w^m / Gamma(m + 1) for w <= 1, Dickman's law."""
    count = 200_000
    found = memories(memory, count)
    for level in (1e-6, 0.01, 0.1, 0.5, 1.0):
        p = math.exp(-np.euler_gamma * memory) * level**memory / math.gamma(memory + 1)
        assert abs((found <= level).mean() - p) < K * share_error(p, count), level


def test_vanishing() -> None:
    x = np.concatenate([np.linspace(0, 70, 100_001), [1e3, 1e9, 1e30]])
    for dtype in ("float32", "float64"):
        found = special.vanishing(NumpyOps(dtype), x.astype(dtype))
        assert np.abs(found - np.exp(-x)).max() < 1e-6
        assert np.all(found >= 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_without_spikes_the_start_is_as_ever(dtype: str) -> None:
    """Jumps bring the code of events, and no spike: the same x to the last bit."""
    ou = MispricingSpec(HALF_LIFE, 0.002)
    plain = replace(PAIR, mispricing=(ou, MispricingSpec(HALF_LIFE, 0.0, 0.0, SIZE)))
    jumpy = replace(plain, jumps=JumpSpec(0.01 / MINUTE, (0.0, 0.0), (0.01, 0.01), 0.5))
    one, two = (simulated(alone(r), run_of(3), 500, dtype=dtype)[0] for r in (plain, jumpy))
    assert np.array_equal(one.z, two.z)


SLOW = MispricingSpec(HOUR, 0.001)
FAST = MispricingSpec(5 * MINUTE, 0.004, 0.02 / MINUTE, 0.01)
SWITCHING = MarketSpec(
    (replace(PAIR, mispricing=(SLOW,)), replace(PAIR, mispricing=(FAST,))),
    two_state((45 * MINUTE, 15 * MINUTE)),
)


def test_sd_over_regimes_that_forget_at_different_speeds() -> None:
    """x has the sd by which z is scaled, at time 0 and long after, over all paths and where a
    regime is on; the average of the regimes' own variances is half of it. Errors from the spread
    of the squares seen."""
    sd = moments.sd_mispricing(SWITCHING, MINUTE)
    squares = moments.mispricing_squares(SWITCHING, MINUTE)[0]
    own = [moments.component_variance(part, MINUTE) for part in (SLOW, FAST)]
    assert (0.75 * own[0] + 0.25 * own[1]) / sd**2 < 0.6
    made, states, _ = simulated(SWITCHING, SimulationSpec(361, MINUTE, 507, "float64"), 6000)
    for k in (0, 60, 360):
        here = made.z[:, k] ** 2
        assert abs(here.mean() - 1) < K * here.std() / len(here) ** 0.5
        for regime, share in enumerate((0.75, 0.25)):
            found = here[states.regime[:, k] == regime]
            expected = squares[regime] / share / sd**2
            assert abs(found.mean() - expected) < K * found.std() / len(found) ** 0.5
    assert squares[0] / 0.75 > 5 * own[0]  # what a wild regime leaves to the calm one after it


def test_the_source_is_a_law_and_the_regime_itself_where_it_lasts() -> None:
    """Rows sum to 1; one that lasts much longer than x remembers is its own source."""
    sources = moments.mispricing_sources(SWITCHING, MINUTE)[0]
    np.testing.assert_allclose(sources.sum(axis=1), 1.0, rtol=1e-12)
    assert np.all(sources > 0)
    lasting = replace(SWITCHING, chain=two_state((4500 * HOUR, 1500 * HOUR)))
    np.testing.assert_allclose(moments.mispricing_sources(lasting, MINUTE)[0], np.eye(2), atol=1e-3)
    ends = replace(SWITCHING, chain=ChainSpec((NEVER, NEVER), ((0.0, 0.0), (0.0, 0.0)), initial=1))
    np.testing.assert_allclose(moments.mispricing_sources(ends, MINUTE)[0], np.eye(2), atol=1e-12)
    assert moments.sd_mispricing(ends, MINUTE) ** 2 == pytest.approx(
        moments.component_variance(FAST, MINUTE), rel=1e-12
    )
