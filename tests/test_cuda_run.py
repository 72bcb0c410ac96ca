"""Whole runs on the CUDA backend, on a made-up machine with cards: see tests/emulator."""

from __future__ import annotations

import importlib
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import stresscube as sc
from emulator.fake_cupy import Machine, install
from fakes import TEXT, scenario
from stresscube import backends, memory
from stresscube.backends import Backend, CudaBackend, choose
from stresscube.cli import rates
from stresscube.cli.app import app
from stresscube.errors import StresscubeError
from stresscube.plan import Plan, make_plan
from stresscube_kernels import cards, cuda
from stresscube_kernels.cards import Card, CuPy, Driver

pytestmark = pytest.mark.needs("compiler")

GPU = Card("a made-up card", 2**30, (9, 0))
SMALL = (
    "simulation.precision='float64'",
    "simulation.horizon='20min'",
    "market.regimes.calm.volatility=[12.0, 15.0]",
)


def machine(monkeypatch: pytest.MonkeyPatch, count: int = 1, memory: int = 2**30) -> Machine:
    """A machine with so many cards, as the driver and CuPy tell of it."""
    monkeypatch.setattr(cards, "driver", lambda: Driver((13, 1), (GPU,) * count))
    monkeypatch.setattr(cards, "installed", lambda: CuPy("numpy", "14.2.0", 13))
    return install(Machine(cards=count, memory=memory), monkeypatch)


def summary(folder: Path, backend: Any, *overrides: str, **rest: Any) -> xr.Dataset:
    case = scenario(300, False, *SMALL, *overrides)
    path = sc.run(case, folder, backend=backend, threads=2, **rest)
    return sc.open(path)["summary"].to_dataset().load()


def same(found: xr.Dataset, expected: xr.Dataset) -> None:
    for name, variable in expected.data_vars.items():
        np.testing.assert_array_equal(found[name].to_numpy(), variable.to_numpy(), str(name))


def test_a_cube_is_the_cpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every metric, from arrays that never left the card, to float64's rounding."""
    expected = summary(tmp_path / "cpu", "cpu")
    made = machine(monkeypatch)
    found = summary(tmp_path / "cuda", "cuda")
    assert {name for name, *_ in made.launches} == {"market_run", "policy_run", "gather_outcomes"}
    assert float(found["liquidation_probability"].max()) > 0.1
    for name, variable in expected.data_vars.items():
        got, want = found[name].to_numpy(), variable.to_numpy()
        if want.dtype == bool or want.dtype.kind in "iu":
            np.testing.assert_array_equal(got, want, str(name))
        else:
            np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-9, err_msg=str(name))


