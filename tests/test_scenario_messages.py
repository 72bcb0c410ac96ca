"""Every fault is named in one line that says what is wrong and what to do; never a traceback."""

from __future__ import annotations

import pytest

from broken_scenarios import BASE, BROKEN, Broken
from stresscube.scenario import ScenarioError, loads

SOURCE = "scenarios/x.toml"


def lines(text: str, *overrides: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        loads(text, SOURCE, overrides)
    assert len(caught.value.faults) == len(str(caught.value).splitlines())
    return str(caught.value).splitlines()


def broken_text(case: Broken) -> str:
    text = BASE if case.old else BASE + case.new
    for old, new in ((case.old, case.new), *case.more):
        assert old in BASE, f"{old!r} is not in BASE"
        text = text.replace(old, new, 1) if old else text
    return text


def test_the_table_is_long_enough_and_its_base_is_valid() -> None:
    assert len(BROKEN) >= 40
    assert loads(BASE).name == "base"


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.lines[0][:60])
def test_broken_file_gives_exactly_its_message(case: Broken) -> None:
    assert lines(broken_text(case)) == [f"{SOURCE}: {line}" for line in case.lines]
