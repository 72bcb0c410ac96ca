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


def start(ops: Ops, component: Component, word: Any, ages: tuple[Any, ...]) -> Any:
    """A component at time 0, in the long run of these numbers.

    ages: words for the ages of its last spikes; none where nothing spikes.

    Given when its spikes fell a component is normal, of variance std^2 + spike_std^2 W, where W
    sums their decays squared. Back in time these are R_k = exp(-(e_1 + ... + e_k) / E[W]), the
    e_i from Exp(1). The last four spikes are drawn and the older stand at their mean, R_4 E[W]:
    the variance is exact, and so is the shape where spikes are rare. Of the excess kurtosis,
    3/(2 E[W]) for spikes alone, the share (E[W] / (2 + E[W]))^4 is missing.
    """
    variance = component.std * component.std
    if ages:
        size = component.spike_std
        variance = variance + size * size * remembered(ops, component.spike_memory, ages)
    return ops.sqrt(variance) * special.normal(ops, word)


def remembered(ops: Ops, memory: Any, ages: tuple[Any, ...]) -> Any:
    """The sum of the squared decays of past spikes, memory its mean."""
    total: Any = 0.0
    age: Any = 0.0
    decay: Any = 0.0
    for word in ages:
        age = age + special.exponential(ops, word)
        decay = special.vanishing(ops, age / memory)
        total = total + decay
    return total + decay * memory


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
