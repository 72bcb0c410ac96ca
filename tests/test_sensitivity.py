"""Shares of variance by axis, against closed forms and through noise; Pareto sets by search."""

from __future__ import annotations

import numpy as np
import pytest

from stresscube.decide.pareto import undominated
from stresscube.decide.variance import complete, shares

A = np.array([0.0, 1.0, 4.0])
B = np.array([-1.0, 0.0, 1.0, 2.0])
C = np.array([3.0, 5.0])


def grids() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    a, b, c = np.meshgrid(A, B, C, indexing="ij")
    return a, b, c


def test_of_a_sum_every_axis_makes_its_own_variance() -> None:
    a, b, c = grids()
    found = shares(a + b + c, np.zeros(a.shape), None)
    variance = np.array([A.var(), B.var(), C.var()])
    assert found.main == pytest.approx(variance / variance.sum())
    assert found.total == pytest.approx(found.main)
    assert found.interactions == pytest.approx(0, abs=1e-12)
    assert found.noise == 0
    assert found.variance == pytest.approx(variance.sum())


def test_of_a_product_the_rest_is_interaction() -> None:
    """Var of a product of independent axes, term by term (Sobol' 1993)."""
    a, b, c = grids()
    found = shares(a * b * c, np.zeros(a.shape), None)
    mean, var = [it.mean() for it in (A, B, C)], [it.var() for it in (A, B, C)]
    square = [m * m + v for m, v in zip(mean, var, strict=True)]
    whole = np.prod(square) - np.prod(mean) ** 2
    for place in range(3):
        others = [it for it in range(3) if it != place]
        main = var[place] * np.prod([mean[it] ** 2 for it in others])
        total = var[place] * np.prod([square[it] for it in others])
        assert found.main[place] == pytest.approx(main / whole)
        assert found.total[place] == pytest.approx(total / whole)
    assert found.interactions == pytest.approx(1 - found.main.sum())


def noisy(rng: np.random.Generator, size: float) -> np.ndarray:
    """Batch means of a product, with noise that cells along an axis share."""
    a, b, c = grids()
    along = rng.standard_normal((1, 4, 1, 32)) + 3 * rng.standard_normal((1, 1, 1, 32))
    noise = along + 0.5 * rng.standard_normal((*a.shape, 32))
    return (a * b + c)[..., None] + size * noise


def test_noise_is_taken_out_and_errors_are_those_of_repetitions() -> None:
    a, b, c = grids()
    truth = shares(a * b + c, np.zeros(a.shape), None)
    rng = np.random.default_rng(12)
    repetitions = 400
    found = []
    for _ in range(repetitions):
        batches = noisy(rng, 6.0)
        mean = batches.mean(axis=-1)
        found.append(shares(mean, np.full(mean.shape, np.nan), batches))
    main = np.array([it.main for it in found])
    variance = np.array([it.variance for it in found])
    # Uncorrected, noise would add a tenth to the variance: far more than four standard errors.
    assert np.mean([it.noise for it in found]) > 0.05
    for values, wanted in ((variance, truth.variance), *zip(main.T, truth.main, strict=True)):
        error = values.std() / np.sqrt(repetitions)
        # A share is a ratio: its bias is of the order of its variance.
        assert abs(values.mean() - wanted) < 4 * error + 2 * values.var()
    told = np.sqrt(np.mean([it.main_se**2 for it in found], axis=0))
    assert told == pytest.approx(main.std(axis=0), rel=0.2)


def test_without_batches_cells_count_as_independent() -> None:
    a, b, c = grids()
    rng = np.random.default_rng(13)
    errors = 0.2 + rng.random(a.shape)
    variance = [
        shares(a + b + c + errors * rng.standard_normal(a.shape), errors, None).variance
        for _ in range(4000)
    ]
    wanted = A.var() + B.var() + C.var()
    assert np.mean(variance) == pytest.approx(wanted, abs=4 * np.std(variance) / np.sqrt(4000))


def test_a_metric_that_does_not_vary_has_no_shares() -> None:
    found = shares(np.ones((2, 3)), np.zeros((2, 3)), None)
    assert np.isnan(found.main).all()
    assert np.isnan(found.interactions)


def test_gaps_are_left_out_value_by_value() -> None:
    known = np.ones((3, 4), dtype=bool)
    known[:, 3] = False
    known[2, 0] = False
    kept = complete(known)
    assert [it.tolist() for it in kept] == [[0, 1], [0, 1, 2]]
    assert [it.tolist() for it in complete(np.ones((2, 2), dtype=bool))] == [[0, 1], [0, 1]]
    assert any(it.size == 0 for it in complete(np.zeros((2, 2), dtype=bool)))


def test_the_pareto_set_is_what_a_search_finds() -> None:
    rng = np.random.default_rng(21)
    for _ in range(20):
        x, y = rng.integers(0, 8, (2, 30)).astype(float)
        x[rng.integers(0, 30, 3)] = np.nan
        wanted = [
            bool(
                np.isfinite(x[i])
                and not any(
                    x[j] >= x[i] and y[j] >= y[i] and (x[j] > x[i] or y[j] > y[i])
                    for j in range(30)
                )
            )
            for i in range(30)
        ]
        assert undominated(x, y).tolist() == wanted
