"""Code that a scenario names runs only when somebody says that it may."""

from __future__ import annotations

from collections.abc import Iterator

from stresscube.scenario.code import SECTIONS
from stresscube.scenario.faults import Fault, ScenarioError
from stresscube.scenario.policy import Scenario

BUILT_IN = {"market": "regimes", "policy": "pair"}
"""Rules of a scenario that names no code, as `stresscube_kernels.rules` knows them."""


def rules_of(scenario: Scenario, section: str) -> str:
    """The name of the rules that a scenario's market or policy follows.

    Raises ScenarioError if that is code which is not trusted.
    """
    place = getattr(scenario, section).step
    if place is None:
        return BUILT_IN[section]
    found = [code.rules for code in scenario.code if (code.section, code.place) == (section, place)]
    if not found:
        raise ScenarioError(refusals(scenario))
    _make_known(scenario, found[0])
    return found[0]


def trusted(scenario: Scenario, trust: bool) -> Scenario:
    """The scenario with the code that it names, if it names any and that may run.

    Raises ScenarioError, with a fault for each key, if it may not; with every fault that the code
    has, if it cannot be used.
    """
    if not named(scenario) or (scenario.code and not trust):
        return scenario
    if not trust:
        raise ScenarioError(refusals(scenario))
    from stresscube.scenario.own import with_code

    return with_code(scenario)


def refusals(scenario: Scenario, text: str | None = None) -> Iterator[Fault]:
    """A fault for every key that names code. text: where to read it, its file unless given."""
    for section, place in named(scenario).items():
        file = text or place.rpartition(":")[0]
        yield Fault(
            scenario.source,
            f"{section}.step",
            place,
            f"is Python code, which may do whatever you may; read {file}, then add --trust to run "
            "it (in Python: trust=True)",
        )


def named(scenario: Scenario) -> dict[str, str]:
    """The code that a scenario names: {"market" or "policy": place}."""
    places = {section: getattr(scenario, section).step for section in SECTIONS}
    return {section: place for section, place in places.items() if place is not None}


def _make_known(scenario: Scenario, rules: str) -> None:
    """Trusted code that came from another process is made known to this one."""
    from stresscube_kernels.rules import is_known

    if not is_known(rules):
        from stresscube.scenario.own import restore

        restore(scenario)
