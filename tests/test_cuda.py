"""The CUDA backend, every line of it, run without a card: see tests/emulator."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from emulator.fake_cupy import Machine, install
from emulator.module import LaunchError, build
from emulator.pool import OUT_OF_MEMORY, CUDADriverError
from markets import FULL, PLAIN, compiled, of, random_job
from stresscube_kernels import cuda, cuda_code, oracle
from stresscube_kernels.contract import Outcome, Shape, Tick
from stresscube_kernels.cuda_memory import NoRoom
from stresscube_kernels.oracle import Outcomes
from stresscube_kernels.pack import feasible, pack_policies
from stresscube_kernels.print_cpp import cuda_source
from stresscube_kernels.programs import programs
from stresscube_kernels.spec import Job
from stresscube_kernels.stopping import Stopped

pytestmark = pytest.mark.needs("compiler")

PATHS, STEPS, POLICIES, FIRST = 50, 75, 70, 100  # 75 steps: two tiles and a bit
SHAPES = {"all features": FULL, "no features": PLAIN}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with two cards of 1 GiB."""
    return install(Machine(cards=2), monkeypatch)


def example(shape: Shape, precision: str = "float32", policies: int = POLICIES) -> Job:
    """A random job of that shape whose policies can all open."""
    plain = shape is PLAIN
    job = random_job(
        np.random.default_rng(20261122), plain=plain, steps=STEPS, policies=2 * policies + 10,
        precision=precision, bridge=not plain,
    )  # fmt: skip
    able = [p for p in job.policies if feasible(p, job.simulation)]
    return Job(job.market, tuple(able[:policies]), job.simulation)


def fetched(outcomes: Outcomes) -> Outcomes:
    """On the host."""
    asnumpy = cuda.cupy().asnumpy
    return Outcomes(asnumpy(outcomes.per_policy), asnumpy(outcomes.market))


def ran(job: Job, *, shape: Shape = FULL, paths: int = PATHS, **rest: Any) -> Outcomes:
    """Outcomes on the host; everything is finite."""
    outcomes = fetched(cuda.prepare(job, shape=shape, **rest).run(FIRST, paths))
    assert np.isfinite(outcomes.per_policy).all()
    assert np.isfinite(outcomes.market).all()
    return outcomes


def bits(outcomes: Outcomes) -> NDArray[Any]:
    paths = outcomes.market.shape[1]
    return np.concatenate([outcomes.per_policy.reshape(-1, paths), outcomes.market]).view(np.uint32)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_float64_is_the_oracle(machine: Machine, shape: Shape) -> None:
    """Per path, to 1e-9 of the scale: nothing flips."""
    job = example(shape, "float64")
    tape, state = oracle.simulate(job, FIRST, PATHS, np.float64, shape)
    exact = oracle.run_policies(tape, pack_policies(job.policies, job.simulation, shape), shape)
    made = ran(job, shape=shape)
    error = np.abs(made.per_policy - exact) / (np.abs(exact) + 1.0 + of(exact, "turnover"))
    assert error.max() < 1e-9
    prices = np.stack([state.price_a, state.price_b])
    np.testing.assert_allclose(made.market, prices - 1.0, atol=1e-12, rtol=1e-11)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_float32_is_the_cpu_backend(machine: Machine, shape: Shape) -> None:
    """Per path, to 1e-4 of outcome plus turnover on all but 1% of pairs: a threshold may flip."""
    job = example(shape)
    expected = compiled(job, PATHS, first=FIRST, shape=shape).per_policy
    found = ran(job, shape=shape).per_policy
    error = np.abs(found - expected) / (np.abs(expected) + 1.0 + of(expected, "turnover"))
    assert (error.max(axis=0) > 1e-4).mean() <= 0.01


