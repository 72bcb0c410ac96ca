"""Which market is fitted: its independent chains, and what each of their states may change.

The hidden state of a bar is one state of every chain together. Its four numbers (log deviations of
the legs, atanh of the correlation, log(nu - 2)) are sums of parameters, one for each chain's state,
so a design is a matrix. A chain's other parameters are the logs of its rates, in bars.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
GAUSSIAN = 1e6
"""Degrees of freedom of returns without tails."""
DEVIATION_A, DEVIATION_B, CORRELATION, TAIL = range(4)


@dataclass(frozen=True)
class Layer:
    """One chain. kind: "regime", "volatility" (a multiplier of both legs), "volatilities" (one
    for each leg) or "correlation". duration: mean bars in a state, where a fit begins.
    """

    kind: str
    states: int
    duration: float


@dataclass(frozen=True)
class Design:
    """A market of layers, the first its regimes. tails: whether returns are Student-t."""

    layers: tuple[Layer, ...]
    tails: bool = True

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """States of each chain."""
        return tuple(layer.states for layer in self.layers)

    @cached_property
    def index(self) -> NDArray[np.int64]:
        """Each chain's state in every joint state, [states, chains]."""
        return np.array(list(np.ndindex(*self.sizes)))

    @cached_property
    def columns(self) -> tuple[tuple[str, Array], ...]:
        """Parameters of the densities: a name, and what each adds to a state's four numbers.

        Names: "0.a1" is leg a's of state 1 of chain 0; arrays are [4, states].
        """
        found: list[tuple[str, Array]] = []

        def add(name: str, on: NDArray[np.bool_], *numbers: int) -> None:
            column = np.zeros((4, len(self.index)))
            column[list(numbers)] = on
            found.append((name, column))

        for k, layer in enumerate(self.layers):
            for i in range(layer.states):
                on = self.index[:, k] == i
                if layer.kind == "correlation":
                    add(f"{k}.rho{i}", on, CORRELATION)
                elif layer.kind == "regime":
                    add(f"{k}.a{i}", on, DEVIATION_A)
                    add(f"{k}.b{i}", on, DEVIATION_B)
                    if self.tails:
                        add(f"{k}.nu{i}", on, TAIL)
                elif i > 0 and layer.kind == "volatility":
                    add(f"{k}.ab{i}", on, DEVIATION_A, DEVIATION_B)
                elif i > 0:
                    add(f"{k}.a{i}", on, DEVIATION_A)
                    add(f"{k}.b{i}", on, DEVIATION_B)
        return tuple(found)

    @cached_property
    def matrix(self) -> Array:
        """What the parameters of the densities add, [4, states, parameters]."""
        return np.stack([column for _, column in self.columns], axis=-1)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every parameter: those of the densities, then each chain's rates "0.q01"."""
        rates = [
            f"{k}.q{i}{j}"
            for k, size in enumerate(self.sizes)
            for i in range(size)
            for j in range(size)
            if i != j
        ]
        return (*(name for name, _ in self.columns), *rates)

    @cached_property
    def rates(self) -> tuple[slice, ...]:
        """Where each chain's log rates stand among the parameters."""
        found: list[slice] = []
        at = len(self.columns)
        for size in self.sizes:
            found.append(slice(at, at + size * (size - 1)))
            at += size * (size - 1)
        return tuple(found)

    def generator(self, theta: Array, chain: int) -> Array:
        """The chain's rate matrix per bar."""
        size = self.sizes[chain]
        made = np.zeros((size, size))
        made[~np.eye(size, dtype=bool)] = np.exp(theta[self.rates[chain]])
        np.fill_diagonal(made, -made.sum(axis=1))
        return made

    def numbers(self, theta: Array) -> Array:
        """The states' numbers [states, 4]: deviations of a and b, correlation, nu."""
        made = (self.matrix @ theta[: len(self.columns)]).T
        made[:, :2] = np.exp(made[:, :2])
        made[:, CORRELATION] = np.tanh(made[:, CORRELATION])
        made[:, TAIL] = 2.0 + np.exp(made[:, TAIL]) if self.tails else GAUSSIAN
        return made


def correlation_of(returns: Array) -> float:
    """The correlation of the two columns of [n, 2]."""
    a, b = returns.T - returns.mean(axis=0)[:, None]
    return float((a @ b) / np.sqrt((a @ a) * (b @ b)))


def stationary(transitions: Array) -> Array:
    """The law that one step of a chain keeps, shape [n]."""
    n = len(transitions)
    system = np.vstack([transitions.T - np.eye(n), np.ones(n)])
    law = np.linalg.lstsq(system, np.append(np.zeros(n), 1.0), rcond=None)[0]
    return np.asarray(np.clip(law, 1e-12, None), np.float64)
