"""The transcendental functions of the market step, as arithmetic: no libm, so every backend agrees.

Accuracy is that of float32 (a few 1e-7 relative) in every precision; the float64 oracle runs
the same polynomials, which is what makes it comparable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .ops import Ops, once

LN2 = 0.6931471805599453

# (log(1 + f) - f + f^2/2) / f^3 on [sqrt(1/2) - 1, sqrt(2) - 1], lowest degree first:
# Chebyshev interpolation, remade by `python -m stresscube_kernels.special`.
LOG_COEFFICIENTS: tuple[float, ...] = (
    0.33333331179972575,
    -0.2499999695762638,
    0.20000715763521676,
    -0.1666780236753409,
    0.14249057141858945,
    -0.12425685693905246,
    0.11685423572724919,
    -0.11479748618084487,
    0.06971620527070717,
)

# Giles, "Approximating the erfinv function" (GPU Computing Gems, 2010), highest degree first: in
# w - 2.5 for w < 5, in sqrt(w) - 3 beyond. The first is his; his second is fitted to floats below
# 1 and leaves them at |z| = 5.4, so it is fitted anew, to all p that a word can be.
ERFINV_CENTRE = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
    -0.00125372503, -0.00417768164, 0.246640727, 1.50140941,
)  # fmt: skip
ERFINV_TAIL = (
    -2.137551453681e-05, -0.000110913881148, 0.001147968541515, -0.003428933273820,
    0.005818498012606, -0.007704609779399, 0.009425903095711, 1.001680881748257,
    2.832977375069247,
)  # fmt: skip

SQRT_HALF_BITS = 0x3F3504F3  # float32 bits of sqrt(1/2)
ONE_BITS = 0x3F800000


def horner(x: Any, highest_first: Sequence[float]) -> Any:
    """A polynomial, coefficients from the highest degree down."""
    total = highest_first[0]
    for coefficient in highest_first[1:]:
        total = total * x + coefficient
    return total


def log(ops: Ops, x: Any) -> Any:
    """The natural logarithm of a positive, normal float32-sized real.

    x = 2^k m with m in [sqrt(1/2), sqrt(2)]; k from the exponent bits. Scaling by the exact
    power 2^-k, not by masking bits, keeps the float64 oracle's extra digits.
    """
    biased = (ops.f2bits(x) + ops.u32(ONE_BITS - SQRT_HALF_BITS)) >> ops.u32(23)
    f = x * ops.bits2f((ops.u32(254) - biased) << ops.u32(23)) - 1.0
    k = ops.u2f(biased) - 127.0
    tail = horner(f, LOG_COEFFICIENTS[::-1])
    return k * LN2 + (f + f * f * (f * tail - 0.5))


@once
def exponential(ops: Ops, word: Any) -> Any:
    """An Exp(1) variate from one word: -log of (word + 1/2) / 2^32."""
    return -log(ops, (ops.u2f(word) + 0.5) * 2.0**-32)


@once
def normal(ops: Ops, word: Any) -> Any:
    """A standard normal from one word: 31 bits of tail probability and a sign; |z| up to 6.3.

    With p the two-sided tail probability, |z| = sqrt(2) erfinv(1 - p). Small p is exact in
    float32, where 1 - p would have lost it.
    """
    p = (ops.u2f(word & ops.u32(0x7FFFFFFF)) + 0.5) * 2.0**-31
    w = -log(ops, p * (2.0 - p))
    centre = horner(w - 2.5, ERFINV_CENTRE)
    # fmax: w can round to just below 0, and the root is only used beyond 5
    tail = horner(ops.sqrt(ops.fmax(w, 0.0)) - 3.0, ERFINV_TAIL)
    magnitude = ops.where(w < 5.0, centre, tail) * (1.0 - p) * 2.0**0.5
    return ops.where(word < ops.u32(0x80000000), magnitude, -magnitude)


@once
def expm1(ops: Ops, x: Any) -> Any:
    """e^x - 1 without cancellation, for |x| up to about 4 (relative error below 1e-6).

    A Taylor polynomial at x/16, then e^2y - 1 = (e^y - 1)(e^y - 1 + 2) four times.
    """
    y = x * 0.0625
    taylor = (1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0)
    result = horner(y, taylor) * y
    for _ in range(4):
        result = result * (result + 2.0)
    return result


def vanishing(ops: Ops, x: Any) -> Any:
    """e^-x for x >= 0, to 1e-6 absolute; from 64 on e^-64, which is nothing."""
    power = 1.0 + expm1(ops, -0.0625 * ops.fmin(x, 64.0))
    for _ in range(4):
        power = power * power
    return power


def fit_log_coefficients(degree: int = 8) -> tuple[float, ...]:
    """The coefficients of LOG_COEFFICIENTS, by Chebyshev interpolation."""
    import numpy as np
    from numpy.polynomial import Chebyshev, Polynomial

    def target(f: Any) -> Any:
        # the closed form cancels near 0, the series does not
        series = sum((-1.0) ** k * f**k / (k + 3) for k in range(40))
        with np.errstate(divide="ignore", invalid="ignore"):
            direct = (np.log1p(f) - f + f * f / 2) / f**3
        return np.where(np.abs(f) < 0.3, series, direct)

    domain = [2**-0.5 - 1 - 1e-6, 2**0.5 - 1 + 1e-6]
    fitted = Chebyshev.interpolate(target, degree, domain=domain)
    return tuple(float(c) for c in fitted.convert(kind=Polynomial, domain=[-1, 1]).coef)


def fit_erfinv_tail(degree: int = 8) -> tuple[float, ...]:
    """The coefficients of ERFINV_TAIL: of smallest relative error, by linear programming."""
    import numpy as np
    from numpy.polynomial import Chebyshev, Polynomial
    from numpy.typing import NDArray
    from scipy.optimize import linprog
    from scipy.stats import norm

    smallest = 2.0**-32  # of p: half a unit of 2^-31
    low, high = 5.0**0.5, (-np.log(smallest * (2.0 - smallest))) ** 0.5
    nodes = np.cos(np.pi * (np.arange(2000) + 0.5) / 2000)
    root = low + (high - low) * (nodes + 1.0) / 2.0
    one_less_p = np.sqrt(-np.expm1(-root * root))
    p = np.exp(-root * root) / (1.0 + one_less_p)
    ratio = np.asarray(norm.isf(p / 2.0), np.float64) / 2.0**0.5 / one_less_p

    basis = np.polynomial.chebyshev.chebvander(nodes, degree) / ratio[:, None]
    solve: Any = np.linalg.lstsq
    stack: Any = np.block
    near: NDArray[np.float64] = solve(basis, np.ones(len(nodes)), rcond=None)[0]
    missing = 1.0 - basis @ near
    scale = np.abs(missing).max()
    bound = np.ones((len(nodes), 1))
    found: Any = linprog(  # the least t with |basis x - missing / scale| <= t everywhere
        np.append(np.zeros(degree + 1), 1.0),
        A_ub=stack([[basis, -bound], [-basis, -bound]]),
        b_ub=np.append(missing, -missing) / scale,
        bounds=(None, None),
    )
    domain = [low - 3.0, high - 3.0]
    fitted = Chebyshev(near + scale * found.x[:-1], domain=domain)
    return tuple(float(c) for c in fitted.convert(kind=Polynomial, domain=[-1, 1]).coef[::-1])


if __name__ == "__main__":
    for made in (fit_log_coefficients(), fit_erfinv_tail()):
        print(*map(repr, made), sep=",\n", end="\n\n")