def test_bit_identical_over_batch_sizes_streams_and_ranges(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of one path, of many, of all; on one stream or three; a range in pieces."""
    job = example(FULL)
    whole = bits(ran(job))
    for batch in (1, 7, 32, PATHS, 10 * PATHS):
        assert np.array_equal(bits(ran(job, paths_at_once=batch)), whole), batch
    for streams in (1, 3):
        monkeypatch.setattr(cuda, "STREAMS", streams)
        assert np.array_equal(bits(ran(job, paths_at_once=9)), whole), streams
    made = cuda.prepare(job, shape=FULL).run(FIRST + 11, 20)
    part = bits(fetched(made))
    assert np.array_equal(part, whole[:, 11:31])


def test_bit_identical_over_cards(machine: Machine) -> None:
    """Two cards at once, half of the paths each, are one card."""
    job = example(FULL)
    whole = bits(ran(job))
    halves: dict[int, NDArray[Any]] = {}

    def half(device: int) -> None:
        made = cuda.prepare(job, shape=FULL, device=device).run(FIRST + device * 25, 25)
        with cuda.cupy().cuda.Device(device):
            halves[device] = bits(fetched(made))

    workers = [threading.Thread(target=half, args=(device,)) for device in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert np.array_equal(np.concatenate([halves[0], halves[1]], axis=1), whole)
    assert {card for _, card, _, _ in machine.launches} == {0, 1}


def test_blocks_are_as_full_as_whole_warps_allow() -> None:
    """Never a warp too many; the kernels' most threads where policies are many."""
    for policies in range(1, 2000):
        for each in cuda_code.PER_THREAD:
            threads = cuda_code.threads_for(policies, each)
            assert threads % 32 == 0
            assert 0 < threads <= cuda_code.THREADS
            blocks = -(-policies // (threads * each))
            assert blocks == -(-policies // (cuda_code.THREADS * each))
            fewer = (threads - 32) * each * blocks
            assert fewer < policies <= threads * each * blocks
    assert [cuda_code.threads_for(n) for n in (60, 256, 300, 4096)] == [32, 128, 96, 128]


@pytest.mark.parametrize("policies", [1, 31, 33, 129, 300])
def test_any_number_of_policies(machine: Machine, policies: int) -> None:
    """Padding never shows: a policy is the same alone and among others."""
    job = example(FULL, policies=300)
    some = replace(job, policies=job.policies[-policies:])
    whole = ran(job, paths=3).per_policy
    assert np.array_equal(ran(some, paths=3).per_policy, whole[:, -policies:])


def test_one_policy_a_thread_where_two_do_not_fit_the_registers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = example(FULL)
    grids: list[tuple[int, ...]] = []
    found: list[NDArray[Any]] = []
    for spilled in ({}, {2: 64}, {2: 64, 1: 8}):
        machine = install(Machine(spilled=spilled), monkeypatch)
        found.append(bits(ran(job, paths=6)))
        grids += [(*grid, *block) for name, _, grid, block in machine.launches
                  if name == "policy_run"]  # fmt: skip
    assert grids == [(6, 64), (6, 96), (6, 96)]  # a block a path holds 70 policies twice or once
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_batches_are_halved_when_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan asks for too much: half of it is tried, and half of that, with the same numbers."""
    job = example(FULL)
    paths = 200
    plenty = install(Machine(), monkeypatch)
    whole = bits(ran(job, paths=paths))
    assert batches(plenty) == [paths]
    needed = plenty.pools[0].most_held
    tight = install(Machine(memory=needed * 9 // 20), monkeypatch)
    assert np.array_equal(bits(ran(job, paths=paths, paths_at_once=paths)), whole)
    assert batches(tight) == [50, 50, 50, 50]
    assert tight.pools[0].most_held <= tight.memory


def batches(machine: Machine) -> list[int]:
    """Paths of each launch of the policy kernel (whose policies fill one block here)."""
    return [grid[0] for name, _, grid, _ in machine.launches if name == "policy_run"]


def test_no_room_for_the_smallest_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    install(Machine(memory=2**19), monkeypatch)
    with pytest.raises(
        NoRoom, match=r"card 0 is out of memory: \d\.\d MiB are needed for 32 paths"
    ):
        cuda.prepare(example(FULL), shape=FULL).run(0, 200)


def test_a_full_driver_is_out_of_memory_too(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes memory of its own for launches; work that is done again is told of once."""
    job = example(FULL)
    whole, told = bits(ran(job, paths=40)), list[int]()
    prepared = cuda.prepare(job, shape=FULL, paths_at_once=8)
    launch, faults = prepared.run_policies, [None, None, OUT_OF_MEMORY, None, OUT_OF_MEMORY]

    def full(*args: Any) -> None:
        status = faults.pop(0) if faults else None
        if status is not None:
            raise CUDADriverError(status)
        launch(*args)

    monkeypatch.setattr(cuda, "SMALLEST_BATCH", 4)
    monkeypatch.setattr(prepared, "run_policies", full)
    found = prepared.run(FIRST, 40, advance=told.append)
    assert np.array_equal(bits(fetched(found)), whole)
    assert batches(machine)[-10:] == [4] * 10
    assert sum(told) == 40 * STEPS * POLICIES
    monkeypatch.setattr(prepared, "run_policies", lambda *_: raising(CUDADriverError(719)))
    with pytest.raises(CUDADriverError, match="719"):
        prepared.run(FIRST, 40)
    machine.drain()


def raising(fault: Exception) -> None:
    raise fault


def test_small_arrays_do_not_pin_the_memory_of_large_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """CuPy would cut them from what the last block gave back, and could not give that back."""
    first, second = example(FULL), example(FULL, policies=40)
    alone = install(Machine(), monkeypatch)
    cuda.prepare(second, shape=FULL, paths_at_once=200).run(0, 200)

    def one_after_the_other() -> list[int]:
        """Batches of the second, on a card that just holds it."""
        machine = install(Machine(memory=alone.pools[0].most_held + 1024), monkeypatch)
        cuda.prepare(first, shape=FULL).run(0, 100)
        assert machine.pools[0].free_bytes() > 0
        machine.launches.clear()
        cuda.prepare(second, shape=FULL, paths_at_once=200).run(0, 200)
        return batches(machine)

    assert one_after_the_other() == [200]
    monkeypatch.setattr(cuda, "apart", nullcontext)
    assert one_after_the_other() != [200]


def test_outcomes_that_go_to_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bits, in batches, on a card that does not hold them."""
    job = example(FULL)
    install(Machine(), monkeypatch)
    whole = ran(job, paths=400)
    machine = install(Machine(memory=5 * 2**19), monkeypatch)
    assert whole.per_policy.nbytes > machine.memory
    made = cuda.prepare(job, shape=FULL, to_host=True).run(FIRST, 400)
    assert isinstance(made.per_policy, np.ndarray)
    assert isinstance(made.market, np.ndarray)
    assert np.array_equal(bits(made), bits(whole))
    assert len(batches(machine)) > 4
    monkeypatch.setattr(cuda, "MOST_STAGED", 20 * len(Outcome._fields) * POLICIES * 4)
    machine = install(Machine(), monkeypatch)
    cuda.prepare(job, shape=FULL, to_host=True).run(FIRST, 100)
    assert batches(machine) == [32, 32, 32, 4]  # the smallest batch, as 20 would be less


def test_a_limit_of_cupys_pool_counts(machine: Machine) -> None:
    """CUPY_GPU_MEMORY_LIMIT."""
    job = example(FULL)
    machine.pools[0].set_limit(3 * 2**20)
    assert cuda.free_bytes(0) == 3 * 2**20
    assert bits(ran(job, paths=100)).size
    assert len(batches(machine)) > 1
    assert machine.pools[0].total_bytes() <= 3 * 2**20


def test_batches_are_planned_from_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outcomes and two batches in flight fit without running out of memory once."""
    job = example(FULL)
    machine = install(Machine(memory=9 * 2**20), monkeypatch)
    ran(job, paths=400)
    sizes = batches(machine)
    assert sum(sizes) == 400
    assert len(sizes) > 2
    assert 0.5 * machine.memory < machine.pools[0].most_held <= machine.memory


def test_stop_and_advance(machine: Machine) -> None:
    """Told of every policy-step once; a stop ends the run after what is in flight."""
    job = example(FULL)
    prepared = cuda.prepare(job, shape=FULL, paths_at_once=8)
    told: list[int] = []
    prepared.run(0, 30, advance=told.append)
    assert told == [STEPS * POLICIES * paths for paths in (8, 8, 8, 6)]
    stop = threading.Event()
    machine.launches.clear()
    with pytest.raises(Stopped):
        prepared.run(0, 80, stop=stop, advance=lambda steps: stop.set())
    assert len(batches(machine)) == 3  # the first is waited for before the third starts
    machine.drain()


def kernels_without_barrier(barrier: int) -> str:
    """The source with one of its barriers taken out."""
    source = cuda_source(programs(FULL), "float32", 64, 2)
    parts = source.split("__syncthreads();")
    assert len(parts) == 4
    return "__syncthreads();".join(parts[: barrier + 1]) + "__syncthreads();".join(
        [parts[barrier + 1], *parts[barrier + 2 :]]
    )


@pytest.mark.parametrize("barrier", [0, 1, 2])
def test_the_emulator_sees_a_missing_barrier(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, barrier: int
) -> None:
    """Each barrier of the kernels is needed, and these tests would fail without it."""
    job = example(FULL)
    right = bits(ran(job, paths=6))
    monkeypatch.setattr(cuda_code, "source_of", lambda *_, **__: kernels_without_barrier(barrier))
    made = cuda.prepare(job, shape=FULL).run(FIRST, 6)
    wrong = bits(fetched(made))
    assert not np.array_equal(wrong, right)


def test_the_emulator_refuses_what_a_card_would() -> None:
    """Wrong arguments, a barrier out of reach, writing past the end."""
    source = """
    extern "C" __global__ void some(float *out, int n) {
      if (int(threadIdx.x) < n) __syncthreads();
      out[threadIdx.x] = 1.0f;
    }"""
    kernel = build(source)["some"]
    out = np.zeros(8, np.float32)
    kernel((1,), 8, (out, np.int32(8)))
    assert (out == 1).all()
    with pytest.raises(LaunchError, match="barrier"):
        kernel((1,), 8, (out, np.int32(7)))
    with pytest.raises(LaunchError, match=r"8, 8\] bytes, expected \[8, 4\]"):
        kernel((1,), 8, (out, np.int64(8)))
    machine = Machine()
    xp = machine.module()
    raw = xp.RawModule(code=source).get_function("some")
    out = xp.empty(8, np.float32)
    with pytest.raises(LaunchError, match="outside"):
        raw((1,), (9,), (out, np.int32(9)))
    early = Machine()
    xp = early.module()
    raw = xp.RawModule(code=source).get_function("some")
    out = xp.empty(8, np.float32)
    with xp.cuda.Stream(non_blocking=True):
        raw((1,), (8,), (out, np.int32(8)))
    del out
    with pytest.raises(LaunchError, match="given back before"):
        early.drain()


def test_a_tick_is_whole_quads() -> None:
    """The kernels move ticks 16 bytes at a time and outcomes by every field there is."""
    assert len(Tick._fields) * 4 % 16 == 0
    assert f"OUTCOME_FIELDS = {len(Outcome._fields)};" in cuda_source(programs(PLAIN), "float32")
