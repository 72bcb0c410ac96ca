"""The books close on every path: E_T = 1 + P&L - fees - slippage - funding - liquidation + deficit.

Random numbers for every parameter, on two shapes of code (everything on; nothing on and no
bridge), on the oracle and both compiled backends, in both precisions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from markets import FULL, HOUR, PLAIN, compiled, of, random_job
from stresscube_kernels import oracle
from stresscube_kernels.compiled import twin_kernels
from stresscube_kernels.contract import Features, Outcome
from stresscube_kernels.pack import effective_leverage, feasible, pack_policies
from stresscube_kernels.spec import Job

PATHS, STEPS, POLICIES = 24, 60, 20
Run = Callable[[Job, bool], NDArray[Any]]  # job, plain -> [outcomes, policies, paths]


def by_oracle(job: Job, plain: bool) -> NDArray[Any]:
    shape = PLAIN if plain else FULL
    dtype = job.simulation.precision
    tape, _ = oracle.simulate(job, 0, PATHS, dtype, shape)
    packed = pack_policies(job.policies, job.simulation, shape)
    return oracle.run_policies(tape, packed, shape, dtype)


def by_numba(job: Job, plain: bool) -> NDArray[Any]:
    return compiled(job, PATHS, shape=PLAIN if plain else FULL).per_policy


def by_twin(job: Job, plain: bool) -> NDArray[Any]:
    shape = PLAIN if plain else FULL
    kernels = twin_kernels(shape, job.simulation.precision)
    return compiled(job, PATHS, shape=shape, kernels=kernels).per_policy


RUNS = {"oracle": by_oracle, "numba": by_numba, "twin": by_twin}
TWIN: Any = pytest.param("twin", marks=pytest.mark.needs("compiler"))
BACKENDS: Sequence[Any] = ["oracle", "numba", TWIN]


def job_from(seed: int, plain: bool, precision: str) -> Job:
    rng = np.random.default_rng(seed)
    return random_job(
        rng, plain=plain, steps=STEPS, policies=POLICIES, precision=precision,
        step=float(rng.uniform(0.05, 4.0) * HOUR), bridge=not plain,
    )  # fmt: skip


def gap(outcomes: NDArray[Any], job: Job) -> NDArray[np.float64]:
    """What the books miss, over what rounding may make of them, [policies, paths].

    A step rounds equity and each book a few times, up and down alike, by half a unit in the last
    place of numbers no larger than equity, gross notional or the book: one whole rounding a step
    of the sum of them all is a bound (it is met to a fifth, here).
    """
    book = {name: of(outcomes, name).astype(np.float64) for name in Outcome._fields}
    total = 1.0 + book["pnl_a"] + book["pnl_b"] - book["fees"] - book["slippage"]
    total += -book["funding"] - book["liquidation_cost"] + book["deficit"]
    books = ("pnl_a", "pnl_b", "fees", "slippage", "funding", "liquidation_cost", "deficit")
    scale = 1.0 + np.array([effective_leverage(policy) for policy in job.policies])[:, None]
    scale = scale + sum(np.abs(book[name]) for name in books)
    return np.abs(book["final_equity"] - total) / (scale * STEPS * np.finfo(outcomes.dtype).eps / 2)


@pytest.mark.parametrize("plain", [False, True], ids=["all features", "no features"])
@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_books_close(backend: str, precision: str, plain: bool) -> None:
    run: Run = RUNS[backend]

    @settings(
        max_examples=12, deadline=None, derandomize=True, database=None,
        suppress_health_check=(HealthCheck.too_slow,),
    )  # fmt: skip
    @given(seed=st.integers(0, 2**40))
    def holds(seed: int) -> None:
        job = job_from(seed, plain, precision)
        outcomes = run(job, plain)
        assert np.isfinite(outcomes).all()
        assert np.all(gap(outcomes, job) <= 1.0)
        consistent(outcomes, job)

    holds()


def consistent(outcomes: NDArray[Any], job: Job) -> None:
    """What must hold of the other outcomes of any policy that could open."""
    book = {name: of(outcomes, name) for name in Outcome._fields}
    dead = book["liquidation_step"] > 0
    assert np.all(book["final_equity"] >= 0)
    assert np.all(book["deficit"] >= 0)
    assert np.all(book["liquidation_step"] <= STEPS)
    assert np.all(book["under_water"] <= STEPS)
    assert np.all((book["max_drawdown"] >= 0) & (book["max_drawdown"] <= 1))
    assert np.all(book["wins"] <= book["trades"])
    assert np.all(book["trades"] >= 1)
    for name in ("liquidation_cost", "deficit", "extra_margin", "recovered"):
        assert np.all(book[name][~dead] == 0), name
    assert np.array_equal(book["shadow_equity"][~dead], book["final_equity"][~dead])
    if job.simulation.bridge:
        assert np.all(book["deficit"] == 0)  # equity meets margin inside the step
    able = [feasible(p, job.simulation) for p in job.policies]
    assert any(able)


def test_the_random_jobs_reach_what_they_should() -> None:
    """Hits, survivors, deficits, rebalances, rolls, recoveries: none of the above is idle."""
    for plain in (False, True):
        many = [by_oracle(job_from(seed, plain, "float64"), plain) for seed in range(4)]
        outcomes = np.concatenate(many, axis=1)
        share = (of(outcomes, "liquidation_step") > 0).mean()
        assert 0.1 < share < 0.9
        assert of(outcomes, "rebalances").max() > 5
        assert of(outcomes, "recovered").max() == 1
        assert of(outcomes, "extra_margin").max() > 0
        if plain:
            assert of(outcomes, "deficit").max() > 0
        else:
            assert of(outcomes, "trades").max() > 5


@pytest.mark.parametrize("bits", range(16))
def test_every_set_of_features_on_the_oracle(bits: int) -> None:
    """The identity with each of bridge, latency, interval and rolls on or off in the code."""
    features = Features(*(bool(bits >> k & 1) for k in range(4)))
    shape = FULL._replace(features=features)
    job = job_from(1000 + bits, False, "float64")
    tape, _ = oracle.simulate(job, 0, PATHS, shape=shape)
    outcomes = oracle.run_policies(tape, pack_policies(job.policies, job.simulation, shape), shape)
    assert np.isfinite(outcomes).all()
    assert np.all(gap(outcomes, job) <= 1.0)
