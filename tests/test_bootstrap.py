"""The stationary bootstrap against its theory: Politis and Romano (JASA 1994).

With p the probability that a block ends, C_k the circular autocovariance of a series of the history
at lag k: every bar is as likely at every step, blocks are geometric, a product at lag k has mean
(1 - p)^k C_k + mean^2, and so the sum of N steps has the variance

    N (C_0 + 2 sum_k (1 - k / N) (1 - p)^k C_k).

Seeds are fixed; K standard errors are allowed, of paths, which are independent.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chisquare

from markets import HOUR
from replays import tape, wild_history
from stresscube_kernels.pack_replay import bars
from stresscube_kernels.spec import NEVER, ReplaySpec

K = 4.0
PATHS, STEPS, LENGTH = 3000, 40, 10.0
HISTORY = wild_history(500, funding=False)
MARKET = ReplaySpec(HISTORY, method="bootstrap", block_length=LENGTH * HOUR)
TABLE = bars(HISTORY, MARKET.variance_half_life, MARKET.signal_half_life, NEVER)
COUNT = len(TABLE)


def numbers(market: ReplaySpec = MARKET, paths: int = PATHS, steps: int = STEPS, first: int = 0,
            seed: int = 11) -> NDArray[np.int64]:  # fmt: skip
    """Which bar each path stands at, [paths, steps], told by its return, which no other has."""
    order = np.argsort(TABLE[:, 0])
    made = tape(market, paths, steps, first=first, seed=seed).return_a
    found = order[np.searchsorted(TABLE[:, 0], made, sorter=order)]
    assert len(np.unique(TABLE[:, 0])) == COUNT
    assert np.array_equal(TABLE[found, 0], made)
    return found


def goes_on(at: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether a step's bar is the one after the step before, the first after the last."""
    return (at[:, :-1] + 1) % COUNT == at[:, 1:]


def series() -> NDArray[np.float64]:
    """A series of bars whose neighbours resemble one another: the deviations of leg a."""
    return np.sqrt(TABLE[:, 2])


def circular(values: NDArray[np.float64], lag: int) -> float:
    return float(np.mean((values - values.mean()) * (np.roll(values, -lag) - values.mean())))


def test_every_bar_is_as_likely_at_every_step() -> None:
    """Chi-squared over 30 stretches of the history; of 5 tests none below 0.001."""
    at = numbers()
    for step in (0, 1, 7, 20, STEPS - 1):
        counts = np.bincount(at[:, step] * 30 // COUNT, minlength=30)
        sizes = np.bincount(np.arange(COUNT) * 30 // COUNT, minlength=30)
        assert chisquare(counts, PATHS * sizes / COUNT).pvalue > 1e-3, step


def test_blocks_are_geometric() -> None:
    """A block goes on with probability 1 - p, from step to step alike and independently.

    A new block that begins with the next bar by chance (1 in COUNT) cannot be seen.
    """
    stays = goes_on(numbers())
    chance = 1.0 - (1.0 - 1.0 / COUNT) / LENGTH
    for step in (0, 1, 18, STEPS - 2):
        share = stays[:, step].mean()
        assert abs(share - chance) < K * np.sqrt(chance * (1 - chance) / PATHS), step
    for run in (2, 5, 20):
        unbroken = stays[:, 10 : 10 + run].all(axis=1).mean()
        law = chance**run
        assert abs(unbroken - law) < K * np.sqrt(law * (1 - law) / PATHS), run


def test_the_first_bar_follows_the_last() -> None:
    at = numbers()
    last = at[:, :-1] == COUNT - 1
    assert last.sum() > 50
    assert (at[:, 1:][last] == 0).mean() > 0.8


def test_moments_are_those_of_the_history() -> None:
    """Mean, mean square and the product of the legs, of all steps of a path."""
    made = tape(MARKET, PATHS, STEPS)
    for found, values in (
        (made.return_a, TABLE[:, 0]),
        (made.return_a**2, TABLE[:, 0] ** 2),
        (made.return_a * made.return_b, TABLE[:, 0] * TABLE[:, 1]),
    ):
        means = found.mean(axis=1)
        assert abs(means.mean() - values.mean()) < K * means.std() / np.sqrt(PATHS)


def test_memory_fades_with_the_blocks() -> None:
    """Products at lag k have mean (1 - p)^k C_k + mean^2."""
    values = series()
    found = values[numbers()]
    assert circular(values, 1) > 0.8 * circular(values, 0)  # there is memory to lose
    for lag in (1, 3, 10):
        products = (found[:, :-lag] * found[:, lag:]).mean(axis=1)
        law = (1 - 1 / LENGTH) ** lag * circular(values, lag) + values.mean() ** 2
        assert abs(products.mean() - law) < K * products.std() / np.sqrt(PATHS), lag


@pytest.mark.parametrize("length", [1.0, 4.0, LENGTH, 60.0])
def test_sums_have_the_variance_of_the_paper(length: float) -> None:
    values = series()
    market = replace(MARKET, block_length=length * HOUR)
    sums = values[numbers(market)].sum(axis=1)
    lags = np.arange(1, STEPS)
    covariances = np.array([circular(values, int(lag)) for lag in lags])
    fading = (1 - 1 / length) ** lags
    law = STEPS * (circular(values, 0) + 2 * np.sum((1 - lags / STEPS) * fading * covariances))
    centred = (sums - sums.mean()) ** 2
    assert abs(centred.mean() - law) < K * centred.std() / np.sqrt(PATHS)


def test_blocks_of_one_bar_and_blocks_without_end() -> None:
    alone = goes_on(numbers(replace(MARKET, block_length=0.3 * HOUR)))  # shorter than a bar
    assert abs(alone.mean() - 1 / COUNT) < K * np.sqrt(1 / COUNT / alone.size)
    assert goes_on(numbers(replace(MARKET, block_length=1e9))).all()


def test_any_path_can_be_had_alone() -> None:
    whole = numbers(paths=40)
    for path in (0, 17, 39):
        assert np.array_equal(numbers(paths=1, first=path)[0], whole[path])
    assert np.array_equal(numbers(paths=20, first=15), whole[15:35][:20])
    assert not np.array_equal(numbers(paths=40, seed=12), whole)


def test_longer_paths_and_longer_blocks_share_their_numbers() -> None:
    """Common random numbers: a path's start and its words do not depend on the block length."""
    short, long = numbers(paths=50), numbers(replace(MARKET, block_length=30 * HOUR), paths=50)
    assert np.array_equal(short[:, 0], long[:, 0])
    ends_long = ~goes_on(long)
    assert np.all(~goes_on(short)[ends_long])  # where a long block ends, the short one does
    longer = numbers(paths=50, steps=STEPS + 9)
    assert np.array_equal(longer[:, :STEPS], short)
