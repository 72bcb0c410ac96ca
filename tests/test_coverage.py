"""95% intervals hold the truth in 95% of cases, for every metric whose truth is known."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from stresscube.metrics import metrics_of, summarise

sys.path.append(str(Path(__file__).resolve().parents[1]))  # benchmarks/ is not installed
of = importlib.import_module("benchmarks.coverage")

REPETITIONS = 1000
PATHS = 4000
K = 4.5
"""Standard errors of a coverage: among 240 numbers the largest is 3 or so. Of 1000 repetitions one
is sqrt(.95 * .05 / 1000) = 0.7%, so that 92 to 98% are let through; `make soak` has 93 to 97%."""
FEW = 100
"""Fewer events than this make a coverage lumpy and lower: sums of few are not normal."""


def test_every_metric_with_an_error_has_a_truth() -> None:
    wanted = {it.name for it in metrics_of(of.CONTEXT) if it.error} - set(of.WITHOUT_TRUTH)
    assert set(of.truths(0.6)) == wanted


def test_truths_are_those_of_many_paths() -> None:
    """Each within 4.5 of its own errors, on a million paths: errors are tiny, formulas exact."""
    known = of.truths(0.6)
    outcomes, market = of.draw(np.random.default_rng(3), 1, 1_000_000, 0.6)
    found = summarise(outcomes, market, of.CONTEXT)
    for name, truth in known.items():
        away = np.abs(found[name][0] - truth)
        assert (away <= K * found[f"{name}_se"][0]).all(), name


def test_intervals_hold_the_truth() -> None:
    found = of.coverage(REPETITIONS, PATHS, 0.6, seed=11)
    room = K * np.sqrt(0.95 * 0.05 / REPETITIONS)
    events = PATHS * (1.0 - np.asarray(of.truths(0.6)["survival"]))
    for name, shares in found.items():
        kept = shares[events >= FEW] if name == "survival" else np.atleast_1d(shares)
        kept = kept[np.isfinite(kept)]
        assert kept.size or name == "liquidation_time_median", name
        np.testing.assert_array_less(np.abs(kept - 0.95), room, err_msg=name)


@pytest.mark.soak
def test_the_whole_proof() -> None:
    """2,000 repetitions at 20,000 paths: 93 to 97%, of every interval."""
    for line in of.measure(2000, 20_000, seed=1):
        assert line["lowest"] >= 0.93, line
        assert line["highest"] <= 0.97, line
