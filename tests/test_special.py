"""The elementary functions against scipy, and in compiled form against themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from printers import by_cpp, by_numba, by_numpy
from stresscube_kernels import philox, special
from stresscube_kernels.ops import NumpyOps, Ops

PRECISIONS = ["float32", "float64"]
# The polynomials are good to a few units of float32's last place (6e-8), in either precision.
APPROXIMATION = 5e-7


def words(count: int) -> NDArray[np.uint32]:
    """Random words of the engine's own generator, and the extreme ones."""
    ops, block = NumpyOps(), np.arange(count // 4, dtype=np.uint32)
    zero = np.zeros_like(block)
    made = philox.philox(ops, (block, zero, zero, zero), (zero + np.uint32(5), zero))
    ends = [0, 1, 2, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 2, 2**32 - 1]
    return np.concatenate([*made, np.array(ends, np.uint32)])


def positive(precision: str) -> NDArray[Any]:
    rng = np.random.default_rng(1)
    wide = np.exp(rng.uniform(-80, 80, 20_000))
    near_one = 1 + rng.uniform(-0.5, 0.5, 20_000) * 10.0 ** -rng.uniform(0, 6, 20_000)
    powers = 2.0 ** np.arange(-40, 40)
    roots = powers * 2**0.5
    return np.concatenate([wide, near_one, powers, roots, np.nextafter(roots, 0)]).astype(precision)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_log(precision: str) -> None:
    x = positive(precision)
    exact = np.log(x.astype(np.float64))
    found = special.log(NumpyOps(precision), x)
    assert found.dtype == np.dtype(precision)
    assert np.all(np.abs(found - exact) <= APPROXIMATION * np.abs(exact))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_expm1(precision: str) -> None:
    rng = np.random.default_rng(2)
    size = 10.0 ** rng.uniform(-8, np.log10(4), 40_000)
    x = (size * rng.choice([-1.0, 1.0], len(size))).astype(precision)
    exact = np.expm1(x.astype(np.float64))
    found = special.expm1(NumpyOps(precision), x)
    assert found.dtype == np.dtype(precision)
    assert np.all(np.abs(found - exact) <= 2e-6 * np.abs(exact))
    # market steps are smaller than 0.2, and there it is as good as float32 allows
    small = np.abs(x) < 0.2
    assert np.all(np.abs(found - exact)[small] <= APPROXIMATION * np.abs(exact)[small])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_normal(precision: str) -> None:
    w = words(200_000)
    tail = ((w & np.uint32(0x7FFFFFFF)).astype(np.float64) + 0.5) * 2.0**-31
    exact = stats.norm.isf(tail / 2) * np.where(w < 2**31, 1.0, -1.0)
    found = special.normal(NumpyOps(precision), w)
    # z changes by sqrt(pi/2) dp near the centre, where p has float32's spacing of 6e-8
    error = np.abs(found - exact) / (1.0 + np.abs(exact))
    assert error.max() <= APPROXIMATION
    assert 6.2 < np.abs(found).max() < 6.4
    assert np.array_equal(special.normal(NumpyOps(precision), w ^ np.uint32(2**31)), -found)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_normals_far_out(precision: str) -> None:
    """The 10^5 words of the smallest tail probabilities, beyond 4 standard deviations."""
    small = np.arange(100_000, dtype=np.uint32)
    exact = stats.norm.isf((small + 0.5) * 2.0**-32)
    found = special.normal(NumpyOps(precision), small)
    assert exact.min() > 4
    assert np.abs(found / exact - 1).max() <= 6e-7  # 3e-7 of the fit, the rest of float32's


def test_the_fits_are_those_of_the_constants() -> None:
    np.testing.assert_allclose(special.fit_log_coefficients(), special.LOG_COEFFICIENTS, rtol=1e-9)
    x = np.linspace(5**0.5, 21.48**0.5, 100) - 3.0
    made, kept = (special.horner(x, c) for c in (special.fit_erfinv_tail(), special.ERFINV_TAIL))
    np.testing.assert_allclose(made, kept, rtol=1e-9)


def test_normals_are_normal() -> None:
    """Moments of random words within 4 standard errors; Kolmogorov-Smirnov at the 1e-4 level."""
    z = special.normal(NumpyOps(), words(400_000)[:-8])
    n = len(z)
    moments = {1: (0.0, 1.0), 2: (1.0, 2.0), 3: (0.0, 15.0), 4: (3.0, 96.0)}  # mean, variance
    for power, (mean, variance) in moments.items():
        assert abs((z**power).mean() - mean) < 4 * (variance / n) ** 0.5, power
    assert stats.kstest(z, "norm").pvalue > 1e-4
    # beyond 4 standard deviations: 25.3 expected of 400 000
    expected = 2 * stats.norm.sf(4) * n
    assert abs((np.abs(z) > 4).sum() - expected) < 4 * expected**0.5


@pytest.mark.parametrize("precision", PRECISIONS)
def test_exponential(precision: str) -> None:
    w = words(200_000)
    exact = -np.log((w.astype(np.float64) + 0.5) * 2.0**-32)
    found = special.exponential(NumpyOps(precision), w)
    # near 0 it is -log of a number near 1, known to float32's spacing of 6e-8
    assert np.all(np.abs(found - exact) <= APPROXIMATION * (1.0 + np.abs(exact)))
    assert np.all(found >= 0.0)
    assert stats.kstest(found[:-8].astype(np.float64), "expon").pvalue > 1e-4


def everything(ops: Ops, word: Any, x: Any) -> tuple[Any, ...]:
    return (
        special.normal(ops, word),
        special.exponential(ops, word),
        special.log(ops, x),
        special.expm1(ops, x - 1.0),
    )


# float64: the same polynomials, so only the order of sums differs; 16 units of the last place.
# float32: the same, on a scale of 1 because 1 - p and log x cancel.
ROUNDING = {"float32": 16 * 2.0**-24, "float64": 16 * 2.0**-53}


def compiled_inputs(precision: str) -> list[NDArray[Any]]:
    w = words(40_000)
    x = np.random.default_rng(3).uniform(0.2, 3.0, len(w)).astype(precision)
    return [w, x]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_numba_printer_agrees(precision: str) -> None:
    inputs = compiled_inputs(precision)
    assert_close(by_numba(everything, inputs, precision), inputs, precision)


@pytest.mark.needs("compiler")
@pytest.mark.parametrize("precision", PRECISIONS)
def test_cpp_printer_agrees(precision: str, tmp_path: Path) -> None:
    inputs = compiled_inputs(precision)
    assert_close(by_cpp(everything, inputs, precision, tmp_path), inputs, precision)


def assert_close(found: list[NDArray[Any]], inputs: list[NDArray[Any]], precision: str) -> None:
    for ours, theirs in zip(found, by_numpy(everything, inputs, precision), strict=True):
        assert ours.dtype == np.dtype(precision)
        assert np.all(np.abs(ours - theirs) <= ROUNDING[precision] * (1.0 + np.abs(theirs)))
