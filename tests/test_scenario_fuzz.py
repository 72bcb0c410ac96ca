"""Files broken at random: a scenario that can be expanded, or a ScenarioError; nothing else."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from broken_scenarios import BASE
from stresscube.scenario import Scenario, ScenarioError, loads
from stresscube.scenario.expand import any_market, axes, policy_spec, simulation_spec

LINES = BASE.splitlines()
KEYED = [number for number, line in enumerate(LINES) if "=" in line]
WORDS = ["A", "calm", "stress", "stationary", "horizon", "off", "1min", "7h", "90s", "0s", "x/y"]

numbers = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.floats(width=32).map(lambda x: repr(x).replace("e+", "e")),
    st.sampled_from(["inf", "-inf", "nan", "0", "1", "-1", "0.5", "1e308", "5e-324"]),
)
literals = st.recursive(
    st.one_of(
        numbers,
        st.sampled_from([f'"{word}"' for word in WORDS]),
        st.sampled_from(["true", "false", "1979-05-27", "07:32:00", '""', "[]", "{}"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(st.tuples(st.sampled_from(["start", "stop", "num", "calm", "name"]), inner),
                 max_size=3, unique_by=lambda pair: pair[0])
        .map(lambda pairs: "{ " + ", ".join(f"{k} = {v}" for k, v in pairs) + " }"),
    ),
    max_leaves=4,
)  # fmt: skip


def survives(text: str, *overrides: str) -> None:
    outcome = loaded(text, overrides)
    if isinstance(outcome, Scenario):
        expands(outcome)
        return
    lines = str(outcome).splitlines()
    assert lines
    assert len(lines) == len(outcome.faults)
    assert all(line.startswith(("x.toml: ", "--set: ")) for line in lines)


def loaded(text: str, overrides: tuple[str, ...]) -> Scenario | ScenarioError:
    try:
        return loads(text, "x.toml", overrides)
    except ScenarioError as error:
        return error


def expands(scenario: Scenario) -> None:
    found = axes(scenario)
    assert len({axis.name for axis in found}) == len(found)
    simulation_spec(scenario)
    ends = [(axis.values[0], axis.values[-1]) for axis in found]
    for values in product(*ends):
        point = dict(zip([axis.key for axis in found], values, strict=True))
        any_market(scenario, point)
        policy_spec(scenario, point)


@settings(max_examples=200, deadline=None)
@given(st.sets(st.sampled_from(KEYED), max_size=4), st.lists(literals, min_size=4, max_size=4))
def test_values_replaced(places: set[int], values: list[str]) -> None:
    lines = list(LINES)
    for place, value in zip(sorted(places), values, strict=False):
        lines[place] = f"{lines[place].split('=')[0]}= {value}"
    survives("\n".join(lines))


@settings(max_examples=120, deadline=None)
@given(st.sets(st.integers(0, len(LINES) - 1), max_size=5), st.data())
def test_lines_dropped_and_doubled(places: set[int], data: st.DataObject) -> None:
    extra = data.draw(st.sampled_from(LINES))
    where = data.draw(st.integers(0, len(LINES)))
    lines = [line for number, line in enumerate(LINES) if number not in places]
    survives("\n".join([*lines[:where], extra, *lines[where:]]))


@settings(max_examples=120, deadline=None)
@given(st.integers(0, len(BASE)), st.integers(0, 12), st.text(max_size=6))
def test_text_overwritten(start: int, length: int, new: str) -> None:
    survives(BASE[:start] + new + BASE[start + length :])


@settings(max_examples=120, deadline=None)
@given(
    st.from_regex(r"[a-z_.\[\]0-9]{0,20}", fullmatch=True)
    | st.sampled_from(
        ["policy.leverage", "market.regimes.calm.volatility", "market.regimes[9].name", "sweep",
         "sweep.venue", "market", "venues.A", "market.regimes.calm.next.stress", "name.first"]
    ),
    literals | st.text(max_size=8),
)  # fmt: skip
def test_overrides(key: str, value: str) -> None:
    survives(BASE, f"{key}={value}")
