"""Continuous-time Markov chains per step: transition probabilities, stationary law, thresholds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .spec import ChainSpec

UNIT = 2**31
"""Probabilities are compared as integers in units of 2^-31."""


def generator(chain: ChainSpec) -> NDArray[np.float64]:
    """The rate matrix Q per year, shape [n, n]: rows sum to 0, absorbing rows are 0."""
    jumps = np.array(chain.jump_probabilities, np.float64)
    rates = 1.0 / np.array(chain.mean_durations, np.float64)  # inf gives 0: absorbing
    return rates[:, None] * (jumps - np.eye(len(rates)))


def transition_matrix(chain: ChainSpec, step: float) -> NDArray[np.float64]:
    """expm(Q step): probabilities of each state one step (years) later, shape [n, n]."""
    from scipy.linalg import expm

    return np.asarray(expm(generator(chain) * step), np.float64)


def stationary(chain: ChainSpec) -> NDArray[np.float64]:
    """The law pi with pi Q = 0 and sum 1, shape [n].

    Raises ValueError where it is not unique (two absorbing states, say).
    """
    rates = generator(chain)
    n = len(rates)
    if np.linalg.matrix_rank(rates) < n - 1:
        raise ValueError("the stationary law is not unique: name the initial state")
    system = np.vstack([rates.T / max(np.abs(rates).max(), 1e-300), np.ones(n)])
    law = np.linalg.lstsq(system, np.append(np.zeros(n), 1.0), rcond=None)[0]
    law = np.clip(law, 0.0, None)
    return law / law.sum()


def start_probabilities(chain: ChainSpec) -> NDArray[np.float64]:
    """The law of the state at time 0, shape [n]."""
    if chain.initial is None:
        return stationary(chain)
    return np.eye(len(chain.mean_durations))[chain.initial]


def cumulative(probabilities: NDArray[np.float64]) -> NDArray[np.uint32]:
    """Cumulative probabilities along the last axis, as integers from 0 to 2^31."""
    sums = np.clip(np.cumsum(probabilities, axis=-1), 0.0, 1.0)
    return np.round(sums * UNIT).astype(np.uint32)
