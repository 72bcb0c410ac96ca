"""Durations: what they mean, and that text and hours go round."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stresscube.scenario.units import (
    SECONDS,
    format_duration,
    parse_duration,
    whole_multiple,
    years,
)


@pytest.mark.parametrize(
    ("text", "hours"),
    [("300ms", 0.3 / 3600), ("1.2s", 1.2 / 3600), ("1min", 1 / 60), ("8h", 8.0), ("30d", 720.0),
     ("2.5h", 2.5), ("1w", 168.0), ("90 s", 0.025)],
)  # fmt: skip
def test_durations_in_hours(text: str, hours: float) -> None:
    assert parse_duration(text) == pytest.approx(hours, rel=1e-15)


@pytest.mark.parametrize(
    "text", ["", "h", "1", "1m", "-1h", "1 hour ago", "1e3h", "inf", "1.h", ".5h", "1h30min", "1٣h"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="unit"):
        parse_duration(text)


def test_longer_than_any_use() -> None:
    with pytest.raises(ValueError, match="too long"):
        parse_duration("9" * 400 + "d")


@given(st.integers(1, 10_000), st.sampled_from(sorted(SECONDS)))
def test_whole_durations_go_round(number: int, unit: str) -> None:
    hours = parse_duration(f"{number}{unit}")
    text = format_duration(hours)
    assert parse_duration(text) == pytest.approx(hours, rel=1e-12)
    assert "." not in text


@given(st.floats(1e-7, 1e9))
def test_any_duration_goes_round(hours: float) -> None:
    assert parse_duration(format_duration(hours)) == pytest.approx(hours, rel=1e-11)


@given(st.integers(1, 2**32 - 1), st.sampled_from(["1ms", "300ms", "1s", "1min", "7min", "1h"]))
def test_multiples_of_a_step_are_counted(count: int, step: str) -> None:
    length = parse_duration(step)
    assert whole_multiple(count * length, length) == count


def test_what_is_no_multiple() -> None:
    assert whole_multiple(1.0, 0.7) is None
    assert whole_multiple(0.4, 1.0) is None


def test_years() -> None:
    assert years(8760.0) == 1.0
    assert years(math.inf) == math.inf
