"""Where the outcomes of a run's batches go: to their place on the card, or to the machine's memory.

Both hold per_policy [outcome field, policy, path] and market [2, path], and tell where a batch's
are gathered: arrays on the card, and the column of the first from which on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from .cards import cupy
from .oracle import Outcomes


class Gathering(Protocol):
    """Outcomes of one run, on their way in."""

    def place(self, turn: int, at: int, size: int) -> tuple[Any, Any, int]:
        """Where the outcomes and leg returns of paths [at, at + size) go, on stream `turn`."""
        ...

    def landed(self, turn: int, at: int, size: int, stream: Any) -> None:
        """Called when that batch is done, before the stream gets another."""
        ...

    def outcomes(self) -> Outcomes:
        """All of them, when all have landed."""
        ...


class OnCard:
    """Outcomes that stay on the card."""

    def __init__(self, fields: int, policies: int, paths: int, dtype: np.dtype[Any]) -> None:
        self._made = Outcomes(
            cupy().empty((fields, policies, paths), dtype),
            cupy().empty((2, paths), dtype),
        )

    def place(self, turn: int, at: int, size: int) -> tuple[Any, Any, int]:
        return self._made.per_policy, self._made.market[:, at : at + size], at

    def landed(self, turn: int, at: int, size: int, stream: Any) -> None: ...

    def outcomes(self) -> Outcomes:
        return self._made


class ToHost:
    """Outcomes that are copied to the machine's memory while the next batch runs."""

    def __init__(
        self, fields: int, policies: int, paths: int, dtype: np.dtype[Any], batch: int, streams: int
    ) -> None:
        rows = fields, policies
        self._rows = rows
        self._made = Outcomes(np.empty((*rows, paths), dtype), np.empty((2, paths), dtype))
        self._staged: Sequence[tuple[Any, Any]] = [
            (cupy().empty(rows[0] * policies * batch, dtype), cupy().empty(2 * batch, dtype))
            for _ in range(streams)
        ]

    def place(self, turn: int, at: int, size: int) -> tuple[Any, Any, int]:
        fields, policies = self._rows
        per_policy, market = self._staged[turn]
        gathered = per_policy[: fields * policies * size].reshape(fields, policies, size)
        return gathered, market[: 2 * size].reshape(2, size), 0

    def landed(self, turn: int, at: int, size: int, stream: Any) -> None:
        per_policy, market, _ = self.place(turn, at, size)
        self._made.per_policy[:, :, at : at + size] = per_policy.get(stream=stream)
        self._made.market[:, at : at + size] = market.get(stream=stream)

    def outcomes(self) -> Outcomes:
        return self._made
