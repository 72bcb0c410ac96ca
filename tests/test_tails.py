"""Student-t returns: the table of the mixing variable, and the law of what it makes.

Shares beyond exact quantiles are compared, K standard errors of a share; K = 4.5 and about 80
comparisons fail by chance once in 1800 changes of seed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats

from markets import HOUR, share_error, two_state
from stresscube_kernels import tails
from stresscube_kernels.ops import NumpyOps
from stresscube_kernels.spec import NEVER, MarketSpec, SimulationSpec
from whole import alone, calm, simulated

K = 4.5
DOF = 4.0
MINUTES = 10
"""Steps an hour: enough to see that a block is not a step."""
RUN = SimulationSpec(4 * MINUTES, HOUR / MINUTES, 31, "float64")
PATHS = 20_000
QUANTILES = np.array([0.0005, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.9995])
FAT = replace(calm((0.6, 0.8), 0.5), tail_dof=DOF)


def unit_t(quantiles: NDArray[np.float64], dof: float) -> NDArray[np.float64]:
    """Quantiles of a Student-t of unit variance."""
    return stats.t.ppf(quantiles, dof) * np.sqrt((dof - 2) / dof)


def follows(x: NDArray[np.float64], quantiles: NDArray[np.float64]) -> bool:
    """Whether the shares of x below the exact QUANTILES are theirs, within K standard errors."""
    share = (x.ravel()[:, None] < quantiles).mean(axis=0)
    return bool(np.all(np.abs(share - QUANTILES) < K * share_error(QUANTILES, x.size)))


def hours(returns: NDArray[np.float64], volatility: float) -> NDArray[np.float64]:
    """Standardised sums over hours, the drift of -sigma^2/2 + sigma^2/2 = 0 being none."""
    sums = np.log1p(returns).reshape(len(returns), -1, MINUTES).sum(axis=2)
    return sums / (volatility * HOUR**0.5)


@pytest.mark.parametrize("dof", [2.1, 3.0, 4.0, 8.0, 30.0])
def test_the_table_has_mean_1(dof: float) -> None:
    """Widths of the bins in p times their means, exactly; means fall as p grows."""
    made = tails.table(dof)
    edges = [2.0**o * (1 + k / tails.BINS_AN_OCTAVE) for o in range(tails.OCTAVES)
             for k in range(tails.BINS_AN_OCTAVE)]  # fmt: skip
    widths = np.diff([0.0, *edges[1:], 2.0**32]) / 2.0**32
    assert len(widths) == tails.ENTRIES - 1
    assert np.dot(widths, made[:-1]) == pytest.approx(1.0, abs=1e-9)
    assert np.all(np.diff(made) <= 1e-12)
    assert np.all(made > 0)


@pytest.mark.parametrize("dof", [3.0, 30.0, 1e4, 1e6, 1e7, 1e12, 1e300])
def test_the_table_for_any_dof(dof: float) -> None:
    """Mean 1, falling, and each bin's mean by E[V; chi2 < c] = p + 2 f(c), which has no difference
    of like numbers; beyond 1e6 by its limit 1 + sqrt(2/nu) dphi/dp, whose next term, 4/3 (z^2 - 1)
    / nu, is below 54 / nu, z being at most 6.3."""
    made = tails.table(dof)
    bins = np.arange(tails.ENTRIES)
    edges = 2.0 ** (bins // 32 - 32.0) * (1 + bins % 32 / 32)
    edges[0] = 0.0
    width = np.diff(edges)
    assert np.all(np.isfinite(made))
    assert np.dot(width, made[:-1]) == pytest.approx(1.0, abs=1e-12)
    assert np.all(np.diff(made) <= 0)
    c = stats.chi2.ppf(edges[1:-1], dof) if dof <= 1e6 else np.zeros(len(edges) - 2)
    if dof <= 1e6:
        log_density = (dof / 2 - 1) * np.log(c / 2) - c / 2 - special.gammaln(dof / 2)
        expected = 1 + 2 * np.diff(np.pad(np.exp(log_density) / 2, 1)) / width
        np.testing.assert_allclose(made[:-1], expected, rtol=6e-8)  # float32's rounding
    else:
        density = np.pad(stats.norm.pdf(stats.norm.ppf(edges[1:-1])), 1)
        expected = (2 / dof) ** 0.5 * np.diff(density) / width
        np.testing.assert_allclose(made[:-1] - 1, expected, rtol=0, atol=54 / dof + 1e-15)


@pytest.mark.parametrize("dof", [30.0, 1e4, 1e6, 1e7, 1e12])
def test_the_variance_of_the_mixing_variable(dof: float) -> None:
    """Var V = 2 / (nu - 4), of which the bins, 1/32 of an octave of p wide, leave out 0.2%."""
    made = tails.table(dof)
    bins = np.arange(tails.ENTRIES)
    edges = 2.0 ** (bins // 32 - 32.0) * (1 + bins % 32 / 32)
    variance = np.dot(np.diff(edges), (made[:-1] - 1) ** 2)
    assert variance == pytest.approx(2 / (dof - 4), rel=3e-3)


def test_both_ways_to_a_table_meet() -> None:
    """At 1e6 degrees the expansion is off by 300 nu^-3/2 at most, in the rarest bin."""
    exact, expanded = (tails.table(1e6 * (1 + d)) for d in (0.0, 1e-12))
    assert not np.array_equal(exact, expanded)
    np.testing.assert_allclose(expanded, exact, rtol=0, atol=300 * 1e6**-1.5)


def test_no_tails_is_a_table_of_ones() -> None:
    assert np.array_equal(tails.table(NEVER), np.ones(tails.ENTRIES))


@pytest.mark.parametrize(("dof", "error"), [(3.0, 1e-3), (4.0, 2e-5), (8.0, 1e-7)])
def test_the_words_that_are_drawn_have_mean_1(dof: float, error: float) -> None:
    """All 2^31 odd words: those above 2^16 fill bins evenly, those below are counted one by one.

    Words are whole numbers, so the widest tail (p below 2^-27) is coarser than its bins; what
    that costs is the error allowed, largest where V is heaviest.
    """
    made = tails.table(dof)
    words = np.arange(1, 2**16, 2, dtype=np.float64)
    ones = tails.mixing(NumpyOps(), made, words, np.uint32(0)).sum() * 2.0
    octave, part = np.divmod(np.arange(tails.ENTRIES - 1), tails.BINS_AN_OCTAVE)
    width = 2.0**octave / tails.BINS_AN_OCTAVE
    rest = np.dot(width[octave >= 16], made[:-1][octave >= 16])
    assert part.max() == tails.BINS_AN_OCTAVE - 1
    assert (ones + rest) / 2.0**32 == pytest.approx(1.0, abs=error)


def test_float32_and_float64_take_the_same_bins() -> None:
    """At every edge of a bin, beside it, and at random words."""
    rng = np.random.default_rng(3)
    edges = np.array([
        2**o * (32 + k) // 32 for o in range(5, 32) for k in range(32)
    ], np.uint64)  # fmt: skip
    near = [edges + np.uint64(d) for d in (0, 1, 2)] + [edges - np.uint64(1)]
    words = np.concatenate([*near, rng.integers(1, 2**32, 100_000, dtype=np.uint64)])
    words = np.concatenate([words, [1, 2**32 - 1, 2**24 + 1]]).astype(np.uint32)
    index = np.arange(tails.ENTRIES, dtype=np.float64)
    bins = [
        tails.mixing(ops, index.astype(ops.dtype), ops.u2f(words), np.uint32(0))
        for ops in (NumpyOps(np.float32), NumpyOps(np.float64))
    ]
    assert np.array_equal(*bins)
    assert bins[0].min() == 0
    assert bins[0].max() == tails.ENTRIES - 1


def test_an_hour_is_student_t() -> None:
    """Blocks of an hour in one regime: the hour's sum is Student-t of unit variance, either leg."""
    made, _, _ = simulated(alone(FAT, tail_interval=HOUR), RUN, PATHS)
    for returns, sigma in ((made.return_a, 0.6), (made.return_b, 0.8)):
        assert follows(hours(returns, sigma), unit_t(QUANTILES, DOF))
        assert not follows(hours(returns, sigma), stats.norm.ppf(QUANTILES))


