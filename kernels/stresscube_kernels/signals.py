"""What a strategy sees at a step's start: volatility against its long run, trend, spread."""

from __future__ import annotations

from typing import Any

from .contract import Signals
from .ops import Ops


def averages(signals: Signals, variance: Any, drift: Any, mean_return: Any) -> tuple[Any, Any]:
    """Exponentially weighted variance and mean of the legs' mean return."""
    keep, take = signals.decay, 1.0 - signals.decay
    return (
        keep * variance + take * (mean_return * mean_return),
        keep * drift + take * mean_return,
    )


def trend(ops: Ops, signals: Signals, variance: Any, drift: Any) -> Any:
    """vol_ratio with the sign of the trend: one number for two signals."""
    ratio = ops.sqrt(variance / signals.variance)
    return ops.where(drift < 0.0, -ratio, ratio)


def spread(signals: Signals, x: Any, noise: Any) -> Any:
    """z: the mispricing and its noise in units of sd(x)."""
    return signals.scale * x + signals.noise * noise
