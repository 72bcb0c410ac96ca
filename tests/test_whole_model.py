"""Every feature at once: the books close, backends agree, and what is neutral changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from markets import FULL, HOUR, compiled, is_count, magnitude, of, random_job
from stresscube_kernels import oracle, pack
from stresscube_kernels.compiled import Kernels, numba_kernels, twin_kernels
from stresscube_kernels.contract import Tick
from stresscube_kernels.pack import effective_leverage, feasible, pack_policies
from stresscube_kernels.rules import outcome_fields
from stresscube_kernels.spec import (
    ChainSpec,
    FundingRegimeSpec,
    Job,
    JumpSpec,
    LegJumpSpec,
    MispricingSpec,
    PremiumSpec,
)
from stresscube_kernels.ticks import unpack
from test_identity import gap
from whole import ISOLATED, WHOLE, random_full_job

PATHS, STEPS, POLICIES = 64, 60, 60
COMPILERS: dict[str, Callable[..., Kernels]] = {"numba": numba_kernels, "twin": twin_kernels}
TWIN: Any = pytest.param("twin", marks=pytest.mark.needs("compiler"))
BACKENDS: Sequence[Any] = ["numba", TWIN]
MODES = {"cross": WHOLE, "isolated": ISOLATED}
SEEDS = range(6)


@pytest.fixture(params=list(MODES))
def mode(request: pytest.FixtureRequest) -> str:
    """The margin mode."""
    return request.param


@lru_cache(maxsize=32)
def example(mode: str, seed: int, precision: str) -> Job:
    """A random job whose policies can all open."""
    rng = np.random.default_rng(20261130 + seed)
    job = random_full_job(
        rng, steps=STEPS, policies=2 * POLICIES, precision=precision,
        step=float(rng.uniform(0.05, 1.0) * HOUR), margin_mode=mode,
    )  # fmt: skip
    able = [p for p in job.policies if feasible(p, job.simulation)]
    return Job(job.market, tuple(able[:POLICIES]), job.simulation)


@lru_cache(maxsize=32)
def exact(mode: str, seed: int, precision: str) -> NDArray[Any]:
    """The oracle's outcomes, [outcomes, policies, paths]."""
    job, shape = example(mode, seed, precision), MODES[mode]
    tape, _ = oracle.simulate(job, 0, PATHS, precision, shape)
    assert np.isfinite(tape).all()
    packed = pack_policies(job.policies, job.simulation, shape)
    return oracle.run_policies(tape, packed, shape, precision)


def found(mode: str, backend: str, job: Job) -> NDArray[Any]:
    kernels = COMPILERS[backend](MODES[mode], job.simulation.precision)
    return compiled(job, PATHS, shape=MODES[mode], kernels=kernels).per_policy


def test_the_random_jobs_reach_everything(mode: str) -> None:
    """Hits by every cause, deficits, recoveries, rebalances, trades, funding both ways."""
    outcomes = np.concatenate([exact(mode, seed, "float64") for seed in SEEDS], axis=1)
    jobs = [example(mode, seed, "float64") for seed in SEEDS]
    tapes = np.concatenate([oracle.simulate(job, 0, 8, shape=MODES[mode])[0] for job in jobs])
    made = Tick(*np.moveaxis(tapes, -1, 0))
    states = unpack(made.state)
    assert 0.1 < (of(outcomes, "liquidation_step") > 0).mean() < 0.9
    assert of(outcomes, "deficit").max() > 0  # jumps go past the margin
    assert of(outcomes, "recovered").max() == 1
    assert of(outcomes, "rebalances").max() > 5
    assert of(outcomes, "trades").max() > 20
    assert of(outcomes, "trades").min() == 0  # a spread that never opened
    assert of(outcomes, "funding").min() < 0 < of(outcomes, "funding").max()
    assert np.abs(of(outcomes, "pnl_mispricing")).max() > 0
    for part in states:
        assert set(np.unique(part)) == {0, 1}
    for name in ("mispricing", "z", "trend", "mark_b", "funding_a", "noise_b"):
        assert np.abs(getattr(made, name)).max() > 0, name


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("backend", ["oracle", *BACKENDS])
def test_the_books_close(mode: str, backend: str, precision: str) -> None:
    """The bound of the plain model, one rounding a step of everything that there is, also holds
    for all features together (it is met to a third)."""
    for seed in SEEDS:
        job = example(mode, seed, precision)
        outcomes = (
            exact(mode, seed, precision) if backend == "oracle" else found(mode, backend, job)
        )
        assert np.isfinite(outcomes).all()
        assert np.all(gap(outcomes, job) <= 1.0), seed
        assert np.all(of(outcomes, "final_equity") >= 0)
        assert np.all(of(outcomes, "deficit") >= 0)
        assert np.all(of(outcomes, "max_drawdown") >= 0)
        if job.simulated.mark_smoothing == 0:  # else margin may hold where traded equity is in debt
            assert np.all(of(outcomes, "max_drawdown") <= 1)
        assert np.all(of(outcomes, "wins") <= of(outcomes, "trades"))
        dead = of(outcomes, "liquidation_step") > 0
        for name in ("liquidation_cost", "extra_margin", "recovered"):
            assert np.all(of(outcomes, name)[~dead] == 0), name
        shadow, final = of(outcomes, "shadow_equity"), of(outcomes, "final_equity")
        assert np.array_equal(shadow[~dead], final[~dead])


