"""A fit in the words of a scenario: regimes, a slow volatility chain, a correlation chain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stresscube.calibrate.basis import Component
from stresscube.calibrate.design import Design, stationary

Array = NDArray[np.float64]
Places = NDArray[np.int64]
HOURS_A_YEAR = 8760.0


@dataclass(frozen=True)
class Chain:
    """States in ascending order. names: of the states. durations: hours. next: [n, n].

    numbers: what the states carry, [n, k].
    """

    names: tuple[str, ...]
    durations: Array
    next: Array
    numbers: Array


@dataclass(frozen=True)
class Jumps:
    """Of the regime of this place in the chain. kind: "news", or "a" or "b" for one leg's.

    numbers: intensity a year, means, deviations (of each leg, or of the one), correlation of news.
    """

    regime: int
    kind: str
    numbers: Array


@dataclass(frozen=True)
class Parts:
    """regimes: numbers are volatility a, b (a year) and degrees of freedom. volatility: numbers
    are multipliers a, b whose mean squares are 1. correlation: numbers are rho. mispricing: what
    reverts of leg b's price, nothing where the legs are not cointegrated.
    """

    regimes: Chain
    volatility: Chain | None
    correlation: Chain
    mispricing: tuple[Component, ...] = ()
    jumps: tuple[Jumps, ...] = ()


def parts(design: Design, theta: Array, hours: float, like: Array | None = None) -> Parts:
    """What the parameters say, for bars of so many hours.

    like: parameters by which states ascend, these if None: draws of a market keep its order.
    """
    made = _Raw.of(design, theta, hours)
    order = (made if like is None else _Raw.of(design, like, hours)).order
    at = _of_kind(design, "correlation")
    rank = np.argsort(order[0])
    jumps = [
        Jumps(int(rank[jump.regime]), jump.kind, _jump(jump.kind, theta[place], hours))
        for jump, place in design.jumping.items()
    ]
    slow = _chain("slow", made.generator, made.multipliers, hours, order[1])
    return Parts(
        _chain("regime", design.generator(theta, 0), made.regimes, hours, order[0]),
        slow if len(made.multipliers) > 1 else None,
        _chain("coupling", design.generator(theta, at), made.rho, hours, order[2]),
        jumps=tuple(sorted(jumps, key=lambda jump: (jump.regime, jump.kind))),
    )


@dataclass(frozen=True)
class _Raw:
    """Numbers of the states in the order of the design: of regimes, of all slow layers together
    (with their rate matrix), of correlations."""

    regimes: Array
    multipliers: Array
    generator: Array
    rho: Array

    @classmethod
    def of(cls, design: Design, theta: Array, hours: float) -> _Raw:
        values = dict(zip(design.names, theta, strict=True))
        scale = np.ones(2)
        multipliers, generators = np.ones((1, 2)), np.zeros((1, 1))
        for k in (k for k, layer in enumerate(design.layers) if layer.kind.startswith("volatilit")):
            own = np.exp([
                [values.get(f"{k}.{leg}{i}", values.get(f"{k}.ab{i}", 0.0)) for leg in "ab"]
                for i in range(design.sizes[k])
            ])  # fmt: skip
            generator = design.generator(theta, k)
            mean = np.sqrt(_law(generator) @ own**2)
            scale *= mean
            multipliers = np.einsum("il,jl->ijl", multipliers, own / mean).reshape(-1, 2)
            generators = np.kron(generators, np.eye(len(own))) + np.kron(
                np.eye(len(generators)), generator
            )
        sigma = np.array([
            [np.exp(values.get(f"0.{leg}{i}", values[f"0.a{i}"])) for leg in "ab"]
            for i in range(design.sizes[0])
        ])  # fmt: skip
        dof = np.array([
            2.0 + np.exp(values[f"0.nu{i}"]) if design.tails else np.inf
            for i in range(design.sizes[0])
        ])  # fmt: skip
        at = _of_kind(design, "correlation")
        rho = [[np.tanh(values.get(f"{at}.rho{i}", 0.0))] for i in range(design.sizes[at])]
        regimes = np.column_stack([sigma * np.sqrt(HOURS_A_YEAR / hours) * scale, dof])
        return cls(regimes, multipliers, generators, np.array(rho))

    @property
    def order(self) -> tuple[Places, Places, Places]:
        """Which state is the first, the second, ... of each chain."""
        a, b, c = (
            np.argsort(numbers[:, 0], kind="stable")
            for numbers in (self.regimes, self.multipliers, self.rho)
        )
        return a, b, c


def _of_kind(design: Design, kind: str) -> int:
    return next(k for k, layer in enumerate(design.layers) if layer.kind == kind)


def saying(
    design: Design, hours: float, slope: float, mispricing: tuple[Component, ...],
    like: Array | None = None,
) -> Callable[[Array], Parts]:  # fmt: skip
    """What parameters of a design say, in the words of scenarios. like: as in `parts`.

    slope, mispricing: of leg b, where the design is of one leg.
    """

    def market(theta: Array) -> Parts:
        made = parts(design, theta, hours, like)
        return made if design.legs > 1 else tied(made, slope, mispricing)

    return market


def _jump(kind: str, values: Array, hours: float) -> Array:
    """A jump's parameters in the words of scenarios."""
    legs = 2 if kind == "news" else 1
    intensity = np.exp(values[:1]) * HOURS_A_YEAR / hours
    means, widths = values[1 : 1 + legs], np.exp(values[1 + legs : 1 + 2 * legs])
    return np.concatenate([intensity, means, widths, np.tanh(values[1 + 2 * legs :])])


