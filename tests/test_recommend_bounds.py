"""Bounds, p-values and allowances against scipy and by exhaustion, and their coverage."""

from __future__ import annotations

import itertools
import math
from typing import Literal

import numpy as np
import pytest
from scipy import stats

from stresscube.decide import bounds
from stresscube.metrics.probabilities import binomial_error

SIDES: tuple[tuple[bool, Literal["less", "greater"]], ...] = ((True, "less"), (False, "greater"))
CASES = [(0, 500), (1, 500), (7, 500), (250, 500), (499, 500), (500, 500), (3, 20_000)]


@pytest.mark.parametrize(("events", "trials"), CASES)
@pytest.mark.parametrize("limit", [0.001, 0.01, 0.5, 0.99])
def test_share_p_values_are_those_of_the_exact_test(events: int, trials: int, limit: float) -> None:
    for below, side in SIDES:
        wanted = stats.binomtest(events, trials, limit, alternative=side).pvalue
        found = bounds.share_p_value(events, trials, limit, below=below)
        assert float(found) == pytest.approx(wanted, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize(("events", "trials"), CASES)
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.999])
def test_share_bounds_are_clopper_and_pearsons(events: int, trials: int, confidence: float) -> None:
    for below, side in SIDES:
        test = stats.binomtest(events, trials, 0.5, alternative=side)
        interval = test.proportion_ci(confidence, method="exact")
        found = float(bounds.share_bound(events, trials, confidence, below=below))
        assert found == pytest.approx(interval.high if below else interval.low, rel=1e-8)


def test_what_is_unknown_proves_nothing() -> None:
    nan = math.nan
    assert bounds.share_p_value(nan, 10, 0.1, below=True) == 1
    assert bounds.average_p_value(nan, 10, 0.1, below=True) == 1
    assert bounds.normal_p_value([nan, 0.0], [0.1, nan], 0.1, below=True).tolist() == [1, 1]
    assert np.isnan(bounds.share_bound(nan, 10, 0.95, below=False))


def test_the_number_of_trials_comes_back_from_the_error() -> None:
    trials = np.array([1.0, 7.0, 500.0, 1e6])[:, None]
    share = np.array([0.0, 0.3, 0.5, 0.999, 1.0])[None, :]
    error = binomial_error(np, share, np.broadcast_to(trials, (4, 5)))
    back = bounds.effective_trials(share, error)
    assert np.allclose(back, np.broadcast_to(trials, (4, 5)), rtol=1e-7)
    assert np.isnan(bounds.effective_trials(math.nan, 0.1))


def test_normal_bounds_are_scipys() -> None:
    for below, sign in ((True, 1), (False, -1)):
        found = float(bounds.normal_bound(2.0, 0.5, 0.95, below=below))
        assert found == pytest.approx(2.0 + sign * 0.5 * stats.norm.ppf(0.95))
        p_value = float(bounds.normal_p_value(2.0, 0.5, found, below=below))
        assert p_value == pytest.approx(0.05)
    assert bounds.normal_p_value([1.0, 1.0], 0.0, 1.5, below=True).tolist() == [0, 0]
    assert bounds.normal_p_value(1.5, 0.0, 1.5, below=True) == 1


def test_the_bound_of_an_average_is_where_its_p_value_is_the_risk() -> None:
    share, trials = np.array([0.0, 0.002, 0.4]), 2000.0
    for below in (True, False):
        at = share if below else 1 - share
        edges = bounds.average_bound(at, trials, 0.95, below=below)
        found = [
            float(bounds.average_p_value(value, trials, edge, below=below))
            for value, edge in zip(at, edges, strict=True)
        ]
        assert found == pytest.approx([0.05] * 3, rel=1e-6)
    # Without an event: (1 - U)^n = risk.
    assert bounds.average_bound(0.0, trials, 0.95, below=True) == pytest.approx(
        1 - 0.05 ** (1 / trials)
    )


def test_holm_is_the_closure_of_bonferroni() -> None:
    """A null is rejected if Bonferroni rejects every set of nulls that it belongs to."""
    rng = np.random.default_rng(3)
    for _ in range(50):
        p_values = rng.beta(0.4, 2.0, size=5)
        sets = [chosen for size in range(1, 6) for chosen in itertools.combinations(range(5), size)]
        wanted = [
            max(min(1.0, len(chosen) * p_values[list(chosen)].min())
                for chosen in sets if place in chosen)
            for place in range(5)
        ]  # fmt: skip
        assert bounds.holm(p_values) == pytest.approx(wanted)


@pytest.mark.parametrize(("share", "limit"), [(0.0, 0.01), (0.004, 0.01), (0.0, 1e-4)])
def test_the_trials_needed_are_the_fewest(share: float, limit: float) -> None:
    needed = bounds.share_trials_needed(share, limit, 0.05, below=True)
    p_value = [
        float(bounds.share_p_value(share * n, n, limit, below=True)) for n in (needed, needed - 1)
    ]
    assert p_value[0] <= 0.05 < p_value[1]
    if share == 0.0:
        assert needed == math.ceil(math.log(0.05) / math.log1p(-limit))
    mirrored = bounds.share_trials_needed(1 - share, 1 - limit, 0.05, below=False)
    assert mirrored == pytest.approx(needed, abs=1)
    assert bounds.share_trials_needed(limit, limit, 0.05, below=True) == math.inf


def test_an_average_over_markets_keeps_its_level() -> None:
    """Two markets on the same paths, mean exactly at the limit: at most 5% are called within."""
    rng = np.random.default_rng(11)
    draws = rng.random((4000, 1000))
    mean = 0.5 * ((draws < 0.005).mean(axis=1) + (draws < 0.015).mean(axis=1))
    false = (bounds.average_p_value(mean, 1000.0, 0.01, below=True) <= 0.05).mean()
    assert 0.0 < false <= 0.05
