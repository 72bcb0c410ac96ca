"""Shares of a metric's variance over a grid, by axis, with the noise of the estimates taken out.

Every value of an axis counts the same. The variance over the grid splits into main effects of
single axes and interactions (Fisher's analysis of variance; Sobol' 1993 for the shares; Homma and
Saltelli 1996 for total effects). Each part is a quadratic form in the estimates, so noise adds to
it that form's mean over the noise. Batch means measure this without bias, with all correlation
between cells; without them cells count as independent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of the variance of the true values over the grid.

    main: of each axis alone; total: of all that involves the axis; both [axis], with errors from
    the jackknife over batches (NaN without batch means). interactions: what the main effects
    leave, with its error. noise: share of the estimates' variance that is noise. variance: of the
    true values. Unbiased parts may fall below 0.
    """

    main: Floats
    main_se: Floats
    total: Floats
    total_se: Floats
    interactions: float
    interactions_se: float
    noise: float
    variance: float


def shares(values: Floats, errors: Floats, batches: Floats | None) -> Shares:
    """Split the variance of a complete grid. values, errors: [axis 1, ...]; batches: [..., batch].

    Shares are NaN where the estimates differ by no more than their noise.
    """
    axes = values.ndim
    raw = parts(values)
    if batches is None:
        noise = _independent(errors)
        again = None
    else:
        number = batches.shape[-1]
        middle = batches.mean(axis=-1, keepdims=True)
        apart = np.moveaxis(batches - middle, -1, 0)
        noise = np.sum([parts(it) for it in apart], axis=0) / (number * (number - 1))
        again = np.array([_split(parts(values - it / (number - 1)) - noise, axes) for it in apart])
    found = _split(raw - noise, axes)
    error = np.full(len(found), np.nan)
    if again is not None:
        number = len(again)
        error = np.sqrt((number - 1) / number * ((again - again.mean(axis=0)) ** 2).sum(axis=0))
    return Shares(
        main=found[:axes],
        main_se=error[:axes],
        total=found[axes:-1],
        total_se=error[axes:-1],
        interactions=float(found[-1]),
        interactions_se=float(error[-1]),
        noise=float(noise[-1] / raw[-1]) if raw[-1] > 0 else float("nan"),
        variance=float(raw[-1] - noise[-1]),
    )


def parts(values: Floats) -> Floats:
    """Return mean squares over the grid: each axis' main effect, its total effect, and all."""
    every = tuple(range(values.ndim))
    centred = values - values.mean()
    main = [_square(centred.mean(axis=tuple(it for it in every if it != axis))) for axis in every]
    total = [_square(centred - centred.mean(axis=axis, keepdims=True)) for axis in every]
    return np.array([*main, *total, _square(centred)])


def _square(values: Floats) -> float:
    return float((values * values).mean())


def _independent(errors: Floats) -> Floats:
    """Return what independent errors add to `parts` on average."""
    square = errors**2
    mean, cells = float(square.mean()), errors.size
    main = [mean * (size - 1) / cells for size in errors.shape]
    total = [mean * (1.0 - 1.0 / size) for size in errors.shape]
    return np.array([*main, *total, mean * (1.0 - 1.0 / cells)])


def _split(signal: Floats, axes: int) -> Floats:
    """Return shares: main effects, total effects, interactions."""
    whole = signal[-1]
    if not whole > 0:
        return np.full(2 * axes + 1, np.nan)
    main, total = signal[:axes] / whole, signal[axes:-1] / whole
    return np.array([*main, *total, 1.0 - main.sum()])


def complete(known: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.intp]]:
    """Return the values of each axis that make a grid without a gap, as indices.

    As long as there is a gap, the value with the largest share of gaps is left out, the later one
    of two alike. Some axis comes back empty if nothing is known.
    """
    kept: list[npt.NDArray[np.intp]] = [np.arange(size) for size in known.shape]
    while kept and all(it.size for it in kept):
        gaps = ~known[np.ix_(*kept)]
        if not gaps.any():
            break
        share = [
            gaps.mean(axis=tuple(it for it in range(gaps.ndim) if it != axis))
            for axis in range(gaps.ndim)
        ]
        axis = max(range(gaps.ndim), key=lambda it: float(share[it].max()))
        last = len(kept[axis]) - 1 - int(np.argmax(share[axis][::-1]))
        kept[axis] = np.delete(kept[axis], last)
    return kept
