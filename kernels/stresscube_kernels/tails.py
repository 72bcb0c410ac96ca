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
LARGE = 1e6
"""Degrees of freedom beyond which V is expanded about 1."""
_SHIFT = 18  # 23 mantissa bits, of which 5 are kept
_BASE = 127 << 5  # the bin of 1.0


def mixing(ops: Ops, tails: Any, tail_word: Any, offset: Any) -> Any:
    """V for a tail probability in units of 2^-32 (a real from 1 to 2^32) and a regime's offset.

    The bin is the exponent and the upper mantissa bits: the float format is the logarithm.
    """
    bin_ = (ops.f2bits(tail_word) >> ops.u32(_SHIFT)) - ops.u32(_BASE)
    return ops.lookup(tails, bin_ + offset)


def table(dof: float) -> NDArray[np.float64]:
    """Bin means of V for nu = dof > 2 (inf: ones), shape [ENTRIES].

    With F_n the chi-squared law of n degrees, E[V; chi2 < c] = F_(nu - 2)(c). Beyond `LARGE`
    degrees the two laws differ by less than their rounding, and V is expanded instead.
    """
    octave, part = np.divmod(np.arange(ENTRIES), BINS_AN_OCTAVE)
    edges = 2.0**octave * (1.0 + part / BINS_AN_OCTAVE) / 2.0**OCTAVES
    edges[0] = 0.0
    below = _expanded(edges, dof) if dof > LARGE else _exact(edges, dof)
    means = np.ones(ENTRIES)
    means[:-1] = np.diff(below) / np.diff(edges)
    means[-1] = means[-2]  # the one word that rounds to 2^32
    return means


def _exact(p: NDArray[np.float64], dof: float) -> NDArray[np.float64]:
    """E[V; chi2 < its p-quantile]."""
    from scipy.stats import chi2

    return chi2.cdf(chi2.ppf(p, dof), dof - 2.0)


def _expanded(p: NDArray[np.float64], dof: float) -> NDArray[np.float64]:
    """The same by Cornish and Fisher's (1938) expansion: bin means to 300 nu^-3/2.

    chi2 = nu + z sqrt(2 nu) + 2/3 (z^2 - 1) + ..., z the normal p-quantile, makes
    V = 1 - z sqrt(2/nu) + 4/3 (z^2 - 1)/nu + ...; below z these have the integrals p, -phi(z)
    and -z phi(z).
    """
    from scipy.stats import norm

    z = norm.ppf(p[1:-1])  # at the ends phi is 0
    density = norm.pdf(z)
    terms = (2.0 / dof) ** 0.5 * density - 4.0 / (3.0 * dof) * z * density
    return p + np.pad(terms, 1)


def step(tail_word: Any, tail_wait: Any, word: Any, interval: Any, ops: Ops) -> tuple[Any, Any]:
    """The word in force and the steps it has left: a new one at every clock block."""
    due = tail_wait < 0.5
    in_force = ops.where(due, ops.u2f(word | ops.u32(1)), tail_word)
    return in_force, ops.where(due, interval, tail_wait) - 1.0
