"""Deflated Sharpe ratios: the paper's figures, and expected maxima by integration."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from stresscube.decide.deflated import deflated, independent_maximum, luck


def exact_maximum(number: int) -> float:
    """E max of independent standard normals: the integral of x d Phi(x)^N."""
    density = lambda x: x * number * stats.norm.pdf(x) * stats.norm.cdf(x) ** (number - 1)  # noqa: E731
    return integrate.quad(density, -10, 10, limit=200)[0]


@pytest.mark.parametrize(("trials", "wanted"), [(100, 0.9004), (46, 0.9505)])
def test_the_example_of_the_paper(trials: int, wanted: float) -> None:
    """Five years of days, annual Sharpe 2.5, skewness -3, kurtosis 10, variance 1/2 of trials."""
    days, sharpe, skew, kurtosis = 1250, 2.5 / np.sqrt(250), -3.0, 10.0
    error = np.sqrt((1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2) / (days - 1))
    maximum = np.sqrt(0.5 / 250) * independent_maximum(trials)
    assert deflated(sharpe, error, maximum) == pytest.approx(wanted, abs=5e-4)


def test_the_formula_closes_in_on_the_integral() -> None:
    """It is asymptotic in the number: within 3% from 5 trials on, and better with more."""
    off = [abs(independent_maximum(it) / exact_maximum(it) - 1) for it in (5, 20, 100, 1000)]
    assert max(off) < 0.03
    assert off[-1] < off[1]


def noise(rng: np.random.Generator, groups: int, copies: int, common: float) -> np.ndarray:
    """Batch means of `groups` independent policies, each `copies` times, with shared noise."""
    own = np.repeat(rng.standard_normal((groups, 32)), copies, axis=0)
    return np.sqrt(common) * rng.standard_normal(32) + np.sqrt(1 - common) * own


@pytest.mark.parametrize("common", [0.0, 0.9])
@pytest.mark.parametrize("copies", [1, 10])
def test_the_maximum_of_luck_counts_what_is_independent(common: float, copies: int) -> None:
    """Averaged over cubes, the maximum is that of the groups: copies and shared noise add none."""
    rng = np.random.default_rng(5)
    groups = 40
    found = [luck(noise(rng, groups, copies, common)) for _ in range(30)]
    wanted = exact_maximum(groups) * np.sqrt((1 - common) / 32)
    maxima = np.array([it.maximum for it in found])
    # Four standard errors of the mean, and 3% for errors estimated from 32 batches.
    slack = 4 * maxima.std() / np.sqrt(len(found)) + 0.03 * wanted
    assert abs(maxima.mean() - wanted) < slack
    assert all(it.trials == groups * copies for it in found)
    assert 0.6 * groups < np.median([it.effective for it in found]) < 1.4 * groups


def test_one_policy_needs_no_luck() -> None:
    rng = np.random.default_rng(1)
    alone = luck(rng.standard_normal((1, 32)))
    assert (alone.maximum, alone.effective) == (0.0, 1.0)
    same = luck(np.repeat(rng.standard_normal((1, 32)), 5, axis=0))
    assert (same.maximum, same.effective, same.trials) == (0.0, 1.0, 5)


def test_missing_batches_are_left_out() -> None:
    batches = np.random.default_rng(2).standard_normal((6, 32))
    wanted = luck(batches[:, :20])
    batches[3, 20:] = np.nan
    assert luck(batches) == wanted


@pytest.mark.parametrize("common", [0.0, 0.5, 0.95])
def test_worthless_policies_seldom_look_good(common: float) -> None:
    """All true ratios are 0: the best of 30 has a deflated ratio above 0.95 in 5% at most."""
    rng = np.random.default_rng(8)
    repetitions, above = 200, 0
    for _ in range(repetitions):
        batches = noise(rng, 30, 1, common)
        best = batches.mean(axis=1).max()
        above += deflated(best, np.sqrt(1 / 32), luck(batches).maximum) > 0.95
    # Three standard errors of a share of 5%.
    assert above / repetitions <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repetitions)
