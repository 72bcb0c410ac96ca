"""On a real card: the same numbers as the CPU backend, and the same bits however it is run.

`pytest -m gpu` runs these. The same claims are tested without a card in test_cuda.py, and these
very tests are run there at small sizes: see test_gpu_rehearsal.py.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

import stresscube as sc
from markets import FULL, PLAIN, of, random_job
from stresscube import memory
from stresscube.backends import CudaBackend
from stresscube_kernels import cards, cpu, cuda, cuda_code, oracle
from stresscube_kernels.contract import Shape
from stresscube_kernels.oracle import Outcomes
from stresscube_kernels.pack import feasible, pack_policies
from stresscube_kernels.spec import Job

pytestmark = pytest.mark.gpu

STEPS, POLICIES, PATHS = 500, 600, 700
CUBE = ("simulation.paths=4000",)
SHAPES = {"all features": FULL, "no features": PLAIN}
ROOT = Path(__file__).resolve().parents[1]
SCENARIO = ROOT / "scenarios" / "quickstart.toml"


def example(shape: Shape, precision: str, policies: int | None = None) -> Job:
    """A random job of that shape whose policies can all open."""
    plain, policies = shape is PLAIN, policies or POLICIES
    job = random_job(
        np.random.default_rng(20261122), plain=plain, steps=STEPS, policies=2 * policies,
        precision=precision, bridge=not plain,
    )  # fmt: skip
    able = [p for p in job.policies if feasible(p, job.simulation)]
    return replace(job, policies=tuple(able[:policies]))


def ran(job: Job, shape: Shape, first: int = 0, paths: int | None = None, **rest: Any) -> Outcomes:
    """Outcomes on the host; everything is finite."""
    with cuda.on_device(rest.get("device", 0)):
        made = cuda.prepare(job, shape=shape, **rest).run(first, paths or PATHS)
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
    paths = min(PATHS, 100)
    tape, state = oracle.simulate(job, 0, paths, np.float64, shape)
    exact = oracle.run_policies(tape, pack_policies(job.policies, job.simulation, shape), shape)
    found = ran(job, shape, paths=paths)
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
    first, paths = PATHS // 7, PATHS // 2
    assert np.array_equal(bits(ran(job, FULL, first, paths)), whole[:, first : first + paths])
    assert np.array_equal(bits(ran(job, FULL)), whole)


def test_bit_identical_through_the_host() -> None:
    """Outcomes copied batch by batch while the next batch runs, and outcomes that stay."""
    job = example(FULL, "float32")
    whole = bits(ran(job, FULL))
    for batch in (None, 50):
        made = cuda.prepare(job, shape=FULL, paths_at_once=batch, to_host=True).run(0, PATHS)
        assert isinstance(made.per_policy, np.ndarray)
        assert np.array_equal(bits(made), whole)


def test_bit_identical_over_cards() -> None:
    """All cards that are alike at once, a share of the paths each."""
    devices = cards.usable(cards.driver(), cards.installed())
    if len(devices) < 2:
        pytest.skip("one card: nothing to compare it with")
    job = example(FULL, "float32")
    whole = bits(ran(job, FULL))
    shares = np.array_split(np.arange(PATHS), len(devices))
    found: dict[int, NDArray[Any]] = {}

    def one(device: int, paths: NDArray[Any]) -> None:
        found[device] = bits(ran(job, FULL, int(paths[0]), len(paths), device=device))

    workers = [
        threading.Thread(target=one, args=(device, paths))
        for device, paths in zip(devices, shares, strict=True)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert np.array_equal(np.concatenate([found[n] for n in devices], axis=1), whole)


@pytest.mark.parametrize("per_thread", cuda_code.PER_THREAD)
def test_policies_a_thread_change_no_more_than_rounding(per_thread: int) -> None:
    """The compiler may contract another multiply-add: float64, to 1e-9."""
    job = example(FULL, "float64", policies=POLICIES // 2)
    threads = cuda_code.threads_for(POLICIES // 2, per_thread)
    kernels = cuda_code.compiled(FULL, "float64", threads, per_thread)
    paths = min(PATHS, 50)
    found = ran(job, FULL, paths=paths, kernels=kernels).per_policy
    assert unlike(found, ran(job, FULL, paths=paths).per_policy).max() < 1e-9


def test_batches_are_halved_when_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool is given too little for the batch asked for."""
    job = example(FULL, "float32")
    whole = bits(ran(job, FULL))
    pool = cuda.cupy().get_default_memory_pool()
    pool.free_all_blocks()
    prepared = cuda.prepare(job, shape=FULL, paths_at_once=PATHS)
    needed = sum(array.nbytes for array in prepared.buffers(PATHS))
    pool.free_all_blocks()
    run_policies, sizes = prepared.run_policies, list[int]()

    def run(size: int, *rest: Any) -> None:
        sizes.append(size)
        run_policies(size, *rest)

    monkeypatch.setattr(prepared, "run_policies", run)
    rounding = 2**14
    room = whole.nbytes + needed + rounding  # not for two batches in flight
    pool.set_limit(size=pool.used_bytes() + room)
    try:
        made = Outcomes(*map(cuda.cupy().asnumpy, prepared.run(0, PATHS)))
    finally:
        pool.set_limit(size=0)
    assert np.array_equal(bits(made), whole)
    assert sizes
    assert max(sizes) < PATHS