def test_by_the_minute_tails_average_out_within_the_hour() -> None:
    """Blocks of a step: each step is Student-t, and the sum of an hour is no longer.

    Which is why `tail_interval` is an hour by default. The excess kurtosis of a sum of n is 1/n.
    """
    made, _, _ = simulated(alone(FAT, tail_interval=RUN.step), RUN, PATHS)
    step = np.log1p(made.return_a) / (0.6 * RUN.step**0.5)
    assert follows(step[:, ::4], unit_t(QUANTILES, DOF))
    assert not follows(hours(made.return_a, 0.6), unit_t(QUANTILES, DOF))


def test_unit_variance() -> None:
    """nu 6: Var(z^2) = 3 E V^2 - 1 with E V^2 = (nu - 2)/(nu - 4) = 2. A path's hours are
    independent, the steps of an hour are not: their mean square counts as one."""
    market = alone(replace(FAT, tail_dof=6.0), tail_interval=HOUR)
    made, _, _ = simulated(market, RUN, PATHS)
    for returns, sigma in ((made.return_a, 0.6), (made.return_b, 0.8)):
        squares = np.log1p(returns) ** 2 / (sigma**2 * RUN.step)
        squares = squares.reshape(PATHS, -1, MINUTES).mean(axis=2)
        # Var of a mean of V chi2_n / n: (1 + 2/n) E V^2 - 1
        error = np.sqrt(((1 + 2 / MINUTES) * 2 - 1) / squares.size)
        assert abs(squares.mean() - 1) < K * error
    assert abs(made.variance_a.mean() / (0.36 * RUN.step) - 1) < K * np.sqrt(1 / (PATHS * 4))


