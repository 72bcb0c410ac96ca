"""What a recommendation is asked for, read and checked before the cube is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stresscube.decide.constraints import Constraint, Term, parse_constraints, parse_term
from stresscube.errors import StresscubeError

CASES = ("worst", "mean")
LIMIT = "liquidation_probability<0.01"
"""The constraint where none is given."""


@dataclass(frozen=True, slots=True)
class Question:
    """The goal, whether more of it is better, the constraints; "worst" market or "mean"."""

    goal: Term
    larger: bool
    constraints: tuple[Constraint, ...]
    case: str
    confidence: float


def ask(
    maximise: str | None,
    minimise: str | None,
    subject_to: Sequence[str],
    case: str,
    confidence: float,
) -> Question:
    """Return the question in parts.

    Raises StresscubeError, every fault in a line of its own.
    """
    faults: list[str] = []
    if maximise is not None and minimise is not None:
        faults.append("--maximise and --minimise: give one of them")
    if case not in CASES:
        faults.append(f"--case {case}: must be one of {', '.join(CASES)}")
    if not 0.5 <= confidence < 1.0:
        faults.append(f"--confidence {confidence:g}: must be at least 0.5 and below 1")
    goal, constraints = Term("sharpe"), list[Constraint]()
    try:
        option = "--minimise" if maximise is None and minimise is not None else "--maximise"
        goal = parse_term(maximise or minimise or "sharpe", option)
    except StresscubeError as fault:
        faults.append(str(fault))
    try:
        constraints = parse_constraints(subject_to)
    except StresscubeError as fault:
        faults.append(str(fault))
    if faults:
        raise StresscubeError("\n".join(faults))
    return Question(goal, minimise is None, tuple(constraints), case, confidence)
