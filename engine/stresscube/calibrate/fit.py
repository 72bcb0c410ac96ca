"""Fitting a design by maximum likelihood, and choosing among designs by BIC."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stresscube.calibrate.climb import ENOUGH, ROUGH, climbed, topped
from stresscube.calibrate.design import Design, Layer, correlation_of
from stresscube.calibrate.likelihood import Likelihood

Array = NDArray[np.float64]
Tell = Callable[[str], None]
SHORTEST = 1.0
"""Bars that a state lasts at least on average: what is shorter, bars cannot show."""
LIMITS = {"nu": (math.log(0.02), math.log(1e4)), "rho": (-7.0, 7.0)}
"""Of log(nu - 2) and atanh of a correlation."""
REACH = 5.0
"""By which a log deviation may move at most: a step too wide ends in numbers that there are not."""
QUICK = 40
"""Iterations before the curvature is looked at: it says little far from the top."""
HASTY = 3
"""Of them, so many that gain too little are the last."""
WORTH = 0.05
"""Log-likelihood for which a fit that is only compared takes another step."""
UNSHOWN = 0.01
"""Share of the information of seen states in the curvature with which a climb begins."""


@dataclass(frozen=True)
class Fit:
    """A design with the parameters that make the returns most likely. converged: whether the climb
    ended because nothing more was to be gained."""

    design: Design
    theta: Array
    log_likelihood: float
    bars: int
    converged: bool = True

    @property
    def bic(self) -> float:
        """Schwarz's criterion: the smaller the better."""
        return len(self.theta) * math.log(self.bars) - 2.0 * self.log_likelihood


def start(returns: Array, design: Design) -> Array:
    """Parameters to begin with: states spread evenly around the returns' moments."""
    sd = np.log(returns.std(axis=0))
    values: dict[str, float] = {}
    shift = 0.0
    for k, layer in enumerate(design.layers):
        spread = np.linspace(-0.7, 0.8, layer.states) if layer.states > 1 else np.zeros(1)
        rho = np.linspace(0.5, 1.5, layer.states) if layer.states > 1 else np.ones(1)
        centre = math.atanh(correlation_of(returns) * 0.999)
        for i in range(layer.states):
            values |= {f"{k}.nu{i}": math.log(4.0), f"{k}.rho{i}": centre * rho[i]}
            if layer.kind == "regime":
                values[f"{k}.rho{i}"] = centre
                values |= {f"{k}.{leg}{i}": sd[n] + spread[i] for n, leg in enumerate("ab")}
            else:
                values |= {f"{k}.{leg}{i}": 0.45 * i for leg in ("a", "b", "ab")}
        if layer.kind.startswith("volatilit"):
            shift += 0.45 * (layer.states - 1) / 2.0
        leaving = math.log(1.0 / layer.duration / max(1, layer.states - 1))
        pairs = ((i, j) for i in range(layer.states) for j in range(layer.states))
        values |= {f"{k}.q{i}{j}": leaving for i, j in pairs}
    for i in range(design.sizes[0]):
        for leg in "ab":
            values[f"0.{leg}{i}"] -= shift
    return np.array([values[name] for name in design.names])


def fit(returns: Array, design: Design, theta: Array | None = None, threads: int = 1) -> Fit:
    """The most likely parameters, from `theta` on: what `rough` finds, and its last digits."""
    return finished(returns, rough(returns, design, theta, threads), threads)


def rough(returns: Array, design: Design, theta: Array | None = None, threads: int = 1) -> Fit:
    """Parameters likely enough to compare designs, from `theta` on.

    Climbed at first in units of standard errors, were the states seen. Where that slows down the
    curvature says what there is still to gain: on 2021 to 2024, 15 units of log-likelihood for a
    fifth regime.
    """
    likelihood = Likelihood(returns, design, threads=threads)
    at = start(returns, design) if theta is None else theta
    unit = 1.0 / np.sqrt(likelihood.information(at))
    bounds = limits(design, at, len(returns))
    made = climbed(likelihood.slope, at, unit, bounds, enough=ROUGH, most=QUICK, lasting=HASTY)
    return _topped(likelihood, made.at, enough=ROUGH, worth=WORTH)


def finished(
    returns: Array, near: Fit, threads: int = 1, most: int = 400, enough: float = ENOUGH,
    goes_on: Callable[[], None] = lambda: None,
) -> Fit:  # fmt: skip
    """The most likely parameters, from a fit near by.

    goes_on: called now and then; what it raises ends the fit.
    """
    likelihood = Likelihood(returns, near.design, threads=threads)
    return _topped(likelihood, near.theta, enough=enough, most=most, goes_on=goes_on)


