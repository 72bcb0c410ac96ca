"""The compiled backends against the oracle on the same numbers, and numba against itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from markets import FULL, PLAIN, compiled, is_count, random_job
from stresscube_kernels import cpu, oracle
from stresscube_kernels.compiled import Kernels, numba_kernels, twin_kernels
from stresscube_kernels.contract import MarketState, Shape, Tick
from stresscube_kernels.cpu import LANES, lanes, split, unlaned
from stresscube_kernels.pack import (
    effective_leverage,
    feasible,
    job_shape,
    pack_policies,
    seed_words,
)
from stresscube_kernels.pack_market import pack_market
from stresscube_kernels.rules import outcome_fields, rules_of
from stresscube_kernels.spec import Job
from stresscube_kernels.tree import names, values

PATHS, STEPS, POLICIES = 64, 240, 70
COMPILERS: dict[str, Callable[[Shape, str], Kernels]] = {
    "numba": numba_kernels,
    "twin": twin_kernels,
}
TWIN: Any = pytest.param("twin", marks=pytest.mark.needs("compiler"))
BACKENDS: Sequence[Any] = ["numba", TWIN]
SHAPES = {"all features": FULL, "no features": PLAIN}


def example(shape: Shape, precision: str) -> Job:
    """A random job of that shape whose policies can all open."""
    plain = shape is PLAIN
    job = random_job(
        np.random.default_rng(20261122), plain=plain, steps=STEPS, policies=2 * POLICIES,
        precision=precision, bridge=not plain,
    )  # fmt: skip
    able = [p for p in job.policies if feasible(p, job.simulation)]
    return Job(job.market, tuple(able[:POLICIES]), job.simulation)


def gross(job: Job) -> NDArray[np.float64]:
    """Opening notional per policy, [policies, 1]."""
    return np.array([effective_leverage(policy) for policy in job.policies])[:, None]


def poisoned(*shape: int, dtype: Any) -> NDArray[Any]:
    return np.full(shape, np.nan, dtype)


def compiled_tape(job: Job, shape: Shape, kernels: Kernels) -> tuple[NDArray[Any], NDArray[Any]]:
    """Tape [paths, steps, fields] and last states [fields, paths] of the first LANES paths."""
    dtype = job.simulation.precision
    numbers = split(values(pack_market(job.market, job.simulation, shape)), dtype)
    key = tuple(int(word) for word in seed_words(job.simulation.seed))
    states = poisoned(len(MarketState._fields) * LANES, dtype=dtype)
    tape = poisoned(LANES, STEPS, len(Tick._fields), dtype=dtype)
    kernels.market_start(numbers, (key[0], key[1]), 0, states)
    kernels.market_run(numbers, (key[0], key[1]), 0, 0, STEPS, states, tape)
    return tape, states.reshape(-1, LANES)


def compiled_policies(job: Job, shape: Shape, kernels: Kernels, tape: NDArray[Any]) -> NDArray[Any]:
    """Outcomes [fields, policies, paths] of a given tape."""
    dtype = job.simulation.precision
    policies = lanes(pack_policies(job.policies, job.simulation, shape), np.dtype(dtype))
    accounts = poisoned(
        len(tape), len(policies), len(names(rules_of(shape).account)) * LANES, dtype=dtype
    )
    outcomes = poisoned(len(tape), len(policies), len(outcome_fields(shape)) * LANES, dtype=dtype)
    tape = np.ascontiguousarray(tape, dtype)
    kernels.policy_open(policies, accounts)
    kernels.policy_run(tape, 0, STEPS, policies, accounts)
    kernels.policy_close(tape, STEPS - 1, policies, accounts, outcomes)
    return unlaned(outcomes, len(outcome_fields(shape)))[:, : len(job.policies)]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_tapes(backend: str, precision: str, shape: Shape) -> None:
    """Chains are integers and equal; reals differ by the rounding of a few dozen operations."""
    job = example(shape, precision)
    exact, state = oracle.simulate(job, 0, PATHS, np.float64, shape)
    tape, states = compiled_tape(job, shape, COMPILERS[backend](shape, precision))
    assert np.isfinite(tape).all()
    eps = np.finfo(precision).eps
    for k, name in enumerate(Tick._fields):
        if name == "state":
            assert np.array_equal(tape[..., k], exact[..., k]), name
        else:
            scale = np.abs(exact[..., k]) + np.abs(exact[..., k]).std()
            assert np.all(np.abs(tape[..., k] - exact[..., k]) <= 32 * eps * scale), name
    # prices are products of the steps: their roundings add up
    last = MarketState(*states)
    for found, price in ((last.price_a, state.price_a), (last.price_b, state.price_b)):
        assert np.all(np.abs(found / price - 1) <= 8 * STEPS * eps)
    assert np.array_equal(last.regime, state.regime)
    assert np.all(last.correlation_regime == state.correlation_regime)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_float64_outcomes_to_rounding(backend: str, shape: Shape) -> None:
    """On the oracle's tape, every outcome of every path.

    A step rounds each outcome at most 40 times, by half a unit in the last place of numbers no
    larger than the outcome, equity or gross notional, which starts at the leverage.
    """
    job = example(shape, "float64")
    tape, _ = oracle.simulate(job, 0, PATHS, np.float64, shape)
    packed = pack_policies(job.policies, job.simulation, shape)
    exact = oracle.run_policies(tape, packed, shape)
    found = compiled_policies(job, shape, COMPILERS[backend](shape, "float64"), tape)
    assert np.isfinite(found).all()
    size = 1.0 + gross(job)
    bound = 40 * STEPS * np.finfo(np.float64).eps / 2
    for k, name in enumerate(outcome_fields(shape)):
        if is_count(name):
            assert np.array_equal(found[k], exact[k]), name
        else:
            assert np.all(np.abs(found[k] - exact[k]) <= bound * (np.abs(exact[k]) + size)), name


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_numba_is_the_oracle_bit_for_bit(precision: str, shape: Shape) -> None:
    """Tapes, and outcomes of one tape: each operation rounds by itself, in the order written.

    So what an idle step leaves out because it comes to 0 changes no number.
    """
    job = example(shape, precision)
    kernels = numba_kernels(shape, precision)
    exact, _ = oracle.simulate(job, 0, PATHS, precision, shape)
    tape, _ = compiled_tape(job, shape, kernels)
    assert exact.dtype == tape.dtype == np.dtype(precision)
    assert np.array_equal(tape, exact)
    packed = pack_policies(job.policies, job.simulation, shape)
    outcomes = oracle.run_policies(exact, packed, shape, precision)
    assert np.array_equal(compiled_policies(job, shape, kernels, tape), outcomes)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_float64_from_end_to_end(backend: str, shape: Shape) -> None:
    """The whole backend, its own tapes, any range of paths: nothing flips; 1e-11, for prices carry
    their roundings through 240 steps before they are multiplied by leverage."""
    job = example(shape, "float64")
    tape, state = oracle.simulate(job, 100, 90, np.float64, shape)
    packed = pack_policies(job.policies, job.simulation, shape)
    exact = oracle.run_policies(tape, packed, shape)
    made = compiled(job, 90, first=100, shape=shape, kernels=COMPILERS[backend](shape, "float64"))
    error = np.abs(made.per_policy - exact) / (np.abs(exact) + 1.0 + gross(job))
    assert error.max() < 1e-11
    prices = np.stack([state.price_a, state.price_b])
    np.testing.assert_allclose(made.market, prices - 1.0, atol=1e-12, rtol=1e-11)


FLIPPED = 0.002
"""The share of (policy, path) pairs whose float32 run may take another turn somewhere.

