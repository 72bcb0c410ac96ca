"""Jumps in the likelihood: their density, its gradient, and whether they are found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import chi2, multivariate_normal

from stresscube.calibrate.densities import Densities, Jump, Returns
from stresscube.calibrate.design import Design, Layer
from stresscube.calibrate.fit import Fit, dropped, fit, start
from stresscube.calibrate.jumping import with_jumps
from stresscube.calibrate.likelihood import Likelihood
from stresscube_kernels.hidden import plain as as_written

DESIGN = Design(
    (Layer("regime", 2, 30.0), Layer("correlation", 2, 60.0)),
    jumps=(Jump(0, "b"), Jump(1, "a"), Jump(1, "news")),
)
NEWS = np.array([np.log(0.01), -0.02, -0.01, np.log(0.05), np.log(0.06), 0.7])
ALONE = np.array([np.log(0.02), 0.01, np.log(0.04)])


def returns(bars: int, seed: int, share: float = 0.01) -> np.ndarray:
    """Student-t of 8 degrees of freedom and, in a share of the bars, a jump of both legs."""
    rng = np.random.default_rng(seed)
    made = 0.005 * rng.standard_normal((bars, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]])
    made *= np.sqrt(6.0 / rng.chisquare(8, (bars, 1)))
    jumps = rng.random(bars) < share
    sizes = 0.06 * rng.standard_normal((bars, 2)) @ np.array([[1.0, 0.7], [0.0, 0.7]])
    return made + jumps[:, None] * sizes


def theta(series: np.ndarray) -> np.ndarray:
    plain = replace(DESIGN, jumps=())
    values = dict(zip(plain.names, start(series, plain), strict=True))
    for jump in DESIGN.jumps:
        numbers = NEWS if jump.kind == "news" else ALONE
        values |= dict(zip(jump.names, numbers, strict=True))
    return np.array([values[name] for name in DESIGN.names])


def density(made: Densities, state: int, a: float, b: float) -> float:
    """Of one state's returns, as the rows say."""
    form = made.student[:3, state] @ [a * a, a * b, b * b]
    total = np.exp(made.student[4, state]) * (1 + form) ** -made.student[3, state]
    for normal in made.normals:
        rows = normal.rows[:, state - normal.first]
        total += np.exp(rows @ [1.0, a, b, a * a, a * b, b * b])
    return float(total)


def test_a_state_with_jumps_has_a_density() -> None:
    """It integrates to 1: a sum over a grid of smooth functions is exact but for its ends, 20
    deviations out, beyond which a Student-t of 12 degrees of freedom has less than 1e-8."""
    numbers = np.array([[0.0], [0.2], [0.5], [np.log(10.0)]])
    maker = Returns(2, ((0, 1),))
    jump = np.array([np.log(0.05), 0.5, -0.5, 1.0, 1.0, 0.3])
    made = maker.of(numbers, {Jump(0, "news"): jump, Jump(0, "a"): np.array([-3.0, 0.2, 0.9])})
    edge = np.linspace(-20.0, 20.0, 201)
    total = sum(density(made, 0, a, b) for a in edge for b in edge) * (edge[1] - edge[0]) ** 2
    assert total == pytest.approx(1.0, abs=1e-6)
    one = Returns(1, ((0, 1),)).of(numbers, {Jump(0, "a"): np.array([-3.0, 0.2, 0.9])})
    total, _ = quad(lambda a: density(one, 0, a, 0.0), -60, 60, epsabs=1e-8, limit=200)
    assert total == pytest.approx(1.0, abs=1e-6)


def test_a_jump_is_a_students_variance_and_its_own() -> None:
    """Against the average over the chi square by quadrature: a hundredth, as NODES promises for
    jumps three deviations wide, out to where the Student-t has more to say."""
    nu, numbers = 6.0, np.array([[0.0], [0.0], [0.8], [np.log(4.0)]])
    made = Returns(2, ((0, 1),)).of(numbers, {Jump(0, "news"): np.array(
        [np.log(0.01), 0.3, 0.0, np.log(3.0), np.log(3.0), 0.5]
    )})  # fmt: skip
    rho = np.tanh(0.8)
    own = np.array([[1.0, rho], [rho, 1.0]])
    width = 9.0 * np.array([[1.0, np.tanh(0.5)], [np.tanh(0.5), 1.0]])
    for point in ([0.0, 0.0], [3.0, 2.0], [-4.0, 1.0]):
        exact, _ = quad(
            lambda y, at=point: chi2(nu).pdf(y)
            * multivariate_normal([0.3, 0.0], own * (nu - 2.0) / y + width).pdf(at),
            0.0, 60.0, limit=200,
        )  # fmt: skip
        rows = np.array([normal.rows[:, 0] for normal in made.normals])
        a, b = point
        found = np.exp(rows @ [1.0, a, b, a * a, a * b, b * b]).sum()
        assert found == pytest.approx(-np.expm1(-0.01) * exact, rel=0.01)


