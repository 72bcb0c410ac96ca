"""Estimates with standard errors: from outcomes per path to the metrics of the cube."""

from stresscube.metrics.context import BATCHES, LEVELS, QUANTILES, Context
from stresscube.metrics.paired import paired_error
from stresscube.metrics.registry import (
    METRICS,
    REGIME_METRICS,
    VARIABLES,
    Metric,
    Variable,
    metrics_of,
    variables,
    variables_of,
)
from stresscube.metrics.sample import to_host
from stresscube.metrics.summarise import summarise

__all__ = [
    "BATCHES",
    "LEVELS",
    "METRICS",
    "QUANTILES",
    "REGIME_METRICS",
    "VARIABLES",
    "Context",
    "Metric",
    "Variable",
    "metrics_of",
    "paired_error",
    "summarise",
    "to_host",
    "variables",
    "variables_of",
]
