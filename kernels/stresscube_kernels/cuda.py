"""The CUDA backend's host side: compile for the card at hand, plan its memory, launch, gather.

CuPy brings the compiler, the memory pool and the streams; everything that has a meaning is in
the generated steps. Results stay on the card: metrics are computed there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from .contract import MarketState, Outcome, Shape, Tick
from .cuda_code import CudaKernels, cuda_kernels, cupy, threads_for
from .oracle import Outcomes
from .pack import job_shape, pack_policies, seed_words
from .pack_market import pack_market, split
from .rules import market_rules_of
from .spec import Job
from .stopping import Stopped
from .tree import names, values

Advance = Callable[[int], None]
MARKET_THREADS = 128
GATHER_THREADS = 256  # as in native/device.cu
GATHER_SIDE = 32
PRICES = tuple(MarketState._fields.index(f"price_{leg}") for leg in "ab")
STREAMS = 2
MEMORY_SHARE = 0.8
"""Of the memory that is free, what batches in flight may take; metrics need the rest."""
MOST_PATHS = 2**16
"""Paths in one launch, at most: enough to fill any card many times over."""
SMALLEST_BATCH = 32


def on_device(device: int) -> AbstractContextManager[Any]:
    """Make a card the current one of this thread."""
    return cupy().cuda.Device(device)


def free_bytes(device: int) -> int:
    """Memory of a card that can be had now."""
    xp = cupy()
    with on_device(device):
        return int(xp.cuda.runtime.memGetInfo()[0] + xp.get_default_memory_pool().free_bytes())


def prepare(
    job: Job,
    *,
    shape: Shape | None = None,
    device: int = 0,
    paths_at_once: int | None = None,
    kernels: CudaKernels | None = None,
) -> CudaJob:
    """Compile what a job needs (or find it compiled) and put its numbers on a card.

    paths_at_once: paths of a batch; by default what the card's free memory allows.
    """
    shape = shape or job_shape(job)
    with on_device(device):
        if kernels is None:
            threads = threads_for(len(job.policies))
            kernels = cuda_kernels(shape, job.simulation.precision, threads, device)
        return CudaJob(job, shape, kernels, device, paths_at_once)


class CudaJob:
    """A market point and its policies on one card, ready to run on any range of paths."""

    def __init__(
        self,
        job: Job,
        shape: Shape,
        kernels: CudaKernels,
        device: int,
        paths_at_once: int | None,
    ) -> None:
        simulation = job.simulation
        xp = cupy()
        self.job = job
        self.device = device
        self.kernels = kernels
        self._dtype = np.dtype(simulation.precision)
        self._key = seed_words(simulation.seed)
        leaves = values(pack_market(job.market, simulation, shape))
        self._numbers = tuple(xp.asarray(array) for array in split(leaves, self._dtype))
        fields = np.array(values(pack_policies(job.policies, simulation, shape)))
        missing = -len(job.policies) % self.kernels.group
        padded = np.pad(fields, ((0, 0), (0, missing)), mode="edge")
        self._policies = xp.asarray(np.ascontiguousarray(padded, self._dtype))
        self._paths_at_once = paths_at_once
        self._state_fields = len(names(market_rules_of(shape).state))

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
        with on_device(self.device):
            batch = self._paths_at_once or self._fitting(n_paths)
            while True:
                batch = min(batch, n_paths)
                if (made := self._attempt(first_path, n_paths, batch, stop, advance)) is not None:
                    return made
                batch //= 2

    def _attempt(
        self,
        first_path: int,
        n_paths: int,
        batch: int,
        stop: threading.Event | None,
        advance: Advance | None,
    ) -> Outcomes | None:
        """Run in batches of this size; None if the card has no room for that but for smaller.

        What the attempt held is free once this has returned, and not before: until then the
        exception's traceback holds its arrays.
        """
        xp = cupy()
        try:
            return self._run(first_path, n_paths, batch, stop, advance)
        except xp.cuda.memory.OutOfMemoryError:
            if batch <= SMALLEST_BATCH:
                raise
            return None

    def _fitting(self, n_paths: int) -> int:
        """Paths of a batch, from the memory that is free once the outcomes have their place."""
        kept = len(Outcome._fields) * len(self.job.policies) * n_paths * self._dtype.itemsize
        room = max(0, MEMORY_SHARE * free_bytes(self.device) - kept)
        fitting = int(room / (STREAMS * self.path_bytes()))
        return max(SMALLEST_BATCH, min(fitting, MOST_PATHS, n_paths))

    def path_bytes(self) -> int:
        """What one path in flight takes on the card: its tape, state and outcomes."""
        tape = self.job.simulation.steps * len(Tick._fields)
        outcomes = len(Outcome._fields) * self._policies.shape[1]
        return (tape + outcomes + self._state_fields) * self._dtype.itemsize

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
        streams = [xp.cuda.Stream(non_blocking=True) for _ in range(STREAMS)]
        buffers = [self.buffers(batch) for _ in streams]
        events: list[tuple[Any, int] | None] = [None] * STREAMS
        xp.cuda.get_current_stream().synchronize()  # what was copied to the card is there
        try:
            for turn, (at, size) in enumerate(_batches(n_paths, batch)):
                if stop is not None and stop.is_set():
                    raise Stopped
                here = turn % STREAMS
                self._finished(events[here], advance)
                with streams[here]:
                    states, tape, outcomes = buffers[here]
                    self.fill_tapes(first_path + at, size, states, tape)
                    self.run_policies(size, tape, outcomes)
                    self.gather(at, size, outcomes, gathered)
                    for leg, place in enumerate(PRICES):
                        prices = states[place * size : (place + 1) * size]
                        market[leg, at : at + size] = prices - 1.0
                    events[here] = (streams[here].record(), size)
            for event in events:
                self._finished(event, advance)
        finally:
            for stream in streams:
                stream.synchronize()  # before the arrays that it writes to are given back
        return Outcomes(gathered, market)

    def _finished(self, event: tuple[Any, int] | None, advance: Advance | None) -> None:
        """Wait for a batch, if there is one, and tell of it."""
        if event is None:
            return
        done, size = event
        done.synchronize()
        if advance is not None:
            advance(size * self.job.simulation.steps * len(self.job.policies))

    def buffers(self, batch: int) -> tuple[Any, Any, Any]:
        """Flat arrays for the states, tapes and outcomes of a batch of paths."""
        xp = cupy()
        steps = self.job.simulation.steps
        return (
            xp.empty(self._state_fields * batch, self._dtype),
            xp.empty(batch * steps * len(Tick._fields), self._dtype),
            xp.empty(len(Outcome._fields) * batch * self._policies.shape[1], self._dtype),
        )

    def fill_tapes(self, first_path: int, size: int, states: Any, tape: Any) -> None:
        """Launch the market kernel on the current stream."""
        self.kernels.market_run(
            (_tiles(size, MARKET_THREADS),),
            (MARKET_THREADS,),
            (
                *self._numbers,
                *self._key,
                np.uint32(first_path),
                np.int32(self.job.simulation.steps),
                np.int32(size),
                states,
                tape,
            ),
        )

    def run_policies(self, size: int, tape: Any, outcomes: Any) -> None:
        """Launch the policy kernel on the current stream."""
        steps, padded = self.job.simulation.steps, self._policies.shape[1]
        self.kernels.policy_run(
            (size * (padded // self.kernels.group),),
            (self.kernels.threads,),
            (tape, np.int32(steps), self._policies, np.int32(padded), np.int32(size), outcomes),
        )

    def gather(self, at: int, size: int, outcomes: Any, gathered: Any) -> None:
        """Launch the copy of a batch's outcomes into gathered[:, :, at : at + size]."""
        fields, policies, paths = gathered.shape
        self.kernels.gather_outcomes(
            (_tiles(policies, GATHER_SIDE), _tiles(size, GATHER_SIDE), fields),
            (GATHER_THREADS,),
            (
                outcomes,
                np.int32(size),
                np.int32(self._policies.shape[1]),
                gathered,
                np.int32(policies),
                np.int32(paths),
                np.int32(at),
            ),
        )


def _tiles(extent: int, side: int) -> int:
    return -(-extent // side)


def _batches(n_paths: int, batch: int) -> Iterator[tuple[int, int]]:
    for at in range(0, n_paths, batch):
        yield at, min(batch, n_paths - at)
