"""What is maximised and what it is subject to, as functions of smooth metrics and of exact runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stresscube.decide.apart import averaged
from stresscube.decide.constraints import Constraint, Term, check_terms
from stresscube.decide.held import excess, held
from stresscube.decide.question import Question
from stresscube.errors import StresscubeError
from stresscube.gradients.measures import NAMES, measure
from stresscube.metrics.context import LEVELS
from stresscube.metrics.paired import paired_error
from stresscube.metrics.registry import METRICS
from stresscube.policies import (
    at_market,
    cut_extra_dims,
    estimates,
    rows_of,
    sweep_dims,
    worst_index,
)
from stresscube.text import listing

Array = NDArray[np.float64]
SURE = 2.0
"""Paired errors by which one policy must be better than another to be surely better."""
BOTH = tuple(name for name in NAMES if name in {metric.name for metric in METRICS})
"""Metrics that have a derivative and that cubes hold."""


def smooth_labels(question: Question) -> tuple[str, ...]:
    """The labels of the goal and of each constraint as gradients have them.

    Raises StresscubeError for metrics without a smooth estimate, every one in a line of its own.
    """
    faults: list[str] = []
    labels: list[str] = []
    limits = [(f"--subject-to {it}", it.term) for it in question.constraints]
    aim = "--maximise" if question.larger else "--minimise"
    for option, term in [(f"{aim} {question.goal}", question.goal), *limits]:
        try:
            if term.metric not in BOTH:
                raise StresscubeError(term.metric)
            labels.append(measure(str(term)).label)
        except StresscubeError:
            faults.append(f"{option}: {_why(term)}")
    if faults:
        raise StresscubeError("\n".join(faults))
    return tuple(labels)


def _why(term: Term) -> str:
    if term.metric in BOTH:
        levels = f" of {listing(LEVELS)}" if term.metric == "expected_shortfall" else ""
        return f"{term.metric} takes {'a level' + levels if levels else 'no value in brackets'}"
    return (
        f"{term.metric} has no derivative here; ask for one of {listing(BOTH, most=99)}, or sweep "
        "a grid and take `stresscube recommend`"
    )


@dataclass(frozen=True, slots=True)
class Judged:
    """Policies of an exact run; arrays are [policy], of constraints [constraint, policy].

    policies: the swept values of each. goal, goal_se: at each policy's worst market. values,
    values_se, bounds: of constraints there; bounds are one-sided, for each policy alone. sure:
    confidence that all constraints hold, for each policy alone. kept: by the estimates. beyond: by
    which part of its limit the worst constraint is missed. batches: of the goal, [policy, batch].
    """

    policies: tuple[dict[str, float], ...]
    goal: Array
    goal_se: Array
    values: Array
    values_se: Array
    bounds: Array
    sure: Array
    kept: NDArray[np.bool_]
    beyond: Array
    batches: Array | None

    def best(self, question: Question) -> int:
        """The policy to take: the best that is shown by itself to keep the constraints.

        Where none is, the best that keeps them by the estimates, and else the nearest. Raises
        StresscubeError where no policy has a value.
        """
        known = np.isfinite(self.goal)
        if not known.any():
            raise StresscubeError("no policy of the exact run can be opened at every market")
        shown = known & (self.sure >= question.confidence)
        for pool in (shown, known & self.kept):
            if pool.any():
                sign = 1.0 if question.larger else -1.0
                return int(np.argmax(np.where(pool, sign * self.goal, -np.inf)))
        return int(np.argmin(np.where(known, self.beyond, np.inf)))

    def surely(self, row: int, other: int, question: Question) -> bool:
        """Whether a policy is better than another: by its standing, or the goal's paired error."""
        order = ("none", "estimated", "shown")
        mine, its = (order.index(self.standing(it, question)) for it in (row, other))
        if mine != its or self.batches is None:
            return mine > its
        gained = self.goal[row] - self.goal[other]
        error = paired_error(self.batches[row], self.batches[other])
        return bool((gained if question.larger else -gained) > SURE * error)

    def standing(self, row: int, question: Question) -> str:
        """Whether a policy is "shown" by itself to keep the constraints, "estimated" or "none"."""
        if self.sure[row] >= question.confidence:
            return "shown"
        return "estimated" if self.kept[row] else "none"


def judged(summary: xr.Dataset, question: Question) -> Judged:
    """Judge every policy of a run by itself: its goal, and the bounds of `recommend`.

    Raises StresscubeError for a question that cannot be asked of this cube.
    """
    check_terms(summary, [question.goal, *(it.term for it in question.constraints)])
    data, _ = cut_extra_dims(summary, question.goal.metric, question.goal.at)
    own, market = sweep_dims(data, question.goal.metric)
    found = estimates(data, question.goal.metric, own, market)
    mean = question.case == "mean"
    if mean and found.values.shape[1] > 1:
        found = averaged(found)
    worst = worst_index(found.values, less=not question.larger)
    number = len(found.values)
    looked = [
        held(summary, it, own, market, mean=mean, confidence=question.confidence)
        for it in question.constraints
    ]
    picked = rows_of(data, own, np.arange(number), "row")
    columns = {dim: np.atleast_1d(picked[dim].values).tolist() for dim in own}
    p_value = np.max([np.zeros(number), *(it.p_value for it in looked)], axis=0)
    shape = (len(looked), number)
    return Judged(
        policies=tuple({dim: columns[dim][row] for dim in own} for row in range(number)),
        goal=at_market(found.values, worst),
        goal_se=at_market(found.errors, worst),
        values=np.reshape([it.values for it in looked], shape),
        values_se=np.reshape([it.errors for it in looked], shape),
        bounds=np.reshape([it.bound for it in looked], shape),
        sure=1.0 - p_value,
        kept=np.all([np.ones(number, bool), *(it.by_estimate for it in looked)], axis=0),
        beyond=np.max([np.zeros(number), *(excess(it) for it in looked)], axis=0),
        batches=None if found.batches is None else at_market(found.batches, worst),
    )


def beyond_limit(constraint: Constraint, values: Array) -> Array:
    """By how much values are beyond a limit, above 0 where they are."""
    return values - constraint.limit if constraint.below else constraint.limit - values