A hit, a rebalance or a win is decided by a comparison; float32 carries 6e-8 of the notional, up
to 40 times equity, through 240 steps, and a pair makes 480 comparisons. Policies here rebalance
often and live near their margin, which is worse than what a scenario asks for.
"""


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_float32_outcomes(backend: str, shape: Shape) -> None:
    """Every outcome to 1e-4 of 1 plus its size, on all but FLIPPED of the pairs."""
    job = example(shape, "float32")
    tape, _ = oracle.simulate(job, 0, PATHS, np.float64, shape)
    packed = pack_policies(job.policies, job.simulation, shape)
    exact = oracle.run_policies(tape, packed, shape)
    found = compiled_policies(job, shape, COMPILERS[backend](shape, "float32"), tape)
    assert np.isfinite(found).all()
    error = np.abs(found - exact) / (np.abs(exact) + 1.0)
    assert (error.max(axis=0) > 1e-4).mean() <= FLIPPED


def outcomes_bits(job: Job, shape: Shape, first: int, paths: int, threads: int) -> NDArray[Any]:
    made = compiled(job, paths, first=first, shape=shape, threads=threads)
    bits = np.concatenate([made.per_policy.reshape(-1, paths), made.market])
    return bits.view(np.uint32)


def test_numba_is_bit_identical_over_threads_and_ranges() -> None:
    """1 or 3 threads, one range or several, ends anywhere: the same bits for the same path."""
    job = example(FULL, "float32")
    whole = outcomes_bits(job, FULL, 0, 300, 1)
    assert np.array_equal(outcomes_bits(job, FULL, 0, 300, 3), whole)
    for first, paths in ((0, 37), (37, 101), (138, 162), (299, 1)):
        part = outcomes_bits(job, FULL, first, paths, 2)
        assert np.array_equal(part, whole[:, first : first + paths]), (first, paths)


def test_paths_of_600_begin_with_those_of_300() -> None:
    job = example(PLAIN, "float32")
    both = [outcomes_bits(job, PLAIN, 0, paths, 2) for paths in (300, 600)]
    assert np.array_equal(both[0], both[1][:, :300])


def test_numba_is_bit_identical_over_policies() -> None:
    """A policy alone is that policy of the batch."""
    job = example(FULL, "float32")
    whole = compiled(job, 20, shape=FULL).per_policy
    for k in (0, 63, 64, POLICIES - 1):
        alone = Job(job.market, job.policies[k : k + 1], job.simulation)
        made = compiled(alone, 20, shape=FULL).per_policy
        assert np.array_equal(made[:, 0], whole[:, k]), k


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_numba_is_bit_identical_over_chunks(
    shape: Shape, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ticks may come in chunks of any length, though each begins with a whole step.

    240 = 3 * 77 + 9: the last chunk is short. In chunks of 1 no step is idle.
    """
    job = example(shape, precision)
    whole = outcomes_bits(job, shape, 0, 70, 2)
    for length in (1, 2, 77, 239):
        monkeypatch.setattr(cpu, "STEPS_AT_ONCE", length)
        assert np.array_equal(outcomes_bits(job, shape, 0, 70, 2), whole), length


