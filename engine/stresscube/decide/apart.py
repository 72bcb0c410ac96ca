"""Which policies cannot be told apart from the best one.

Gupta's (1965) subset of populations that may be the best, which is one side of Hsu's (1984)
multiple comparisons with the best, on paired differences. Student's t of the batch means carries
the errors, and Bonferroni's inequality the number of comparisons, so that no assumption is made of
how policies hang together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from stresscube.metrics.paired import paired_error
from stresscube.policies import Booleans, Estimates, Floats, Indices, at_market, worst_index


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Each policy against the best. difference, error: [policy], worst market against worst market.

    apart: whether the policy is shown to be worse [policy]. critical: how many errors a difference
    must measure. paired: whether batch means gave the errors; else they are upper bounds.
    best: its row. worst: each policy's worst market point [policy].
    """

    difference: Floats
    error: Floats
    apart: Booleans
    critical: float
    paired: bool
    best: int
    worst: Indices


def averaged(found: Estimates) -> Estimates:
    """Return estimates of the mean over markets, as one market point.

    The same paths stand behind every market, so the mean's error comes from the batch means; a
    metric without them gets the mean of the errors, which the error cannot exceed.
    """
    values = found.values.mean(axis=1, keepdims=True)
    errors = found.errors.mean(axis=1, keepdims=True)
    if found.batches is None:
        return Estimates(values, errors, None)
    batches = found.batches.mean(axis=1, keepdims=True)
    own = paired_error(batches, np.zeros_like(batches))
    return Estimates(values, np.where(np.isfinite(own), own, errors), batches)


def with_the_best(
    found: Estimates, *, larger: bool, confidence: float, best: int | None = None
) -> Comparisons:
    """Compare every policy with the one whose worst market is best, or with row `best`.

    With at least this confidence a policy that is truly the best of them is not among those told
    apart. Worst markets are estimates themselves: a policy counts as worse only if at its worst
    market it is worse than the best policy is at every market, and the number of comparisons is
    that of policies times markets (see docs/decisions.md).
    """
    sign = 1.0 if larger else -1.0
    values = sign * found.values
    worst = worst_index(values, less=False)
    own = at_market(values, worst)
    best = int(np.argmax(own)) if best is None else best
    risk = (1.0 - confidence) / max((len(values) - 1) * int(values.shape[1]), 1)
    steps = values[best][None, :] - own[:, None]
    if found.batches is None:
        errors = found.errors[best][None, :] + at_market(found.errors, worst)[:, None]
        critical = -float(special.ndtri(risk))
    else:
        mine = at_market(found.batches, worst)
        errors = paired_error(found.batches[best][None], mine[:, None])
        errors = np.where(np.isfinite(errors), errors, np.inf)
        # A batch without a path has no mean; at least two are needed for an error.
        known = int(np.isfinite(found.batches).all(axis=(0, 1)).sum())
        critical = -float(special.stdtrit(max(known - 1, 1), risk))
    apart: Booleans = np.all(_ratio(steps, errors) > critical, axis=1)
    apart[best] = False
    return Comparisons(
        difference=sign * (own - own[best]),
        error=errors[:, worst[best]],
        apart=apart,
        critical=critical,
        paired=found.batches is not None,
        best=best,
        worst=worst,
    )


def lower_bound(
    found: Estimates, row: int, choices: int, *, larger: bool, confidence: float
) -> float:
    """Return what a policy's worst market attains at least, the choice among many allowed for."""
    reach = -float(special.ndtri((1.0 - confidence) / max(choices, 1)))
    sign = 1.0 if larger else -1.0
    return sign * float(np.min(sign * found.values[row] - reach * found.errors[row]))


def _ratio(steps: Floats, errors: npt.NDArray[np.float64]) -> Floats:
    """Return steps over errors; a step without an error is infinite, no step is none."""
    some = np.where(errors > 0, errors, 1.0)
    exact = np.where(steps > 0, np.inf, np.where(steps < 0, -np.inf, 0.0))
    return np.where(errors > 0, steps / some, exact)
