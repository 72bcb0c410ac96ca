"""The search: several starts walk at once, each step by gradients on paths not seen before.

Stochastic gradients with Adam (Kingma and Ba 2015, as optax has it) in a box, projected onto it;
what a start comes to is the mean of its last places (Polyak and Juditsky 1992). Constraints are an
exact penalty (Nocedal and Wright 2006, 17.2): the goal's gradient and those of violated
constraints are each brought to unit size, so that a penalty of PENALTY outweighs the goal wherever
gradients do not vanish. Whether a constraint is violated is told by a mean over recent steps,
since a few paths hardly show a rare event; its penalty comes in over two standard errors.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stresscube.decide.question import Question
from stresscube.gradients import Found, Problem
from stresscube.optimise.box import Box
from stresscube.optimise.goal import beyond_limit

Array = NDArray[np.float64]
PENALTY = 2.0
MEMORY = 0.7
"""What a step's estimate of a constraint leaves of the mean before it."""
FIRST, LAST = 0.12, 0.02
"""Length of steps at the start and the end, as shares of the box."""
AVERAGED = 0.4
"""Share of the steps over whose places a start's outcome is the mean."""

Look = Callable[[int, Array], None]
"""Told after each step: its number from 1, and the places of all starts."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is searched: starts, steps of each, paths of each step, and the first seed."""

    starts: int
    steps: int
    paths: int
    seed: int


@dataclass(frozen=True, slots=True)
class Walked:
    """What the starts came to. places, first: [start, range]; goal: estimates of the last steps.

    evaluations: policies times paths whose gradient was taken, markets counted.
    """

    first: Array
    places: Array
    goal: Array
    evaluations: int


def cost(parameters: int) -> int:
    """What a policy-step with its gradient counts, in plain ones.

    One pass for the values and one for the derivatives, which carries beside each number one
    derivative for each parameter, of about two operations for every one: 2 + 2 x parameters. A
    derivative by differences takes two passes for values, so it counts the same.
    """
    return 2 + 2 * parameters


def starts(box: Box, own: Array | None, count: int, seed: int) -> Array:
    """Places to start from, [start, range]: the scenario's own policy, and spread-out ones."""
    from scipy.stats import qmc

    spread = qmc.LatinHypercube(len(box.ranges), rng=np.random.default_rng(seed)).random(count)
    if own is not None:
        spread[0] = own
    return np.clip(spread, 0.02, 0.98)


def walk(
    problems: Sequence[Problem],
    labels: tuple[str, ...],
    question: Question,
    box: Box,
    first: Array,
    plan: Plan,
    look: Look,
) -> Walked:
    """Walk from the starts. problems: one a market, all with the box's keys as parameters."""
    optax: Any = importlib.import_module("optax")
    pace = optax.cosine_decay_schedule(FIRST, plan.steps, LAST / FIRST)
    adam = optax.chain(optax.scale_by_adam(b1=0.8, b2=0.95), optax.scale_by_learning_rate(pace))
    places = np.array(first)
    state = adam.init(places)
    penalty = Penalty(question)
    trail: list[Array] = []
    goals: list[Array] = []
    policies = box.policies(places)
    for step in range(plan.steps):
        found = [_looked(it, policies, labels, plan, step) for it in problems]
        values, errors, gradients = _stacked(found, question, box.slopes(places))
        uphill = penalty.uphill(values, errors, gradients)
        lost = ~np.isfinite(uphill).all(axis=1)
        uphill[lost] = 0.5 - places[lost]  # cannot open there: towards the middle
        updates, state = adam.update(-uphill, state, places)
        places = np.clip(np.asarray(optax.apply_updates(places, updates), float), 0.0, 1.0)
        trail.append(places)
        goals.append(values[0])
        policies = box.policies(places)
        look(step + 1, places)
    last = max(1, round(AVERAGED * plan.steps))
    done = plan.steps * plan.paths * len(first) * len(problems)
    return Walked(first, np.mean(trail[-last:], axis=0), np.mean(goals[-last:], axis=0), done)


def _looked(
    problem: Problem,
    policies: list[dict[str, float]],
    labels: tuple[str, ...],
    plan: Plan,
    step: int,
) -> Found:
    """Values and gradients on the paths of a step."""
    return problem.value_and_gradient(
        policies, labels, first_path=step * plan.paths, paths=plan.paths, seed=plan.seed
    )


class Penalty:
    """Which way is up, goal and constraints together."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self._means: Array | None = None
        self._weight = 0.0
        self._sizes: Array | None = None

    def uphill(self, values: Array, errors: Array, gradients: Array) -> Array:
        """[start, range], from values and errors [metric, start], gradients [metric, range, start].

        The metrics are the goal and then the constraints.
        """
        own = gradients[0].T if self.question.larger else -gradients[0].T
        total = _unit(own)
        limits = self.question.constraints
        if not limits:
            return total
        now = np.array([beyond_limit(it, row) for it, row in zip(limits, values[1:], strict=True)])
        if self._means is None:
            self._means, self._sizes = now, errors[1:] ** 2
        assert self._sizes is not None
        self._means = MEMORY * self._means + (1.0 - MEMORY) * np.nan_to_num(now)
        self._sizes = MEMORY * self._sizes + (1.0 - MEMORY) * np.nan_to_num(errors[1:]) ** 2
        # The mean of 1/(1 - MEMORY) steps or so has so much smaller an error.
        spread = np.sqrt(self._sizes * (1.0 - MEMORY) / (1.0 + MEMORY)) + 1e-12
        share = np.clip(0.5 + 0.25 * self._means / spread, 0.0, 1.0)
        for place, it in enumerate(limits):
            out = gradients[1 + place].T if it.below else -gradients[1 + place].T
            total = total - PENALTY * share[place][:, None] * _unit(out)
        return total


def _unit(rows: Array) -> Array:
    """Rows of unit length; rows of nothing stay."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0.0, length, 1.0)


def _stacked(found: list[Found], question: Question, slopes: Array) -> tuple[Array, Array, Array]:
    """Values, errors and gradients by places, each metric at each policy's worst market."""
    values = np.array([it.values for it in found])
    errors = np.array([it.errors for it in found])
    gradients = np.array([it.gradients for it in found]) * slopes
    if question.case == "mean":
        return values.mean(axis=0), errors.mean(axis=0), gradients.mean(axis=0)
    bad = [-1.0 if question.larger else 1.0]
    bad += [1.0 if it.below else -1.0 for it in question.constraints]
    worst = np.argmax(np.array(bad)[:, None] * np.nan_to_num(values), axis=0)
    each = worst[None]
    return (
        np.take_along_axis(values, each, axis=0)[0],
        np.take_along_axis(errors, each, axis=0)[0],
        np.take_along_axis(gradients, each[:, :, None], axis=0)[0],
    )
