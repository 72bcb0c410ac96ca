"""Runs through JAX: the cpu backend's cube to rounding, and what is said where JAX is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import stresscube as sc
from stresscube import doctor
from stresscube.backends import XlaBackend, choose
from stresscube.cli.app import app
from stresscube.errors import StresscubeError
from stresscube.memory import shares
from stresscube.plan import make_plan
from stresscube_kernels import jax_here

pytest.importorskip("jax", reason="needs jax: jax")

SCENARIO = """
name = "small"
simulation = { paths = 600, horizon = "6h", step = "5min", seed = 7, precision = "PRECISION" }
[market]
assets = ["BTC", "ETH"]
[[market.regimes]]
name = "calm"
volatility = [0.9, 1.2]
correlation = 0.8
mean_duration = "3h"
[[market.regimes]]
name = "stress"
volatility = [2.5, 3.0]
correlation = 0.3
mean_duration = "1h"
[[venues]]
name = "X"
taker_fee = 0.0005
max_leverage = 200
maintenance_tiers = [[0, 0.01]]
[policy]
venue = "X"
hedge_ratio = 1.0
leverage = 10
[sweep]
"leverage" = [5, 15, 40, 120]
"hedge_ratio" = [0.6, 1.0]
"""
RELATIVE = 1e-9
"""Of one standard error and size: the outcomes differ by 1e-13 or so."""


def cubes(folder: Path, precision: str, *backends: str) -> list[dict[str, np.ndarray]]:
    file = folder / "small.toml"
    file.write_text(SCENARIO.replace("PRECISION", precision))
    made: list[dict[str, np.ndarray]] = []
    for backend in backends:
        run = sc.run(sc.load(file), folder / f"{backend}.run", backend=backend)
        summary = sc.open(run).children["summary"].to_dataset()
        made.append({str(name): summary[name].values for name in summary.data_vars})
    return made


def test_the_cube_is_the_other_backends(tmp_path: Path) -> None:
    """In float64 nothing flips: every metric and standard error, and which cells are feasible."""
    there, here = cubes(tmp_path, "float64", "cpu", "xla")
    assert there.keys() == here.keys()
    assert 0 < there["feasible"].mean() < 1  # margin is more than 1 / 120
    for name, values in there.items():
        if values.dtype.kind == "f":
            scale = np.abs(values) + 1.0
            close = np.abs(here[name] - values) <= RELATIVE * scale
            assert np.all(close | (np.isnan(values) & np.isnan(here[name]))), name
        else:
            assert np.array_equal(here[name], values), name


def test_a_small_memory_splits_and_changes_nothing(tmp_path: Path) -> None:
    """The least that is enough takes the paths in several batches."""
    file = tmp_path / "small.toml"
    file.write_text(SCENARIO.replace("PRECISION", "float32"))
    scenario = sc.load(file, ["simulation.paths=40000", 'simulation.horizon="30min"'])
    plan, backend = make_plan(scenario, "xla"), choose("xla")
    with pytest.raises(StresscubeError) as caught:
        shares(plan, backend, 2**20, 2)
    least = int(str(caught.value).split("needs ")[1].split("MiB")[0]) * 2**20
    assert shares(plan, backend, least, 2).batch < plan.paths / 2
    made = [
        sc.open(sc.run(scenario, tmp_path / name, backend="xla", memory=memory))["summary"]
        for name, memory in (("least.run", least), ("plenty.run", None))
    ]
    few, many = (it.to_dataset() for it in made)
    assert set(few) == set(many)
    for name in few.data_vars:
        np.testing.assert_array_equal(few[name].values, many[name].values, err_msg=str(name))


@pytest.mark.slow
def test_workers_of_a_dask_cluster(tmp_path: Path) -> None:
    """JAX starts in each; the cube is the one of a run without them, bit for bit."""
    pytest.importorskip("distributed", reason="needs distributed: distributed")
    file = tmp_path / "small.toml"
    file.write_text(SCENARIO.replace("PRECISION", "float32"))
    scenario = sc.load(file, ["simulation.paths=64", "sweep.hedge_ratio=[0.6]"])
    made = [
        sc.open(sc.run(scenario, tmp_path / str(dask), backend="xla", dask=dask))["summary"]
        for dask in (None, "local")
    ]
    alone, shared = (it.to_dataset() for it in made)
    for name in alone.data_vars:
        np.testing.assert_array_equal(shared[name].values, alone[name].values, err_msg=str(name))


def test_a_run_can_be_verified(tmp_path: Path) -> None:
    """Computed once more, every bit is the same."""
    cubes(tmp_path, "float32", "xla")
    done = CliRunner().invoke(app, ["verify", str(tmp_path / "xla.run"), "--recompute", "1"])
    assert done.exit_code == 0, done.output
    assert "1 block" in done.output


def test_what_is_said_without_jax(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(jax_here, "installed", lambda: None)
    file = tmp_path / "small.toml"
    file.write_text(SCENARIO.replace("PRECISION", "float32"))
    done = CliRunner().invoke(app, ["run", str(file), "--backend", "xla"])
    assert done.exit_code == 2
    assert "--backend xla: JAX is not installed: pip install 'stresscube[xla]'" in " ".join(
        done.stderr.split()
    )
    finding = doctor.xla_backend()
    assert not finding.ready
    assert finding.missing == "JAX is not installed"
    assert "pip install 'stresscube[xla]'" in finding.mend


def test_old_versions_and_missing_devices_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax_here, "installed", lambda: "0.8.2")
    with pytest.raises(StresscubeError, match=r"jax 0\.8\.2 is too old; 0\.9 or later is needed"):
        choose("xla")
    monkeypatch.undo()

    def none() -> jax_here.Devices:
        raise RuntimeError("Unknown backend tpu")

    monkeypatch.setattr(jax_here, "devices", none)
    with pytest.raises(StresscubeError, match="JAX finds no device: Unknown backend tpu"):
        choose("xla")
    assert doctor.xla_backend().missing == "JAX finds no device: Unknown backend tpu"


def test_the_backend_of_this_machine() -> None:
    backend = choose("xla")
    assert isinstance(backend, XlaBackend)
    assert backend.device
    assert backend.workers() == (backend,)
    assert not backend.keeps(1)
    finding = doctor.xla_backend()
    assert finding.ready
    assert any("device" in line for line in finding.found)
