"""The best policy of a box by gradients, confirmed by exact runs of it and its neighbours."""

from stresscube.optimise.optimise import Effort, Optimum, optimise

__all__ = ["Effort", "Optimum", "optimise"]
