"""The steps through JAX: the oracle's outcomes on every feature, whatever batches and devices."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import test_user_policy
from markets import BRIDGED, PLAIN, is_count, magnitude, random_job
from own_code import write
from replays import SHAPES, random_replay_job
from stresscube.plan import make_plan
from stresscube_kernels import oracle, pack, philox
from stresscube_kernels.contract import Draw, Shape
from stresscube_kernels.ops import NumpyOps
from stresscube_kernels.pack import effective_leverage, feasible, pack_policies
from stresscube_kernels.rules import outcome_fields
from stresscube_kernels.spec import Job, PolicySpec
from stresscube_kernels.stopping import Stopped
from stresscube_kernels.trace import trace
from test_identity import gap
from test_whole_model import FLIPPED, MODES, PATHS, SEEDS, exact
from test_whole_model import example as whole_example

jax = pytest.importorskip("jax", reason="needs jax: jax")
xla = pytest.importorskip("stresscube_kernels.xla")
xla_ops = pytest.importorskip("stresscube_kernels.xla_ops")

PRECISIONS = ("float32", "float64")


def example(precision: str = "float32", policies: int = 8, steps: int = 40) -> Job:
    """A plain job of the shape PLAIN: it compiles soonest."""
    rng = np.random.default_rng(20261122)
    return random_job(rng, plain=True, policies=policies, steps=steps, precision=precision)


def ran(job: Job, first: int, paths: int, shape: Shape = PLAIN) -> NDArray[Any]:
    """Bits of every outcome, [fields, policies, paths]."""
    return xla.prepare(job, shape=shape).run(first, paths).per_policy


def check(job: Job, shape: Shape, ours: NDArray[Any], theirs: NDArray[Any]) -> None:
    """Every outcome of every path in float64: counts exactly, nothing flips."""
    assert ours.shape == theirs.shape
    size = 1.0 + np.array([effective_leverage(policy) for policy in job.policies])[:, None]
    for k, name in enumerate(outcome_fields(shape)):
        if is_count(name):
            assert np.array_equal(ours[k], theirs[k]), name
        else:
            scale = np.abs(theirs[k]) + magnitude(name, size, theirs, 1e-11)
            assert np.max(np.abs(ours[k] - theirs[k]) / scale) < 1e-11, name


@pytest.mark.parametrize("mode", MODES)
def test_float64_outcomes_of_the_whole_model(mode: str) -> None:
    """The bound that other backends are held to."""
    for seed in SEEDS:
        job = whole_example(mode, seed, "float64")
        ours = ran(job, 0, PATHS, MODES[mode])
        check(job, MODES[mode], ours, exact(mode, seed, "float64"))
        assert np.all(gap(ours, job) <= 1.0), seed


@pytest.mark.parametrize("mode", MODES)
def test_float32_outcomes_of_the_whole_model(mode: str) -> None:
    """Likewise: to 1e-4 on all but FLIPPED of the pairs of policy and path; the books close."""
    share: list[float] = []
    for seed in SEEDS:
        job = whole_example(mode, seed, "float32")
        ours, theirs = ran(job, 0, PATHS, MODES[mode]), exact(mode, seed, "float64")
        assert ours.dtype == np.float32
        assert np.all(gap(ours, job) <= 1.0), seed
        error = np.abs(ours - theirs) / (np.abs(theirs) + 1.0)
        share.append(float((error.max(axis=0) > 1e-4).mean()))
    assert np.mean(share) <= FLIPPED


def replay_job(kind: str, seed: int, precision: str) -> Job:
    """A random replay and its policies that can open."""
    rng = np.random.default_rng(seed)
    mode = "isolated" if kind == "isolated" else "cross"
    made = random_replay_job(rng, precision=precision, ranges=kind != "bridge", margin_mode=mode)
    able = tuple(p for p in made.policies if feasible(p, made.simulation))
    return Job(made.market, able, made.simulation)


@pytest.mark.parametrize("kind", ["cross", "isolated", "bridge"])
def test_outcomes_of_replays(kind: str) -> None:
    shape = SHAPES[kind]
    for seed in range(3):
        job = replay_job(kind, seed, "float64")
        tape, state = oracle.simulate(job, 5, 40, shape=shape)
        packed = pack_policies(job.policies, job.simulation, shape)
        done = xla.prepare(job, shape=shape).run(5, 40)
        check(job, shape, done.per_policy, oracle.run_policies(tape, packed, shape))
        legs = np.stack([state.price_a, state.price_b]) - 1.0
        np.testing.assert_allclose(done.market, legs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["cross", "isolated"])
def test_float32_outcomes_of_replays(kind: str) -> None:
    """To 1e-4 of the oracle's float64 on all but FLIPPED of the pairs; the books close."""
    shape, share = SHAPES[kind], list[float]()
    for seed in range(3):
        job = replay_job(kind, seed, "float32")
        tape, _ = oracle.simulate(job, 5, 100, np.float64, shape)
        packed = pack_policies(job.policies, job.simulation, shape)
        theirs = oracle.run_policies(tape, packed, shape)
        ours = ran(job, 5, 100, shape)
        assert ours.dtype == np.float32
        assert np.all(gap(ours, job) <= 1.0), seed
        error = np.abs(ours - theirs) / (np.abs(theirs) + 1.0)
        share.append(float((error.max(axis=0) > 1e-4).mean()))
    assert np.mean(share) <= FLIPPED