@pytest.mark.parametrize("backend", BACKENDS)
def test_float64_outcomes(mode: str, backend: str) -> None:
    """From end to end, every outcome of every path: counts exactly, nothing flips."""
    for seed in SEEDS:
        job = example(mode, seed, "float64")
        theirs, ours = exact(mode, seed, "float64"), found(mode, backend, job)
        size = 1.0 + np.array([effective_leverage(policy) for policy in job.policies])[:, None]
        for k, name in enumerate(outcome_fields(MODES[mode])):
            if is_count(name):
                assert np.array_equal(ours[k], theirs[k]), (seed, name)
            else:
                scale = np.abs(theirs[k]) + magnitude(name, size, theirs, 1e-11)
                assert np.max(np.abs(ours[k] - theirs[k]) / scale) < 1e-11, (seed, name)


FLIPPED = 0.002
"""The share of pairs of policy and path that may take another turn in float32, as in the plain
model: about 0.0002 do."""


@pytest.mark.parametrize("backend", BACKENDS)
def test_float32_outcomes(mode: str, backend: str) -> None:
    """Against the oracle's float64, to 1e-4 of 1 plus its size, on all but FLIPPED of the pairs."""
    share = []
    for seed in SEEDS:
        theirs = exact(mode, seed, "float64")
        ours = found(mode, backend, example(mode, seed, "float32"))
        error = np.abs(ours - theirs) / (np.abs(theirs) + 1.0)
        share.append((error.max(axis=0) > 1e-4).mean())
    assert np.mean(share) <= FLIPPED


def test_numba_is_bit_identical_over_threads_ranges_and_policies(mode: str) -> None:
    job = example(mode, 0, "float32")
    whole = compiled(job, 200, shape=MODES[mode], threads=1)
    for first, paths in ((0, 64), (37, 101), (199, 1)):
        part = compiled(job, paths, first=first, shape=MODES[mode], threads=2)
        assert np.array_equal(part.per_policy, whole.per_policy[..., first : first + paths])
        assert np.array_equal(part.market, whole.market[..., first : first + paths])
    for k in (0, 17, POLICIES - 1):
        one = Job(job.market, job.policies[k : k + 1], job.simulation)
        made = compiled(one, 20, shape=MODES[mode]).per_policy
        assert np.array_equal(made[:, 0], whole.per_policy[:, k, :20]), k


