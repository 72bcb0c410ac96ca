"""The error of a difference between two cells of a cube that ran on the same paths."""

from __future__ import annotations

from typing import Any

import numpy as np


def paired_error(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Standard error of `first - second` from batch means, [..., batch], of one metric.

    Batches are independent, so the error is the standard deviation of the differences over
    the root of their number; with 32 batches it is itself uncertain by 13%. Batches without
    paths (NaN) are left out; NaN with fewer than two.
    """
    difference = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    known = np.isfinite(difference)
    number = known.sum(axis=-1, keepdims=True)
    some = np.maximum(number, 1)
    centred = np.where(known, difference, 0.0)
    centred = np.where(known, centred - centred.sum(axis=-1, keepdims=True) / some, 0.0)
    squares = (centred * centred).sum(axis=-1)
    pairs = np.maximum(number * (number - 1), 1)[..., 0]
    return np.where(number[..., 0] > 1, np.sqrt(squares / pairs), np.nan)
