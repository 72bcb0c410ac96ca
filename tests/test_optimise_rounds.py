"""The rounds of the optimiser: how far a policy walks, and what counts as surely better."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import pytest

from stresscube.decide.question import ask
from stresscube.optimise.box import Box, Range
from stresscube.optimise.exact import Exact
from stresscube.optimise.goal import SURE, Judged
from stresscube.optimise.optimise import AT_A_REACH, REACHES, _rounds

QUESTION = ask("sharpe", None, (), "worst", 0.95)
BATCHES = 32


def judged(
    policies: Sequence[Mapping[str, float]], goal: np.ndarray[Any, Any], sure: Sequence[float] = ()
) -> Judged:
    """Policies of known goals, batches [policy, batch] about them or alike."""
    number, worth = len(policies), goal.reshape(len(policies), -1)
    return Judged(
        policies=tuple(dict(it) for it in policies),
        goal=worth.mean(axis=1), goal_se=np.ones(number),
        values=np.zeros((0, number)), values_se=np.zeros((0, number)),
        bounds=np.zeros((0, number)), sure=np.array(sure or [1.0] * number),
        kept=np.ones(number, bool), beyond=np.zeros(number),
        batches=np.broadcast_to(worth, (number, BATCHES)),
    )  # fmt: skip


class Hill:
    """In the place of exact runs: a goal without noise, highest at `top`."""

    question = QUESTION

    def __init__(self, top: Mapping[str, float], slope: float = 1.0) -> None:
        self.top, self.slope = top, slope
        self.seeds: list[int] = []

    def grid(self, axes: Mapping[str, Sequence[float]], paths: int, seed: int) -> Judged:
        assert paths == 64
        self.seeds.append(seed)
        cells = itertools.product(*axes.values())
        policies = [dict(zip(axes, cell, strict=True)) for cell in cells]
        goal = [-self.slope * sum((it[key] - self.top[key]) ** 2 for key in axes)
                for it in policies]  # fmt: skip
        return judged(policies, np.array(goal))


def walked(hill: Hill, start: Mapping[str, float]) -> tuple[dict[str, float], int]:
    box = Box(tuple(Range(key, 0.0, 1.0, log=False) for key in start))
    return _rounds(cast("Exact", hill), box, dict(start), 64, 100, lambda _words, _share: None)


def test_rounds_go_on_while_they_move_the_policy() -> None:
    """From .3 to .68 and .5 to .41: three steps of .1, then two of .04, and one that stays."""
    hill = Hill({"hedge_ratio": 0.68, "rebalance_threshold": 0.41})
    policy, evaluations = walked(hill, {"hedge_ratio": 0.3, "rebalance_threshold": 0.5})
    assert policy == pytest.approx({"hedge_ratio": 0.68, "rebalance_threshold": 0.40})
    assert hill.seeds == list(range(100, 100 + AT_A_REACH * len(REACHES)))
    assert evaluations == 9 * len(hill.seeds)


def test_rounds_at_the_top_are_one_a_reach() -> None:
    hill = Hill({"leverage": 0.5})
    policy, evaluations = walked(hill, {"leverage": 0.5})
    assert policy == {"leverage": 0.5}
    assert hill.seeds == [100, 100 + AT_A_REACH]
    assert evaluations == 3 * len(REACHES)


def test_a_flat_goal_moves_nothing_for_sure() -> None:
    hill = Hill({"leverage": 0.7}, slope=0.0)
    _, evaluations = walked(hill, {"leverage": 0.5})
    assert evaluations == 3 * len(REACHES)


def test_surely_better_is_by_standing_or_by_paired_errors() -> None:
    rng = np.random.default_rng(5)
    shared = 10.0 * rng.standard_normal(BATCHES)
    apart = rng.standard_normal(BATCHES)
    apart = (apart - apart.mean()) / apart.std(ddof=1)
    error = 1.0 / math.sqrt(BATCHES)
    policies = [{"leverage": k} for k in (1.0, 2.0, 3.0)]
    rows = [shared, shared + apart + 0.9 * SURE * error, shared + apart + 1.1 * SURE * error]
    it = judged(policies, np.array(rows), sure=[0.99, 0.99, 0.99])
    assert not it.surely(1, 0, QUESTION)
    assert it.surely(2, 0, QUESTION)
    assert not it.surely(0, 2, QUESTION)
    less = ask(None, "return_std", (), "worst", 0.95)
    assert it.surely(0, 2, less)
    assert not it.surely(2, 0, less)
    unsure = judged(policies, np.array(rows), sure=[0.99, 0.5, 0.5])
    assert unsure.surely(0, 2, QUESTION)
    assert not unsure.surely(2, 0, QUESTION)
