"""How much wider errors are where paths are windows of one history that overlap.

Two windows that share a fraction f of their bars have correlation f, where a path's outcome is a
sum over bars that are independent. From the windows that a run has follow the variance of the mean
of all paths and of each batch of them, and how far plain formulas are below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stresscube_kernels.replay import BATCHES
from stresscube_kernels.spec import ReplaySpec, SimulationSpec


class Overlap(NamedTuple):
    """Factors of variances, 1 where paths are independent.

    paths: of the squared error from the spread of paths. batches: from that of batch means.
    """

    paths: float = 1.0
    batches: float = 1.0


def overlap_of(market: ReplaySpec, simulation: SimulationSpec, paths: int) -> Overlap:
    """The factors of a replay's first paths, which are windows or resampled, then independent."""
    if market.method == "bootstrap" or paths < 2:
        return Overlap()
    from stresscube_kernels.view import window_bars  # which loads a compiler

    starts = window_bars(market, simulation, 0, paths)
    return overlap_of_windows(starts, simulation.steps)


def overlap_of_windows(starts: NDArray[np.int64], steps: int) -> Overlap:
    """The factors of windows of `steps` bars with these starts [path].

    With V the variance of the mean of all over that of one, the spread of N paths has the mean
    1 - V times N / (N - 1), and its plain error is off by V (N - 1) / (1 - V); the spread of B
    batch means, of mean variance W, by V (B - 1) / (W - V). Infinite where all paths are one.
    """
    count, batches = len(starts), min(BATCHES, len(starts))
    if np.diff(np.sort(starts)).min(initial=steps) >= steps:
        return Overlap()
    whole = variance_of_mean(starts, steps)
    parts = [variance_of_mean(starts[batch::BATCHES], steps) for batch in range(batches)]
    return Overlap(
        _factor(whole * (count - 1), 1.0 - whole),
        _factor(whole * (batches - 1), float(np.mean(parts)) - whole),
    )


def variance_of_mean(starts: Sequence[int] | NDArray[np.int64], steps: int) -> float:
    """The variance of the mean of windows over that of one."""
    first = np.sort(np.asarray(starts, np.int64))
    sums = np.concatenate([[0], np.cumsum(first)])
    nearby = np.searchsorted(first, first + steps)  # later windows that share bars with each
    at = np.arange(len(first))
    later = nearby - at - 1
    apart = sums[nearby] - sums[at + 1] - later * first
    shared = later.sum() - apart.sum() / steps
    return float((len(first) + 2.0 * shared) / len(first) ** 2)


def _factor(numerator: float, denominator: float) -> float:
    return max(1.0, numerator / denominator) if denominator > 1e-12 else float("inf")