def test_code_without_unused_features_gives_the_same() -> None:
    """A fast path skips work and never changes the answer: a plain job in full and in bare code."""
    job = example(PLAIN, "float64")
    bare, full = job_shape(job), FULL._replace(features=FULL.features._replace(bridge=False))
    assert bare == PLAIN._replace(tiers=1)
    slow = random_job(np.random.default_rng(1), policies=1).simulated
    market = job.simulated.__class__(
        job.simulated.regimes, job.simulated.chain, slow.correlation_regimes, slow.correlation_chain
    )
    found: list[NDArray[Any]] = []
    for shape, made in ((bare, job), (full, Job(market, job.policies, job.simulation))):
        tape, _ = oracle.simulate(made, 0, PATHS, np.float64, shape)
        packed = pack_policies(made.policies, made.simulation, shape)
        found.append(oracle.run_policies(tape, packed, shape))
    assert np.array_equal(found[0], found[1])


CHECK = """
import numpy as np
from stresscube_kernels.compiled import twin_kernels
from stresscube_kernels.contract import Features, Shape
smallest = np.nextafter(np.zeros(1), 1.0)
assert (smallest * 1.0 > 0).all()
twin_kernels(Shape(features=Features(False, False, False, False), regimes=2), "float32")
assert (smallest * 1.0 > 0).all(), "subnormal numbers have become 0"
"""


@pytest.mark.needs("compiler")
def test_the_twin_leaves_the_processor_as_it_was() -> None:
    """Loading it must not switch subnormal numbers off for the rest of the process.

    GCC links start-up code that does so into whatever is linked with -ffast-math.
    """
    subprocess.run([sys.executable, "-c", CHECK], check=True)
