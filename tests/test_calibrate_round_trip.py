"""Parameters that made the data are found again; `python -m benchmarks.round_trip` proves it."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stresscube.calibrate.climb import ROUGH, climbed
from stresscube.calibrate.fit import finished, fit, limits, rough
from stresscube.calibrate.likelihood import Likelihood

sys.path.append(str(Path(__file__).resolve().parents[1]))  # benchmarks/ is not installed
round_trip = importlib.import_module("benchmarks.round_trip")
known_markets = importlib.import_module("benchmarks.known_markets")

FARTHEST = 4.0
"""Standard errors. Of some 30 numbers one is beyond with a probability of 1 in 500."""


@pytest.mark.parametrize("extra", [("correlation", "jumps"), ("cointegration",)])
def test_two_regimes_are_found_again(extra: tuple[str, ...]) -> None:
    """By the whole of the calibration, the design too; four in five within 1.96 errors at least."""
    known = known_markets.market(2, *extra)
    history = round_trip.histories(known, 4000, 1)[0]
    checked = round_trip.check(known, history)
    z = np.array(list(checked.z.values()))
    assert checked.chosen
    assert checked.z.keys() == known_markets.numbers(known).keys()
    assert np.isfinite(z).all()
    assert np.abs(z).max() < FARTHEST
    assert (np.abs(z) < round_trip.SIGMAS).mean() >= 0.8


def test_the_truth_is_near_the_top_of_its_own_likelihood() -> None:
    """The design that made the data, and its parameters in the fit's units: what the fit gains on
    the truth is half a chi square of as many degrees of freedom as there are parameters."""
    known = known_markets.market(2, "jumps")
    history = round_trip.histories(known, 6000, 2)[1]
    returns = np.diff(np.log(history.close), axis=0)
    design, theta = known_markets.design(known)
    best = fit(returns, design, theta).log_likelihood
    gained = best - Likelihood(returns, design).value(theta)
    # 4 standard deviations of a chi square above its mean
    assert 0.0 < 2.0 * gained < len(theta) + 4.0 * np.sqrt(2.0 * len(theta))


@pytest.mark.parametrize("of", [(2, "correlation"), (3, "correlation"), (2, "jumps")])
def test_a_fit_ends_at_the_top(of: tuple[Any, ...]) -> None:
    """Half a squared standard error is what a log-likelihood loses: 0.005 is a tenth of one. The
    top is where another climber, of other steps in other units, finds no more above."""
    known = known_markets.market(*of)
    returns = np.diff(np.log(round_trip.histories(known, 4000, 1)[0].close), axis=0)
    design, theta = known_markets.design(known)
    likelihood = Likelihood(returns, design)
    compared = rough(returns, design, theta)
    made = finished(returns, compared)
    assert made.converged
    other = climbed(
        likelihood.slope, made.theta, 1.0 / np.sqrt(likelihood.information(made.theta)),
        limits(design, made.theta, len(returns)), enough=1e-9, most=2000,
    )  # fmt: skip
    assert made.log_likelihood > other.value - 0.005
    assert compared.log_likelihood > other.value - ROUGH


def test_the_committed_proof_passes() -> None:
    """Pooled coverage of 95% intervals between 90% and 98%, of at least 20 seeds a design."""
    lines = [json.loads(line) for line in round_trip.RESULTS.read_text().splitlines()]
    pooled = round_trip.pooled(lines[:-1])
    assert lines[-1]["coverage"] == pooled["coverage"]
    assert pooled["passes"]
    assert pooled["seeds"] >= 20


@pytest.mark.soak
def test_the_whole_proof() -> None:
    lines = [round_trip.measure(name, 12_000, 20, 2) for name in round_trip.DESIGNS]
    assert round_trip.pooled(lines)["passes"]
