"""Sums of expected outcomes over paths, and their derivatives along directions, batch by batch.

Derivatives are carried forward with the step (forward mode), so that they need no memory of the
steps behind: a batch takes paths x policies x (1 + directions) accounts, however long the horizon.
Backward mode would keep, or compute again, every step of every path, and give one number's
derivative at a time, where here every statistic of every batch has its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from .xla_expected import BATCHES, Softness, compiled
from .xla_steps import AXIS, Numbers

Array = NDArray[Any]
ON_PROCESSOR = 2**14
"""Accounts, those of the derivatives with them, that a processor takes at a time."""
ON_ACCELERATOR = 2**20
STATISTICS = 16
"""About as many as are asked for."""


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

    @property
    def market(self) -> bool:
        """Whether it moves the market."""
        return bool(self.reals.any() or self.table.any())


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
    account = len(names(rules_of(shape).account)) + STATISTICS
    each = 2 * 8 * (path + policies * account) * (1 + directions)
    return each * batch_paths(policies, directions, devices)


class Sums:
    """Sums of statistics over paths, for code of one shape, any numbers and any range of paths."""

    def __init__(self, shape: Shape, statistics: Sequence[str], steps: int, seed: int) -> None:
        self.shape, self.statistics, self.steps = shape, tuple(statistics), np.uint32(steps)
        self.devices = local_devices()
        self._key = np.array(seed_words(seed), np.uint32)
        mesh = Mesh(np.array(self.devices), (AXIS,))
        self._each = NamedSharding(mesh, PartitionSpec(AXIS))

    def values(
        self, at: Packed, losses: Array, *, temperature: float, first_path: int, paths: int
    ) -> Array:
        """[statistic, policies, BATCHES]. first_path: a multiple of BATCHES."""
        total = compiled(self.shape, self.statistics)["total"]
        numbers = self._numbers(at)

        def call(*rest: Any) -> Any:
            return total(numbers, *rest)

        policies = at.policies.shape[1]
        return self._sum(call, policies, 0, losses, temperature, first_path, paths)

    def derived(
        self,
        at: Packed,
        moves: Sequence[Direction],
        losses: Array,
        *,
        temperature: float,
        first_path: int,
        paths: int,
    ) -> Array:
        """Derivatives of `values`, [direction, statistic, policies, BATCHES]."""
        numbers, calls = self._numbers(at), compiled(self.shape, self.statistics)
        policies = at.policies.shape[1]
        found = np.zeros((len(moves), len(self.statistics), policies, BATCHES))
        for market in (False, True):
            these = [k for k, move in enumerate(moves) if move.market == market]
            if not these:
                continue
            chosen = [moves[k] for k in these]
            along: Any = np.array([move.policies for move in chosen])
            if market:
                reals, table = ([getattr(m, part) for m in chosen] for part in ("reals", "table"))
                along = np.array(reals), np.array(table), along
            derivative = calls["by_market" if market else "by_policy"]

            def call(*rest: Any, along: Any = along, derivative: Any = derivative) -> Any:
                return derivative(numbers, along, *rest)

            found[these] = self._sum(
                call, policies, len(these), losses, temperature, first_path, paths
            )
        return found

    def _numbers(self, at: Packed) -> Numbers:
        return Numbers(at.reals, at.words, at.table, at.policies, self._key)

    def _sum(
        self,
        call: Callable[..., Any],
        policies: int,
        directions: int,
        losses: Array,
        temperature: float,
        first_path: int,
        paths: int,
    ) -> Array:
        """The sum over batches of paths of what a call makes of each."""
        size = batch_paths(policies, directions, self.devices)
        each = BATCHES * len(self.devices)
        size = min(size, -(-paths // each) * each)
        parts: list[Array] = []
        with jax.enable_x64(True):
            soft = Softness(np.float64(temperature), np.asarray(losses, np.float64))
            for done in range(0, paths, size):
                here = first_path + done + np.arange(size, dtype=np.uint64)
                path = jax.device_put(here.astype(np.uint32), self._each)
                counts = jax.device_put((np.arange(size) < paths - done) * 1.0, self._each)
                parts.append(np.asarray(call(soft, path, counts, self.steps)))
        return np.sum(parts, axis=0)
