"""The parts of the optimiser by themselves: box, rewritten scenarios, the walk, what is refused."""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from stresscube.cli import app
from stresscube.decide.question import ask
from stresscube.errors import StresscubeError
from stresscube.optimise import Effort, search
from stresscube.optimise.box import Box, Range, box_of
from stresscube.optimise.exact import around
from stresscube.optimise.rewritten import market_sweep, text_of, with_values
from stresscube.scenario import load, loads
from stresscube_kernels import jax_here

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
EVERY = sorted(SCENARIOS.glob("*.toml"))


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["optimise", *map(str, arguments)])


def test_the_box_is_that_of_the_sweep() -> None:
    """Leverage ends at the venue's cap, and `inf` stands besides the range of thresholds."""
    box = box_of(load(SCENARIOS / "btc_eth_hourly.toml"))
    assert box.ranges == (
        Range("hedge_ratio", 0.8, 1.2, log=False),
        Range("leverage", 2.0, 20.0, log=True),
        Range("rebalance_threshold", 0.004, 0.012, log=False, besides=(math.inf,)),
    )
    assert box.ranges[2].even(16)[-2:] == [0.012, math.inf]
    assert len(box.ranges[2].even(16)) == 16


def test_words_and_single_values_are_no_range() -> None:
    box = box_of(load(SCENARIOS / "flash_crash.toml", ["sweep.directional_bias=[0.1]"]))
    assert box.keys == ("leverage", "hedge_ratio", "rebalance_threshold")
    assert box.ranges[1] == Range("hedge_ratio", 0.8, 1.3, log=False)


def test_places_are_those_of_values() -> None:
    box = Box((Range("leverage", 2.0, 50.0, log=True), Range("exit_z", -0.5, 0.5, log=False)))
    policy = {"leverage": 10.0, "exit_z": 0.25}
    (back,) = box.policies(box.places(policy)[None])
    assert back == pytest.approx(policy)
    low, high = box.policies(np.array([[0.0, 0.0], [1.0, 1.0]]))
    assert (low, high) == ({"leverage": 2.0, "exit_z": -0.5}, {"leverage": 50.0, "exit_z": 0.5})


def test_slopes_are_derivatives_of_values() -> None:
    box = Box((Range("leverage", 2.0, 50.0, log=True), Range("exit_z", -0.5, 0.5, log=False)))
    at, step = np.array([[0.3, 0.6]]), 1e-6
    up, down = (box.policies(at + sign * step)[0] for sign in (1, -1))
    expected = [(up[key] - down[key]) / (2 * step) for key in box.keys]
    assert box.slopes(at)[:, 0].tolist() == pytest.approx(expected, rel=1e-8)


def test_neighbours_stand_on_both_sides() -> None:
    box = box_of(load(SCENARIOS / "btc_eth_hourly.toml"))
    axes = around(box, {"hedge_ratio": 1.2, "leverage": 10.0, "rebalance_threshold": 0.008}, 0.1)
    assert axes["hedge_ratio"] == [1.16, 1.2]
    assert axes["leverage"] == pytest.approx([10 * 10**-0.1, 10.0, 10 * 10**0.1], rel=1e-3)
    assert axes["rebalance_threshold"] == [0.0072, 0.008, 0.0088, math.inf]
    never = around(
        box, {"hedge_ratio": 1.0, "leverage": 10.0, "rebalance_threshold": math.inf}, 0.1
    )
    assert never["rebalance_threshold"] == [0.0112, 0.012, math.inf]


@pytest.mark.parametrize("file", EVERY, ids=lambda file: file.stem)
def test_a_rewritten_scenario_means_the_same(file: Path) -> None:
    scenario = load(file, ["simulation.seed=7"])
    again = loads(text_of(scenario, {}, {key: [1] for key in ()}), str(file))
    for name in ("simulation", "market", "venues", "policy", "name"):
        assert getattr(again, name) == getattr(scenario, name)
    assert again.sweep == {}
    changed = with_values(scenario, {"leverage": 3.5}, market_sweep(scenario), paths=640, seed=9)
    assert changed.policy.leverage == 3.5
    assert (changed.simulation.paths, changed.simulation.seed) == (640, 9)
    kept = {key: it for key, it in scenario.sweep.items() if key.startswith("market.")}
    assert changed.sweep == kept


@pytest.mark.parametrize("text", ['a "quoted" \\ line\nand more', "é € 🂡", "tab\there"])
def test_any_description_survives(text: str) -> None:
    scenario = load(
        SCENARIOS / "quickstart.toml", [f"description={json.dumps(text, ensure_ascii=False)}"]
    )
    assert with_values(scenario, {}, {}).description == text


