"""What is wrong with a scenario that shows only when its axes and its data are known."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from stresscube.metrics import VARIABLES
from stresscube.scenario import Fault, Scenario, ScenarioError
from stresscube.scenario.expand import Axis, any_market
from stresscube_kernels.contract import Outcome


def look_into_files(scenario: Scenario, axes: Sequence[Axis]) -> None:
    """Read recorded data and draws now: what is wrong with them is known before anything runs."""
    market = [axis for axis in axes if axis.kind == "market"]
    for values in itertools.product(*(axis.values for axis in market)):
        any_market(scenario, {axis.key: value for axis, value in zip(market, values, strict=True)})


def named_apart(scenario: Scenario, found: Sequence[Axis]) -> None:
    """Raise ScenarioError if a dim has the name of a number in the cube."""
    taken = {variable.name for variable in VARIABLES} | {"feasible", "leverage_effective"}
    taken |= {*Outcome._fields, "liquidation_time"}
    faults = [
        Fault(
            scenario.source,
            f"sweep.{axis.key}",
            list(axis.values),
            f'would be the dimension "{axis.name}", which is a number of the cube; '
            "give the parameter another name",
        )
        for axis in found
        if axis.name in taken
    ]
    if faults:
        raise ScenarioError(faults)
