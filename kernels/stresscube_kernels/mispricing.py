"""The mispricing x in leg b's log-price: Ornstein-Uhlenbeck components and their spikes."""

from __future__ import annotations

from typing import Any, NamedTuple

from . import special
from .contract import Component
from .jumps import happens
from .ops import Ops


class Moved(NamedTuple):
    """The components after a step, the noise variance of the step, and 1 where a spike fell."""

    components: tuple[Any, ...]
    variance: Any
    spiked: Any


def move(
    ops: Ops,
    components: tuple[Component, ...],
    values: tuple[Any, ...],
    noise: tuple[Any, ...],
    spikes: tuple[Any, ...],
) -> Moved:
    """One step of every component: decay, noise, and a spike where one occurs.

    noise: a word for each component. spikes: two words each, occurrence and size.
    """
    moved: list[Any] = []
    variance: Any = 0.0
    spiked: Any = 0.0
    for k, (component, value) in enumerate(zip(components, values, strict=False)):
        occurs = happens(ops, spikes[2 * k], component.spike_probability)
        size = component.spike_std * special.normal(ops, spikes[2 * k + 1])
        drift = component.decay * value + component.kick * special.normal(ops, noise[k])
        moved.append(drift + ops.where(occurs, size, 0.0))
        variance = variance + component.kick * component.kick
        spiked = ops.fmax(spiked, ops.where(occurs, 1.0, 0.0))
    return Moved(tuple(moved), variance, spiked)
