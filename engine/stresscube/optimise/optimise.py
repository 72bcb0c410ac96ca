"""From a scenario and a question to a policy: search, heats, rounds, and the run that confirms."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stresscube.decide.question import LIMIT, Question, ask
from stresscube.errors import StresscubeError
from stresscube.gradients import Problem
from stresscube.optimise import search
from stresscube.optimise.box import Box, box_of
from stresscube.optimise.exact import Exact, around, joined
from stresscube.optimise.goal import Judged, smooth_labels
from stresscube.optimise.markets import market_points
from stresscube.optimise.rewritten import market_sweep
from stresscube.scenario import Scenario, load
from stresscube.scenario.expand import simulation_spec
from stresscube.scenario.trust import trusted
from stresscube.text import listing
from stresscube_kernels import jax_here

Array = NDArray[np.float64]
Tell = Callable[[str, float], None]
"""Told what is being done, and which share of it is done."""
REACHES = (0.1, 0.04)
"""How far neighbours stand in the rounds, as shares of the box."""
AT_A_REACH = 3
"""Most rounds at a reach: one more follows where the policy surely moved."""
CONFIRMED = 0.05
"""How far the neighbours of the confirming run stand."""
MOST = 4
"""Numbers that can be looked for at once: the neighbours are 3 to this power."""
INSTALL = "pip install 'stresscube[xla]'"


@dataclass(frozen=True, slots=True)
class Effort:
    """What is spent. starts, steps, paths: of the search. exact: paths of heats and of each round;
    paths of the confirming run are the scenario's.
    """

    starts: int = 6
    steps: int = 20
    paths: int = 96
    exact: int = 1024

    def faults(self) -> list[str]:
        """What cannot be."""
        found: list[str] = []
        if self.starts < 1:
            found.append(f"--starts {self.starts}: must be at least 1")
        if self.steps < 2:
            found.append(f"--iterations {self.steps}: must be at least 2")
        if self.paths < 64 or self.paths % 32:
            found.append(
                f"--search-paths {self.paths}: must be a multiple of 32, 64 or more, so that "
                "every batch of paths has some"
            )
        if self.exact < 64:
            found.append(f"--round-paths {self.exact}: must be at least 64")
        return found


@dataclass(frozen=True, slots=True)
class Optimum:
    """What was found, and what stands behind it.

    began, came: policies of the starts; heats: these, run exactly. policy: what was found.
    confirmed: it and its neighbours on the scenario's own paths, it at row `found`. standing: as
    of `Judged`. spent: policy-steps by stage, the search in plain ones. seeds: by stage.
    """

    scenario: Scenario
    question: Question
    box: Box
    effort: Effort
    markets: Mapping[str, Sequence[float | str]]
    began: tuple[dict[str, float], ...]
    came: tuple[dict[str, float], ...]
    heats: Judged
    policy: dict[str, float]
    confirmed: Judged
    found: int
    standing: str
    spent: dict[str, int]
    paths: int
    steps: int
    seeds: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def spent_before(self) -> int:
        """Policy-steps until the policy was found, without the run that confirms it."""
        return sum(number for stage, number in self.spent.items() if stage != "confirming")


def silent(_words: str, _share: float) -> None:
    """Tell nobody."""


def optimise(
    scenario: Scenario | str | os.PathLike[str],
    *,
    maximise: str | None = None,
    minimise: str | None = None,
    subject_to: Sequence[str] = (LIMIT,),
    over: Sequence[str] = (),
    case: str = "worst",
    confidence: float = 0.95,
    effort: Effort | None = None,
    threads: int | None = None,
    trust: bool = False,
    tell: Tell = silent,
) -> Optimum:
    """Find the policy of a box that is best by a metric, subject to constraints.

    over: ranges as "leverage=2:20", the ends of the scenario's swept policy numbers by default.
    Market axes of the sweep are the markets: the worst counts, or their mean (case). What is not
    looked for stays as the scenario's policy has it. How: docs/optimise.md.
    Raises StresscubeError for a question that cannot be asked, and where JAX or optax is missing.
    """
    if not isinstance(scenario, Scenario):
        scenario = load(scenario)
    effort = effort or Effort()
    question, box = _asked(scenario, maximise, minimise, subject_to, over, case, confidence, effort)
    labels = smooth_labels(question)
    installed()
    ready = trusted(scenario, trust)
    simulation = simulation_spec(ready)
    markets = market_sweep(scenario)
    exact = Exact(scenario, question, markets, simulation.steps, threads, trust)
    seeds = {
        stage: (scenario.simulation.seed + k) % 2**63
        for k, stage in enumerate(("confirming", "searching", "heats", "rounds"))
    }
    tell("compiling", 0.0)
    walked = _walk(ready, question, labels, box, effort, seeds["searching"], tell)
    came = box.policies(walked.places)
    heats, policy = _heats(exact, box, came, effort.exact, seeds["heats"], tell)
    policy, evaluations = _rounds(exact, box, policy, effort.exact, seeds["rounds"], tell)
    spent = {
        "searching": walked.evaluations * simulation.steps * search.cost(len(box.ranges)),
        "heats": exact.work(len(heats.policies), effort.exact),
        "rounds": exact.work(evaluations, effort.exact),
    }
    tell("confirming", 0.0)
    paths = int(scenario.simulation.paths)
    confirmed = exact.grid(
        around(box, policy, CONFIRMED),
        paths,
        seeds["confirming"],
        lambda part: tell("confirming", part),
    )
    spent["confirming"] = exact.work(len(confirmed.policies), paths)
    row = confirmed.policies.index(policy)
    return Optimum(
        scenario=scenario,
        question=question,
        box=box,
        effort=effort,
        markets=markets,
        began=tuple(box.policies(walked.first)),
        came=tuple(came),
        heats=heats,
        policy=policy,
        confirmed=confirmed,
        found=row,
        standing=confirmed.standing(row, question),
        spent=spent,
        paths=paths,
        steps=simulation.steps,
        seeds=seeds,
    )


def installed() -> None:
    """Raise StresscubeError, with what installs it, where JAX or optax is missing."""
    if reason := jax_here.why_not():
        raise StresscubeError(f"optimise: {reason}")
    if importlib.util.find_spec("optax") is None:
        raise StresscubeError(f"optimise: optax is not installed: {INSTALL}")


def _asked(
    scenario: Scenario,
    maximise: str | None,
    minimise: str | None,
    subject_to: Sequence[str],
    over: Sequence[str],
    case: str,
    confidence: float,
    effort: Effort,
) -> tuple[Question, Box]:
    """What is asked for; every fault in a line of its own."""
    faults = effort.faults()
    question: Question | None = None
    box: Box | None = None
    try:
        question = ask(maximise, minimise, subject_to, case, confidence)
        smooth_labels(question)
    except StresscubeError as fault:
        faults.append(str(fault))
    try:
        box = box_of(scenario, over)
        if len(box.ranges) > MOST:
            raise StresscubeError(
                f"{listing(box.keys)}: at most {MOST} numbers can be looked for at once, since all "
                "neighbours are run: name them with --over KEY=LOW:HIGH"
            )
    except StresscubeError as fault:
        faults.append(str(fault))
    if faults or question is None or box is None:
        raise StresscubeError("\n".join(faults))
    return question, box


def _walk(
    scenario: Scenario,
    question: Question,
    labels: tuple[str, ...],
    box: Box,
    effort: Effort,
    seed: int,
    tell: Tell,
) -> search.Walked:
    problems = [Problem(scenario, box.keys, market=point) for point in market_points(scenario)]
    own = _own(scenario, box)
    first = search.starts(box, own, effort.starts, seed)
    plan = search.Plan(effort.starts, effort.steps, effort.paths, seed)

    def look(step: int, _places: Array) -> None:
        tell("searching", step / effort.steps)

    return search.walk(problems, labels, question, box, first, plan, look)


def _own(scenario: Scenario, box: Box) -> Array | None:
    """Where the scenario's own policy is, if it has numbers for all that is looked for."""
    values = [getattr(scenario.policy, key) for key in box.keys]
    if any(isinstance(it, str) for it in values):
        return None
    return box.places(dict(zip(box.keys, values, strict=True)))


