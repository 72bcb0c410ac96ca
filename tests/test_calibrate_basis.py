"""Cointegration and the basis: series of which the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from stresscube.calibrate import basis


def walks(bars: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.normal(0.0, 0.005, (bars, 2)), axis=0)


def reverting(bars: int, half_life: float, std: float, seed: int) -> np.ndarray:
    """An autoregression, bars a half-life."""
    rng = np.random.default_rng(seed)
    kept = 0.5 ** (1.0 / half_life)
    x = np.empty(bars)
    x[0] = std * rng.standard_normal()
    noise = std * np.sqrt(1.0 - kept * kept) * rng.standard_normal(bars)
    for t in range(1, bars):
        x[t] = kept * x[t - 1] + noise[t]
    return x


def test_walks_are_seldom_said_to_revert() -> None:
    """At 1%, and both ways: more than 4 of 100 has a probability of .003."""
    found = sum(basis.test(np.exp(walks(1500, seed)), 1.0).reverts for seed in range(100))
    assert found <= 4


def test_one_asset_on_two_venues_reverts() -> None:
    a = walks(4000, 1)[:, 0]
    prices = np.exp(np.column_stack([a, a + reverting(4000, 6.0, 0.001, 2)]))
    found = basis.test(prices, 1.0)
    assert found.reverts
    assert found.slope == pytest.approx(1.0, abs=0.01)
    assert found.words.startswith("the legs are cointegrated")


def test_components_are_found_again() -> None:
    """Within 4 standard errors, which are within a third of what 8,000 bars allow."""
    n = 8000
    x = reverting(n, 2.0, 3e-4, 3) + reverting(n, 60.0, 2e-4, 4)
    found = basis.components(x, 0.5)
    assert len(found) == 2
    for part, (life, std) in zip(found, ((1.0, 3e-4), (30.0, 2e-4)), strict=True):
        assert abs(part.half_life - life) < 4 * part.errors[0] < 2 * life
        assert abs(part.std - std) < 4 * part.errors[1] < 2 * std
    assert len(basis.components(reverting(n, 4.0, 3e-4, 5), 1.0)) == 1


def test_spikes_are_told_apart() -> None:
    n = 20_000
    rng = np.random.default_rng(6)
    kept = 0.5**0.5
    noise = 1e-4 * np.sqrt(1 - kept**2) * rng.standard_normal(n)
    spiked = rng.random(n) < 0.004
    noise[spiked] += 3e-3 * rng.standard_normal(spiked.sum())
    x = np.zeros(n)
    for t in range(1, n):
        x[t] = kept * x[t - 1] + noise[t]
    part = basis.components(x, 1.0)[0]
    assert part.spikes == pytest.approx(0.004 * 8760, rel=0.3)
    assert part.spike_std == pytest.approx(3e-3, rel=0.3)