def test_both_legs_share_the_mixing_variable() -> None:
    """Bivariate t: half the whitened squared length, in units of the t's scale, is F(2, nu).

    With a variable of its own each leg would follow its t, and this would fail.
    """
    made, _, _ = simulated(alone(FAT, tail_interval=HOUR), RUN, PATHS)
    a, b = hours(made.return_a, 0.6), hours(made.return_b, 0.8)
    other = (b - 0.5 * a) / np.sqrt(1 - 0.25)
    length = (a**2 + other**2) / 2 * DOF / (DOF - 2)
    assert follows(length, stats.f.ppf(QUANTILES, 2, DOF))
    assert not follows(length, stats.chi2.ppf(QUANTILES, 2) / 2 * DOF / (DOF - 2))
    # and their correlation is rho in the tape's covariance
    rho = made.covariance / np.sqrt(made.variance_a * made.variance_b)
    np.testing.assert_allclose(rho, 0.5, rtol=1e-12)


def test_blocks_follow_the_clock_and_regimes_share_the_draw() -> None:
    """The variable changes every `tail_interval`, whatever the regimes do; a Gaussian regime has
    none; the same tail probability serves every dof."""
    thin, fat = calm((0.5, 0.5)), replace(calm((1.0, 1.0)), tail_dof=3.0)
    fatter = replace(fat, tail_dof=2.5)
    chain = two_state((20 * RUN.step, 20 * RUN.step))
    run = replace(RUN, steps=60)
    found = {}
    for name, second in (("fat", fat), ("fatter", fatter)):
        made, states, _ = simulated(
            MarketSpec((thin, second), chain, tail_interval=4 * RUN.step), run, 300
        )
        assert np.allclose(made.variance_a[states.regime == 0], 0.25 * RUN.step, rtol=1e-12)
        found[name] = made.variance_a / RUN.step
    here = states.regime == 1
    assert 0.2 < here.mean() < 0.8
    blocks = np.where(here, found["fat"], np.nan).reshape(300, -1, 4)
    spread = np.nanmax(blocks, axis=2, initial=-1) - np.nanmin(blocks, axis=2, initial=1e9)
    seen = (~np.isnan(blocks)).sum(axis=2) > 1
    assert np.all(spread[seen] == 0)
    first = blocks[..., 0]
    both = ~np.isnan(first[:, 1:]) & ~np.isnan(first[:, :-1])
    assert np.mean(first[:, 1:][both] == first[:, :-1][both]) < 0.02
    # one variable's order is the other's: both fall with the same p
    x, y = found["fat"][here], found["fatter"][here]
    assert np.array_equal(np.argsort(np.unique(x)), np.arange(len(np.unique(x))))
    order = np.argsort(x, kind="stable")
    assert np.all(np.diff(y[order]) >= 0)


def test_execution_noise_has_the_mixing_variable() -> None:
    """Given the variable in force the noise is normal with the step's variance."""
    made, _, _ = simulated(alone(FAT, tail_interval=HOUR), RUN, PATHS // 4)
    for noise, variance in ((made.noise_a, made.variance_a), (made.noise_b, made.variance_b)):
        assert follows(noise / np.sqrt(variance), stats.norm.ppf(QUANTILES))
