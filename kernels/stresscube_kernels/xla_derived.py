"""Sums of expected outcomes over paths, and their derivatives along directions, batch by batch.

Derivatives are carried forward with the step (forward mode), so that they need no memory of the
steps behind: a batch takes paths x policies x (1 + directions) accounts, however long the horizon.
Backward mode would keep, or compute again, every step of every path, and give one number's
derivative at a time, where here every statistic of every batch has its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from numpy.typing import NDArray

from .contract import Shape, Tick
from .pack import pack_policies, seed_words
from .pack_market import pack_market, split
from .rules import market_rules_of, rules_of
from .spec import Job
from .tree import names, values
from .xla import local_devices
from .xla_expected import BATCHES, Softness, compiled, statistics
from .xla_steps import AXIS, Numbers

Array = NDArray[Any]
ON_PROCESSOR = 2**14
"""Accounts, those of the derivatives with them, that a processor takes at a time."""
ON_ACCELERATOR = 2**20


@dataclass(frozen=True, slots=True)
class Packed:
    """A job's numbers as kernels read them, float64. words: of the market, uint32.

    reals [n], table [m], policies [fields, policies].
    """

    reals: Array
    words: Array
    table: Array
    policies: Array


@dataclass(frozen=True, slots=True)
class Direction:
    """How a parameter moves what kernels read: derivatives of `Packed`'s reals."""

    reals: Array
    table: Array
    policies: Array


def pack(job: Job, shape: Shape) -> Packed:
    """The numbers of a job in the code of a shape."""
    market = split(values(pack_market(job.market, job.simulation, shape)), np.float64)
    fields = np.array(values(pack_policies(job.policies, job.simulation, shape)))
    return Packed(*market, fields)


def batch_paths(policies: int, directions: int, devices: Sequence[Any]) -> int:
    """Paths that are computed at a time, a multiple of BATCHES for each device."""
    lanes = ON_PROCESSOR if devices[0].platform == "cpu" else ON_ACCELERATOR
    wanted = lanes // (policies * (1 + directions)) // BATCHES
    return max(1, wanted) * BATCHES * len(devices)


def batch_bytes(shape: Shape, policies: int, directions: int, devices: Sequence[Any]) -> int:
    """About what a batch takes, whatever the number of steps: states before and after a step."""
    path = len(names(market_rules_of(shape).state)) + len(Tick._fields)
    account = len(names(rules_of(shape).account)) + len(statistics(2))
    each = 2 * 8 * (path + policies * account) * (1 + directions)
    return each * batch_paths(policies, directions, devices)


class Sums:
    """Sums of statistics over paths, for code of one shape, any numbers and any range of paths."""

    def __init__(self, shape: Shape, steps: int, seed: int) -> None:
        self.shape, self.steps = shape, np.uint32(steps)
        self.devices = local_devices()
        self._key = np.array(seed_words(seed), np.uint32)
        mesh = Mesh(np.array(self.devices), (AXIS,))
        self._each = NamedSharding(mesh, PartitionSpec(AXIS))

    def values(
        self, at: Packed, losses: Array, *, temperature: float, first_path: int, paths: int
    ) -> Array:
        """[statistics, policies, BATCHES]. first_path: a multiple of BATCHES."""
        return self._run(at, (), losses, temperature, first_path, paths)[0]

    def derived(
        self,
        at: Packed,
        moves: Sequence[Direction],
        losses: Array,
        *,
        temperature: float,
        first_path: int,
        paths: int,
    ) -> tuple[Array, Array]:
        """The same, and their derivatives [directions, statistics, policies, BATCHES]."""
        found, derivatives = self._run(at, moves, losses, temperature, first_path, paths)
        return found, derivatives

    def _run(
        self,
        at: Packed,
        moves: Sequence[Direction],
        losses: Array,
        temperature: float,
        first_path: int,
        paths: int,
    ) -> tuple[Array, Array]:
        policies = at.policies.shape[1]
        size = batch_paths(policies, len(moves), self.devices)
        each = BATCHES * len(self.devices)
        size = min(size, -(-paths // each) * each)
        shape = len(statistics(len(losses))), policies, BATCHES
        found, derived = np.zeros(shape), np.zeros((len(moves), *shape))
        calls = compiled(self.shape)
        with jax.enable_x64(True):
            numbers = Numbers(at.reals, at.words, at.table, at.policies, self._key)
            soft = Softness(np.float64(temperature), np.asarray(losses, np.float64))
            along = tuple(np.array(column) for column in zip(*map(_parts, moves), strict=True))
            for done in range(0, paths, size):
                here = first_path + done + np.arange(size, dtype=np.uint64)
                path = jax.device_put(here.astype(np.uint32), self._each)
                counts = jax.device_put((np.arange(size) < paths - done) * 1.0, self._each)
                if moves:
                    total, change = calls["derived"](
                        numbers, along, soft, path, counts, self.steps
                    )
                    derived += np.asarray(change)
                else:
                    total = calls["total"](numbers, soft, path, counts, self.steps)
                found += np.asarray(total)
        return found, derived


def _parts(move: Direction) -> tuple[Array, Array, Array]:
    return move.reals, move.table, move.policies
