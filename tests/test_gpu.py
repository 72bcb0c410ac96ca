"""On a real card: the same numbers as the CPU backend, and the same bits however it is run.

`pytest -m gpu` runs these. The same claims are tested without a card in test_cuda.py.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import stresscube as sc
from markets import FULL, PLAIN, of, random_job
from stresscube_kernels import cpu, cuda, cuda_code, oracle
from stresscube_kernels.contract import Shape
from stresscube_kernels.oracle import Outcomes
from stresscube_kernels.pack import feasible, pack_policies
from stresscube_kernels.spec import Job

pytestmark = pytest.mark.gpu

STEPS, POLICIES, PATHS = 500, 600, 700
SHAPES = {"all features": FULL, "no features": PLAIN}
SCENARIO = Path(__file__).resolve().parents[1] / "scenarios" / "quickstart.toml"


def example(shape: Shape, precision: str, policies: int = POLICIES) -> Job:
    """A random job of that shape whose policies can all open."""
    plain = shape is PLAIN
    job = random_job(
        np.random.default_rng(20261122), plain=plain, steps=STEPS, policies=2 * policies,
        precision=precision, bridge=not plain,
    )  # fmt: skip
    able = [p for p in job.policies if feasible(p, job.simulation)]
    return replace(job, policies=tuple(able[:policies]))


def ran(job: Job, shape: Shape, first: int = 0, paths: int = PATHS, **rest: Any) -> Outcomes:
    """Outcomes on the host; everything is finite."""
    with cuda.on_device(rest.get("device", 0)):
        made = cuda.prepare(job, shape=shape, **rest).run(first, paths)
        found = Outcomes(*map(cuda.cupy().asnumpy, made))
    assert np.isfinite(found.per_policy).all()
    assert np.isfinite(found.market).all()
    return found


def bits(outcomes: Outcomes) -> NDArray[Any]:
    paths = outcomes.market.shape[1]
    return np.concatenate([outcomes.per_policy.reshape(-1, paths), outcomes.market]).view(np.uint32)


def unlike(found: NDArray[Any], expected: NDArray[Any]) -> NDArray[Any]:
    """The largest difference of each (policy, path), over outcome plus turnover."""
    scale = np.abs(expected) + 1.0 + of(expected, "turnover")
    return (np.abs(found - expected) / scale).max(axis=0)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_float64_is_the_oracle(shape: Shape) -> None:
    job = example(shape, "float64", policies=70)
    tape, state = oracle.simulate(job, 0, 100, np.float64, shape)
    exact = oracle.run_policies(tape, pack_policies(job.policies, job.simulation, shape), shape)
    found = ran(job, shape, paths=100)
    assert unlike(found.per_policy, exact).max() < 1e-9
    prices = np.stack([state.price_a, state.price_b])
    np.testing.assert_allclose(found.market, prices - 1.0, atol=1e-12, rtol=1e-11)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_float32_is_the_cpu_backend(shape: Shape) -> None:
    """Per path, to 1e-4, on all but 2% of the pairs: in 500 steps a threshold may flip."""
    job = example(shape, "float32")
    expected = cpu.prepare(job, shape=shape).run(0, PATHS)
    found = ran(job, shape)
    assert (unlike(found.per_policy, expected.per_policy) > 1e-4).mean() <= 0.02
    np.testing.assert_allclose(found.market, expected.market, atol=1e-4)


def test_bit_identical_over_batch_sizes_streams_and_ranges(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = example(FULL, "float32")
    whole = bits(ran(job, FULL))
    for batch in (1, 33, 128, PATHS):
        assert np.array_equal(bits(ran(job, FULL, paths_at_once=batch)), whole), batch
    for streams in (1, 4):
        monkeypatch.setattr(cuda, "STREAMS", streams)
        assert np.array_equal(bits(ran(job, FULL, paths_at_once=50)), whole), streams
    assert np.array_equal(bits(ran(job, FULL, 100, 333)), whole[:, 100:433])
    assert np.array_equal(bits(ran(job, FULL)), whole)


def test_bit_identical_over_cards() -> None:
    """All cards at once, a share of the paths each."""
    count = cuda.cupy().cuda.runtime.getDeviceCount()
    if count < 2:
        pytest.skip("one card: nothing to compare it with")
    job = example(FULL, "float32")
    whole = bits(ran(job, FULL))
    shares = np.array_split(np.arange(PATHS), count)
    found: dict[int, NDArray[Any]] = {}

    def one(device: int) -> None:
        paths = shares[device]
        found[device] = bits(ran(job, FULL, int(paths[0]), len(paths), device=device))

    workers = [threading.Thread(target=one, args=(device,)) for device in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert np.array_equal(np.concatenate([found[n] for n in range(count)], axis=1), whole)


@pytest.mark.parametrize("per_thread", cuda_code.PER_THREAD)
def test_policies_a_thread_change_no_more_than_rounding(per_thread: int) -> None:
    """The compiler may contract another multiply-add: float64, to 1e-9."""
    job = example(FULL, "float64", policies=300)
    kernels = cuda_code.compiled(FULL, "float64", cuda_code.threads_for(300), per_thread)
    found = ran(job, FULL, paths=50, kernels=kernels).per_policy
    assert unlike(found, ran(job, FULL, paths=50).per_policy).max() < 1e-9


def test_batches_are_halved_when_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool is given too little for the batch asked for."""
    job = example(FULL, "float32")
    whole = bits(ran(job, FULL))
    pool = cuda.cupy().get_default_memory_pool()
    pool.free_all_blocks()
    prepared = cuda.prepare(job, shape=FULL)
    needed = sum(array.nbytes for array in prepared.buffers(PATHS))
    pool.free_all_blocks()
    kept = whole.nbytes
    pool.set_limit(size=pool.used_bytes() + kept + needed)  # two batches in flight do not fit
    try:
        assert np.array_equal(bits(ran(job, FULL, paths_at_once=PATHS)), whole)
    finally:
        pool.set_limit(size=0)


def test_a_cube_is_the_cpus(tmp_path: Path) -> None:
    """Every metric of a whole run within 5 of its standard errors, and most far within.

    Paths are the same on both, so what differs is a flipped comparison here and there.
    """
    case = sc.load(SCENARIO, ["simulation.paths=4000"])
    cubes = {
        name: sc.open(sc.run(case, tmp_path / name, backend=name))["summary"].to_dataset().load()
        for name in ("cpu", "cuda")
    }
    for name in ("liquidation_probability", "return_mean", "return_std", "sharpe"):
        error = cubes["cpu"][f"{name}_se"]
        distance = abs(cubes["cuda"][name] - cubes["cpu"][name]) / error
        assert float(distance.max()) < 5.0, name
        assert float(distance.median()) < 0.2, name
