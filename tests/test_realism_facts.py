"""Facts of series whose facts are known."""

from __future__ import annotations

import numpy as np
import pytest

from stresscube.errors import StresscubeError
from stresscube.realism.compare import Fact, steps_a_bar, verdict
from stresscube.realism.facts import (
    Series,
    facts,
    kurtosis,
    memory,
    rolling_correlation,
    summed,
)
from stresscube_kernels.spec import SimulationSpec

ASSETS = ("A", "B")


def test_moments_of_hand_made_series() -> None:
    assert kurtosis(np.array([1.0, -1.0] * 8)) == 1.0
    assert kurtosis(np.array([2.0, -2.0, 0.0, 0.0] * 4)) == 2.0
    assert memory(np.array([1.0, -1.0] * 50), 1) == pytest.approx(-1.0)
    assert memory(np.array([1.0, -1.0] * 50), 2) == pytest.approx(1.0)
    assert memory(np.ones(10), 3) == 0.0
    np.testing.assert_array_equal(summed(np.arange(7.0), 3), [3.0, 12.0])


def test_rolling_correlation_is_numpys_in_every_window() -> None:
    rng = np.random.default_rng(1)
    returns = rng.standard_normal((60, 2)) * 0.01 + 0.3
    found = rolling_correlation(returns, 12)
    windows = [returns[k : k + 12].T for k in range(49)]
    exact = [np.asarray(np.corrcoef(window)).ravel()[1] for window in windows]
    np.testing.assert_allclose(found, exact, rtol=1e-9)
    returns[20:40, 1] = 0.0
    assert len(rolling_correlation(returns, 12)) == 49 - 9


def test_facts_of_independent_gaussian_hours() -> None:
    """Each at 5 of its standard errors."""
    rng = np.random.default_rng(2)
    n = 40_000
    sd = np.array([0.5, 0.8]) / 8760**0.5
    mix = np.array([[1.0, 0.6], [0.0, 0.8]])
    found = facts(Series((rng.standard_normal((n, 2)) @ mix) * sd, 1.0), ASSETS)
    assert abs(found["A volatility a year"] / 0.5 - 1) < 5 / (2 * n) ** 0.5
    assert abs(found["B volatility a year"] / 0.8 - 1) < 5 / (2 * n) ** 0.5
    spread = (0.25 + 0.64 - 2 * 0.6 * 0.4) ** 0.5
    assert abs(found["spread volatility a year"] / spread - 1) < 5 / (2 * n) ** 0.5
    assert abs(found["correlation"] - 0.6) < 5 * 0.64 / n**0.5
    for name in ("A kurtosis, 1 h", "spread kurtosis, 24 h"):
        count = n if "1 h" in name else n // 24
        assert abs(found[name] - 3) < 5 * (24 / count) ** 0.5
    for lag in ("1 h", "24 h", "7 d"):
        assert abs(found[f"A memory of |r|, {lag}"]) < 5 / n**0.5
    # Fisher: atanh of a window's correlation is about normal, of variance 1 / (n - 3)
    assert abs(found["correlation over 7 d, 50%"] - 0.6) < 0.02
    low = np.tanh(np.arctanh(0.6) - 1.645 / 165**0.5)
    assert abs(found["correlation over 7 d, 5%"] - low) < 0.03
    assert found["A worst 1 h"] < 0 < found["spread worst 1 h"]


def test_minutes_become_hours_first() -> None:
    rng = np.random.default_rng(3)
    minutes = rng.standard_normal((60 * 500, 2)) * 1e-4
    fine = facts(Series(minutes, 1 / 60), ASSETS)
    hours = facts(Series(summed(minutes, 60), 1.0), ASSETS)
    assert fine == pytest.approx(hours, rel=1e-12)


def test_funding_facts() -> None:
    rates = np.array([[1e-4, 2e-4], [1e-4, -1e-4], [3e-4, 1e-4], [-1e-4, 1e-4]] * 10)
    returns = np.random.default_rng(4).standard_normal((320, 2))
    found = facts(Series(returns, 1.0, rates), ASSETS)
    assert found["A funding mean"] == pytest.approx(1e-4)
    assert found["A funding at 0.0001"] == 0.5
    assert found["B funding below 0"] == 0.25
    assert found["A funding sd"] == pytest.approx(np.std([1e-4, 1e-4, 3e-4, -1e-4]))


def test_bands_and_the_verdict() -> None:
    simulated = np.linspace(0.0, 1.0, 1001)
    inside, outside = Fact("x", 0.5, simulated), Fact("y", 0.99, simulated)
    assert inside.limits == pytest.approx((0.025, 0.975))
    assert inside.passes
    assert not outside.passes
    assert Fact("y", 0.99, simulated, 0.999).passes
    assert verdict((inside, outside)) == "1 of 2 facts inside the band"


def test_a_step_that_does_not_divide_a_bar_is_refused() -> None:
    hour = 1 / 8760
    series = Series(np.zeros((100, 2)), 1.0)
    assert steps_a_bar(series, SimulationSpec(1, hour / 60, 1)) == 60
    with pytest.raises(StresscubeError, match="not a whole number of steps"):
        steps_a_bar(series, SimulationSpec(1, hour / 1.5, 1))
