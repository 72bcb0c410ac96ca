"""The benchmark of a card runs, on a made-up one and at tiny sizes; what it says means nothing.

Without a card it ends in one sentence.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

from emulator.fake_cupy import Machine, install
from stresscube_kernels import cards
from stresscube_kernels.cards import Card, CuPy, Driver, NoDriver

sys.path.append(str(Path(__file__).resolve().parents[1]))  # benchmarks/ is not installed
gpu = importlib.import_module("benchmarks.gpu")
issue_rate = importlib.import_module("benchmarks.issue_rate")

SIZES = ("--policies=64", "--paths=4", "--tape-paths=4", "--run-paths=64", "--steps=70")


def test_without_a_card_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nothing() -> Driver:
        raise NoDriver("there is no NVIDIA driver")

    monkeypatch.setattr(cards, "driver", nothing)
    assert gpu.main([]) == 1
    said = capsys.readouterr()
    assert said.err == "nothing to measure on: there is no NVIDIA driver\n"
    assert said.out == ""


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    card = Card("a made-up card", 2**30, (9, 0))
    monkeypatch.setattr(cards, "driver", lambda: Driver((13, 1), (card,)))
    monkeypatch.setattr(cards, "installed", lambda: CuPy("numpy", "14.2.0", 13))
    monkeypatch.setattr(issue_rate, "LOOPS", 2)
    monkeypatch.setattr(issue_rate, "BLOCKS_A_MULTIPROCESSOR", 1)
    return install(Machine(), monkeypatch)


@pytest.mark.needs("compiler")
@pytest.mark.needs("nvrtc")
def test_kernels(machine: Machine, tmp_path: Path) -> None:
    """A line each: four of ours, two with their bound, the issue rate, and who else is there."""
    file = tmp_path / "gpu.jsonl"
    assert gpu.main(["kernels", *SIZES, "--rounds=1", f"--output={file}"]) == 0
    lines = {line["backend"]: line for line in map(json.loads, file.read_text().splitlines())}
    assert {"cuda, 2 a thread", "cuda, 1 a thread", "issue", "cupy.sort"} <= lines.keys()
    assert "CuPy, elementwise" in lines
    ours, issue = lines["cuda, 2 a thread, whole steps"], lines["issue"]
    bound = issue["per_second"] / ours["instructions_per_policy_step"]
    assert ours["issue_bound"] == pytest.approx(bound, rel=1e-3)
    assert ours["share_of_issue_bound"] == pytest.approx(ours["per_second"] / bound, rel=1e-3)
    assert "issue_bound" not in lines["cuda, 2 a thread"]  # the loop holds two steps, takes one
    assert all(line["card"] == "a made-up card" for line in lines.values())


@pytest.mark.needs("compiler")
@pytest.mark.needs("nvrtc")
def test_what_a_profiler_looks_at(machine: Machine) -> None:
    assert gpu.main(["profile", *SIZES, "--rounds=3"]) == 0
    names = [name for name, *_ in machine.launches]
    assert names == ["market_run", "policy_run", "policy_run", "policy_run"]


@pytest.mark.needs("compiler")
@pytest.mark.needs("nvrtc")
def test_wrong_outcomes_are_not_measured(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "SHARE", -1.0)
    with pytest.raises(ArithmeticError, match="not the CPU backend's"):
        gpu.main(["kernels", *SIZES, "--rounds=1", "--dry"])


def test_the_drivers_version(tmp_path: Path) -> None:
    file = tmp_path / "version"
    assert gpu.driver_version(file) == ""
    for module in (
        "Kernel Module  550.54.15 ",
        "Open Kernel Module for x86_64  580.65.06  Release",
    ):
        file.write_text(f"NVRM version: NVIDIA UNIX x86_64 {module} Tue\nGCC version:  gcc 11.4.0")
        assert gpu.driver_version(file) in ("550.54.15", "580.65.06")
