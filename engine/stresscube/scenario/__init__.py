"""Scenario files: read, checked, explained, and turned into what the kernels take."""

from stresscube.scenario.faults import Fault, ScenarioError
from stresscube.scenario.jsonschema import json_schema
from stresscube.scenario.load import load, loads
from stresscube.scenario.policy import Scenario

__all__ = ["Fault", "Scenario", "ScenarioError", "json_schema", "load", "loads"]
