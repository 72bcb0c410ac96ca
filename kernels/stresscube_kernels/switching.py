"""Markov chains inside a step: which state a random word leads to, without a branch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .ops import Ops


def pick(ops: Ops, index: Any, values: Sequence[Any]) -> Any:
    """values[index] for a real index, by selection: no gather, so it vectorises."""
    chosen = values[0]
    for k, value in enumerate(values[1:], start=1):
        chosen = ops.where(index > k - 0.5, value, chosen)
    return chosen


def row(ops: Ops, state: Any, states: Sequence[Any]) -> list[Any]:
    """The cumulative transition probabilities out of the current state."""
    return [pick(ops, state, [s.next[k] for s in states]) for k in range(len(states) - 1)]


def starts(states: Sequence[Any]) -> list[Any]:
    """The cumulative probabilities of the state at time 0."""
    return [s.start for s in states[:-1]]


def switch(ops: Ops, word: Any, cumulative: Sequence[Any]) -> Any:
    """The state a random word falls in: how many cumulative probabilities it reaches.

    The comparison is between integers, so every backend and precision takes the same switches;
    31 bits of the word are used, so that probabilities 0 and 1 are exact.
    """
    high = word >> ops.u32(1)
    reached: Any = 0.0
    for threshold in cumulative:
        reached = reached + ops.where(high < threshold, 0.0, 1.0)
    return reached
