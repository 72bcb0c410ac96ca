"""Policies that are found: against optima known from theory, constraint on and off, and a grid."""

from __future__ import annotations

import importlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from stresscube.cli import app
from stresscube.decide.question import ask
from stresscube.optimise import Effort, Optimum, optimise, search
from stresscube.optimise.box import box_of
from stresscube.optimise.exact import Exact
from stresscube.scenario import load, loads
from stresscube.scenario.expand import simulation_spec

pytest.importorskip("jax", reason="needs jax: jax")
pytest.importorskip("optax", reason="needs jax: optax")

K = 4.0
"""Standard errors that a comparison with theory may be off."""
VOLATILITY, CORRELATION, DRIFT = (0.6, 0.8), 0.8, 3.0
STEPS, YEARS = 12, 12 / 8760
GAUSSIAN = f"""
name = "gaussian"
simulation = {{ paths = 6400, horizon = "{STEPS}h", step = "1h", seed = 5 }}
[market]
assets = ["A", "B"]
regimes = [{{ name = "only", drift = [{DRIFT}, 0.0], volatility = [0.6, 0.8], correlation = 0.8 }}]
[[venues]]
name = "X"
taker_fee = 0.0
slippage = 0.0
max_leverage = 100
maintenance_tiers = [[0, 0.004]]
[policy]
venue = "X"
hedge_ratio = 1.5
leverage = 1.0
"""
EFFORT = Effort(starts=4, steps=25, paths=64, exact=1024)


def deviation(hedge_ratio: float, leverage: float = 1.0) -> float:
    """Of the return of one trade that is never rebalanced, to first order in the variance."""
    a, b = VOLATILITY
    spread = a * a + (hedge_ratio * b) ** 2 - 2.0 * CORRELATION * hedge_ratio * a * b
    return leverage / (1.0 + hedge_ratio) * math.sqrt(spread * YEARS)


def found(text: str, over: str, **asked: object) -> Optimum:
    given: dict[str, object] = {"subject_to": (), "over": [over], "effort": EFFORT}
    return optimise(loads(text), **given | asked)  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def least() -> Optimum:
    """The hedge ratio of the least deviation."""
    return found(GAUSSIAN, "hedge_ratio=0.2:2", minimise="return_std")


def test_the_hedge_ratio_is_that_of_least_variance(least: Optimum) -> None:
    """At fixed gross leverage the least is where h = a(a + rho b) / (b(b + rho a)).

    How far off h may be follows from the exact rounds: neighbours that are nearer than their paired
    errors tell apart are as good. So the deviation found is compared, not h alone.
    """
    it = least
    a, b = VOLATILITY
    best = a * (a + CORRELATION * b) / (b * (b + CORRELATION * a))
    assert deviation(it.policy["hedge_ratio"]) < 1.01 * deviation(best)
    assert it.policy["hedge_ratio"] == pytest.approx(best, rel=0.15)
    row = it.found
    error = K * it.confirmed.goal_se[row]
    assert it.confirmed.goal[row] == pytest.approx(deviation(it.policy["hedge_ratio"]), abs=error)


def test_an_active_constraint_is_met_and_hardly_more() -> None:
    """With a drift in leg a the mean grows with leverage, and so does the deviation."""
    text, limit = GAUSSIAN.replace("hedge_ratio = 1.5", "hedge_ratio = 0.7"), 0.02
    it = found(text, "leverage=0.5:8", maximise="return_mean", subject_to=[f"return_std<{limit}"])
    most = limit / deviation(0.7)
    assert 0.5 < most < 8.0, "the constraint is active in the box"
    # Shown with confidence 0.95: below the limit by about 1.64 errors of a deviation of 1,024
    # paths, 1/sqrt(2 n) of it; neighbours stand 0.04 of the box's logarithm apart.
    error = 1.0 / math.sqrt(2.0 * EFFORT.exact)
    neighbour = (8.0 / 0.5) ** 0.04
    assert most * (1.0 - (K + 1.64) * error) / neighbour < it.policy["leverage"]
    assert it.policy["leverage"] < most * (1.0 + K * error)


