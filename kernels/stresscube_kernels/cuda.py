"""The CUDA backend's host side: compile for the card at hand, plan its memory, launch, gather.

CuPy brings the compiler, the memory pool and the streams; everything that has a meaning is in
the generated steps. Results stay on the card, where metrics are computed, unless asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from .by_value import by_value
from .cards import cupy
from .contract import MarketState, Shape, Tick
from .cuda_code import PER_THREAD, CudaKernels, cuda_kernels, threads_for
from .cuda_gather import Gathering, OnCard, ToHost
from .cuda_memory import NoRoom, apart, free_bytes, is_full, on_device, release
from .oracle import Outcomes
from .pack import job_shape, pack_policies, seed_words
from .pack_market import pack_markets, split
from .rules import market_rules_of, outcome_fields
from .spec import Job
from .stopping import Stopped
from .tree import leaves, names, values

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
MOST_STAGED = 2**26
"""Bytes of a batch that goes to the machine's memory, where a copy of it stands meanwhile."""


def prepare(
    job: Job,
    *,
    shape: Shape | None = None,
    device: int = 0,
    paths_at_once: int | None = None,
    kernels: CudaKernels | None = None,
    to_host: bool = False,
) -> CudaJob:
    """Compile what a job needs (or find it compiled) and put its numbers on a card.

    paths_at_once: paths of a batch; by default what the card's free memory allows.
    to_host: outcomes are copied to the machine's memory batch by batch, as numpy arrays; else
    they stay on the card, as CuPy's.
    """
    shape = shape or job_shape(job)
    with on_device(device):
        if kernels is None:
            threads = tuple(threads_for(len(job.policies), each) for each in PER_THREAD)
            kernels = cuda_kernels(shape, job.simulation.precision, threads, device)
        return CudaJob(job, shape, kernels, device, paths_at_once, to_host)


def staged_bytes(fields: int, policies: int, width: int) -> int:
    """Bytes of the machine's memory that a batch on its way there takes, at most."""
    return max(MOST_STAGED, SMALLEST_BATCH * fields * policies * width)


