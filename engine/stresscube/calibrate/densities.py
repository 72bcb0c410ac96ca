"""What a state's returns are: Student-t, and now and then a jump besides.

A Student-t is normal given its variance V, so a bar with a jump in it is normal too, of covariance
V S + J; V is averaged over by Gauss and Laguerre's rule in the chi square of which it is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from stresscube_kernels.hidden import Normals

Array = NDArray[np.float64]
NODES = 4
"""Of the rule: a jump's density is right to a hundredth where it is three deviations wide."""
BOTH = ("rate", "a", "b", "sa", "sb", "rho")
ALONE = ("rate", "m", "s")
SLOPE_STEP = 1e-5
STATE = 4
OFTEN = 0.05
"""Jumps a bar at most: what comes more often is a tail."""
FAR, TIED = 0.5, 2.5
"""Limits of a jump's mean and deviation, and of atanh of its correlation."""


@dataclass(frozen=True)
class Jump:
    """Jumps of a regime. kind: "news" moves both legs, "a" and "b" one alone.

    Parameters: log of the rate a bar, means, log deviations, atanh of the correlation.
    """

    regime: int
    kind: str

    @property
    def fields(self) -> tuple[str, ...]:
        """Parameters in their order."""
        return BOTH if self.kind == "news" else ALONE

    @property
    def names(self) -> tuple[str, ...]:
        """Of the parameters in a design: "0.news1.rate"."""
        return tuple(f"0.{self.kind}{self.regime}.{field}" for field in self.fields)

    def moments(self, values: Array) -> tuple[Array, Array]:
        """Mean [2] and covariance [2, 2] of a jump's log-return."""
        if self.kind == "news":
            _, mean_a, mean_b, log_a, log_b, bent = values
            a, b, rho = np.exp(log_a), np.exp(log_b), np.tanh(bent)
            return np.array([mean_a, mean_b]), np.array(
                [[a * a, rho * a * b], [rho * a * b, b * b]]
            )
        leg = "ab".index(self.kind)
        mean, spread = np.zeros(2), np.zeros((2, 2))
        mean[leg], spread[leg, leg] = values[1], np.exp(2.0 * values[2])
        return mean, spread

    def start(self, rate: float, width: Array, bent: float) -> Array:
        """Parameters of so many jumps a bar, as wide as `width` [2]."""
        if self.kind == "news":
            return np.array([np.log(rate), 0.0, 0.0, *np.log(width), np.clip(bent, -1.5, 1.5)])
        return np.array([np.log(rate), 0.0, np.log(width["ab".index(self.kind)])])

    def bounds(self, size: Array, bars: int) -> list[tuple[float, float]]:
        """Of the parameters. size: deviations [2] of the regime, which a jump's are not below."""
        rate = (float(-np.log(bars)), float(np.log(OFTEN)))
        widest = float(np.log(FAR))
        widths = [(min(float(low), widest - 1.0), widest) for low in np.log(size)]
        if self.kind == "news":
            return [rate, (-FAR, FAR), (-FAR, FAR), *widths, (-TIED, TIED)]
        return [rate, (-FAR, FAR), widths["ab".index(self.kind)]]

    def information(self, values: Array, count: float) -> Array:
        """About how much so many jumps say of every parameter, and a little for none."""
        count += 0.5
        deviations = np.sqrt(np.diag(self.moments(values)[1]))
        own = deviations if self.kind == "news" else deviations[deviations > 0.0]
        rho = [1.0] if self.kind == "news" else []
        return count * np.concatenate([[1.0], 1.0 / own**2, np.full(len(own), 2.0), rho])


@dataclass(frozen=True)
class Densities:
    """Rows of the Student-t parts and the normal ones, as `emissions` has them."""

    student: Array
    normals: tuple[Normals, ...]


