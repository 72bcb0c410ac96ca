"""A chunk of outcomes in float64, and how an estimate gets its error and batch means."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

Array: TypeAlias = Any
"""An array of numpy or of a namespace that works like it."""


class Estimate(NamedTuple):
    """value [row, ...], error of the same shape, batch [row, ..., batch] or None."""

    value: Array
    error: Array
    batch: Array | None = None


def namespace(array: Array) -> Any:
    """The module that made the array (numpy or cupy), without importing any."""
    return sys.modules[type(array).__module__.partition(".")[0]]


def to_host(array: Array) -> Array:
    """The array in numpy; a cupy array is copied from the device."""
    return array.get() if hasattr(array, "get") else array


def divide(xp: Any, numerator: Array, denominator: Array) -> Array:
    """numerator / denominator, NaN and no warning where the denominator is 0."""
    return numerator / xp.where(denominator != 0, denominator, xp.nan)


@dataclass(frozen=True, slots=True)
class Sample:
    """Some policies' outcomes on all paths; columns come as float64 [row, path].

    outcomes: the kernels' outcomes by name, each [row, path]. batches: number of batches. draws,
    group: as in `Context`; paths are then a multiple of both together.
    """

    xp: Any
    outcomes: Mapping[str, Array]
    batches: int
    draws: int = 0
    group: int = 1

    def __getitem__(self, name: str) -> Array:
        return self.xp.ascontiguousarray(self.outcomes[name], dtype=self.xp.float64)

    def ascending(self, name: str) -> Array:
        """The column sorted along paths: in the kernels' precision, as it came, for speed."""
        return self.xp.sort(self.outcomes[name], axis=-1).astype(self.xp.float64)

    @property
    def rows(self) -> int:
        return int(self.outcomes["final_equity"].shape[0])

    @property
    def paths(self) -> int:
        return int(self.outcomes["final_equity"].shape[1])

    def mean(self, column: Array) -> Array:
        """Mean over paths, [row]. A row's bits do not depend on the other rows."""
        return self.xp.sum(column, axis=-1) / self.paths

    def batch_means(self, column: Array) -> Array:
        """Mean over the paths of each batch, [row, batch]; NaN for a batch without paths."""
        xp, size = self.xp, self.batches
        if self.draws:
            return self.draw_batches(self.draw_sums(column)) / self.batch_sizes()
        whole = self.paths // size * size
        sums = xp.sum(column[:, :whole].reshape(column.shape[0], whole // size, size), axis=1)
        if whole < self.paths:
            sums[:, : self.paths - whole] += column[:, whole:]
        return divide(xp, sums, self.batch_sizes())

    def batch_sizes(self) -> Array:
        """Number of paths of each batch, [batch]."""
        sizes = self.xp.full(self.batches, self.paths // self.batches, dtype=self.xp.float64)
        sizes[: self.paths % self.batches] += 1.0
        return sizes

    def draw_sums(self, column: Array) -> Array:
        """Sum over the paths of each draw, [row, draw]."""
        grouped = column.reshape(column.shape[0], -1, self.draws, self.group)
        return self.xp.sum(self.xp.sum(grouped, axis=-1), axis=1)

    def draw_batches(self, sums: Array) -> Array:
        """Sum over the draws of each batch, [..., batch], of sums [..., draw]."""
        parts = sums.reshape(*sums.shape[:-1], self.draws // self.batches, self.batches)
        return self.xp.sum(parts, axis=-2)

    def clustered(self, sums: Array) -> Array:
        """Variance of a mean whose departures add up to these in each draw, [..., draw]."""
        total = self.xp.sum(sums * sums, axis=-1)
        return total * (self.draws / (self.draws - 1.0)) / self.paths**2

    def variance(self, influence: Array) -> Array:
        """Variance of an estimate with these influence values [row, path]; NaN for one path.

        Infinitesimal jackknife (Jaeckel 1972; Efron 1982, chapter 6) with n (n - 1) for n^2, so
        that a mean gets its textbook error. Of K draws of the market's numbers the paths of each
        are a cluster, and the variance that of the K clusters' means over K, K - 1 for K (Liang
        and Zeger 1986).
        """
        if self.draws:
            return self.clustered(self.draw_sums(influence))
        if self.paths < 2:
            return self.xp.full(influence.shape[0], self.xp.nan)
        total = self.xp.sum(influence * influence, axis=-1)
        return total / (self.paths * (self.paths - 1.0))

    def error(self, influence: Array) -> Array:
        """Standard error of an estimate with these influence values."""
        return self.xp.sqrt(self.variance(influence))

    def widening(self, event: Array, chosen: Array | None = None) -> Array:
        """By what clusters widen the error of the share of `event` among `chosen`, [row].

        Both [row, path] of bools, chosen all paths by default. The root of Kish's (1965) design
        effect: of the variance by clusters over that of independent paths.
        """
        xp = self.xp
        trials = xp.ones(event.shape) if chosen is None else chosen.astype(xp.float64)
        share = divide(xp, self.mean(event * trials), self.mean(trials))
        apart = (event - share[:, None]) * trials
        plain = xp.sum(apart * apart, axis=-1) / (self.paths * (self.paths - 1.0))
        found = xp.sqrt(divide(xp, self.variance(apart), plain))
        return xp.where(plain > 0.0, found, 1.0)

    def estimate(self, value: Array, influence: Array) -> Estimate:
        """Error and batch pseudo-means of a smooth functional from its influence values.

        A batch pseudo-mean is the value plus the mean influence of the batch's paths; of a
        mean it is the batch mean itself.
        """
        batch = value[:, None] + self.batch_means(influence)
        return Estimate(value, self.error(influence), batch)
