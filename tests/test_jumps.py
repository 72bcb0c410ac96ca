"""News jumps: how often, how large, together or alone, and a price whose drift stays as stated.

K standard errors, from exact moments; about 40 comparisons.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from markets import HOUR, share_error, two_state
from stresscube_kernels.pack_market import compensation, event_probability
from stresscube_kernels.spec import (
    JumpSpec,
    LegJumpSpec,
    MarketSpec,
    RegimeSpec,
    SimulationSpec,
)
from whole import alone, calm, simulated

K = 4.5
RUN = SimulationSpec(20, HOUR, 77, "float64")
PATHS = 20_000
RATE = 0.08 / HOUR
"""Jumps a year: 0.08 a step, near the most that is allowed."""
P = -np.expm1(-0.08)
NEWS = JumpSpec(RATE, (-0.03, -0.05), (0.02, 0.04), 0.6)
ALONE = (LegJumpSpec(RATE, 0.02, 0.03), LegJumpSpec(RATE / 2, -0.04, 0.01))
STILL = RegimeSpec("r", (0.0, 0.0), (0.0, 0.0), 0.3)


def log_jumps(
    regime: RegimeSpec, run: SimulationSpec = RUN
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Log-jumps [2, paths, steps] of a market without diffusion, and where the tape says so."""
    made, states, _ = simulated(alone(regime), run, PATHS)
    moves = np.stack([
        np.log1p(r) + compensation(regime, leg, run.step)
        for leg, r in enumerate((made.return_a, made.return_b))
    ])  # fmt: skip
    return moves, states.jumped == 1


def test_event_probability() -> None:
    """At most one a step: 1 - exp(-lambda step), and two half steps make a whole one."""
    assert event_probability(RATE, HOUR) == pytest.approx(P, rel=1e-12)
    half = event_probability(RATE, HOUR / 2)
    assert 1 - (1 - half) ** 2 == pytest.approx(P, rel=1e-12)
    assert event_probability(0.0, HOUR) == 0.0


def test_joint_jumps() -> None:
    """Occurrence, moments and correlation of the log-jumps; nothing moves without one."""
    moves, jumped = log_jumps(replace(STILL, jumps=NEWS))
    n = int(jumped.sum())
    assert abs(jumped.mean() - P) < K * share_error(P, jumped.size)
    assert np.abs(moves[:, ~jumped]).max() < 1e-8
    for leg in (0, 1):
        x = moves[leg, jumped]
        assert abs(x.mean() - NEWS.mean[leg]) < K * NEWS.std[leg] / n**0.5
        assert abs(x.var() / NEWS.std[leg] ** 2 - 1) < K * (2 / n) ** 0.5
    rho = np.corrcoef(moves[0, jumped], moves[1, jumped])[0, 1]
    assert abs(rho - 0.6) < K * (1 - 0.36) / n**0.5


def test_jumps_come_one_by_one() -> None:
    """Occurrences of neighbouring steps are independent."""
    _, jumped = log_jumps(replace(STILL, jumps=NEWS))
    pairs = (jumped[:, 1:] & jumped[:, :-1]).mean()
    assert abs(pairs - P * P) < K * share_error(P * P, PATHS * (RUN.steps - 1)) * 1.1


def test_jumps_of_one_leg_alone() -> None:
    """Each at its own rate and size; the other leg does not move; the bit says either."""
    moves, jumped = log_jumps(replace(STILL, leg_jumps=ALONE))
    chances = [P, -np.expm1(-0.04)]
    hits = np.abs(moves) > 1e-7
    assert np.array_equal(jumped, hits[0] | hits[1])
    for leg, (spec, p) in enumerate(zip(ALONE, chances, strict=True)):
        x = moves[leg, hits[leg]]
        assert abs(hits[leg].mean() - p) < K * share_error(p, jumped.size)
        assert abs(x.mean() - spec.mean) < K * spec.std / x.size**0.5
        assert abs(x.var() / spec.std**2 - 1) < K * (2 / x.size) ** 0.5
    both = hits[0] & hits[1]
    p = chances[0] * chances[1]
    assert abs(both.mean() - p) < K * share_error(p, both.size)
    assert abs(np.corrcoef(moves[0, both], moves[1, both])[0, 1]) < K / both.sum() ** 0.5