def _heats(
    exact: Exact,
    box: Box,
    came: Sequence[Mapping[str, float]],
    paths: int,
    seed: int,
    tell: Tell,
) -> tuple[Judged, dict[str, float]]:
    """What the starts came to, run exactly on the same paths, and the best of them."""
    parts: list[Judged] = []
    for k, policy in enumerate(came):
        tell("heats", k / len(came))
        axes = {it.key: it.values([it.place(policy[it.key])]) for it in box.ranges}
        parts.append(exact.grid(axes, paths, seed))
    heats = joined(parts)
    return heats, dict(heats.policies[heats.best(exact.question)])


def _rounds(
    exact: Exact, box: Box, policy: dict[str, float], paths: int, seed: int, tell: Tell
) -> tuple[dict[str, float], int]:
    """The policy after rounds of neighbours, and how many were run; each round on new paths.

    A pattern search (Hooke and Jeeves 1961): as long as a round surely moves the policy, the next
    one looks as far as it did; then the neighbours come nearer.
    """
    evaluations, most = 0, len(REACHES) * AT_A_REACH
    for k, reach in enumerate(REACHES):
        for again in range(AT_A_REACH):
            number = AT_A_REACH * k + again
            tell("neighbours", number / most)
            looked = exact.grid(around(box, policy, reach), paths, seed + number)
            evaluations += len(looked.policies)
            middle, best = looked.policies.index(policy), looked.best(exact.question)
            policy = looked.policies[best]
            if not looked.surely(best, middle, exact.question):
                break
    return policy, evaluations