def test_outcomes_of_rules_that_tests_register() -> None:
    job = test_user_policy.example("float64")
    shape = test_user_policy.SHAPE
    test_user_policy.check(ran(job, 0, test_user_policy.PATHS, shape), job)


def test_outcomes_of_rules_of_ones_own(tmp_path: Path) -> None:
    """A policy and a market that a scenario names, with memories and parameters."""
    scenario = write(tmp_path)
    plan = make_plan(scenario, "xla", trust=True)
    block = plan.blocks[0]
    job, shape = plan.job(block), plan.code(block)
    assert shape.rules != "pair"
    assert shape.market != "regimes"
    tape, _ = oracle.simulate(job, 0, 32, np.float64, shape)
    packed = pack_policies(job.policies, job.simulation, shape)
    exact = oracle.run_policies(tape, packed, shape)
    error = np.abs(ran(job, 0, 32, shape) - exact) / (np.abs(exact) + 1.0)
    assert (error.max(axis=0) > 1e-4).mean() <= FLIPPED


@pytest.mark.parametrize("precision", PRECISIONS)
def test_random_words_are_the_same_integers(precision: str) -> None:
    """Philox on counters and keys that carry everywhere, with 64-bit types off and on."""
    rng = np.random.default_rng(1)
    given = rng.integers(0, 2**32, (4, 10_000), dtype=np.uint64).astype(np.uint32)
    edges = np.array([0, 1, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF], np.uint32)
    given[:, : len(edges) ** 4 % 9999] = rng.choice(edges, (4, len(edges) ** 4 % 9999))
    program = trace(
        lambda ops, declare: dict(
            zip(
                "wxyz",
                philox.words(ops, Draw(*(declare(f, "u") for f in Draw._fields)), 3),
                strict=True,
            )
        )
    )
    theirs = np.stack(philox.words(NumpyOps(), Draw(*given), 3))
    with jax.enable_x64(precision == "float64"):
        evaluate = xla_ops.Evaluator(precision)
        named = dict(zip(Draw._fields, map(jax.numpy.asarray, given), strict=True))
        ours = np.stack(list(jax.jit(lambda n: evaluate(program, n))(named).values()))
    assert ours.dtype == np.uint32
    assert np.array_equal(ours, theirs)


@lru_cache(maxsize=1)
def long_run() -> NDArray[Any]:
    return ran(example(), 0, 700)


