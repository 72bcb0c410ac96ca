"""Estimates with standard errors: from outcomes per path to the metrics of the cube."""

from stresscube.metrics.context import BATCHES, LEVELS, QUANTILES, Context
from stresscube.metrics.paired import paired_error
from stresscube.metrics.registry import METRICS, VARIABLES, Metric, Variable, variables
from stresscube.metrics.sample import to_host
from stresscube.metrics.summarise import summarise

__all__ = [
    "BATCHES",
    "LEVELS",
    "METRICS",
    "QUANTILES",
    "VARIABLES",
    "Context",
    "Metric",
    "Variable",
    "paired_error",
    "summarise",
    "to_host",
    "variables",
]
