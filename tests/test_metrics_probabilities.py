"""Probabilities, whose errors are never 0, and the survival curve."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from stresscube.metrics import probabilities
from stresscube.metrics.sample import Sample


def _sample(x: NDArray[np.float64]) -> Sample:
    return Sample(np, {"final_equity": x}, 32)


@pytest.mark.parametrize(("events", "n"), [(0, 1), (1, 1), (0, 300), (30, 300), (300, 300)])
def test_error_is_the_formula(events: int, n: int) -> None:
    x = (np.arange(n) < events).astype(np.float64)[None, :]
    found = probabilities.share(_sample(x), x)
    p = events / n
    error = np.sqrt(p * (1.0 - p) / n + 1.0 / (4.0 * n**2)) / (1.0 + 1.0 / n)
    assert found.value[0] == p
    assert found.error[0] == pytest.approx(error)
    assert found.error[0] > 0.0


def test_error_is_half_of_wilson_s_interval() -> None:
    """At the level of one standard deviation, 2 Phi(1) - 1."""
    wilson = stats.binomtest(7, 90).proportion_ci(0.6826894921370859, method="wilson")
    error = probabilities.binomial_error(np, np.array([7 / 90]), np.array([90.0]))[0]
    assert error == pytest.approx((wilson.high - wilson.low) / 2.0)


def test_share_of_chosen_paths_has_their_binomial_error() -> None:
    rng = np.random.default_rng(3)
    trials = (rng.random((1, 5000)) < 0.3).astype(np.float64)
    events = trials * (rng.random((1, 5000)) < 0.2)
    found = probabilities.share(_sample(trials), events, trials)
    m = trials.sum()
    p = events.sum() / m
    assert found.value[0] == pytest.approx(p)
    exact = probabilities.binomial_error(np, np.array([p]), np.array([m]))[0]
    assert found.error[0] == pytest.approx(exact, rel=1e-9)


def test_share_of_trades_is_clustered_by_path() -> None:
    """25 trades a path that all win or all lose count as one."""
    wins = 25.0 * (np.arange(1000) % 4 == 0)[None, :]
    found = probabilities.share(_sample(wins), wins, np.full((1, 1000), 25.0))
    assert found.value[0] == 0.25
    assert found.error[0] == pytest.approx(np.sqrt(0.25 * 0.75 / 1000), rel=1e-3)


def test_no_trial_is_nan_and_no_event_is_not() -> None:
    none = np.zeros((1, 64))
    empty = probabilities.share(_sample(none), none, none)
    assert np.isnan(empty.value[0])
    assert np.isnan(empty.error[0])
    sure = probabilities.share(_sample(none), none, none + 1.0)
    assert sure.value[0] == 0.0
    assert sure.error[0] > 0.0


def test_survival_is_counted_directly() -> None:
    rng = np.random.default_rng(4)
    steps = rng.integers(-60, 60, (3, 77)).clip(0).astype(np.float64)
    last = np.array([0.0, 10.0, 10.0, 30.0, 59.0])
    found = probabilities.survival(_sample(steps), steps, last)
    alive = (steps[:, None] == 0) | (steps[:, None] > last[:, None])
    assert found.value == pytest.approx(alive.mean(axis=-1))
    assert found.batch is not None
    for b in range(32):
        assert found.batch[:, :, b] == pytest.approx(alive[:, :, b::32].mean(axis=-1))
    assert (found.error > 0.0).all()


def test_survival_without_liquidations() -> None:
    found = probabilities.survival(
        _sample(np.zeros((2, 40))), np.zeros((2, 40)), np.array([0.0, 5.0])
    )
    assert (found.value == 1.0).all()
