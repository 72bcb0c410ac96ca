"""The XLA backend: the steps through JAX on all local devices, batches of paths in turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from numpy.typing import NDArray

from .contract import Shape, Tick
from .oracle import Outcomes
from .pack import job_shape, pack_policies, seed_words
from .pack_market import pack_market, split
from .rules import market_rules_of, outcome_fields, rules_of
from .spec import Job
from .stopping import Stopped
from .tree import names, values
from .xla_steps import AXIS, Carry, Numbers, loops

Advance = Callable[[int], None]
LANES = 64
"""Policies are filled up to a multiple of this, so that few numbers of them compile anew."""
PATHS = 8
"""Paths of a device are a multiple of this, or fewer."""
ON_PROCESSOR = 2**15
"""Accounts in flight on a processor: about 10 MB of them in float32, near its caches."""
ON_ACCELERATOR = 2**21
"""The same on an accelerator, whose memory holds them all: about 700 MB."""
SHORT = 0.1
"""Seconds of work that are asked of a device at a time, or less: it is stopped in between."""


def prepare(
    job: Job, *, shape: Shape | None = None, devices: tuple[Any, ...] | None = None
) -> XlaJob:
    """Pack a job's numbers. Code compiles when paths are first run: it depends on their number.

    shape: code that serves several jobs (`pack.shape_of`); the job's own by default.
    devices: all local ones by default.
    """
    return XlaJob(job, shape or job_shape(job), devices or tuple(jax.local_devices()))


def batch_paths(policies: int, paths: int, devices: tuple[Any, ...]) -> int:
    """Paths of a batch: of one size, the fewest batches that fit, as even as can be."""
    lanes = ON_PROCESSOR if devices[0].platform == "cpu" else ON_ACCELERATOR
    unit = PATHS * len(devices)
    most = max(1, lanes // (padded(policies) * PATHS)) * unit
    batches = -(-paths // most)
    return -(-paths // (batches * unit)) * unit


def padded(policies: int) -> int:
    """Policies that are computed for so many."""
    return -(-policies // LANES) * LANES


def batch_bytes(shape: Shape, policies: int, width: int, devices: tuple[Any, ...]) -> int:
    """What the largest batch takes: accounts and paths twice, outcomes there and here."""
    account, outcome = len(names(rules_of(shape).account)), len(outcome_fields(shape))
    path = len(names(market_rules_of(shape).state)) + len(Tick._fields)
    each = 2 * padded(policies) * (account + outcome) + 2 * path
    return width * each * batch_paths(policies, 2**31, devices)


class XlaJob:
    """A market point and its policies, ready to run on any range of paths."""

    def __init__(self, job: Job, shape: Shape, devices: tuple[Any, ...]) -> None:
        simulation = job.simulation
        self.job = job
        self.devices = devices
        self._precision = simulation.precision
        self._dtype = np.dtype(simulation.precision)
        self._fields = len(outcome_fields(shape))
        mesh = Mesh(np.array(devices), (AXIS,))
        self._each = NamedSharding(mesh, PartitionSpec(AXIS))
        market = split(values(pack_market(job.market, simulation, shape)), self._dtype)
        fields = np.array(values(pack_policies(job.policies, simulation, shape)))
        missing = padded(fields.shape[1]) - fields.shape[1]
        policies = np.pad(fields, ((0, 0), (0, missing)), mode="edge").astype(self._dtype)
        numbers = Numbers(*market, policies, np.array(seed_words(simulation.seed), np.uint32))
        with self._typed():
            self._numbers = jax.device_put(numbers, NamedSharding(mesh, PartitionSpec()))
            self._loops = loops(shape, self._precision, mesh)

    def run(
        self,
        first_path: int,
        n_paths: int,
        *,
        stop: threading.Event | None = None,
        advance: Advance | None = None,
    ) -> Outcomes:
        """Outcomes of n_paths paths from first_path on.

        stop: when set, the run ends with `Stopped` once the work in flight, a fraction of a second,
        or compiling is done. advance: called with the policy-steps just done.
        """
        n_policies = len(self.job.policies)
        outcomes = np.full((self._fields, n_policies, n_paths), np.nan, self._dtype)
        market = np.full((2, n_paths), np.nan, self._dtype)
        batch = batch_paths(n_policies, n_paths, self.devices)
        with self._typed():
            for at in range(0, n_paths, batch):
                size = min(batch, n_paths - at)
                found, returns = self._batch(
                    first_path + at, batch, stop or threading.Event(), _per(advance, size)
                )
                outcomes[:, :, at : at + size] = found[:, :n_policies, :size]
                market[:, at : at + size] = returns[:, :size]
        return Outcomes(outcomes, market)

    def _batch(
        self, first_path: int, paths: int, stop: threading.Event, done: Advance
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Outcomes [fields, padded policies, paths] and leg returns [2, paths]."""
        numbers, steps = self._numbers, self.job.simulation.steps
        path = (first_path + np.arange(paths, dtype=np.uint64)).astype(np.uint32)
        carry: Carry = self._loops.start(numbers, jax.device_put(path, self._each))
        at, n, policies = 0, 1, len(self.job.policies)
        while at < steps:
            if stop.is_set():
                raise Stopped
            n = min(n, steps - at)
            begun = time.perf_counter()
            carry = self._loops.advance(numbers, carry, np.uint32(at), np.uint32(at + n))
            jax.block_until_ready(carry)
            done(n * policies)
            at, took = at + n, time.perf_counter() - begun
            n = 2 * n if took < SHORT / 2 else max(1, n // 2) if took > SHORT else n
        found, returns = self._loops.close(numbers, carry)
        return np.asarray(found), np.asarray(returns)

    def _typed(self) -> Any:
        """64-bit types on or off as the precision asks, here and in this thread alone."""
        return jax.enable_x64(self._precision == "float64")


def _per(advance: Advance | None, paths: int) -> Advance:
    """Tell of steps of so many paths."""

    def tell(steps: int) -> None:
        if advance is not None:
            advance(steps * paths)

    return tell