class Bowl:
    """A problem with an answer: the goal -|x - top|^2 of leverage and exit_z, in places, and the
    constraint's metric, leverage's place; both with noise.
    """

    def __init__(self, box: Box, top: Sequence[float], noise: float) -> None:
        self.box, self.top, self.noise = box, np.array(top), noise
        self.rng = np.random.default_rng(1)
        self.seen: list[int] = []

    def value_and_gradient(self, policies: Any, labels: Any, **given: Any) -> Any:
        self.seen.append(given["first_path"])
        places = np.array([self.box.places(it) for it in policies])
        off = places - self.top
        values = np.stack([-(off**2).sum(axis=1), places[:, 0]])[: len(labels)]
        values = values + self.noise * self.rng.standard_normal(values.shape)
        slopes = np.zeros((2, 2, len(places)))
        slopes[0] = -2.0 * off.T + self.noise * self.rng.standard_normal(off.T.shape)
        slopes[1, 0] = 1.0
        gradients = slopes[: len(labels)] / self.box.slopes(places)
        errors = np.full_like(values, self.noise)
        return SimpleNamespace(values=values, errors=errors, gradients=gradients)


def walked(limit: str | None, noise: float = 0.05) -> tuple[search.Walked, Bowl]:
    pytest.importorskip("optax", reason="needs jax: optax")
    box = Box((Range("leverage", 2.0, 50.0, log=True), Range("exit_z", -0.5, 0.5, log=False)))
    problem = Bowl(box, [0.7, 0.4], noise)
    question = ask("sharpe", None, [limit] if limit else [], "worst", 0.95)
    plan = search.Plan(starts=5, steps=60, paths=64, seed=3)
    first = search.starts(box, None, 5, 3)
    labels = ("goal", "limit")[: 2 if limit else 1]
    steps: list[int] = []
    problems: Any = [problem]
    found = search.walk(
        problems, labels, question, box, first, plan, lambda step, _: steps.append(step)
    )
    assert steps == list(range(1, 61))
    return found, problem


def test_every_start_walks_to_the_top() -> None:
    found, problem = walked(None)
    assert np.abs(found.places - [0.7, 0.4]).max() < 0.05
    assert found.evaluations == 60 * 64 * 5
    assert problem.seen == list(range(0, 60 * 64, 64)), "every step has paths of its own"


def test_a_constraint_stops_the_walk_at_its_limit() -> None:
    found, _ = walked("return_mean<0.5")
    assert np.abs(found.places - [0.5, 0.4]).max() < 0.06


def test_a_constraint_that_does_not_bind_changes_nothing() -> None:
    found, _ = walked("return_mean<0.95")
    assert np.abs(found.places - [0.7, 0.4]).max() < 0.05


@pytest.mark.parametrize(
    ("options", "sentences"),
    [
        (
            ["--maximise", "sharp", "--over", "leverage=20:2", "--starts", "0"],
            [
                "--starts 0: must be at least 1",
                "--maximise sharp: sharp has no derivative here; ask for one of return_mean, ",
                "--over leverage=20:2: LOW must be below HIGH, both finite",
            ],
        ),
        (["--subject-to", "survival>0.9"], ["--subject-to survival>0.9: survival has no deriv"]),
        (["--minimise", "return_variance"], ["return_variance has no derivative here"]),
        (["--over", "leverage"], ["expected KEY=LOW:HIGH, as in --over leverage=2:20"]),
        (["--over", "leverge=1:2"], ['did you mean "leverage"?']),
        (["--over", "venue=1:2"], ["takes words"]),
        (["--over", "holding=1:2"], ["counts whole steps"]),
        (["--over", "leverage=60:90"], ["venue X allows 50"]),
        (["--over", "leverage=-1:9"], ["leverage must be > 0 and at most 1000"]),
        (["--over", "market.regimes.calm.correlation=0:1"], ["no number of the policy"]),
        (["--over", "leverage=1:2", "--over", "leverage=1:3"], ["has a range already"]),
        (["--search-paths", "100"], ["--search-paths 100: must be a multiple of 32"]),
        (["-o", "no/such/place.toml"], ["there is no folder no/such"]),
    ],
)
def test_what_cannot_be_is_said(options: list[str], sentences: list[str]) -> None:
    result = call(SCENARIOS / "quickstart.toml", *options)
    assert result.exit_code == 2, result.output
    text = " ".join(result.stderr.split())
    for sentence in sentences:
        assert sentence in text
    assert "Traceback" not in text


def test_a_scenario_without_ranges_asks_for_them(tmp_path: Path) -> None:
    file = tmp_path / "plain.toml"
    file.write_text(text_of(load(SCENARIOS / "quickstart.toml"), {}, {}))
    result = call(file)
    assert result.exit_code == 2
    assert "give ranges, as in --over leverage=2:20" in result.stderr


def test_what_is_missing_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax_here, "installed", lambda: None)
    result = call(SCENARIOS / "quickstart.toml")
    assert result.exit_code == 2
    assert "JAX is not installed: pip install 'stresscube[xla]'" in result.stderr


def test_optax_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    place = importlib.import_module("stresscube.optimise.optimise")
    monkeypatch.setattr(jax_here, "why_not", lambda: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(StresscubeError, match=r"optax is not installed: pip install 'stresscube"):
        place.installed()


def test_effort_that_can_be_has_no_faults() -> None:
    assert Effort().faults() == []
