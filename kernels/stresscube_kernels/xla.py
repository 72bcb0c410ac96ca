"""The XLA backend: the steps through JAX on all local devices, batches of paths in turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from numpy.typing import NDArray

from .contract import Shape, Tick
from .oracle import Outcomes
from .pack import job_shape, pack_policies, seed_words
from .pack_market import pack_markets, split
from .rules import market_rules_of, outcome_fields, rules_of
from .spec import Job
from .stopping import Stopped
from .tree import names, values
from .xla_steps import AXIS, Carry, Numbers, loops

Advance = Callable[[int], None]
LANES = 64
"""Policies are filled up to a multiple of this, so that few numbers of them compile anew."""
PATHS = 8
"""Paths that a device takes at a time, at least."""
ON_PROCESSOR = 2**14
"""Accounts that a processor takes at a time: about 6 MB of them in float32, near its caches."""
ON_ACCELERATOR = 2**21
"""The same on an accelerator, whose memory holds them all: about 700 MB."""
SHORT = 0.1
"""Seconds of work that are asked of a device at a time, or less: it is stopped in between."""


def prepare(
    job: Job, *, shape: Shape | None = None, devices: tuple[Any, ...] | None = None
) -> XlaJob:
    """Compile what a job needs, unless this process has, and pack its numbers.

    shape: code that serves several jobs (`pack.shape_of`); the job's own by default.
    devices: all local ones by default.
    """
    return XlaJob(job, shape or job_shape(job), devices or local_devices())


def local_devices() -> tuple[Any, ...]:
    """Every device of this machine that JAX computes on by default."""
    return tuple(cast("Any", jax.local_devices)())


def tile(policies: int, devices: tuple[Any, ...]) -> int:
    """Paths of a device that are computed at a time.

    It depends on nothing else, so that no number depends on how many paths are asked for.
    """
    lanes = ON_PROCESSOR if devices[0].platform == "cpu" else ON_ACCELERATOR
    return max(PATHS, lanes // padded(policies))


def padded(policies: int) -> int:
    """Policies that are computed for so many."""
    return -(-policies // LANES) * LANES


def side_by_side(markets: Sequence[tuple[Any, Any, Any]]) -> tuple[Any, Any, Any]:
    """One market as it is; of several, reals and words [fields, markets] and one table of all."""
    if len(markets) == 1:
        return markets[0]
    reals, words, tables = zip(*markets, strict=True)
    return np.stack(reals, axis=1), np.stack(words, axis=1), np.concatenate(tables)


def batch_bytes(
    shape: Shape, policies: int, width: int, devices: tuple[Any, ...] | None = None
) -> int:
    """What a batch takes of this machine's memory, for numbers of so many bytes.

    Outcomes, there and on their way; on a processor the paths and accounts too, before a step and
    after it.
    """
    devices = devices or local_devices()
    each = 2 * padded(policies) * len(outcome_fields(shape))
    if devices[0].platform == "cpu":
        path = len(names(market_rules_of(shape).state)) + len(Tick._fields)
        each += 2 * (path + padded(policies) * len(names(rules_of(shape).account)))
    return width * each * tile(policies, devices) * len(devices)


class XlaJob:
    """A market point and its policies, ready to run on any range of paths."""

    def __init__(self, job: Job, shape: Shape, devices: tuple[Any, ...]) -> None:
        simulation = job.simulation
        self.job = job
        self.devices = devices
        self._precision = simulation.precision
        self._dtype = np.dtype(simulation.precision)
        self._fields = len(outcome_fields(shape))
        self._paths = tile(len(job.policies), devices) * len(devices)
        mesh = Mesh(np.array(devices), (AXIS,))
        self._each = NamedSharding(mesh, PartitionSpec(AXIS))
        packed = pack_markets(job.market, simulation, shape)
        market = side_by_side([split(values(each), self._dtype) for each in packed])
        fields = np.array(values(pack_policies(job.policies, simulation, shape)))
        missing = padded(fields.shape[1]) - fields.shape[1]
        policies = np.pad(fields, ((0, 0), (0, missing)), mode="edge").astype(self._dtype)
        numbers = Numbers(*market, policies, np.array(seed_words(simulation.seed), np.uint32))
        with self._typed():
            self.numbers = jax.device_put(numbers, NamedSharding(mesh, PartitionSpec()))
            self.loops = loops(shape, self._precision, mesh)
            self._compile()

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
        advance: called with the policy-steps just done.
        """
        n_policies = len(self.job.policies)
        outcomes = np.full((self._fields, n_policies, n_paths), np.nan, self._dtype)
        market = np.full((2, n_paths), np.nan, self._dtype)
        stop, batch = stop or threading.Event(), self._paths
        with self._typed():
            for at in range(0, n_paths, batch):
                size = min(batch, n_paths - at)
                found, returns = self._batch(first_path + at, stop, _per(advance, size))
                outcomes[:, :, at : at + size] = found[:, :n_policies, :size]
                market[:, at : at + size] = returns[:, :size]
        return Outcomes(outcomes, market)

    def _batch(
        self, first_path: int, stop: threading.Event, done: Advance
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Outcomes [fields, padded policies, paths] and leg returns [2, paths]."""
        numbers, steps = self.numbers, self.job.simulation.steps
        carry = self.started(first_path)
        at, n, policies = 0, 1, len(self.job.policies)
        while at < steps:
            if stop.is_set():
                raise Stopped
            n = min(n, steps - at)
            begun = time.perf_counter()
            carry = self.loops.advance(numbers, carry, np.uint32(at), np.uint32(at + n))
            jax.block_until_ready(carry)
            done(n * policies)
            at, took = at + n, time.perf_counter() - begun
            n = 2 * n if took < SHORT / 2 else max(1, n // 2) if took > SHORT else n
        found, returns = self.loops.close(numbers, carry)
        return np.asarray(found), np.asarray(returns)

    def started(self, first_path: int) -> Carry:
        """A batch of paths and accounts at time 0, on the devices."""
        path = (first_path + np.arange(self._paths, dtype=np.uint64)).astype(np.uint32)
        return self.loops.start(self.numbers, jax.device_put(path, self._each))

    def _compile(self) -> None:
        """Call every function once, without a step."""
        nothing = np.uint32(0)
        carry = self.loops.advance(self.numbers, self.started(0), nothing, nothing)
        jax.block_until_ready(self.loops.close(self.numbers, carry))

    def _typed(self) -> Any:
        """64-bit types on or off as the precision asks, here and in this thread alone."""
        return jax.enable_x64(self._precision == "float64")


def _per(advance: Advance | None, paths: int) -> Advance:
    """Tell of steps of so many paths."""

    def tell(steps: int) -> None:
        if advance is not None:
            advance(steps * paths)

    return tell
