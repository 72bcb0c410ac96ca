"""A fit in the words of a scenario: regimes, a slow volatility chain, a correlation chain."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from stresscube.calibrate.design import Design, stationary

Array = NDArray[np.float64]
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
class Parts:
    """regimes: numbers are volatility a, b (a year) and degrees of freedom. volatility: numbers
    are multipliers a, b whose mean squares are 1. correlation: numbers are rho.
    """

    regimes: Chain
    volatility: Chain | None
    correlation: Chain


def parts(design: Design, theta: Array, hours: float) -> Parts:
    """What the parameters say, for bars of so many hours."""
    values = dict(zip(design.names, theta, strict=True))
    slow = [k for k, layer in enumerate(design.layers) if layer.kind.startswith("volatilit")]
    scale = np.ones(2)
    multipliers, generators = np.ones((1, 2)), np.zeros((1, 1))
    for k in slow:
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
    root = np.sqrt(HOURS_A_YEAR / hours) * scale
    sigma = np.array([
        [np.exp(values[f"0.{leg}{i}"]) for leg in "ab"] for i in range(design.sizes[0])
    ])  # fmt: skip
    dof = np.array([
        2.0 + np.exp(values[f"0.nu{i}"]) if design.tails else np.inf
        for i in range(design.sizes[0])
    ])  # fmt: skip
    at = next(k for k, layer in enumerate(design.layers) if layer.kind == "correlation")
    rho = np.array([[np.tanh(values[f"{at}.rho{i}"])] for i in range(design.sizes[at])])
    regimes = np.column_stack([sigma * root, dof])
    return Parts(
        _chain("regime", design.generator(theta, 0), regimes, hours),
        _chain("slow", generators, multipliers, hours) if slow else None,
        _chain("coupling", design.generator(theta, at), rho, hours),
    )


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


def _chain(word: str, generator: Array, numbers: Array, hours: float) -> Chain:
    order = np.argsort(numbers[:, 0], kind="stable")
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
    """Every number in a row, in the order of the chains: what errors are computed of."""
    chains = [found.regimes, *([found.volatility] if found.volatility else []), found.correlation]
    return reduce(
        lambda left, chain: np.concatenate([left, chain.durations, chain.numbers.ravel()]),
        chains,
        np.zeros(0),
    )