@dataclass(frozen=True)
class Returns:
    """How numbers of states become densities.

    legs: 2, or 1 where leg b is not looked at. blocks: each regime's first state, and how many.
    """

    legs: int
    blocks: tuple[tuple[int, int], ...]

    def of(self, numbers: Array, jumps: Mapping[Jump, Array]) -> Densities:
        """Densities of states of these numbers, and of the jumps' parameters.

        numbers: log deviations, atanh of the correlation, log(nu - 2) of every state [4, states].
        """
        student = self._student(numbers)
        normals: list[Normals] = []
        for regime, (first, count) in enumerate(self.blocks):
            own = {jump: value for jump, value in jumps.items() if jump.regime == regime}
            if own:
                place = slice(first, first + count)
                none, shares = _chances([value[0] for value in own.values()])
                student[4, place] += np.log(none)
                for (jump, value), share in zip(own.items(), shares, strict=True):
                    made = self._jumped(numbers[:, place], jump, value, share)
                    normals += [Normals(first, rows) for rows in made]
        return Densities(student, tuple(normals))

    def slopes(
        self, numbers: Array, jumps: Mapping[Jump, Array], sums: tuple[Array, list[Array]]
    ) -> tuple[Array, dict[Jump, Array]]:
        """Slopes by the states' numbers [..., 4, states] and by the jumps' parameters [..., n].

        sums: what `Workspace.sums` says, or `sums_by_part`, of which the parts come first. A
        state's density knows its own numbers only, so that all states are moved at once.
        """
        by_number: list[Array] = []
        for row in range(STATE):
            step = np.zeros_like(numbers)
            step[row] = SLOPE_STEP
            above, below = self.of(numbers + step, jumps), self.of(numbers - step, jumps)
            by_number.append(self._rise(above, below, sums))
        by_jump: dict[Jump, Array] = {}
        for jump, value in jumps.items():
            slopes: list[Array] = []
            for step in SLOPE_STEP * np.eye(len(value)):
                above = self.of(numbers, {**jumps, jump: value + step})
                below = self.of(numbers, {**jumps, jump: value - step})
                slopes.append(self._rise(above, below, sums).sum(axis=-1))
            by_jump[jump] = np.stack(slopes, axis=-1)
        return np.stack(by_number, axis=-2), by_jump

    def _rise(self, above: Densities, below: Densities, sums: tuple[Array, list[Array]]) -> Array:
        """Of the log-likelihood, by state, a unit of the step."""
        by_student, by_normal = sums
        middle = (above.student[3] + below.student[3]) / 2.0
        change = above.student - below.student
        change[:3] *= -middle
        change[3] *= -1.0
        risen = (change * by_student).sum(axis=-2)
        for one, other, total in zip(above.normals, below.normals, by_normal, strict=True):
            place = slice(one.first, one.first + one.rows.shape[1])
            risen[..., place] += ((one.rows - other.rows) * total).sum(axis=-2)
        return risen / (2.0 * SLOPE_STEP)

    def _student(self, numbers: Array) -> Array:
        """Rows of a multivariate Student-t of so many legs, its variances those of the numbers."""
        inverse, log_root = self._inverse(*_covariance(numbers))
        spare = np.exp(numbers[3])
        power = (spare + 2.0 + self.legs) / 2.0
        gammas: Array = np.asarray(gammaln(power) - gammaln(spare / 2 + 1.0), np.float64)
        constant = gammas - self.legs / 2.0 * np.log(np.pi * spare) - log_root
        return np.stack([*(row / spare for row in inverse), power, constant])

    def _jumped(self, numbers: Array, jump: Jump, values: Array, share: float) -> list[Array]:
        """Rows of the normals that a jump makes of the states, one for each node of V."""
        aa, ab, bb = _covariance(numbers)
        mean, spread = jump.moments(values)
        spare = np.exp(numbers[3])
        # a regime has one nu, whatever the other chains say
        nodes, weights = _chi_squares(float(spare[0]) + 2.0)
        made: list[Array] = []
        for node, weight in zip(nodes, weights, strict=True):
            v = spare / node
            inverse, log_root = self._inverse(
                v * aa + spread[0, 0], v * ab + spread[0, 1], v * bb + spread[1, 1]
            )
            constant = np.log(share * weight) - self.legs / 2.0 * np.log(2.0 * np.pi) - log_root
            (a, b), (iaa, iab, ibb) = mean, inverse
            made.append(np.stack([
                constant - 0.5 * (iaa * a * a + iab * a * b + ibb * b * b),
                iaa * a + 0.5 * iab * b, ibb * b + 0.5 * iab * a,
                -0.5 * iaa, -0.5 * iab, -0.5 * ibb,
            ]))  # fmt: skip
        return made

    def _inverse(self, aa: Array, ab: Array, bb: Array) -> tuple[tuple[Array, Array, Array], Array]:
        """Coefficients of a^2, ab and b^2 in a covariance's form, and log root of what it spans."""
        if self.legs == 1:
            nothing = np.zeros_like(aa)
            return (1.0 / aa, nothing, nothing), 0.5 * np.log(aa)
        area = aa * bb - ab * ab
        return (bb / area, -2.0 * ab / area, aa / area), 0.5 * np.log(area)


def _covariance(numbers: Array) -> tuple[Array, Array, Array]:
    a, b = np.exp(numbers[0]), np.exp(numbers[1])
    return a * a, np.tanh(numbers[2]) * a * b, b * b


def _chances(logs: list[float]) -> tuple[float, Array]:
    """Of no jump in a bar, and of one of each kind: jumps together count as one or the other."""
    rates = np.exp(np.array(logs))
    some = -np.expm1(-rates.sum())
    return float(1.0 - some), some * rates / rates.sum()


def _chi_squares(nu: float) -> tuple[Array, Array]:
    """Nodes of a chi square of so many degrees of freedom, and their weights, which sum to 1.

    Golub and Welsch's (1969): no gamma function, which nu in the hundreds would overflow.
    """
    alpha, k = nu / 2.0 - 1.0, np.arange(1.0, NODES)
    beside = np.sqrt(k * (k + alpha))
    centre = 2.0 * np.arange(NODES) + 1.0 + alpha
    nodes, vectors = np.linalg.eigh(np.diag(centre) + np.diag(beside, 1) + np.diag(beside, -1))
    return 2.0 * nodes, vectors[0] ** 2
