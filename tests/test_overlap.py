"""Errors of windows that overlap, against histories drawn again and again."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from markets import HOUR
from metrics_samples import CONTEXT, draw
from replays import wild_history
from stresscube.metrics import summarise
from stresscube.metrics.paired import paired_error
from stresscube.overlap import Overlap, overlap_of, overlap_of_windows, variance_of_mean
from stresscube_kernels.replay import BATCHES
from stresscube_kernels.spec import ReplaySpec, SimulationSpec
from stresscube_kernels.view import window_bars

STEPS = 48


@pytest.mark.parametrize("starts", [[0], [0, 100], [3, 0, 1], list(range(0, 200, 7)), [5, 5, 50]])
def test_the_variance_is_that_of_all_pairs(starts: list[int]) -> None:
    shared = [max(0.0, 1.0 - abs(a - b) / STEPS) for a, b in itertools.product(starts, starts)]
    assert variance_of_mean(starts, STEPS) == pytest.approx(sum(shared) / len(starts) ** 2)


def test_windows_apart_are_independent() -> None:
    assert overlap_of_windows(np.arange(50) * STEPS, STEPS) == Overlap(1.0, 1.0)
    market = ReplaySpec(wild_history(), method="bootstrap", stride=HOUR)
    assert overlap_of(market, SimulationSpec(STEPS, HOUR, 0), 500) == Overlap(1.0, 1.0)


def test_the_same_window_again_and_again_says_nothing() -> None:
    assert overlap_of_windows(np.zeros(40, np.int64), STEPS) == Overlap(np.inf, np.inf)


def test_many_windows_have_the_root_of_the_ratio() -> None:
    """In a history that is long against the windows the factors go to horizon/stride and to 1."""
    stride, count = 6, 32 * 2000
    windows = np.arange(count).reshape(BATCHES, -1).T.reshape(-1)  # dealt in stretches
    found = overlap_of_windows(windows * stride, STEPS)
    assert found.paths == pytest.approx(8.0, rel=0.001)
    assert found.batches == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(("stride", "paths"), [(6, 100), (12, 64), (1, 300)])
def test_errors_are_right_on_average(stride: int, paths: int) -> None:
    """1500 histories of independent bars, replayed by the kernels' windows through `summarise`.

    The mean square of the error that each gives, of a mean and of a difference of two policies, is
    the variance that the estimates have over histories, within 4 standard errors of both.
    """
    histories = 1500
    market = ReplaySpec(wild_history(900), stride=stride * HOUR)
    run = SimulationSpec(STEPS, HOUR, 0)
    starts = window_bars(market, run, 0, paths)
    overlap = overlap_of(market, run, paths)
    assert overlap.paths > 2.0
    assert overlap.batches > 1.0
    rng = np.random.default_rng(stride)
    bars = rng.normal(0.0, 1e-3, (2, histories, 901))
    bars[1] = 0.8 * bars[0] + 0.6 * bars[1]
    sums = np.concatenate([np.zeros((2, histories, 1)), np.cumsum(bars, axis=-1)], axis=-1)
    returns = sums[:, :, starts + STEPS] - sums[:, :, starts]
    about = replace(CONTEXT, regimes=(), overlap=overlap.paths, batch_overlap=overlap.batches)
    found: list[dict[str, np.ndarray[Any, Any]]] = []
    for one in returns:
        outcomes, legs = draw(histories, paths, 1)
        found.append(summarise(outcomes | {"final_equity": 1.0 + one}, legs, about))
    first, second = found
    agree(first["return_mean"], first["return_mean_se"])
    errors = paired_error(first["return_mean_batch"], second["return_mean_batch"])
    agree(first["return_mean"] - second["return_mean"], errors)
    assert np.nanmean(errors**2) < np.nanmean(first["return_mean_se"] ** 2)


def agree(estimates: np.ndarray[Any, Any], errors: np.ndarray[Any, Any]) -> None:
    squares, said = estimates**2, errors**2  # the truth is 0
    spread = np.hypot(squares.std(), said.std()) / np.sqrt(len(estimates))
    assert abs(squares.mean() - said.mean()) < 4.0 * spread
