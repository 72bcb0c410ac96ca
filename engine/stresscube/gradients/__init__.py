"""How metrics change with the numbers of a policy, its venues and its market."""

from stresscube.gradients.evaluate import Found
from stresscube.gradients.labelled import sensitivities
from stresscube.gradients.problem import Problem

__all__ = ["Found", "Problem", "sensitivities"]
