"""Which policies cannot be told apart from the best: critical values, coverage, power."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from stresscube.decide.apart import averaged, lower_bound, with_the_best
from stresscube.policies import Estimates

BATCHES = 32


def drawn(
    truth: np.ndarray, rng: np.random.Generator, *, alike: float, paired: bool = True
) -> Estimates:
    """Estimates of true values [policy, market]; a cell's own error is 1."""
    own = rng.standard_normal((*truth.shape, BATCHES))
    noise = np.sqrt(alike) * rng.standard_normal(BATCHES) + np.sqrt(1 - alike) * own
    batches = truth[..., None] + noise * np.sqrt(BATCHES)
    errors = np.ones(truth.shape)
    return Estimates(batches.mean(axis=-1), errors, batches if paired else None)


def test_two_policies_are_compared_by_students_t() -> None:
    """One market, two policies: the one-sided paired t test of scipy at the same level."""
    rng = np.random.default_rng(4)
    told = 0
    for _ in range(100):
        found = drawn(np.array([[0.0], [0.7]]), rng, alike=0.5)
        result = with_the_best(found, larger=True, confidence=0.95)
        worse = 1 - result.best
        assert found.batches is not None
        test = stats.ttest_rel(
            found.batches[result.best, 0], found.batches[worse, 0], alternative="greater"
        )
        assert bool(result.apart[worse]) == (test.pvalue < 0.05)
        assert -result.difference[worse] / result.error[worse] == pytest.approx(test.statistic)
        told += int(result.apart[worse])
    assert 0 < told < 100


def test_the_critical_value_counts_policies_and_markets() -> None:
    rng = np.random.default_rng(4)
    found = drawn(np.zeros((5, 3)), rng, alike=0.5)
    result = with_the_best(found, larger=True, confidence=0.9)
    assert result.critical == pytest.approx(stats.t.isf(0.1 / 12, 31))
    plain = drawn(np.zeros((5, 3)), rng, alike=0.5, paired=False)
    result = with_the_best(plain, larger=True, confidence=0.9)
    assert result.critical == pytest.approx(stats.norm.isf(0.1 / 12))
    assert result.error == pytest.approx([2.0] * 5)
    assert not result.paired


TRUTHS = {
    "all alike": np.zeros((8, 1)),
    "all alike on three markets": np.zeros((8, 3)),
    "worst markets differ": np.array([[0, 5], [5, 0], [0, 0], [0, 0.5], [-0.5, 9]], dtype=float),
    "one is better": np.array([[0.5], [0], [0], [0], [0], [0]]),
}


@pytest.mark.parametrize("truth", TRUTHS.values(), ids=TRUTHS.keys())
@pytest.mark.parametrize("alike", [0.0, 0.95])
@pytest.mark.parametrize("paired", [True, False])
def test_a_truly_best_policy_is_kept(truth: np.ndarray, alike: float, paired: bool) -> None:
    """Every truly best policy is kept, each in at least 95% of 2000 repetitions."""
    rng = np.random.default_rng(17)
    worst = truth.min(axis=1)
    repetitions = 2000
    lost = np.zeros(len(truth))
    for _ in range(repetitions):
        found = drawn(truth, rng, alike=alike, paired=paired)
        lost += with_the_best(found, larger=True, confidence=0.95).apart
    share = lost[worst == worst.max()] / repetitions
    # Three standard errors of a share of 5%.
    assert (share <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repetitions)).all()


def test_what_is_clearly_worse_is_told_apart_where_errors_are_paired() -> None:
    """A step of half an own error: told by pairs that share 99% of their noise, else not."""
    rng = np.random.default_rng(2)
    truth = np.array([[0.0], [-0.7], [-0.7]])
    for paired, wanted in ((True, 2), (False, 0)):
        found = drawn(truth, rng, alike=0.99, paired=paired)
        result = with_the_best(found, larger=True, confidence=0.95)
        assert result.best == 0
        assert result.apart.sum() == wanted


def test_less_may_be_better() -> None:
    rng = np.random.default_rng(6)
    found = drawn(np.array([[3.0, 1.0], [9.0, 0.0], [4.0, 2.0]]), rng, alike=0.999)
    result = with_the_best(found, larger=False, confidence=0.95)
    assert result.best == 0
    assert result.worst.tolist() == [0, 0, 0]
    assert result.difference[1] == pytest.approx(found.values[1, 0] - found.values[0, 0])
    assert result.apart.tolist() == [False, True, True]


def test_a_difference_without_noise_is_sure_and_no_difference_is_none() -> None:
    batches = np.broadcast_to(np.arange(BATCHES, dtype=float), (3, 1, BATCHES)).copy()
    batches[1] -= 1.0
    found = Estimates(batches.mean(axis=-1), np.ones((3, 1)), batches)
    result = with_the_best(found, larger=True, confidence=0.999)
    assert result.apart.tolist() == [False, True, False]


@pytest.mark.parametrize("markets", [1, 3])
def test_the_attained_bound_covers_after_the_choice(markets: int) -> None:
    """The best of ten by the estimates is truly above its bound in at least 95%."""
    rng = np.random.default_rng(9)
    repetitions, missed = 2000, 0
    truth = np.linspace(0, 0.3, 10)[:, None] + np.zeros((10, markets))
    for _ in range(repetitions):
        found = drawn(truth, rng, alike=0.0)
        best = with_the_best(found, larger=True, confidence=0.95).best
        missed += truth[best].min() < lower_bound(found, best, 10, larger=True, confidence=0.95)
    assert missed / repetitions <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repetitions)


def test_the_mean_over_markets_has_the_error_of_its_batches() -> None:
    rng = np.random.default_rng(3)
    found = drawn(np.zeros((4, 2)), rng, alike=0.7)
    mean = averaged(found)
    assert found.batches is not None
    together = found.batches.mean(axis=1)
    assert mean.values[:, 0] == pytest.approx(together.mean(axis=-1))
    assert mean.errors[:, 0] == pytest.approx(stats.sem(together, axis=-1))
    alone = averaged(Estimates(found.values, found.errors, None))
    assert alone.errors == pytest.approx(np.ones((4, 1)))