def test_the_gradient_with_jumps_is_that_of_the_likelihood() -> None:
    """Central differences, as without jumps."""
    series = returns(400, 1)
    at = theta(series)
    likelihood = Likelihood(series, DESIGN)
    value, gradient = likelihood.slope(at)
    assert value == pytest.approx(likelihood.value(at), rel=1e-13)
    for k in range(len(at)):
        up, down = at.copy(), at.copy()
        up[k] += 1e-4
        down[k] -= 1e-4
        slope = (likelihood.value(up) - likelihood.value(down)) / 2e-4
        # means are in log-returns, in which slopes are a hundred times those of logs
        assert gradient[k] == pytest.approx(slope, rel=2e-3, abs=1e-3), DESIGN.names[k]


@pytest.mark.filterwarnings("error")
def test_a_bar_that_a_state_cannot_have_made_has_a_slope() -> None:
    """Returns of 60 deviations under Gaussian tails have a density below all numbers."""
    design = replace(DESIGN, jumps=(Jump(1, "news"),))
    series = returns(400, 1)
    series[50] = 0.3, 0.3
    known = dict(zip(DESIGN.names, theta(series), strict=True))
    known |= {"0.a0": np.log(0.005), "0.b0": np.log(0.005), "0.nu0": np.log(1e4)}
    value, gradient = Likelihood(series, design).slope(
        np.array([known[name] for name in design.names])
    )
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_compiled_recursions_with_jumps_are_the_plain_ones() -> None:
    series = returns(60, 2)
    at = theta(series)
    plain = Likelihood(series, DESIGN, as_written()).slope(at)
    fast = Likelihood(series, DESIGN, threads=2).slope(at)
    assert fast[0] == pytest.approx(plain[0], rel=1e-12)
    np.testing.assert_allclose(fast[1], plain[1], rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("jumping", [True, False])
def test_jumps_are_found_where_there_are_some(jumping: bool) -> None:
    """60 jumps of 8 deviations are beyond doubt; without any, BIC takes none."""
    series = returns(6000, 3, 0.01 if jumping else 0.0)
    plain = fit(series, Design((Layer("regime", 1, 5.0), Layer("correlation", 1, 5.0))))
    said: list[str] = []
    found = with_jumps(series, plain, said.append)
    if not jumping:
        assert found.design.jumps == ()
        return
    assert found.design.jumps == (Jump(0, "news"),)
    assert found.bic < plain.bic
    assert said
    rate, _, _, width, _, _ = found.theta[found.design.jumping[Jump(0, "news")]]
    # of 60 jumps: an eighth is a standard error of the rate, a tenth of the width; 4 of both
    assert rate == pytest.approx(np.log(0.01), abs=0.52)
    assert width == pytest.approx(np.log(0.06), abs=0.37)


def test_leg_a_alone_has_the_likelihood_of_one_leg() -> None:
    """Whatever leg b does."""
    series = returns(300, 4)
    design = Design((Layer("regime", 2, 30.0), Layer("correlation", 1, 5.0)), legs=1)
    at = start(series, design)
    other = np.column_stack([series[:, 0], series[::-1, 1]])
    assert "0.b0" not in design.names
    assert Likelihood(series, design).value(at) == Likelihood(other, design).value(at)


@pytest.mark.parametrize(("chain", "state", "kept"), [(0, 0, [2, 3]), (1, 1, [0, 2])])
def test_a_state_less_leaves_the_others_as_they_were(
    chain: int, state: int, kept: list[int]
) -> None:
    """Joint states 0 to 3: two regimes, of two correlations each."""
    series = returns(200, 3)
    before = Fit(DESIGN, theta(series), 0.0, len(series))
    design, left = dropped(before, chain, state)
    np.testing.assert_array_equal(
        design.states(left), DESIGN.states(before.theta)[:, kept], strict=True
    )
    jumps = {jump: before.theta[place] for jump, place in DESIGN.jumping.items()}
    found = {jump: left[place] for jump, place in design.jumping.items()}
    if chain == 0:  # regime 1 is regime 0 now
        jumps = {replace(jump, regime=0): row for jump, row in jumps.items() if jump.regime == 1}
    assert found.keys() == jumps.keys()
    for jump, row in jumps.items():
        np.testing.assert_array_equal(found[jump], row)


@pytest.mark.parametrize("log_spare", [0.0, np.log(1e4), np.log(1e6)])
def test_a_jump_has_a_density_whatever_the_tail(log_spare: float) -> None:
    """Gaussian nearly, too: the shares of the normals are those of the jumps in a bar."""
    maker, alone = Returns(1, ((0, 1),)), Jump(0, "a")
    numbers = np.array([[0.0], [0.0], [0.0], [log_spare]])
    made = maker.of(numbers, {alone: np.array([np.log(0.02), 0.0, np.log(4.0)])})
    rows = np.stack([normal.rows[:, 0] for normal in made.normals])
    masses = np.exp(rows[:, 0]) * np.sqrt(np.pi / -rows[:, 3])
    assert masses.sum() == pytest.approx(-np.expm1(-0.02), rel=1e-12)
