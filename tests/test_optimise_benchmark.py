"""What the benchmark of the optimiser says of its numbers."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1]))  # benchmarks/ is not installed
pytest.importorskip("jax", reason="needs jax: jax")
bench = importlib.import_module("benchmarks.optimise")
slopes = importlib.import_module("benchmarks.tables.slopes")


def line(difference: float, found: str = "shown", grid: str = "shown") -> dict[str, object]:
    row = {"policy": {"leverage": 2.5}, "goal": 1.0, "goal_se": 0.1, "constraints": [0.0]}
    row |= {"bounds": [0.004]}
    return {
        "benchmark": "optimise",
        "difference": difference,
        "difference_se": 0.1,
        "difference_to_hindsight": difference,
        "difference_to_hindsight_se": 0.1,
        "found": row | {"standing": found},
        "grid": row | {"standing": grid},
        "hindsight": row | {"standing": grid},
    }


@pytest.mark.parametrize(
    ("difference", "found", "grid", "winner"),
    [
        (0.19, "shown", "shown", "neither"),
        (0.21, "shown", "shown", "gradient"),
        (-0.21, "shown", "estimated", "grid"),
        (-0.9, "estimated", "none", "gradient"),
        (0.9, "none", "shown", "grid"),
    ],
)
def test_the_verdict(difference: float, found: str, grid: str, winner: str) -> None:
    """The constraint first, then two paired errors."""
    assert bench.verdict(line(difference, found, grid)) == winner


def test_a_dearer_gradient_is_counted_as_measured(tmp_path: Path) -> None:
    """1,000 of 1,400 steps are the search's, at 12 measured for 8 counted: 500 more."""
    told = line(0.3) | {
        "scenario": "one", "winner": "gradient", "grid_policy_steps": 20_000, "policy_steps": 1_400,
        "share": 0.07, "spent": {"searching": 1_000}, "grid_seconds": 3.0, "seconds": 5.0,
        "gradient_cost_counted": 8, "gradient_cost_measured": 12.0, "box": ["leverage = 2:3"],
        "markets": 1, "grid_paths": 512, "round_paths": 1024, "referee_paths": 8192,
        "load": 2.0, "cores": 2,
    }  # fmt: skip
    older = told | {"winner": "grid", "difference": -9.0}
    (tmp_path / "x.jsonl").write_text(json.dumps(older) + "\n" + json.dumps(told) + "\n")
    text = slopes.optimise(tmp_path)
    assert "better policy in 1, the grid in 0" in text
    assert "They took at most 9.5% of" in text
    assert "| one | +0.3 ± 0.1 | +0.3 ± 0.1 | gradient |" in text
    assert "| 3 | 5 |" in text
    (tmp_path / "x.jsonl").write_text(json.dumps(told | {"load": 7.0}) + "\n")
    assert "| – | – |" in slopes.optimise(tmp_path)


def test_cases_can_be_asked() -> None:
    for name, case in bench.CASES.items():
        scenario = bench.scenario_of(case, 64)
        assert (bench.ROOT / "scenarios" / case.file).stem == name
        assert bool(scenario.sweep) == case.swept_markets
        box = bench.box_of(scenario, case.over)
        assert len(box.ranges) == 3
