"""Gathering a block's outcomes batch by batch, in memory or in a scratch file.

Batches come as [field, policy, path] over all policies and some paths; metrics want all paths
of some policies. The file holds, batch after batch, one contiguous piece [field, policy, path]
for each chunk of policies, so that both sides read and write long runs by plain file access
(pages of a mapped file would count as the run's memory).
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stresscube.store.local import write_all


class Gathered(Protocol):
    """All outcomes of a block, gathered in batches of ascending paths."""

    def put(self, first_path: int, outcomes: NDArray[Any]) -> None:
        """Add one batch, [field, policy, path]."""
        ...

    def chunk(self, index: int) -> NDArray[Any]:
        """Return chunk `index` of the policies, [field, policy, all paths]."""
        ...

    def close(self) -> None:
        """Give back memory and disk."""
        ...


class InMemory:
    """Outcomes that came in one batch and stay where the backend put them, a card perhaps."""

    def __init__(self, shape: tuple[int, int, int], chunk: int) -> None:
        self._shape = shape
        self._chunk = chunk
        self._all: Any = np.empty((0, 0, 0))

    def put(self, first_path: int, outcomes: NDArray[Any]) -> None:
        if outcomes.shape != self._shape:
            raise ValueError(f"one batch of {self._shape} expected, got {outcomes.shape}")
        self._all = outcomes

    def chunk(self, index: int) -> Any:
        first = index * self._chunk
        return self._all[:, first : first + self._chunk]

    def close(self) -> None:
        self._all = np.empty((0, 0, 0))


class Spilled:
    """Outcomes in a scratch file that has no name, so nothing stays behind a killed run."""

    def __init__(
        self, shape: tuple[int, int, int], dtype: np.dtype[Any], chunk: int, folder: Path
    ) -> None:
        self._fields, self._policies, self._paths = shape
        self._dtype = dtype
        self._chunk = chunk
        self._batches: list[tuple[int, int]] = []
        folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115, close() does

    def put(self, first_path: int, outcomes: NDArray[Any]) -> None:
        paths = outcomes.shape[2]
        for first in range(0, self._policies, self._chunk):
            piece = np.ascontiguousarray(outcomes[:, first : first + self._chunk], self._dtype)
            write_all(self._file.fileno(), piece.data, self._offset(first_path, paths, first))
        self._batches.append((first_path, paths))

    def chunk(self, index: int) -> NDArray[Any]:
        first = index * self._chunk
        policies = min(self._chunk, self._policies - first)
        found = np.empty((self._fields, policies, self._paths), dtype=self._dtype)
        for first_path, paths in self._batches:
            piece = np.empty((self._fields, policies, paths), dtype=self._dtype)
            self._read(piece, self._offset(first_path, paths, first))
            found[:, :, first_path : first_path + paths] = piece
        return found

    def close(self) -> None:
        self._file.close()

    def _offset(self, first_path: int, paths: int, first_policy: int) -> int:
        before = first_path * self._policies + paths * first_policy
        return before * self._fields * self._dtype.itemsize

    def _read(self, into: NDArray[Any], offset: int) -> None:
        view = into.data.cast("B")
        done = 0
        while done < view.nbytes:
            count = os.preadv(self._file.fileno(), [view[done:]], offset + done)
            if not count:
                raise OSError("the scratch file of a block ended early")
            done += count
