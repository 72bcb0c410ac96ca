"""From a cube to a decision: constraints with confidence, the best and its equals, deflation."""

from stresscube.decide.constraints import Constraint, Term, parse_constraints, parse_term
from stresscube.decide.recommend import Recommendation, recommend

__all__ = [
    "Constraint",
    "Recommendation",
    "Term",
    "parse_constraints",
    "parse_term",
    "recommend",
]
