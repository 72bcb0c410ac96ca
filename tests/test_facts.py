"""The facts of a market that a scenario's comments quote are estimated rightly."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

from markets import HOUR, driftless, simulation, steady
from stresscube_kernels.moments import covariance

sys.path.append(str(Path(__file__).resolve().parents[1]))  # benchmarks/ is not installed
facts = importlib.import_module("benchmarks.facts")


def test_moments_of_normal_hours() -> None:
    """4 standard errors of 400,000 normals: sd 1/sqrt(2 n), kurtosis sqrt(24 / n)."""
    rng = np.random.default_rng(1)
    n = 400_000
    found = facts.moments(rng.normal(0.1, 0.01, (40, n // 40)))
    assert found["volatility"] == pytest.approx(0.01 * 8760**0.5, rel=4 / (2 * n) ** 0.5)
    assert abs(found["kurtosis"] - 3.0) < 4 * (24 / n) ** 0.5
    assert found["50.00%"] == pytest.approx(0.6745, abs=0.006)  # density .64 at the quantile
    assert abs(found["memory 24 h"]) < 4 / n**0.5


def test_memory_is_an_autocorrelation() -> None:
    """An autoregression of .9 has .9^k at lag k; Bartlett: error below sqrt(20 / n)."""
    rng = np.random.default_rng(2)
    n = 400_000
    series = lfilter([1.0], [1.0, -0.9], rng.normal(size=(4, n // 4)), axis=1)
    for lag in (1, 3, 21):
        assert abs(facts.correlation(series, lag) - 0.9**lag) < 4 * (20 / n) ** 0.5


def test_weeks_have_the_correlation_of_numpy() -> None:
    rng = np.random.default_rng(3)
    legs = rng.normal(size=(2, 3, 500)) + rng.normal(size=(3, 500))
    found = facts.rolling(legs)
    assert found.shape == (3, 500 - facts.WEEK + 1)
    for at in (0, 57, 332):
        a, b = legs[:, 1, at : at + facts.WEEK]
        assert found[1, at] == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-9)


def test_prints_count_the_point_mass() -> None:
    rates = np.array([[-3e-4, 1e-4, 1e-4, 5e-4] * 10])
    found = facts.prints(rates, 1e-4)
    assert found["mean"] == pytest.approx(1.0)
    assert (found["negative"], found["at interest"]) == (0.25, 0.5)


def test_a_simulated_market_has_its_own_volatility_and_correlation() -> None:
    """Within 4 standard errors of 64 paths of 10 days of independent hours."""
    market = steady(driftless((0.6, 0.8), 0.7))
    found = facts.simulate(market, simulation(10 * 1440, HOUR / 60, 4), 64)
    assert found.log_returns.shape == (2, 64, 240)
    assert not found.funding.any()
    n = 64 * 240
    var_a, cov, var_b = covariance(market)
    for leg, variance in zip(found.log_returns, (var_a, var_b), strict=True):
        assert leg.var() == pytest.approx(variance * HOUR, rel=4 * (2 / n) ** 0.5)
    exact = cov / (var_a * var_b) ** 0.5
    correlation = facts.weeks(found.log_returns)["correlation"]
    assert abs(correlation - exact) < 4 * (1 - exact**2) / n**0.5


def test_the_stationary_market_starts_nowhere_in_particular() -> None:
    market = steady(driftless((0.6, 0.8), 0.7))
    named = replace(market, chain=replace(market.chain, initial=0))
    assert facts.stationary(named).chain.initial is None


def test_the_command_prints_what_the_scenario_says(capsys: pytest.CaptureFixture[str]) -> None:
    facts.main(["--paths", "64", "--days", "14"])
    said = dict(line.split(": ") for line in capsys.readouterr().out.strip().splitlines())
    assert list(said) == [
        "leg a",
        "leg b",
        "b less a",
        "legs",
        "funding a",
        "funding b",
        "fundings",
    ]
    prints = dict(part.rsplit(" ", 1) for part in said["funding a"].split(", "))
    # 64 paths, stationary: the share at the interest rate varies by .45 between paths at most
    assert abs(float(prints["at interest"]) - 0.36) < 4 * 0.45 / 8