class CudaJob:
    """A market point and its policies on one card, ready to run on any range of paths."""

    def __init__(
        self,
        job: Job,
        shape: Shape,
        kernels: CudaKernels,
        device: int,
        paths_at_once: int | None,
        to_host: bool = False,
    ) -> None:
        simulation = job.simulation
        xp = cupy()
        self.job = job
        self.device = device
        self.kernels = kernels
        self.to_host = to_host
        self._dtype = np.dtype(simulation.precision)
        self._key = seed_words(simulation.seed)
        self._drawn = bool(shape.drawn)
        markets = pack_markets(job.market, simulation, shape)
        tables = [split(values(market), self._dtype)[2] for market in markets]
        fields = np.array(values(pack_policies(job.policies, simulation, shape)))
        missing = -len(job.policies) % self.kernels.group
        padded = np.pad(fields, ((0, 0), (0, missing)), mode="edge")
        with apart():
            self._table = xp.asarray(np.concatenate(tables))
            self._policies = xp.asarray(np.ascontiguousarray(padded, self._dtype))
            ends = np.cumsum([0, *(table.nbytes for table in tables)])
            self._market = self._records(markets, int(self._table.data.ptr) + ends[:-1])
        self._paths_at_once = paths_at_once
        self._fields = len(outcome_fields(shape))
        self._state_fields = len(names(market_rules_of(shape).state))

    def _records(self, markets: Sequence[Any], tables: Iterable[int]) -> tuple[Any, ...]:
        """What the market kernel takes first: a record by value, or where many are and how many.

        tables: the address of each market's.
        """
        each = [
            by_value(leaves(market), self._dtype.name, int(table))
            for market, table in zip(markets, tables, strict=True)
        ]
        if not self._drawn:
            return tuple(each)
        raw = np.concatenate(each).view(np.uint32)
        return cupy().asarray(raw), np.uint32(len(each))

    def run(
        self,
        first_path: int,
        n_paths: int,
        *,
        stop: threading.Event | None = None,
        advance: Advance | None = None,
    ) -> Outcomes:
        """Outcomes of n_paths paths from first_path on.

        stop: when set, the run ends after the batch in flight with `Stopped`. advance: called
        with the policy-steps just done. When the card is out of memory CuPy gives back what it
        keeps, and then batches are halved; NoRoom is raised where the smallest does not fit.
        """
        with on_device(self.device):
            batch = min(self._paths_at_once or self._fitting(n_paths), n_paths)
            tell, released = _told_once(advance), False
            while (made := self._attempt(first_path, n_paths, batch, stop, tell())) is None:
                if released and batch <= SMALLEST_BATCH:
                    raise NoRoom(self._wanted(n_paths, batch))
                batch = batch // 2 if released else batch
                release()
                released = True
            return made

    def _attempt(
        self, first_path: int, n_paths: int, batch: int, stop: threading.Event | None, done: Advance
    ) -> Outcomes | None:
        """Run in batches of this size; None if the card has no room for that.

        What the attempt held is free once this has returned, and not before: until then the
        exception's traceback holds its arrays.
        """
        try:
            return self._run(first_path, n_paths, batch, stop, done)
        except Exception as fault:
            if not is_full(fault):
                raise
            return None

    def _wanted(self, n_paths: int, batch: int) -> str:
        """What there was no room for."""
        needed = self._kept_bytes(n_paths) + STREAMS * batch * self.path_bytes()
        return (
            f"card {self.device} is out of memory: {needed / 2**20:,.1f} MiB are needed for "
            f"{batch} paths at a time, {free_bytes(self.device) / 2**20:,.1f} MiB are free"
        )

    def _fitting(self, n_paths: int) -> int:
        """Paths of a batch, from the memory that is free once the outcomes have their place."""
        room = MEMORY_SHARE * free_bytes(self.device) - self._kept_bytes(n_paths)
        fitting = int(max(0.0, room) / (STREAMS * self.path_bytes()))
        if self.to_host:
            fitting = min(fitting, MOST_STAGED // self._outcome_bytes())
        return max(SMALLEST_BATCH, min(fitting, MOST_PATHS, n_paths))

    def _kept_bytes(self, n_paths: int) -> int:
        """What outcomes that stay on the card take there."""
        return 0 if self.to_host else n_paths * self._outcome_bytes()

    def _outcome_bytes(self) -> int:
        """The outcomes of a path, and the returns of its legs."""
        return (self._fields * len(self.job.policies) + 2) * self._dtype.itemsize

    def path_bytes(self) -> int:
        """What one path in flight takes on the card: its tape, state and outcomes."""
        tape = self.job.simulation.steps * len(Tick._fields)
        outcomes = self._fields * self._policies.shape[1]
        own = (tape + outcomes + self._state_fields) * self._dtype.itemsize
        return own + (self._outcome_bytes() if self.to_host else 0)

    def _run(
        self, first_path: int, n_paths: int, batch: int, stop: threading.Event | None, done: Advance
    ) -> Outcomes:
        """Batches in turn on the streams; nothing is allocated while they run."""
        xp = cupy()
        gathering = self._gathering(n_paths, batch)
        streams = [xp.cuda.Stream(non_blocking=True) for _ in range(STREAMS)]
        buffers = [self.buffers(batch) for _ in streams]
        flying: list[tuple[int, int, Any] | None] = [None] * STREAMS
        xp.cuda.get_current_stream().synchronize()  # what was copied to the card is there

        def land(turn: int) -> None:
            """Wait for the batch of a stream, if there is one."""
            if (flight := flying[turn]) is None:
                return
            at, size, event = flight
            event.synchronize()
            gathering.landed(turn, at, size, streams[turn])
            flying[turn] = None
            done(size * self.job.simulation.steps * len(self.job.policies))

        try:
            turn = 0
            for at, size in _batches(n_paths, batch):
                if stop is not None and stop.is_set():
                    raise Stopped
                land(turn)
                with streams[turn]:
                    self._launch(
                        first_path + at, size, buffers[turn], *gathering.place(turn, at, size)
                    )
                flying[turn] = at, size, streams[turn].record()
                turn = (turn + 1) % STREAMS
            for later in range(STREAMS):
                land((turn + later) % STREAMS)
        finally:
            for stream in streams:
                stream.synchronize()  # before the arrays that it writes to are given back
        return gathering.outcomes()

    def _gathering(self, n_paths: int, batch: int) -> Gathering:
        policies = len(self.job.policies)
        if self.to_host:
            return ToHost(self._fields, policies, n_paths, self._dtype, batch, STREAMS)
        return OnCard(self._fields, policies, n_paths, self._dtype)

    def buffers(self, batch: int) -> tuple[Any, Any, Any]:
        """Flat arrays for the states, tapes and outcomes of a batch of paths."""
        xp = cupy()
        steps = self.job.simulation.steps
        return (
            xp.empty(self._state_fields * batch, self._dtype),
            xp.empty(batch * steps * len(Tick._fields), self._dtype),
            xp.empty(self._fields * batch * self._policies.shape[1], self._dtype),
        )

    def _launch(
        self,
        first_path: int,
        size: int,
        buffers: tuple[Any, Any, Any],
        gathered: Any,
        market: Any,
        column: int,
    ) -> None:
        """All of a batch's work on the current stream."""
        states, tape, outcomes = buffers
        self.fill_tapes(first_path, size, states, tape)
        self.run_policies(size, tape, outcomes)
        self.gather(column, size, outcomes, gathered)
        for leg, place in enumerate(PRICES):
            cupy().subtract(states[place * size : (place + 1) * size], 1.0, out=market[leg])

    def fill_tapes(self, first_path: int, size: int, states: Any, tape: Any) -> None:
        """Launch the market kernel on the current stream."""
        self.kernels.market_run(
            (_tiles(size, MARKET_THREADS),),
            (MARKET_THREADS,),
            (
                *self._market,
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

    def gather(self, column: int, size: int, outcomes: Any, gathered: Any) -> None:
        """Launch the copy of a batch's outcomes into gathered[:, :, column : column + size]."""
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
                np.int32(column),
            ),
        )


def _tiles(extent: int, side: int) -> int:
    return -(-extent // side)


def _batches(n_paths: int, batch: int) -> Iterator[tuple[int, int]]:
    for at in range(0, n_paths, batch):
        yield at, min(batch, n_paths - at)


def _told_once(advance: Advance | None) -> Callable[[], Advance]:
    """For each attempt a function that tells of its work, less what an earlier one told."""
    told = 0

    def attempt() -> Advance:
        done = 0

        def tell(steps: int) -> None:
            nonlocal done, told
            done += steps
            if done > told and advance is not None:
                advance(done - told)
            told = max(told, done)

        return tell

    return attempt
