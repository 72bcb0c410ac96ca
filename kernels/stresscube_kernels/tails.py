"""Student-t returns as a normal mixture: the mixing variable by table.

Bivariate Student-t of unit variance is sqrt(V) times a bivariate normal with
V = (nu - 2) / chi2_nu. The table holds means of V over bins of its tail probability p that are
uniform in log p: large V, which makes the tails, is resolved as finely as small. Because
entries are bin means, E[V] is exactly 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .ops import Ops

BINS_AN_OCTAVE = 32
OCTAVES = 32
ENTRIES = OCTAVES * BINS_AN_OCTAVE + 1
_SHIFT = 18  # 23 mantissa bits, of which 5 are kept
_BASE = 127 << 5  # the bin of 1.0


def mixing(ops: Ops, tails: Any, tail_word: Any, offset: Any) -> Any:
    """V for a tail probability in units of 2^-32 (a real from 1 to 2^32) and a regime's offset.

    The bin is the exponent and the upper mantissa bits: the float format is the logarithm.
    """
    bin_ = (ops.f2bits(tail_word) >> ops.u32(_SHIFT)) - ops.u32(_BASE)
    return ops.lookup(tails, bin_ + offset)


def table(dof: float) -> NDArray[np.float64]:
    """Bin means of V for nu = dof (inf: ones), shape [ENTRIES].

    With F_n the chi-squared law of n degrees, E[V; chi2 < c] = F_(nu - 2)(c).
    """
    if np.isinf(dof):
        return np.ones(ENTRIES)
    from scipy.stats import chi2

    octave, part = np.divmod(np.arange(ENTRIES), BINS_AN_OCTAVE)
    edges = 2.0**octave * (1.0 + part / BINS_AN_OCTAVE) / 2.0**OCTAVES
    edges[0] = 0.0
    edges = np.append(edges[:-1], [1.0, 1.0])
    below = chi2.cdf(chi2.ppf(edges, dof), dof - 2.0)
    means = np.ones(ENTRIES)
    means[:-1] = np.diff(below[:-1]) / np.diff(edges[:-1])
    means[-1] = means[-2]  # the one word that rounds to 2^32
    return means


def step(tail_word: Any, tail_wait: Any, word: Any, interval: Any, ops: Ops) -> tuple[Any, Any]:
    """The word in force and the steps it has left: a new one at every clock block."""
    due = tail_wait < 0.5
    in_force = ops.where(due, ops.u2f(word | ops.u32(1)), tail_word)
    return in_force, ops.where(due, interval, tail_wait) - 1.0
