"""One grammar: the loader, the JSON Schema, the README and the shipped files agree."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broken_scenarios import BASE
from schema_subset import validate
from stresscube.scenario import ScenarioError, json_schema, loads
from stresscube.scenario.grammar import keys
from stresscube.scenario.reference import SCHEMA, renewed, schema_text
from stresscube.scenario.tables import Table
from test_scenario_neutral import NEUTRAL

SCENARIOS = Path(__file__).parents[1] / "scenarios"
README = (SCENARIOS / "README.md").read_text(encoding="utf-8")
RENEW = "run: python -m stresscube.scenario.reference scenarios/README.md"


def schema_keys(schema: dict[str, Any], inside: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for word, child in schema.get("properties", {}).items():
        table = child.get("items", child)
        many = "[]" if child.get("type") == "array" and "properties" in table else ""
        yield f"{inside}{word}{many}", child
        if word != "sweep":
            yield from schema_keys(table, f"{inside}{word}{many}.")


def readme_keys(text: str) -> Iterator[str]:
    section = ""
    for line in text.partition("<!-- keys")[2].splitlines():
        if line.startswith("### "):
            path = re.search(r"`\[*([a-z_.]+)", line)
            section = f"{path[1]}." if path else ""
        elif row := re.match(r"\| `([a-z_]+)` \|", line):
            yield section + row[1]


@pytest.mark.parametrize("text", [BASE, NEUTRAL], ids=["base", "neutral"])
def test_schema_accepts_what_the_loader_accepts(text: str) -> None:
    assert loads(text)
    assert validate(json_schema(), tomllib.loads(text))


@pytest.mark.parametrize("name", [path.name for path in sorted(SCENARIOS.glob("*.toml"))])
def test_schema_accepts_the_shipped_files_and_they_point_to_it(name: str) -> None:
    text = (SCENARIOS / name).read_text(encoding="utf-8")
    assert validate(json_schema(), tomllib.loads(text))
    assert text.startswith(f"#:schema ./{SCHEMA}\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("paths = 100", "paths = 0"),
        ("paths = 100", "pahts = 100"),
        ("correlation = 0.85", "correlation = 1.4"),
        ("volatility = [0.4, 0.5]", "volatility = [0.4]"),
        ('step = "1min"', "step = 60"),
        ('step = "1min"', 'step = "1m"'),
        ('venue = "A"\n', ""),
        ("leverage = [2, 5, 50]", "leverage = []"),
        ("leverage = [2, 5, 50]", "leverge = [2]"),
        ("leverage = [2, 5, 50]", "leverage = [2, 0]"),
        ("market.regimes.stress.correlation", "simulation.paths"),
        ('holding = "1h"', 'roll = "nett"'),
    ],
)
def test_schema_refuses_what_the_loader_refuses(old: str, new: str) -> None:
    text = BASE.replace(old, new, 1)
    assert not validate(json_schema(), tomllib.loads(text))
    with pytest.raises(ScenarioError):
        loads(text)


def test_every_key_is_in_the_schema_with_description_and_example() -> None:
    found = dict(schema_keys(json_schema()))
    assert found.pop("sweep")
    assert set(found) == set(keys())
    for pattern, schema in found.items():
        assert schema["description"], pattern
        if keys()[pattern].leaf is not None:
            assert schema["examples"] != [None], pattern


def test_every_example_and_default_is_valid() -> None:
    for pattern, entry in keys().items():
        if entry.leaf is None:
            continue
        entry.leaf.parse(entry.example)
        default = entry.info.default
        if not entry.required and default is not None:
            assert entry.leaf.parse(entry.leaf.plain(default)) == default, pattern


def test_readme_names_exactly_the_keys_of_the_grammar() -> None:
    leaves = {pattern.replace("[]", "") for pattern, entry in keys().items() if entry.leaf}
    listed = list(readme_keys(README))
    assert set(listed) == leaves
    assert len(listed) == len(leaves)


def test_readme_and_schema_file_are_those_of_the_grammar() -> None:
    assert renewed(README) == README, RENEW
    assert (SCENARIOS / SCHEMA).read_text(encoding="utf-8") == schema_text(), RENEW


def test_readme_examples_load() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    least = loads(blocks[0])
    assert least.sweep == {}
    assert all(tomllib.loads(block) for block in blocks)


def test_the_least_file_is_least() -> None:
    """Every key of the least file is required."""
    least = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)[0]
    for line in least.splitlines():
        if " = " in line:
            with pytest.raises(ScenarioError):
                loads(least.replace(f"{line}\n", "", 1))


def test_models_are_frozen_and_closed() -> None:
    scenario = loads(BASE)
    with pytest.raises(ValueError, match="frozen"):
        scenario.policy.leverage = 3  # pyright: ignore[reportAttributeAccessIssue]
    assert issubclass(type(scenario.market), Table)


def test_no_fault_speaks_pydantic() -> None:
    text = (
        "market = [1]\nvenues = [1]\npolicy = 1\nsimulation = { paths = [] }\nsweep = 1\nname = 1"
    )
    with pytest.raises(ScenarioError) as caught:
        loads(text)
    assert "Input" not in str(caught.value)
    assert len(caught.value.faults) >= 6
