"""The CPU backend: compiled kernels over paths, in threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compiled import Kernels, numba_kernels
from .contract import MarketState, Policy, Shape, Tick
from .draws import draw_of, groups
from .oracle import Outcomes
from .pack import job_shape, pack_policies, seed_words
from .pack_market import pack_markets, split
from .print_numba import LANES
from .rules import market_rules_of, outcome_fields, rules_of
from .spec import Job
from .stopping import Stopped
from .tree import names, values

Advance = Callable[[int], None]
STEPS_AT_ONCE = 1024
"""Ticks generated before the policies read them: 64 KB a path, which stays in the L2 cache."""


class Watched(NamedTuple):
    """One path as its first policy lived through it.

    tape: [steps, tick field]. accounts: [steps + 1, account leaf], the first at time 0. outcome:
    [outcome field].
    """

    tape: NDArray[Any]
    accounts: NDArray[Any]
    outcome: NDArray[Any]


def prepare(
    job: Job,
    *,
    threads: int | None = None,
    shape: Shape | None = None,
    kernels: Kernels | None = None,
) -> CpuJob:
    """Compile what a job needs (or find it compiled) and pack its numbers.

    shape: code that serves several jobs (`pack.shape_of`); the job's own by default.
    threads: the processors available by default.
    """
    shape = shape or job_shape(job)
    kernels = kernels or numba_kernels(shape, job.simulation.precision)
    return CpuJob(job, shape, kernels, threads or available_threads())


def available_threads() -> int:
    """The processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


class CpuJob:
    """A market point and its policies, ready to run on any range of paths."""

    def __init__(self, job: Job, shape: Shape, kernels: Kernels, threads: int) -> None:
        simulation = job.simulation
        self.job = job
        self.shape = shape
        self.threads = threads
        self._fields = len(outcome_fields(shape))
        self._kernels = kernels
        self._dtype = np.dtype(simulation.precision)
        low, high = seed_words(simulation.seed)
        self._key = int(low), int(high)
        packed = pack_markets(job.market, simulation, shape)
        self._numbers = [split(values(market), self._dtype) for market in packed]
        self._policies = lanes(pack_policies(job.policies, simulation, shape), self._dtype)
        self._scratch = threading.local()

    def scratch_bytes(self) -> int:
        """What one thread allocates while it runs."""
        made = self._allocate()
        return sum(array.nbytes for array in made)

    def run(
        self,
        first_path: int,
        n_paths: int,
        *,
        stop: threading.Event | None = None,
        advance: Advance | None = None,
    ) -> Outcomes:
        """Outcomes of n_paths paths from first_path on.

        stop: when set, the run ends within a fraction of a second with `Stopped`.
        advance: called from the worker threads with the policy-steps just done.
        """
        n_policies = len(self.job.policies)
        outcomes = np.full((self._fields, n_policies, n_paths), np.nan, self._dtype)
        market = np.full((2, n_paths), np.nan, self._dtype)
        stop = stop or threading.Event()

        def task(at: int, size: int) -> None:
            found, returns = self._paths(first_path + at, size, stop, advance)
            outcomes[:, :, at : at + size] = found[:, :n_policies]
            market[:, at : at + size] = returns

        with ThreadPoolExecutor(self.threads) as pool:
            parts = groups(first_path, n_paths, LANES, len(self._numbers))
            futures = [pool.submit(task, *part) for part in parts]
            try:
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
            except BaseException:
                stop.set()
                for future in futures:
                    future.cancel()
                raise
        return Outcomes(outcomes, market)

    def watch(self, path: int) -> Watched:
        """Run one path step by step, with an eye on the first policy's account."""
        states, tape, accounts, outcomes = self._buffers()
        accounts, outcomes = accounts[:1], outcomes[:1]
        kernels, policies, key = self._kernels, self._policies, self._key
        numbers = self._numbers[int(draw_of(path, len(self._numbers)))]
        kernels.market_start(numbers, key, path, states)
        kernels.policy_open(policies, accounts)
        steps, first = self.job.simulation.steps, accounts[0, 0, ::LANES]
        ticks = np.full((steps, tape.shape[-1]), np.nan, self._dtype)
        seen = np.full((steps + 1, len(first)), np.nan, self._dtype)
        seen[0] = first
        for step in range(steps):
            kernels.market_run(numbers, key, path, step, 1, states, tape)
            kernels.policy_run(tape, step, 1, policies, accounts)
            ticks[step] = tape[0, 0]
            seen[step + 1] = first
        kernels.policy_close(tape, 0, policies, accounts, outcomes)
        return Watched(ticks, seen, outcomes[0, 0, ::LANES].copy())

    def _paths(
        self, first_path: int, size: int, stop: threading.Event, advance: Advance | None
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Outcomes [fields, padded policies, size] and leg returns [2, size] of one lane group."""
        states, tape, accounts, outcomes = self._buffers()
        accounts, outcomes = accounts[:size], outcomes[:size]
        kernels, policies, key = self._kernels, self._policies, self._key
        numbers = self._numbers[int(draw_of(first_path, len(self._numbers)))]
        kernels.market_start(numbers, key, first_path, states)
        kernels.policy_open(policies, accounts)
        steps = self.job.simulation.steps
        n = 0
        for step in range(0, steps, STEPS_AT_ONCE):
            if stop.is_set():
                raise Stopped
            n = min(STEPS_AT_ONCE, steps - step)
            kernels.market_run(numbers, key, first_path, step, n, states, tape)
            kernels.policy_run(tape, step, n, policies, accounts)
            if advance is not None:
                advance(n * size * len(self.job.policies))
        kernels.policy_close(tape, n - 1, policies, accounts, outcomes)
        prices = states.reshape(-1, LANES)[
            [MarketState._fields.index(name) for name in ("price_a", "price_b")], :size
        ]
        return unlaned(outcomes, self._fields), prices - 1.0

    def _allocate(self) -> tuple[NDArray[Any], ...]:
        tiles = len(self._policies)
        steps = min(STEPS_AT_ONCE, self.job.simulation.steps)
        shapes = (
            (len(names(market_rules_of(self.shape).state)) * LANES,),
            (LANES, steps, len(Tick._fields)),
            (LANES, tiles, len(names(rules_of(self.shape).account)) * LANES),
            (LANES, tiles, self._fields * LANES),
        )
        return tuple(np.empty(shape, self._dtype) for shape in shapes)

    def _buffers(self) -> tuple[NDArray[Any], ...]:
        """This thread's buffers, made once."""
        if not hasattr(self._scratch, "buffers"):
            self._scratch.buffers = self._allocate()
        return self._scratch.buffers


def lanes(policies: Policy, dtype: Any) -> NDArray[Any]:
    """Policies as [tiles, fields * LANES]; the last policy fills the last tile."""
    fields = np.array(values(policies))
    missing = -fields.shape[1] % LANES
    padded = np.pad(fields, ((0, 0), (0, missing)), mode="edge").astype(dtype)
    tiles = padded.reshape(len(fields), -1, LANES).transpose(1, 0, 2)
    return np.ascontiguousarray(tiles).reshape(len(tiles), -1)


def unlaned(records: NDArray[Any], fields: int) -> NDArray[Any]:
    """[paths, tiles, fields * LANES] as [fields, tiles * LANES, paths]."""
    paths, tiles, _ = records.shape
    spread = records.reshape(paths, tiles, fields, LANES).transpose(2, 1, 3, 0)
    return spread.reshape(fields, tiles * LANES, paths)
