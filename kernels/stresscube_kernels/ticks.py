"""Which regimes and events a tick's `state` stands for: small integers, exact in float32."""

from __future__ import annotations

from typing import Any

from .ops import Ops

CORRELATION = 8.0
FUNDING = 64.0
DUE = 512.0
JUMPED = 1024.0


def pack(regime: Any, correlation_regime: Any, funding_regime: Any, due: Any, jumped: Any) -> Any:
    """One number: the chains' states below 8 each, then whether funding is due, then jumps."""
    chains = regime + CORRELATION * correlation_regime + FUNDING * funding_regime
    return chains + DUE * due + JUMPED * jumped


def jumped(state: Any) -> Any:
    """Whether a jump, spike or shock fell inside the step (b)."""
    return state > JUMPED - 0.5


def due(ops: Ops, state: Any) -> Any:
    """Whether funding is paid at the step's end (b)."""
    return ops.where(jumped(state), state - JUMPED, state) > DUE - 0.5