def test_the_same_bits_on_the_card_and_through_the_host(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A block that does not fit the card goes to the host in batches, to memory or to disk, and
    comes back in chunks for its metrics, if those fit."""
    machine(monkeypatch)
    whole = summary(tmp_path / "whole", "cuda")
    backend = choose("cuda")
    plan = make_plan(scenario(300, False, *SMALL), backend)
    chunk = 3 * len(plan.outcomes) * 300 * 8
    monkeypatch.setattr(memory, "DEVICE_CHUNK", 3 * 300)
    monkeypatch.setattr(cuda, "staged_bytes", lambda *_: 0)
    for most in (0, chunk + memory.SUMMARY_COLUMNS * 8 * 3 * 300):
        monkeypatch.setattr(CudaBackend, "keeps", lambda self, count, most=most: count <= most)
        share = memory.shares(plan, backend, 2**30, 2)
        assert (share.spill, share.on_device, share.bring) == (False, False, most > 0)
        same(summary(tmp_path / f"host {most}", "cuda"), whole)
        size = least(plan, backend)
        share = memory.shares(plan, backend, size, 2)
        assert (share.spill, share.on_device, share.bring) == (True, False, most > 0)
        same(summary(tmp_path / f"disk {most}", "cuda", memory=size), whole)


def least(plan: Plan, backend: Backend) -> int:
    """The smallest memory that a run accepts, in bytes."""
    for size in range(2**20, 2**28, 2**18):
        try:
            memory.shares(plan, backend, size, 2)
        except StresscubeError:
            continue
        return size
    raise AssertionError("no memory is enough")


def test_several_cards_share_the_machines_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks that go through it at the same time keep to --memory together."""
    machine(monkeypatch, count=4)
    plan = make_plan(scenario(50_000), "cpu")
    monkeypatch.setattr(CudaBackend, "keeps", lambda self, count: False)
    four, one = (CudaBackend(tuple(range(n)), "numpy", "card") for n in (4, 1))
    assert len(plan.blocks) == 2
    with pytest.raises(StresscubeError, match="is too little"):
        memory.shares(plan, four, least(plan, one) * 2 - 2**19 - 1, 2)
    both = memory.shares(plan, four, 2**29, 2)
    assert both == memory.shares(plan, one, 2**28, 2)
    assert both.threads == 1


def test_all_cards_share_the_blocks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A worker a card, and the same bits as on one."""
    machine(monkeypatch)
    alone = summary(tmp_path / "one", CudaBackend((0,), "numpy", "card", block_policies=9))
    three = machine(monkeypatch, count=3)
    both = CudaBackend((0, 1, 2), "numpy", "card", block_policies=9)
    same(summary(tmp_path / "three", both), alone)
    assert {card for _, card, *_ in three.launches} == {0, 1, 2}


def test_a_fault_on_one_card_ends_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is the fault that is told, not the stop that the other workers were asked for."""
    machine(monkeypatch, count=2)
    prepare = CudaBackend.prepare

    def fails(self: CudaBackend, *args: Any, **rest: Any) -> Any:
        if self.devices == (1,):
            raise RuntimeError("card 1 fell off the bus")
        return prepare(self, *args, **rest)

    monkeypatch.setattr(CudaBackend, "prepare", fails)
    two = CudaBackend((0, 1), "numpy", "card", block_policies=9)
    with pytest.raises(RuntimeError, match="fell off the bus"):
        summary(tmp_path / "run", two)
    assert threading.active_count() < 20


def test_saved_paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Outcomes of single paths are copied from the card chunk by chunk."""
    machine(monkeypatch)
    case = scenario(300, True, *SMALL)
    paths = sc.open(sc.run(case, tmp_path / "run", backend="cuda"))["paths"].to_dataset().load()
    found = sc.open(tmp_path / "run")["summary"].to_dataset().load()
    mean = paths["final_equity"].mean("path") - 1.0
    np.testing.assert_allclose(mean, found["return_mean"], rtol=1e-10)


def test_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, count=2)
    taken, reason = backends.automatic()
    assert isinstance(taken, CudaBackend)
    assert taken.devices == (0, 1)
    assert reason == "a card and CuPy are here"
    monkeypatch.setattr(cards, "installed", lambda: None)
    taken, reason = backends.automatic()
    assert taken.name == "cpu"
    assert reason == "CuPy is not installed: pip install 'stresscube[cuda]'"
    with pytest.raises(StresscubeError, match="--backend cuda: CuPy is not installed"):
        choose("cuda")


def test_check_speaks_of_the_cards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine(monkeypatch, count=2)
    file = tmp_path / "small.toml"
    file.write_text(TEXT.format(paths=40, save_paths="false"))
    monkeypatch.setattr(rates, "recall", lambda *_: None)
    asked = ["check", str(file), "--backend", "cuda", "--set", "simulation.horizon=10min"]
    said = CliRunner().invoke(app, asked)
    assert said.exit_code == 0, said.output
    words = " ".join(said.output.split())
    assert "a block, on the card" in words
    assert "on 2 × a made-up card:" in words


@pytest.mark.needs("nvrtc")
def test_the_benchmark_of_whole_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It runs, on a made-up card and at a tiny size; what it says means nothing."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1]))
    gpu = importlib.import_module("benchmarks.gpu")
    machine(monkeypatch)
    file = tmp_path / "gpu.jsonl"
    sizes = ("--policies=8", "--paths=4", "--tape-paths=4", "--run-paths=32", "--steps=40")
    assert gpu.main(["end_to_end", *sizes, "--rounds=1", f"--output={file}"]) == 0
    (line,) = map(json.loads, file.read_text().splitlines())
    assert line["policies"] == 8
    ratio = line["per_second"] / line["kernel_per_second"]
    assert line["share_of_kernel"] == pytest.approx(ratio, rel=1e-3)