def test_a_constraint_that_does_not_bind_leaves_the_best() -> None:
    text = GAUSSIAN.replace("hedge_ratio = 1.5", "hedge_ratio = 0.7")
    it = found(text, "leverage=0.5:8", maximise="return_mean", subject_to=["return_std<0.9"])
    assert it.policy["leverage"] == 8.0
    assert it.standing == "shown"
    assert it.spent["searching"] == 4 * 25 * 64 * STEPS * (2 + 2)
    assert sum(it.spent.values()) == it.spent["searching"] + STEPS * (
        len(it.heats.policies) * EFFORT.exact
        + it.spent["rounds"] // STEPS
        + len(it.confirmed.policies) * 6400
    )


def test_what_is_found_is_at_least_as_good_as_a_grid(least: Optimum) -> None:
    """Both judged on paths that neither has seen, with the paired error of the difference."""
    scenario = loads(GAUSSIAN)
    it = least
    question = ask(None, "return_std", (), "worst", 0.95)
    exact = Exact(scenario, question, {}, simulation_spec(scenario).steps)
    (ranged,) = box_of(scenario, ["hedge_ratio=0.2:2"]).ranges
    grid = exact.grid({"hedge_ratio": ranged.even(16)}, EFFORT.exact, 77)
    pick = grid.policies[grid.best(question)]["hedge_ratio"]
    both = sorted({pick, it.policy["hedge_ratio"]})
    referee = exact.grid({"hedge_ratio": both}, 4096, 78)
    assert referee.batches is not None
    rows = zip(referee.policies, referee.batches, strict=True)
    worth = {p["hedge_ratio"]: batch for p, batch in rows}
    difference = worth[it.policy["hedge_ratio"]] - worth[pick]
    error = difference.std(ddof=1) / math.sqrt(len(difference))
    assert difference.mean() <= K * error


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that is done at once: two starts, of which the second came to the better place."""
    place = importlib.import_module("stresscube.optimise.optimise")

    def walk(*_: object) -> search.Walked:
        first, came = np.array([[0.1], [0.9]]), np.array([[0.02], [0.3]])
        return search.Walked(first, came, np.zeros(2), 1000)

    monkeypatch.setattr(place, "_walk", walk)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["optimise", *map(str, arguments)])


def asked(folder: Path, *more: object) -> Result:
    file = folder / "gaussian.toml"
    file.write_text(GAUSSIAN.replace("paths = 6400", "paths = 640"))
    return call(
        file, "--minimise", "return_std", "--over", "hedge_ratio=0.2:2", "--round-paths", 640, *more
    )


@pytest.mark.usefixtures("searched")
def test_the_command_prints_what_it_found_and_writes_it(tmp_path: Path) -> None:
    out = tmp_path / "found.toml"
    result = asked(tmp_path, "-o", out)
    assert result.exit_code == 0, result.output
    hedge_ratio = load(out).policy.hedge_ratio
    assert isinstance(hedge_ratio, float)
    assert 0.4 < hedge_ratio < 1.0
    assert load(out).sweep == {}
    text = " ".join(result.stdout.split())
    for words in (
        f"found hedge_ratio = {hedge_ratio:.4g}",
        "minimise return_std subject to liquidation_probability<0.01",
        "on 640 paths that no choice has seen",
        "with 0.95 confidence",
        "policy-steps (searching 48 k",
        "a grid of 16 policies on 640 paths",
        "A step with its gradient counts as 4 plain ones.",
    ):
        assert words in text
    assert "confirming" in result.stderr
    assert "…" not in result.stdout, "no column is cut"


@pytest.mark.usefixtures("searched")
def test_programs_get_the_same_as_json(tmp_path: Path) -> None:
    result = asked(tmp_path, "--json", "--quiet")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["standing"] == "shown"
    assert told["found"]["policy"] == told["policy"]
    assert told["found"]["constraints"][0]["bound"] < 0.01
    assert len(told["starts"]) == len(told["heats"]) == 2
    worst = max(told["heats"], key=lambda it: it["goal"])
    assert worst["policy"]["hedge_ratio"] == pytest.approx(
        told["starts"][0]["came_to"]["hedge_ratio"], rel=1e-3
    )
    parts = [number for stage, number in told["policy_steps"].items() if stage != "all"]
    assert told["policy_steps"]["all"] == sum(parts)
    assert not result.stderr


def test_a_stop_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = importlib.import_module("stresscube.optimise.optimise")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(place, "_walk", stop)
    result = asked(tmp_path, "--quiet", "-o", tmp_path / "found.toml")
    assert result.exit_code == 130
    assert result.stderr == "stresscube: stopped\n"
    assert not (tmp_path / "found.toml").exists()