def test_joint_and_own_jumps_add() -> None:
    """All three together: they occur independently, and their sizes add."""
    moves, jumped = log_jumps(replace(STILL, jumps=NEWS, leg_jumps=ALONE))
    none = (1 - P) * (1 - P) * np.exp(-0.04)
    assert abs(jumped.mean() - (1 - none)) < K * share_error(none, jumped.size)
    for leg, (spec, p) in enumerate(zip(ALONE, (P, -np.expm1(-0.04)), strict=True)):
        mean = P * NEWS.mean[leg] + p * spec.mean
        squares = P * (NEWS.mean[leg] ** 2 + NEWS.std[leg] ** 2)
        squares += p * (spec.mean**2 + spec.std**2)
        variance = squares - (P * NEWS.mean[leg]) ** 2 - (p * spec.mean) ** 2
        assert abs(moves[leg].mean() - mean) < K * (variance / jumped.size) ** 0.5


@pytest.mark.parametrize("step", [HOUR, HOUR / 10])
def test_compensation(step: float) -> None:
    """E[price] = exp(mu T) whatever the jumps, diffusion included, at either step length.

    The error is that of the exact second moment: a step multiplies the price by exp(mu dt) times
    independent factors of mean 1; a jump's has second moment
    (1 + p (E e^2J - 1)) / (1 + p (E e^J - 1))^2, the diffusion's exp(sigma^2 dt).
    """
    drift, sigma, steps = (60.0, -40.0), (0.9, 0.6), 40
    regime = RegimeSpec("r", drift, sigma, 0.3, jumps=NEWS, leg_jumps=ALONE)
    run = SimulationSpec(steps, step, 78, "float64")
    _, _, state = simulated(alone(regime), run, PATHS)
    for leg, price in enumerate((state.price_a, state.price_b)):
        second = np.exp(sigma[leg] ** 2 * step)
        own = ALONE[leg]
        for rate, m, s in (
            (RATE, NEWS.mean[leg], NEWS.std[leg]), (own.intensity, own.mean, own.std),
        ):  # fmt: skip
            p = -np.expm1(-rate * step)
            top = 1 + p * np.expm1(2 * m + 2 * s * s)
            second *= top / (1 + p * np.expm1(m + s * s / 2)) ** 2
        mean = np.exp(drift[leg] * step * steps)
        error = mean * np.sqrt((second**steps - 1) / PATHS)
        assert error < 0.01
        assert abs(price.mean() - mean) < K * error


def test_compensation_is_that_of_a_poisson_process_for_small_steps() -> None:
    """-lambda E[e^J - 1] a year, up to lambda dt."""
    regime = replace(STILL, jumps=NEWS)
    wanted = RATE * np.expm1(-0.03 + 0.02**2 / 2)
    step = HOUR / 10_000
    assert compensation(regime, 0, step) / step == pytest.approx(wanted, rel=1e-5)


def test_jumps_are_not_in_the_covariance_nor_in_the_noise() -> None:
    """They fall at the step's end, after the bridge; and they shift no other number."""
    jumpy = replace(calm(), jumps=NEWS, leg_jumps=ALONE)
    made, states, _ = simulated(alone(jumpy), RUN, 500)
    plain, _, _ = simulated(alone(calm()), RUN, 500)
    for name in ("variance_a", "covariance", "variance_b", "noise_a", "noise_b", "bridge"):
        assert np.array_equal(getattr(made, name), getattr(plain, name)), name
    still = states.jumped == 0
    shift = np.log1p(made.return_a) - np.log1p(plain.return_a)
    quiet = -compensation(jumpy, 0, RUN.step)
    np.testing.assert_allclose(shift[still], quiet, atol=1e-7)


def test_jumps_belong_to_their_regime() -> None:
    jumpy = replace(STILL, jumps=NEWS)
    market = MarketSpec((STILL, jumpy), two_state((10 * HOUR, 10 * HOUR)))
    made, states, _ = simulated(market, RUN, 3000)
    assert not states.jumped[states.regime == 0].any()
    here = states.regime == 1
    share = states.jumped[here].mean()
    assert abs(share - P) < K * share_error(P, here.sum())
    assert np.all(made.return_a[~here] == 0)