def cube(folder: Path, backend: str) -> xr.Dataset:
    case = sc.load(SCENARIO, CUBE)
    return sc.open(sc.run(case, folder, backend=backend))["summary"].to_dataset().load()


def test_a_cube_is_the_cpus(tmp_path: Path) -> None:
    """Every metric of a whole run within 5 of its standard errors, and most far within.

    Paths are the same on both, so what differs is a flipped comparison here and there.
    """
    cpus, cudas = cube(tmp_path / "cpu", "cpu"), cube(tmp_path / "cuda", "cuda")
    for name in ("liquidation_probability", "return_mean", "return_std", "sharpe"):
        error = cpus[f"{name}_se"]
        distance = abs(cudas[name] - cpus[name]) / error
        assert float(distance.max()) < 5.0, name
        assert float(distance.median()) < 0.2, name
    for name in cpus.data_vars:
        found, expected = cudas[name].to_numpy(), cpus[name].to_numpy()
        assert found.shape == expected.shape
        assert np.isnan(found).mean() == pytest.approx(np.isnan(expected).mean(), abs=0.02), name


def test_a_cube_is_the_same_bits_on_the_card_and_through_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a block waits, and how many policies' metrics are computed at a time, shows nowhere."""
    whole = cube(tmp_path / "whole", "cuda")
    monkeypatch.setattr(memory, "DEVICE_CHUNK", 7 * whole.attrs["paths"])
    keeps = memory.SUMMARY_COLUMNS * 8 * memory.DEVICE_CHUNK * 2
    monkeypatch.setattr(CudaBackend, "keeps", lambda self, count: count <= keeps)
    parts = cube(tmp_path / "parts", "cuda")
    for name in whole.data_vars:
        np.testing.assert_array_equal(parts[name].to_numpy(), whole[name].to_numpy(), str(name))


@pytest.mark.needs("sanitizer")
@pytest.mark.needs("nvrtc")
@pytest.mark.parametrize("tool", ["memcheck", "racecheck", "initcheck", "synccheck"])
def test_compute_sanitizer_finds_nothing(tool: str) -> None:
    """In the market and the policy kernel; with the tests here, see docs/performance.md."""
    sizes = ("--policies=300", "--paths=40", "--tape-paths=1", "--steps=70", "--rounds=1")
    sanitizer = ("compute-sanitizer", "--tool", tool, "--error-exitcode", "9")
    command = [*sanitizer, sys.executable, "-m", "benchmarks.gpu", "profile", *sizes]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
