"""The likelihood that a calibration climbs: against brute force, differences, its plain twin."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.stats import multivariate_t

from stresscube.calibrate.design import Design, Layer, stationary
from stresscube.calibrate.errors import inverted, of
from stresscube.calibrate.fit import extended, rough, start
from stresscube.calibrate.likelihood import Likelihood
from stresscube_kernels.hidden import Workspace
from stresscube_kernels.hidden import plain as as_written

DESIGN = Design(
    (
        Layer("regime", 2, 5.0),
        Layer("correlation", 2, 9.0),
        Layer("volatilities", 2, 7.0),
        Layer("volatility", 2, 20.0),
    )
)
SMALL = Design((Layer("regime", 2, 3.0), Layer("correlation", 2, 4.0)))


def returns(bars: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    scale = np.where(np.arange(bars) // 40 % 2, 0.01, 0.003)[:, None]
    return scale * rng.standard_t(5, (bars, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]])


def theta(design: Design, series: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    first = start(series, design)
    return first + 0.2 * rng.standard_normal(len(first))


def test_it_is_the_sum_over_every_sequence_of_states() -> None:
    """Five bars have 4^5 sequences; densities are scipy's, transitions expm's."""
    series = returns(5, 1)
    at = theta(SMALL, series, 2)
    numbers = SMALL.numbers(at)
    chains = [expm(SMALL.generator(at, k)) for k in (0, 1)]
    matrix = np.kron(*chains)
    law = np.kron(*(stationary(c) for c in chains))
    centred = series - series.mean(axis=0)
    density = np.empty((5, 4))
    for s, (a, b, rho, nu) in enumerate(numbers):
        shape = np.array([[a * a, rho * a * b], [rho * a * b, b * b]]) * (nu - 2) / nu
        density[:, s] = multivariate_t(shape=shape, df=nu).pdf(centred)
    total = 0.0
    for path in itertools.product(range(4), repeat=5):
        weight = law[path[0]] * density[0, path[0]]
        for t in range(1, 5):
            weight *= matrix[path[t - 1], path[t]] * density[t, path[t]]
        total += weight
    assert Likelihood(series, SMALL).value(at) == pytest.approx(np.log(total), rel=1e-12)


@pytest.mark.parametrize("tails", [True, False])
def test_the_gradient_is_that_of_the_likelihood(tails: bool) -> None:
    """Central differences of step h are off by h^2 times a third derivative: h = 1e-4 leaves 1e-5
    of slopes that sum over 300 bars."""
    series = returns(300, 3)
    design = Design(DESIGN.layers, tails)
    at = theta(design, series, 4)
    likelihood = Likelihood(series, design)
    value, gradient = likelihood.slope(at)
    assert value == pytest.approx(likelihood.value(at), rel=1e-13)
    assert len(gradient) == len(design.names) == len(at)
    for k in range(len(at)):
        up, down = at.copy(), at.copy()
        up[k] += 1e-4
        down[k] -= 1e-4
        slope = (likelihood.value(up) - likelihood.value(down)) / 2e-4
        assert gradient[k] == pytest.approx(slope, abs=1e-3), design.names[k]


@pytest.mark.parametrize("states", range(1, 7))
def test_compiled_recursions_are_the_plain_ones(states: int) -> None:
    """Sums of some 16 terms in another order: a rounding of 1e-16 a term and bar. Chains of 2 to 5
    states have loops of their own, others one that serves all."""
    series = returns(60, 5)
    design = Design((replace(DESIGN.layers[0], states=states), *DESIGN.layers[1:]))
    at = theta(design, series, 6)
    plain = Likelihood(series, design, as_written()).slope(at)
    fast = Likelihood(series, design, threads=2).slope(at)
    assert fast[0] == pytest.approx(plain[0], rel=1e-12)
    np.testing.assert_allclose(fast[1], plain[1], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("states", range(1, 7))
def test_chains_one_after_another_are_one_chain_of_joint_states(states: int) -> None:
    """The law given all bars and the expected moves of every chain, by matrices of all states."""
    rng = np.random.default_rng(states)
    sizes = (2, states, 3)
    matrices = [rng.dirichlet(np.ones(n), n) for n in sizes]
    count, bars = math.prod(sizes), 40
    start_law = rng.dirichlet(np.ones(count))
    work = Workspace(bars, sizes)
    logs = rng.normal(0.0, 2.0, (bars, count))
    work.densities(logs)
    value = work.likelihood(matrices, start_law)
    moves = work.smooth(matrices)
    joint = np.kron(np.kron(matrices[0], matrices[1]), matrices[2])
    ahead = [start_law * np.exp(logs[0])]
    for row in logs[1:]:
        ahead.append((ahead[-1] @ joint) * np.exp(row))
    after = [np.ones(count)]
    for row in logs[:0:-1]:
        after.insert(0, joint @ (np.exp(row) * after[0]))
    assert value == pytest.approx(np.log(ahead[-1].sum()), rel=1e-12)
    total = ahead[-1].sum()
    np.testing.assert_allclose(work.law, np.array(ahead) * after / total, rtol=1e-9, atol=1e-15)
    both = (
        sum(
            before[:, None] * joint * (np.exp(row) * later)
            for before, row, later in zip(ahead, logs[1:], after[1:], strict=False)
        )
        / total
    )
    table = np.reshape(both, (*sizes, *sizes))
    for k, own in enumerate(moves):
        others = tuple(c for c in range(6) if c % 3 != k)
        np.testing.assert_allclose(own[0], table.sum(axis=others), rtol=1e-9, atol=1e-12)


def test_a_fit_climbs_and_a_layer_more_never_loses() -> None:
    series = returns(400, 7)
    first = rough(series, SMALL)
    assert first.log_likelihood > Likelihood(series, SMALL).value(start(series, SMALL))
    layer = Layer("volatility", 2, 40.0)
    wider = Design((*SMALL.layers, layer))
    at = extended(first, layer)
    assert len(at) == len(wider.names)
    more = rough(series, wider, at)
    assert more.log_likelihood > first.log_likelihood


def test_scores_of_parts_are_the_gradient_together() -> None:
    series = returns(600, 8)
    at = theta(DESIGN, series, 9)
    likelihood = Likelihood(series, DESIGN)
    scores = likelihood.scores(at)
    assert scores.shape == (200, len(at))
    np.testing.assert_allclose(scores.sum(axis=0), likelihood.slope(at)[1], rtol=1e-8, atol=1e-6)


def test_errors_are_missing_where_the_likelihood_is_flat() -> None:
    information = np.array([[4.0, 0.0, 0.0], [0.0, 1e-12, 0.0], [0.0, 0.0, 25.0]])
    found = np.sqrt(np.diag(inverted(information, 1e-6)))
    np.testing.assert_allclose(found[[0, 2]], [0.5, 0.2], rtol=1e-12)
    assert np.isnan(found[1])


def test_errors_of_what_never_ends_are_none() -> None:
    """A state that lasts for ever has no duration to be unsure of; the numbers beside it have."""
    spread = np.diag([0.04, 0.09])
    found = of(lambda t: np.array([np.inf, 2.0 * t[0], t[1]]), np.array([1.0, 2.0]), spread)
    np.testing.assert_allclose(found, [0.0, 0.4, 0.3], rtol=1e-6)
