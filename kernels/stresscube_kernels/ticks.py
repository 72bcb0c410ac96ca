"""Which regimes and events a tick's `state` stands for: small integers, exact in float32."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .contract import Tick
from .ops import Ops

CORRELATION = 8.0
FUNDING = 64.0
DUE = 512.0
JUMPED = 1024.0


def pack(regime: Any, correlation_regime: Any, funding_regime: Any, due: Any, jumped: Any) -> Any:
    """One number: the chains' states below 8 each, then whether funding is due, then jumps."""
    chains = regime + CORRELATION * correlation_regime + FUNDING * funding_regime
    return chains + DUE * due + JUMPED * jumped


def regime(ops: Ops, state: Any) -> Any:
    """The regime of the step, an unsigned integer."""
    # Added to 2^23 a small integer stands in the last bits of float32's significand.
    return ops.f2bits(state + 8388608.0) & (ops.u32(int(CORRELATION) - 1))


def jumped(state: Any) -> Any:
    """Whether a jump, spike or shock fell inside the step (b)."""
    return state > JUMPED - 0.5


def due(ops: Ops, state: Any) -> Any:
    """Whether funding is paid at the step's end (b)."""
    return ops.where(jumped(state), state - JUMPED, state) > DUE - 0.5


class Extremes(NamedTuple):
    """How far prices went inside a step, as simple returns from its start: low <= 0 <= high.

    Both hold the step's own return. coincidence: 1 where a leg's worst price meets the other's
    worst, 0 where it meets the other's best, or a weight between.
    """

    low_a: Any
    high_a: Any
    low_b: Any
    high_b: Any
    coincidence: Any


def with_extremes(tick: Tick, extremes: Extremes) -> Tick:
    """A tick that holds extremes, in the fields of what they stand in for: the bridge.

    The mispricing's field is free because a recorded history has no fair price.
    """
    return tick._replace(
        variance_a=extremes.low_a,
        covariance=extremes.high_a,
        variance_b=extremes.low_b,
        bridge=extremes.high_b,
        mispricing=extremes.coincidence,
    )


def extremes(tick: Tick) -> Extremes:
    """The extremes that a tick holds; only where the code has the feature `intrabar`."""
    return Extremes(tick.variance_a, tick.covariance, tick.variance_b, tick.bridge, tick.mispricing)


class Unpacked(NamedTuple):
    """What `state` stands for, as integer arrays of its shape."""

    regime: NDArray[np.int64]
    correlation_regime: NDArray[np.int64]
    funding_regime: NDArray[np.int64]
    due: NDArray[np.int64]
    jumped: NDArray[np.int64]


def unpack(state: NDArray[Any]) -> Unpacked:
    """The parts of an array of states, for looking at tapes."""
    whole = state.astype(np.int64)
    return Unpacked(whole & 7, whole >> 3 & 7, whole >> 6 & 7, whole >> 9 & 1, whole >> 10 & 1)
