"""The benchmarks run, at tiny sizes, and what they measure computes what it should."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stresscube_kernels import compiled, oracle
from stresscube_kernels.contract import Features, Shape
from stresscube_kernels.pack import job_shape

sys.path.append(str(Path(__file__).resolve().parents[1]))  # benchmarks/ is not installed
cold = importlib.import_module("benchmarks.cold")
command = importlib.import_module("benchmarks.__main__")
contestants = importlib.import_module("benchmarks.contestants")
record = importlib.import_module("benchmarks.record")
side_by_side = importlib.import_module("benchmarks.side_by_side")
of = importlib.import_module("benchmarks.case")
plain = importlib.import_module("benchmarks.plain").plain

Case = Any


@pytest.fixture(scope="module")
def case() -> Case:
    return of.make_case(policies=70, paths=3, steps=90)


def expected(case: Case) -> np.ndarray:
    return oracle.run_policies(case.tape.astype(np.float64), case.packed, case.shape)


def test_policies_are_the_scenarios_over_and_over() -> None:
    case = of.make_case(policies=1024, paths=1, steps=1)
    assert len(case.job.policies) == 1024
    assert case.job.policies[0] in case.job.policies[1:]
    assert len(set(case.job.policies)) > 200
    assert case.tape.shape == (1, 1, 16)
    assert case.shape.features.rolls  # of the scenario's horizon, not of the tape's


def test_what_a_policy_takes_from_the_market_is_a_number() -> None:
    job = of.make_job(200, of.ROOT / "scenarios" / "flash_crash.toml")
    text = (of.ROOT / "scenarios" / "flash_crash.toml").read_text()
    assert '"min-variance"' in text
    assert all(spec.hedge_ratio is not None for spec in job.policies)


def test_prices_are_those_of_the_tape(case: Case) -> None:
    closes = of.prices(case.tape, 1)
    assert closes.shape == (91, 2)
    np.testing.assert_array_equal(closes[0], 1.0)
    # The returns are float32; four of its roundings of 2^-24 are 2.4e-7.
    np.testing.assert_allclose(closes[1:] / closes[:-1] - 1, case.tape[1, :, :2], atol=2.4e-7)


def test_the_plain_model_of_a_scenario_is_the_plain_code() -> None:
    """Also of the scenario with the most features, where what is left still trades and dies."""
    whole = of.make_job(64, of.ROOT / "scenarios" / "cross_exchange.toml")
    bare = plain(whole)
    shape = job_shape(bare)
    assert {name for name, on in shape.features._asdict().items() if on} == {
        "bridge", "latency", "rolls",
    }  # fmt: skip
    assert job_shape(whole).features.isolated
    assert shape._replace(features=Features(), regimes=1, tiers=1, venues=1) == Shape()
    assert [p.leverage for p in bare.policies] == [p.leverage for p in whole.policies]


@pytest.mark.needs("jax")
def test_jax_gives_the_oracles_outcomes(case: Case) -> None:
    entered = contestants.jax_scan(case)
    assert entered.outcomes is not None
    found = entered.outcomes(case.tape)
    assert found.dtype == np.float32
    # float32: 90 steps of a few roundings of 2^-24 each on numbers near 1
    np.testing.assert_allclose(found, expected(case), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("threads", [1, 2])
def test_compiled_outcomes_do_not_depend_on_threads(case: Case, threads: int) -> None:
    kernels = compiled.numba_kernels(case.shape, "float32")
    entered = contestants.compiled(case, kernels, "cpu", threads)
    assert entered.outcomes is not None
    assert entered.measure() > 0
    np.testing.assert_allclose(entered.outcomes(case.tape), expected(case), rtol=2e-5, atol=2e-5)


def test_wrong_outcomes_are_not_measured(case: Case) -> None:
    good = contestants.numpy_oracle(case)
    wrong = good._replace(outcomes=lambda tape: np.zeros((1, 1, 1)))
    side_by_side.check(case, [good])
    with pytest.raises(ArithmeticError, match="not the oracle's"):
        side_by_side.check(case, [wrong])


def test_ratios_are_taken_within_rounds(case: Case) -> None:
    one = contestants.Contestant("cpu", 2, 3, 90, lambda: 0.0)
    other = one._replace(name="numpy oracle, float64", threads=1, paths=1)
    ours, theirs = side_by_side.lines(case, [one, other], [[1.0, 4.0, 1.0], [1.0, 2.0, 2.0]])
    assert ours["cpu_over_it"] == 1.0
    assert theirs["policy_steps_per_second"] == 70 * 90 / 2.0
    assert theirs["cpu_over_it"] == 3.0  # of 3, 1.5 and 6
    assert (theirs["cpu_over_it_least"], theirs["cpu_over_it_greatest"]) == (1.5, 6.0)
    assert "numpy oracle" in side_by_side.table([ours, theirs])


def test_twin_is_held_against_as_many_threads(case: Case) -> None:
    two = contestants.Contestant("cpu", 2, 3, 90, lambda: 0.0)
    entered = [
        two,
        two._replace(name="C++ twin"),
        two._replace(name="cpu, 1 thread", threads=1),
        two._replace(name="C++ twin, 1 thread", threads=1),
    ]
    found = side_by_side.lines(case, entered, [[1.0], [1.0], [2.0], [2.0]])
    assert [line["cpu_over_it"] for line in found] == [1.0] * 4


def test_lines_are_appended_with_machine_and_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "results" / "cpu.jsonl"
    monkeypatch.setattr(
        command, "measure", lambda what, size, asked: [{"benchmark": what, "versions": {"x": "1"}}]
    )
    for _ in range(2):
        command.main(["linearity", "--output", str(file)])
    first, second = (json.loads(line) for line in file.read_text().splitlines())
    assert first.keys() == second.keys()
    assert first["benchmark"] == "linearity"
    assert first["versions"]["x"] == "1"
    assert first["versions"]["numba"]
    assert first.keys() >= {"date", "commit", "machine", "cores", "load", "system"}
    assert record.significant(123456.0) == 123500.0


def test_what_is_compiled_is_short() -> None:
    """The generator and the normals are written once; at every use, it would be 1,500 lines."""
    found = cold.here("btc_eth_hourly")
    assert found["seconds"] > 0.0
    assert 100 < found["lines"]["market_step"] < 300
