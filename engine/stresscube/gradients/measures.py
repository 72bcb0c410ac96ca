"""Metrics as smooth functions of mean statistics, with derivatives and errors from batches.

A metric is arithmetic on means over paths. Along a direction its derivative is the imaginary part
of the metric at means + i epsilon (their derivatives), over epsilon: exact to rounding (Squire and
Trapp 1998). Errors of values and of derivatives are those of the jackknife that leaves out one
batch of paths after the other (Quenouille 1956; Tukey 1958).

Expected shortfall is loss V + mean((loss - V)+) / (1 - level), which is least at V = value at risk
(Rockafellar and Uryasev 2000); so V's own derivative does not count, and V is a constant here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stresscube.errors import StresscubeError
from stresscube.metrics.context import LEVELS
from stresscube.metrics.registry import METRICS
from stresscube.text import listing, suggest

Array = NDArray[Any]
EPSILON = 1e-30
SHORTFALL = "expected_shortfall"
BEYOND = "beyond_"
"""Followed by the number of a level: the statistic of an expected shortfall."""


@dataclass(frozen=True, slots=True)
class Known:
    """Mean statistics by name, [...], of so many paths, and what is constant.

    losses: {level: loss from which on it counts}. horizon: years.
    """

    means: Mapping[str, Array]
    paths: float
    losses: Mapping[float, Array]
    horizon: float


def _mean(name: str) -> Callable[[Known], Array]:
    return lambda it: it.means[name]


def _std(it: Known) -> Array:
    first, second = it.means["power_1"], it.means["power_2"]
    return np.sqrt((second - first * first) * (it.paths / (it.paths - 1.0)))


def _ratio(deviation: Array, it: Known) -> Array:
    return it.means["power_1"] / deviation * (1.0 / it.horizon) ** 0.5


@dataclass(frozen=True, slots=True)
class Smooth:
    """A metric as arithmetic on the means of these statistics."""

    statistics: tuple[str, ...]
    of: Callable[[Known], Array]


def _means(*names: str) -> dict[str, Smooth]:
    return {f"{name}_mean": Smooth((name,), _mean(name)) for name in names}


POWERS = ("power_1", "power_2")
SMOOTH: dict[str, Smooth] = {
    "return_mean": Smooth(("power_1",), _mean("power_1")),
    "return_std": Smooth(POWERS, _std),
    "return_variance": Smooth(POWERS, lambda it: _std(it) ** 2),
    "sharpe": Smooth(POWERS, lambda it: _ratio(_std(it), it)),
    "sortino": Smooth(
        ("power_1", "downside"), lambda it: _ratio(np.sqrt(it.means["downside"]), it)
    ),
    "liquidation_probability": Smooth(("liquidated",), _mean("liquidated")),
    **_means(
        "max_drawdown", "turnover", "fees", "slippage", "funding", "liquidation_cost", "deficit",
        "pnl_a", "pnl_b", "pnl_mispricing",
    ),
}  # fmt: skip
"""Metrics without a level."""
NAMES = (*SMOOTH, SHORTFALL)


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric that can be differentiated; level: of an expected shortfall."""

    label: str
    name: str
    level: float | None

    def __call__(self, it: Known) -> Array:
        if self.level is None:
            return SMOOTH[self.name].of(it)
        share = round(1.0 - self.level, 12)
        return it.losses[self.level] + it.means[self.statistics[0]] / share

    @property
    def statistics(self) -> tuple[str, ...]:
        """What it is made of."""
        if self.level is None:
            return SMOOTH[self.name].statistics
        return (f"{BEYOND}{LEVELS.index(self.level)}",)

    @property
    def title(self) -> str:
        """What it is, in words."""
        if self.name == "return_variance":
            return "variance of the return over the horizon"
        return next(metric.long_name for metric in METRICS if metric.name == self.name)


def measure(label: str) -> Measure:
    """The measure of a name, as in "sharpe" or "expected_shortfall[0.99]".

    Raises StresscubeError for a name or level that there is not.
    """
    parts = re.fullmatch(r"([^\[\]]*)(?:\[(.*)\])?", label.strip())
    name, level = parts.groups() if parts else (label, None)
    if name not in NAMES:
        known = any(metric.name == name for metric in METRICS)
        why = "has no smooth estimate" if known else f"no such metric{suggest(name, NAMES)}"
        raise StresscubeError(f"of {label}: {why} (differentiable: {listing(NAMES, most=99)})")
    if name != SHORTFALL:
        if level is not None:
            raise StresscubeError(f"of {label}: {name} takes no value in brackets")
        return Measure(label, name, None)
    if level is None:
        return Measure(label, name, LEVELS[0])
    found = next((it for it in LEVELS if level in (str(it), f"{it:g}")), None)
    if found is None:
        raise StresscubeError(f"of {label}: the levels are {listing(LEVELS)}")
    return Measure(label, name, found)


@dataclass(frozen=True, slots=True)
class Sample:
    """Sums of statistics over the paths of each batch.

    sums: [statistic, policy, batch]; slopes: their derivatives [parameter, statistic, policy,
    batch]. sizes: paths of each batch. losses, horizon: as `Known`.
    """

    names: Sequence[str]
    sums: Array
    slopes: Array
    sizes: Array
    losses: Mapping[float, Array]
    horizon: float

    def estimate(self, it: Measure) -> tuple[Array, Array, Array, Array]:
        """Value and error [policy], gradient and error [parameter, policy]."""
        value, gradient = self._at(it, self.sums.sum(-1), self.slopes.sum(-1), self.sizes.sum())
        less = [
            self._at(
                it,
                self.sums.sum(-1) - self.sums[..., k],
                self.slopes.sum(-1) - self.slopes[..., k],
                self.sizes.sum() - self.sizes[k],
            )
            for k in np.flatnonzero(self.sizes)
        ]
        values, gradients = (np.array(column) for column in zip(*less, strict=True))
        return value, _jackknife(values), gradient, _jackknife(gradients)

    def _at(self, it: Measure, sums: Array, slopes: Array, paths: float) -> tuple[Array, Array]:
        means, moved = sums / paths, slopes / paths

        def known(values: Array) -> Known:
            named = dict(zip(self.names, values, strict=True))
            return Known(named, paths, self.losses, self.horizon)

        with np.errstate(divide="ignore", invalid="ignore"):
            value = it(known(means))
            along = [np.imag(it(known(means + 1j * EPSILON * slope))) / EPSILON for slope in moved]
        return value, np.array(along, np.float64).reshape(len(moved), *value.shape)


def _jackknife(less: Array) -> Array:
    """The error of what was computed without each batch in turn, the first axis."""
    batches = len(less)
    with np.errstate(invalid="ignore"):  # a policy that cannot open has infinities
        return np.sqrt((batches - 1) / batches * ((less - less.mean(axis=0)) ** 2).sum(axis=0))
