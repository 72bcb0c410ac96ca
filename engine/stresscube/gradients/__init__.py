"""How metrics change with the numbers of a policy, its venues and its market."""

from stresscube.gradients.labelled import sensitivities
from stresscube.gradients.problem import Found, Problem

__all__ = ["Found", "Problem", "sensitivities"]