def _topped(
    likelihood: Likelihood, near: Array, *, enough: float, worth: float = 0.0, most: int = 400,
    goes_on: Callable[[], None] = lambda: None,
) -> Fit:  # fmt: skip
    """By steps that know the curvature.

    At first it is how far the slopes of parts of the bars scatter, which at the top is the same
    (Berndt, Hall, Hall and Hausman 1974), and a little of that of seen states, for what parts do
    not show.
    """

    def slope(at: Array) -> tuple[float, Array]:
        goes_on()
        return likelihood.slope(at)

    scores = likelihood.scores(near)
    curvature = scores.T @ scores + UNSHOWN * np.diag(likelihood.information(near))
    bounds = limits(likelihood.design, near, likelihood.bars)
    made = topped(slope, near, curvature, bounds, enough=enough, most=most, worth=worth)
    return Fit(likelihood.design, made.at, made.value, likelihood.bars, made.converged)


def limits(design: Design, theta: Array, bars: int) -> list[tuple[float, float]]:
    """Of every parameter: tails and correlations in reach of numbers, rates that bars can show."""
    slowest, fastest = -math.log(4.0 * bars), -math.log(SHORTEST)
    kinds = [name.split(".")[1].rstrip("0123456789") for name, _ in design.columns]
    near = [(value - REACH, value + REACH) for value in theta]
    found = [LIMITS.get(kind, around) for kind, around in zip(kinds, near, strict=False)]
    found += [(slowest, fastest)] * (len(design.names) - len(found))
    numbers = design.states(theta)
    for jump, place in design.jumping.items():
        first, count = design.returns.blocks[jump.regime]
        size = np.exp(numbers[:2, first : first + count].min(axis=1))
        found[place] = jump.bounds(size, bars)
    return found


def extended(before: Fit, layer: Layer) -> Array:
    """Where to begin with one more layer: the fit as it was, the new states close together."""
    design = replace(before.design, layers=(*before.design.layers, layer))
    known = dict(zip(before.design.names, before.theta, strict=True))
    new = len(before.design.layers)
    leaving = math.log(1.0 / layer.duration)
    values: list[float] = []
    for name in design.names:
        if name in known:
            shift = 0.3 if layer.kind.startswith("volatilit") and name[:3] in ("0.a", "0.b") else 0
            values.append(known[name] - shift)
        else:
            values.append(leaving if name.startswith(f"{new}.q") else 0.6 * int(name[-1]))
    return np.array(values)


def divided(before: Fit) -> tuple[Design, Array]:
    """A design with one more regime, and where to begin: the wildest regime in two."""
    first, *others = before.design.layers
    design = replace(before.design, layers=(replace(first, states=first.states + 1), *others))
    values = dict(zip(before.design.names, before.theta, strict=True))
    n = first.states
    wildest = max(range(n), key=lambda i: values[f"0.a{i}"])
    for leg in "ab"[: design.legs]:
        values[f"0.{leg}{n}"] = values[f"0.{leg}{wildest}"] + 0.5
        values[f"0.{leg}{wildest}"] -= 0.2
    values[f"0.nu{n}"] = values.get(f"0.nu{wildest}", 0.0)
    for i in range(n):
        values[f"0.q{i}{n}"] = math.log(0.02) if i != wildest else math.log(0.1)
        values[f"0.q{n}{i}"] = math.log(0.02) if i != wildest else math.log(0.3)
    return design, np.array([values[name] for name in design.names])


def dropped(before: Fit, chain: int, state: int) -> tuple[Design, Array]:
    """A design with a regime and its jumps, or a correlation, less, and where to begin."""
    kept = [i for i in range(before.design.sizes[chain]) if i != state]
    layers = list(before.design.layers)
    layers[chain] = replace(layers[chain], states=len(kept))
    jumps = before.design.jumps
    if chain == 0:
        staying = (jump for jump in jumps if jump.regime != state)
        jumps = tuple(replace(jump, regime=kept.index(jump.regime)) for jump in staying)
    design = replace(before.design, layers=tuple(layers), jumps=jumps)
    values = dict(zip(before.design.names, before.theta, strict=True))

    def known(name: str) -> str:
        first, rest = name.split(".", 1)
        if int(first) != chain:
            return name
        return f"{first}." + "".join(str(kept[int(c)]) if c.isdigit() else c for c in rest)

    return design, np.array([values[known(name)] for name in design.names])