def neutral(job: Job) -> Job:
    """The same job with every feature named, and numbers that make each of them nothing."""
    regimes = tuple(
        replace(
            regime,
            tail_dof=float("inf"),
            jumps=JumpSpec(0.0, (-0.1, -0.1), (0.1, 0.1), 0.5),
            leg_jumps=(LegJumpSpec(0.0, 0.1, 0.1), LegJumpSpec(0.0, 0.1, 0.1)),
            mispricing=(MispricingSpec(HOUR, 0.0), MispricingSpec(24 * HOUR, 0.0, 0.0, 0.01)),
        )
        for regime in job.simulated.regimes
    )
    nothing = PremiumSpec((0.0, 0.0), (0.0, 0.0), HOUR, 0.7)
    market = replace(
        job.market,
        regimes=regimes,
        funding_regimes=(FundingRegimeSpec("f0", nothing), FundingRegimeSpec("f1", nothing)),
        funding_chain=ChainSpec((HOUR, HOUR), ((0.0, 1.0), (1.0, 0.0))),
        interest=0.0,
        signal_noise=0.3,
        mark_smoothing=HOUR,
    )
    policies = tuple(
        replace(
            policy, side="fixed", entry_z=1.0, exit_z=0.5, directional_bias=0.0, bias_trigger=0.1,
            sizing_correlation=None, roll="close", rebalance_to="ratio", drift_measure="ratio",
            venues=tuple(
                replace(v, maintenance_tiers_b=None, funding_cap=0.01) for v in policy.venues
            ),
        )
        for policy in job.policies
    )  # fmt: skip
    return Job(market, policies, job.simulation)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_neutral_features_are_dropped(precision: str) -> None:
    """The same code and the same bits as without them."""
    job = random_job(np.random.default_rng(5), precision=precision)
    named = neutral(job)
    assert pack.job_shape(named) == pack.job_shape(job)
    outcomes = [oracle.run(made, 0, 32, precision) for made in (job, named)]
    assert np.array_equal(outcomes[0].per_policy, outcomes[1].per_policy)
    assert np.array_equal(outcomes[0].market, outcomes[1].market)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_neutral_numbers_in_the_code_of_every_feature(precision: str) -> None:
    """The code of the whole model, fed with numbers that switch its parts off, gives the bits of
    the plain code: a feature that does nothing adds 0 and multiplies by 1."""
    job = random_job(np.random.default_rng(6), precision=precision)
    named = neutral(job)
    outcomes: list[NDArray[Any]] = []
    for made, shape in ((job, FULL), (named, WHOLE._replace(shocks=0))):
        tape, _ = oracle.simulate(made, 0, 32, precision, shape)
        packed = pack_policies(made.policies, made.simulation, shape)
        outcomes.append(oracle.run_policies(tape, packed, shape, precision))
    assert np.array_equal(outcomes[0], outcomes[1][: len(outcomes[0])])  # without the books


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_single_leg_is_margined_alike_in_both_modes(precision: str) -> None:
    """Isolated margin of one leg is cross margin: the same bits, deaths and shadows included."""
    job = example("isolated", 1, precision)
    single = tuple(policy for policy in job.policies if policy.hedge_ratio == 0.0)
    assert len(single) > 10
    tape, _ = oracle.simulate(job, 0, PATHS, precision, WHOLE)
    run = job.simulation
    outcomes = [
        oracle.run_policies(tape, pack_policies(single, run, shape), shape, precision)
        for shape in MODES.values()
    ]
    assert of(outcomes[0], "liquidation_step").max() > 0
    assert np.array_equal(outcomes[0], outcomes[1][: len(outcomes[0])])  # without the books


def test_one_code_for_several_markets() -> None:
    """A sweep whose first market lacks a feature: the united code serves them all alike."""
    job = random_job(np.random.default_rng(7))
    jumpy = replace(
        job.market,
        regimes=tuple(
            replace(r, jumps=JumpSpec(500.0, (-0.1, 0.0), (0.1, 0.1), 0.5), tail_dof=3.0)
            for r in job.simulated.regimes
        ),
    )
    jobs = [Job(market, job.policies, job.simulation) for market in (job.market, jumpy)]
    shapes = [pack.job_shape(made) for made in jobs]
    one = pack.united(shapes)
    assert shapes[0] != one == shapes[1]
    plain = oracle.run(jobs[0], 0, 16)
    tape, _ = oracle.simulate(jobs[0], 0, 16, shape=one)
    packed = pack_policies(job.policies, job.simulation, one)
    assert np.array_equal(oracle.run_policies(tape, packed, one), plain.per_policy)
