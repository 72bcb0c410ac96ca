"""The CUDA backend's host side: compile for the card at hand, plan its memory, launch, gather.

CuPy brings the compiler, the memory pool and the streams; everything that has a meaning is in
the generated steps. Results stay on the card: metrics are computed there.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from .contract import MarketState, Outcome, Shape, Tick
from .oracle import Outcomes
from .pack import job_shape, pack_market, pack_policies, seed_words
from .print_cpp import cuda_source
from .programs import programs
from .spec import Job
from .stopping import Stopped
from .tree import values

Advance = Callable[[int], None]
WARP = 32
THREADS = 128
MARKET_THREADS = 128
PER_THREAD = (2, 1)
"""Policies a thread, best first: two share the loads of a tick where registers allow."""
OPTIONS = ("-std=c++17", "--prec-div=true", "--fmad=true")
STREAMS = 2
MEMORY_SHARE = 0.8
"""Of the memory that is free, what batches in flight may take; metrics need the rest."""
MOST_PATHS = 2**16
"""Paths in one launch, at most: enough to fill any card many times over."""


@dataclass(frozen=True, slots=True)
class CudaKernels:
    """The compiled kernels of a shape of code, for one card and one number of threads."""

    market_run: Any
    policy_run: Any
    threads: int
    per_thread: int

    @property
    def group(self) -> int:
        """Policies that one thread block runs."""
        return self.threads * self.per_thread


def cupy() -> Any:
    """CuPy itself, imported where it is needed: it is not there on most machines."""
    return importlib.import_module("cupy")


@lru_cache(maxsize=32)
def cuda_kernels(shape: Shape, precision: str, threads: int, device: int) -> CudaKernels:
    """Compile for the current card; CuPy keeps the result on disk.

    Of the choices of policies a thread, the first whose kernel keeps everything in registers.
    """
    made: CudaKernels | None = None
    for per_thread in PER_THREAD:
        source = cuda_source(programs(shape), precision, threads, per_thread)
        module = cupy().RawModule(code=source, options=OPTIONS)
        market, policy = (module.get_function(name) for name in ("market_run", "policy_run"))
        made = CudaKernels(market, policy, threads, per_thread)
        if made.policy_run.local_size_bytes == 0:
            break
    assert made is not None
    return made


def threads_for(policies: int) -> int:
    """Threads of a block: whole warps, no more than the policies can use."""
    return min(THREADS, -(-policies // WARP) * WARP)


def prepare(
    job: Job, *, shape: Shape | None = None, device: int = 0, paths_at_once: int | None = None
) -> CudaJob:
    """Compile what a job needs (or find it compiled) and put its numbers on a card.

    paths_at_once: paths of a batch; by default what the card's free memory allows.
    """
    with cupy().cuda.Device(device):
        return CudaJob(job, shape or job_shape(job), device, paths_at_once)


class CudaJob:
    """A market point and its policies on one card, ready to run on any range of paths."""

    def __init__(self, job: Job, shape: Shape, device: int, paths_at_once: int | None) -> None:
        simulation = job.simulation
        xp = cupy()
        self.job = job
        self.device = device
        self._dtype = np.dtype(simulation.precision)
        self._kernels = cuda_kernels(
            shape, simulation.precision, threads_for(len(job.policies)), device
        )
        self._key = seed_words(simulation.seed)
        leaves = values(pack_market(job.market, simulation))
        reals = [v for v in leaves if v.dtype != np.uint32]
        self._reals = xp.asarray(np.array(reals, self._dtype))
        words = [v for v in leaves if v.dtype == np.uint32]
        self._words = xp.asarray(np.array([*words, 0], np.uint32))  # never empty
        fields = np.array(values(pack_policies(job.policies, simulation, shape)))
        missing = -len(job.policies) % self._kernels.group
        padded = np.pad(fields, ((0, 0), (0, missing)), mode="edge")
        self._policies = xp.asarray(np.ascontiguousarray(padded, self._dtype))
        self._paths_at_once = paths_at_once

    def run(
        self,
        first_path: int,
        n_paths: int,
        *,
        stop: threading.Event | None = None,
        advance: Advance | None = None,
    ) -> Outcomes:
        """Outcomes of n_paths paths from first_path on, as arrays on the card.

        stop: when set, the run ends after the batch in flight with `Stopped`. advance: called
        with the policy-steps just done. Batches are halved when the card is out of memory.
        """
        xp = cupy()
        with xp.cuda.Device(self.device):
            batch = self._paths_at_once or self._fitting(n_paths)
            while True:
                try:
                    return self._run(first_path, n_paths, min(batch, n_paths), stop, advance)
                except xp.cuda.memory.OutOfMemoryError:
                    xp.get_default_memory_pool().free_all_blocks()
                    if batch <= WARP:
                        raise
                    batch //= 2

    def _fitting(self, n_paths: int) -> int:
        """Paths of a batch, from the memory that is free once the outcomes have their place."""
        xp = cupy()
        pool = xp.get_default_memory_pool()
        free = xp.cuda.runtime.memGetInfo()[0] + pool.free_bytes()
        kept = len(Outcome._fields) * len(self.job.policies) * n_paths * self._dtype.itemsize
        room = max(0, MEMORY_SHARE * free - kept)
        fitting = int(room / (STREAMS * self.path_bytes()))
        return max(WARP, min(fitting, MOST_PATHS, n_paths))

    def path_bytes(self) -> int:
        """What one path in flight takes on the card: its tape, state and outcomes."""
        tape = self.job.simulation.steps * len(Tick._fields)
        outcomes = len(Outcome._fields) * self._policies.shape[1]
        return (tape + outcomes + len(MarketState._fields)) * self._dtype.itemsize

    def _run(
        self,
        first_path: int,
        n_paths: int,
        batch: int,
        stop: threading.Event | None,
        advance: Advance | None,
    ) -> Outcomes:
        xp = cupy()
        policies = len(self.job.policies)
        gathered = xp.empty((len(Outcome._fields), policies, n_paths), self._dtype)
        market = xp.empty((2, n_paths), self._dtype)
        places = [n for n, name in enumerate(MarketState._fields) if name.startswith("price_")]
        streams = [xp.cuda.Stream(non_blocking=True) for _ in range(STREAMS)]
        buffers = [self._buffers(batch) for _ in streams]
        events: list[Any] = [None] * STREAMS
        xp.cuda.get_current_stream().synchronize()
        for turn, (at, size) in enumerate(_batches(n_paths, batch)):
            if stop is not None and stop.is_set():
                raise Stopped
            here = turn % STREAMS
            if events[here] is not None:
                self._finished(events[here], advance)
            with streams[here]:
                states, outcomes = self._launch(first_path + at, size, buffers[here])
                gathered[:, :, at : at + size] = outcomes[:, :, :policies].transpose(0, 2, 1)
                market[:, at : at + size] = states[places] - 1.0
                events[here] = (streams[here].record(), size)
        for event in events:
            if event is not None:
                self._finished(event, advance)
        return Outcomes(gathered, market)

    def _finished(self, event: tuple[Any, int], advance: Advance | None) -> None:
        done, size = event
        done.synchronize()
        if advance is not None:
            advance(size * self.job.simulation.steps * len(self.job.policies))

    def _buffers(self, batch: int) -> tuple[Any, Any, Any]:
        xp = cupy()
        steps = self.job.simulation.steps
        return (
            xp.empty(len(MarketState._fields) * batch, self._dtype),
            xp.empty(batch * steps * len(Tick._fields), self._dtype),
            xp.empty(len(Outcome._fields) * batch * self._policies.shape[1], self._dtype),
        )

    def _launch(self, first_path: int, size: int, buffers: tuple[Any, ...]) -> tuple[Any, Any]:
        """Simulate `size` paths on the current stream: states [field, path] and outcomes."""
        kernels, steps = self._kernels, self.job.simulation.steps
        states, tape, outcomes = buffers
        padded = self._policies.shape[1]
        count, n_steps = np.int32(size), np.int32(steps)
        kernels.market_run(
            (-(-size // MARKET_THREADS),),
            (MARKET_THREADS,),
            (
                self._reals,
                self._words,
                *self._key,
                np.uint32(first_path),
                n_steps,
                count,
                states,
                tape,
            ),
        )
        kernels.policy_run(
            (size * (padded // kernels.group),),
            (kernels.threads,),
            (tape, n_steps, self._policies, np.int32(padded), count, outcomes),
        )
        fields = len(Outcome._fields)
        return (
            states[: len(MarketState._fields) * size].reshape(-1, size),
            outcomes[: fields * size * padded].reshape(fields, size, padded),
        )


def _batches(n_paths: int, batch: int) -> Iterator[tuple[int, int]]:
    for at in range(0, n_paths, batch):
        yield at, min(batch, n_paths - at)
