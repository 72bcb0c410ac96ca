"""Which market is fitted: its independent chains, and what each of their states may change.

The hidden state of a bar is one state of every chain together. Its four numbers (log deviations of
the legs, atanh of the correlation, log(nu - 2)) are sums of parameters, one for each chain's state,
so a design is a matrix. A chain's other parameters are the logs of its rates, in bars.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stresscube.calibrate.densities import Jump, Returns

Array = NDArray[np.float64]
GAUSSIAN = 1e6
"""Degrees of freedom, less 2, of returns without tails."""
DEVIATION_A, DEVIATION_B, CORRELATION, TAIL = range(4)


@dataclass(frozen=True)
class Layer:
    """One chain. kind: "regime", "volatility" (a multiplier of both legs), "volatilities" (one
    for each leg) or "correlation". duration: mean bars in a state, where a fit begins. own: so many
    regimes, the last, have a correlation of their own whatever the correlation chain says.
    """

    kind: str
    states: int
    duration: float
    own: int = 0


@dataclass(frozen=True)
class Design:
    """A market of layers, the first its regimes.

    tails: whether returns are Student-t. jumps: what some regimes have besides. legs: 2, or 1 where
    leg b is only what leg a does and what reverts, so that leg a's returns say everything.
    """

    layers: tuple[Layer, ...]
    tails: bool = True
    jumps: tuple[Jump, ...] = ()
    legs: int = 2

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

        first = self.layers[0]
        chained = self.index[:, 0] < first.states - first.own
        for k, layer in enumerate(self.layers):
            for i in range(layer.states):
                on = self.index[:, k] == i
                if layer.kind == "correlation":
                    if self.legs > 1:
                        add(f"{k}.rho{i}", on & chained, CORRELATION)
                elif layer.kind == "regime":
                    add(f"{k}.a{i}", on, DEVIATION_A)
                    if self.legs > 1:
                        add(f"{k}.b{i}", on, DEVIATION_B)
                    if self.tails:
                        add(f"{k}.nu{i}", on, TAIL)
                    if i >= first.states - first.own:
                        add(f"{k}.rho{i}", on, CORRELATION)
                elif i > 0 and (layer.kind == "volatility" or self.legs == 1):
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
        """Every parameter: those of the states, each chain's rates "0.q01", those of the jumps."""
        rates = [
            f"{k}.q{i}{j}"
            for k, size in enumerate(self.sizes)
            for i in range(size)
            for j in range(size)
            if i != j
        ]
        jumps = [name for jump in self.jumps for name in jump.names]
        return (*(name for name, _ in self.columns), *rates, *jumps)

    @cached_property
    def rates(self) -> tuple[slice, ...]:
        """Where each chain's log rates stand among the parameters."""
        found: list[slice] = []
        at = len(self.columns)
        for size in self.sizes:
            found.append(slice(at, at + size * (size - 1)))
            at += size * (size - 1)
        return tuple(found)

    @cached_property
    def jumping(self) -> dict[Jump, slice]:
        """Where the jumps' parameters stand."""
        found: dict[Jump, slice] = {}
        at = self.rates[-1].stop
        for jump in self.jumps:
            found[jump] = slice(at, at + len(jump.fields))
            at += len(jump.fields)
        return found

    @cached_property
    def returns(self) -> Returns:
        """What makes densities of the states' numbers."""
        block = len(self.index) // self.sizes[0]
        return Returns(self.legs, tuple((i * block, block) for i in range(self.sizes[0])))

    def states(self, theta: Array) -> Array:
        """Log deviations, atanh of the correlation, log(nu - 2) of every state, [4, states]."""
        made = self.matrix @ theta[: len(self.columns)]
        if not self.tails:
            made[TAIL] = np.log(GAUSSIAN)
        return made

    def generator(self, theta: Array, chain: int) -> Array:
        """The chain's rate matrix per bar."""
        return generator(theta[self.rates[chain]], self.sizes[chain])

    def numbers(self, theta: Array) -> Array:
        """The states' numbers [states, 4]: deviations of a and b, correlation, nu."""
        made = self.states(theta).T.copy()
        made[:, :2] = np.exp(made[:, :2])
        made[:, CORRELATION] = np.tanh(made[:, CORRELATION])
        made[:, TAIL] = 2.0 + np.exp(made[:, TAIL])
        return made


def generator(logs: Array, size: int) -> Array:
    """The rate matrix of the logs of its rates, row by row; of several at once [..., rates]."""
    made = np.zeros((*logs.shape[:-1], size, size))
    made[..., ~np.eye(size, dtype=bool)] = np.exp(logs)
    made[..., range(size), range(size)] = -made.sum(axis=-1)
    return made


def over_a_bar(generator: Array) -> Array:
    """Probabilities of each state a bar later, the exponential of the rate matrix [..., n, n].

    The series of the matrix made positive, over a share of a bar short enough that twelve terms are
    all there are, and squared as often as makes a bar: no term is taken from another.
    """
    size = generator.shape[-1]
    fastest = float(np.abs(generator).max(initial=0.0))
    halvings = max(0, math.ceil(math.log2(4.0 * max(fastest, 1e-300))))
    share = fastest / 2.0**halvings
    one = np.eye(size)
    positive = np.maximum(generator / 2.0**halvings + share * one, 0.0)
    made = np.broadcast_to(one, generator.shape)
    for k in range(12, 0, -1):
        made = one + positive @ made / k
    made = math.exp(-share) * made
    for _ in range(halvings):
        made = made @ made
    return np.clip(made, 1e-300, None)


def correlation_of(returns: Array) -> float:
    """The correlation of the two columns of [n, 2]."""
    a, b = returns.T - returns.mean(axis=0)[:, None]
    return float((a @ b) / np.sqrt((a @ a) * (b @ b)))


def stationary(transitions: Array) -> Array:
    """The law that one step of a chain keeps, [..., n]."""
    n = transitions.shape[-1]
    system = np.swapaxes(transitions, -1, -2) - np.eye(n)
    system[..., -1, :] = 1.0
    ends = np.zeros((*transitions.shape[:-1], 1))
    ends[..., -1, :] = 1.0
    laws = np.asarray(np.linalg.solve(system, ends), np.float64)[..., 0]
    return np.clip(laws, 1e-12, None)
