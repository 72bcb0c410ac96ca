"""The density of funding prints given those before: a premium index seen through a clamp.

A print is max(min(I, P + c), P - c): above I it tells the premium, P = print + c, below I likewise
P = print - c, and at I only that P lies between I - c and I + c.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr

Array = NDArray[np.float64]
Leg = tuple[Array, Array, Array, Array]
UNIT = 1e-4
"""Premiums are in basis points."""
NODES, WEIGHTS = np.polynomial.legendre.leggauss(12)
FAR = 8.0
"""Standard deviations beyond which a normal has nothing."""
LEAST = 1e-300
ROOT_TAU = math.sqrt(2.0 * math.pi)


class Prints:
    """Prints [prints, 2] of both legs, and what they say of the premiums."""

    def __init__(self, prints: Array, interest: float, clamp: float) -> None:
        self.low, self.high = (interest - clamp) / UNIT, (interest + clamp) / UNIT
        self.at = np.abs(prints - interest) < 1e-8
        shift = np.where(prints > interest, clamp, -clamp)
        self.premium = np.where(self.at, 0.0, (prints + shift) / UNIT)
        self._rows = {
            (a, b): np.flatnonzero((self.at == (a, b)).all(axis=1)) for a in (0, 1) for b in (0, 1)
        }

    def __len__(self) -> int:
        return len(self.at)

    def log_density(self, legs: Sequence[Leg], rho: Array) -> Array:
        """Of every print in every state given the print before, [prints, n].

        legs: what `ahead` says of both. rho: correlation of their noise [n].
        """
        rest = np.sqrt(1.0 - rho * rho)
        found = np.empty((len(self), len(rho)))

        def seen(z: Array, root: Array) -> Array:
            return -0.5 * z * z - np.log(root * ROOT_TAU)

        rows = self._rows[0, 0]
        (z_a, _, _, root_a), (z_b, _, _, root_b) = ([x[rows] for x in leg] for leg in legs)
        found[rows] = seen(z_a, root_a) + seen((z_b - rho * z_a) / rest, rest * root_b)
        for rows, (told, cut) in ((self._rows[1, 0], legs[::-1]), (self._rows[0, 1], legs)):
            z, edge = told[0][rows], rho * told[0][rows]
            mass = _mass((cut[1][rows] - edge) / rest, (cut[2][rows] - edge) / rest)
            found[rows] = seen(z, told[3][rows]) + mass
        rows = self._rows[1, 1]
        (_, low_a, high_a, _), (_, low_b, high_b, _) = legs
        found[rows] = _rectangle(low_a[rows], high_a[rows], low_b[rows], high_b[rows], rho)
        return np.maximum(found, -1e4)

    def ahead(self, leg: int, mean: Array, std: Array, kept: Array) -> Leg:
        """Of one leg: innovations, the mass's edges as such, and the innovations' scale.

        mean, std: [n]. kept: share of a deviation that is left at the next print, [n].
        After a print at the mass the premium before is known by its first two moments only: those
        of a normal cut to the mass's reach.
        """
        at, premium = self.at[:, leg][:, None], self.premium[:, leg][:, None]
        low, high = (self.low - mean) / std, (self.high - mean) / std
        inside = np.maximum(ndtr(high) - ndtr(low), 1e-12)
        bell_low, bell_high = (np.exp(-0.5 * edge * edge) / ROOT_TAU for edge in (low, high))
        cut = (bell_low - bell_high) / inside
        spread = np.clip(1.0 + (low * bell_low - high * bell_high) / inside - cut * cut, 1e-6, 1.0)
        before = np.where(at, np.clip(cut, low, high), (premium - mean) / std)[:-1]
        doubt = np.where(at, spread, 0.0)[:-1]
        centre = np.vstack([np.zeros_like(mean), kept * before])
        root = np.sqrt(1.0 - kept * kept + kept * kept * np.vstack([np.ones_like(mean), doubt]))
        z = ((premium - mean) / std - centre) / root
        return z, (low - centre) / root, (high - centre) / root, root * std


def _mass(low: Array, high: Array) -> Array:
    """Log of a normal's probability between two edges."""
    found = np.log(np.maximum(ndtr(high) - ndtr(low), LEAST))
    far = found < -600.0
    found[far] = np.minimum(log_ndtr(high[far]), log_ndtr(-low[far]))
    return found


def _rectangle(low_a: Array, high_a: Array, low_b: Array, high_b: Array, rho: Array) -> Array:
    """Log-probability that a bivariate normal falls between four edges, by Gauss-Legendre."""
    rest = np.sqrt(1.0 - rho * rho)
    bottom, top, slope = low_b / rest, high_b / rest, rho / rest
    low, high = np.clip(low_a, -FAR, FAR), np.clip(high_a, -FAR, FAR)
    half = (high - low) / 2.0
    total = np.zeros_like(low)
    for node, weight in zip(NODES, WEIGHTS, strict=True):
        z = low + half * (1.0 + node)
        strip = ndtr(top - slope * z) - ndtr(bottom - slope * z)
        total += weight * half / ROOT_TAU * np.exp(-0.5 * z * z) * strip
    # beyond reach of the nodes the legs' probabilities one by one say how far
    apart = _mass(low_a, high_a) + _mass(low_b, high_b)
    return np.where(total > 1e-12, np.log(np.maximum(total, LEAST)), apart)