def test_the_same_bits_whatever_range_is_asked_for() -> None:
    """Batches are of one size: of 700 paths the second is short."""
    assert 2 * xla.tile(8, tuple(jax.local_devices())[:1]) < 700
    for first, paths in ((0, 1), (37, 101), (250, 300), (699, 1)):
        part = ran(example(), first, paths)
        assert np.array_equal(part, long_run()[..., first : first + paths]), (first, paths)


def test_the_same_bits_whatever_other_policies_run() -> None:
    job = example()
    for k in (0, 5, 7):
        alone = Job(job.market, job.policies[k : k + 1], job.simulation)
        assert np.array_equal(ran(alone, 0, 64)[:, 0], long_run()[:, k, :64]), k


SHARDED = """
import sys
sys.path.insert(0, sys.argv[1])
import jax, numpy as np
import test_xla
assert len(jax.local_devices()) == 4
job = test_xla.xla.prepare(test_xla.example(), shape=test_xla.PLAIN)
carry = job.started(0)
assert all(len(part.sharding.device_set) == 4 for part in jax.tree.leaves(carry))
for part in carry.state:
    assert len({shard.index[0].start for shard in part.addressable_shards}) == 4
np.save(sys.argv[2], job.run(0, 700).per_policy)
"""


FOUR = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}


def test_the_same_bits_on_four_devices(tmp_path: Path) -> None:
    found = tmp_path / "found.npy"
    given = [str(Path(__file__).parent), str(found)]
    subprocess.run([sys.executable, "-c", SHARDED, *given], env={**os.environ, **FOUR}, check=True)
    assert np.array_equal(np.load(found), long_run())


def test_nothing_of_the_users_configuration_is_changed() -> None:
    """64-bit types are on where the precision asks, and nowhere else."""
    job = example("float64", steps=5)
    exact = oracle.run(job, 0, 4).per_policy
    assert ran(job, 0, 4).dtype == np.float64
    assert jax.numpy.zeros(1).dtype == np.float32
    check(job, pack.job_shape(job), ran(job, 0, 4, pack.job_shape(job)), exact)
    with jax.enable_x64(True):
        assert np.array_equal(ran(example(), 0, 8), long_run()[..., :8])
        assert jax.numpy.zeros(1).dtype == np.float64


def test_progress_and_stopping() -> None:
    job, told = example(), []
    made = xla.prepare(job, shape=PLAIN)
    made.run(3, 700, advance=told.append)
    assert sum(told) == 700 * 40 * 8
    assert len(told) > 2
    stop = threading.Event()

    def advance(steps: int) -> None:
        told.append(steps)
        stop.set()

    told.clear()
    with pytest.raises(Stopped):
        made.run(0, 700, stop=stop, advance=advance)
    assert len(told) == 1
    with pytest.raises(Stopped):
        made.run(0, 1, stop=stop)


@pytest.mark.parametrize("shape", [PLAIN, BRIDGED], ids=["plain", "bridged"])
def test_a_batch_fits_in_the_memory_that_is_planned(shape: Shape) -> None:
    """What XLA says that the loop needs, beside the outcomes here."""
    job, policies = example(), 200
    job = Job(job.market, job.policies[:1] * policies, job.simulation)
    made = xla.prepare(job, shape=shape)
    loop = made.loops.advance.lower(made.numbers, made.started(0), np.uint32(0), np.uint32(9))
    said = loop.compile().memory_analysis()
    needed = (said.argument_size_in_bytes + said.temp_size_in_bytes) * len(made.devices)
    planned = xla.batch_bytes(shape, policies, 4)
    assert needed + made.run(0, 1).per_policy.nbytes < planned < 8 * needed


def test_few_numbers_of_policies_compile_anew() -> None:
    policies: list[PolicySpec] = list(example().policies)
    assert xla.padded(1) == xla.padded(64) == 64
    assert xla.padded(65) == 128
    job = example()
    for some in (1, 3, 8):
        part = Job(job.market, tuple(policies[:some]), job.simulation)
        assert ran(part, 0, 8).shape[1] == some