def tied(found: Parts, slope: float, mispricing: tuple[Component, ...]) -> Parts:
    """The market of cointegrated legs: what lasts of leg b's moves is slope times leg a's."""
    regimes = found.regimes.numbers.copy()
    regimes[:, 1] = abs(slope) * regimes[:, 0]
    slow = found.volatility
    if slow is not None:
        slow = replace(slow, numbers=np.repeat(slow.numbers[:, :1], 2, axis=1))
    one = Chain(("coupling-1",), np.full(1, np.inf), np.zeros((1, 1)), np.full((1, 1), 1.0))
    one.numbers[:] = np.sign(slope)
    regimes_of_both = replace(found.regimes, numbers=regimes)
    jumps = tuple(_of_both(jump, slope) for jump in found.jumps)
    return Parts(regimes_of_both, slow, one, mispricing, jumps)


def _of_both(jump: Jumps, slope: float) -> Jumps:
    """A jump of leg a as the news that leg b follows."""
    intensity, mean, width = jump.numbers
    numbers = [intensity, mean, slope * mean, width, abs(slope) * width, np.sign(slope)]
    return replace(jump, kind="news", numbers=np.array(numbers))


def layers(design: Design, theta: Array, hours: float) -> list[tuple[str, Array]]:
    """Each slow layer: in words, and (ratio a, ratio b, hours in the low, in the high state)."""
    values = dict(zip(design.names, theta, strict=True))
    found: list[tuple[str, Array]] = []
    for k, layer in enumerate(design.layers):
        if layer.kind.startswith("volatilit"):
            ratio = [values.get(f"{k}.{leg}1", values.get(f"{k}.ab1", 0.0)) for leg in "ab"]
            lasting = -hours / np.diag(design.generator(theta, k))
            found.append((layer.kind, np.array([*np.exp(ratio), *lasting])))
    return found


def _law(generator: Array) -> Array:
    made = stationary(np.eye(len(generator)) + generator / (2.0 * np.abs(generator).max()))
    return made / made.sum()


def _chain(word: str, generator: Array, numbers: Array, hours: float, order: Places) -> Chain:
    generator, numbers = generator[np.ix_(order, order)], numbers[order]
    rates = -np.diag(generator)
    going = np.zeros_like(generator)
    leaves = rates > 0.0
    going[leaves] = generator[leaves] / rates[leaves, None]
    np.fill_diagonal(going, 0.0)
    with np.errstate(divide="ignore"):
        durations = hours / rates
    names = tuple(f"{word}-{k + 1}" for k in range(len(order)))
    return Chain(names, durations, going, numbers)


def flat(found: Parts) -> Array:
    """Every number in a row, chains then jumps: what errors are computed of."""
    chains = [found.regimes, *([found.volatility] if found.volatility else []), found.correlation]
    rows = [row for chain in chains for row in (chain.durations, chain.numbers.ravel())]
    return np.concatenate([*rows, *(jump.numbers for jump in found.jumps)])
