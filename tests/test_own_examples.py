"""The examples with code of their own, through the command line, held to what must be true."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner, Result

import stresscube as sc
from stresscube.cli.app import app
from stresscube.scenario import load
from stresscube_kernels.compiled import numba_kernels

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
PATHS = 256


def call(file: Path, out: str | Path, *settings: str) -> Result:
    """`stresscube run FILE --trust` on few paths, all their outcomes kept."""
    words = ["run", file, "-o", out, "--trust", "--backend", "cpu", "--paths", PATHS]
    for setting in ("simulation.save_paths=true", *settings):
        words += ["--set", setting]
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., xr.DataTree]:
    """Run an example, or another file, and open what it wrote: 0.run, then 1.run."""
    monkeypatch.chdir(tmp_path)

    def called(scenario: str | Path, *settings: str) -> xr.DataTree:
        file = EXAMPLES / f"{scenario}.toml" if isinstance(scenario, str) else scenario
        out = tmp_path / f"{len(list(tmp_path.glob('*.run')))}.run"
        done = call(file, out, *settings)
        assert done.exit_code == 0, done.output
        return sc.open(out)

    return called


def without_code(name: str, folder: Path, *lines: str) -> Path:
    """The example without its code, and without the lines of it that begin so."""
    text = (EXAMPLES / f"{name}.toml").read_text()
    kept = [
        line
        for line in text.splitlines()
        if not line.startswith(('step = "trailing', 'step = "volatility', *lines))
    ]
    file = folder / f"plain_{name}.toml"
    file.write_text("\n".join(kept))
    return file


def paths_of(tree: xr.DataTree) -> xr.Dataset:
    return tree.children["paths"].to_dataset()


def values(tree: xr.DataTree, name: str) -> Any:
    return paths_of(tree)[name].values


def test_a_stop_that_is_always_reached_never_trades_again(run: Callable[..., xr.DataTree]) -> None:
    """A stop above the highest equity: every path is out after its first step, for good."""
    stop = 'sweep."policy.parameters.stop"=[-1]'
    short, long = (run("trailing_stop", stop, f"simulation.horizon={h}") for h in ("10min", "2h"))
    assert (values(long, "trades") == 1).all()
    assert (values(long, "rebalances") == 0).all()
    leverage = values(long, "leverage")
    turnover = values(long, "turnover").mean(axis=(1, 2))
    assert turnover == pytest.approx(2 * leverage, rel=0.01)
    for name in ("final_equity", "turnover", "max_drawdown", "fees"):
        assert np.array_equal(values(short, name), values(long, name)), name


def test_a_stop_that_is_never_reached_is_no_stop(
    run: Callable[..., xr.DataTree], tmp_path: Path
) -> None:
    """Bit for bit, every outcome of every path."""
    horizon = "simulation.horizon=3h"
    own = run("trailing_stop", 'sweep."policy.parameters.stop"=[1e30]', horizon)
    file = without_code("trailing_stop", tmp_path, "[policy.p", "stop = ", '"policy.p')
    plain = run(file, horizon)
    found, expected = paths_of(own).squeeze("stop"), paths_of(plain)
    assert set(found.data_vars) == set(expected.data_vars)
    for name in expected.data_vars:
        assert np.array_equal(found[name], expected[name], equal_nan=True), name


def test_a_tighter_stop_loses_less(run: Callable[..., xr.DataTree]) -> None:
    """On the same paths the deepest drawdown of a stop at s is s and what one step adds."""
    tree = run("trailing_stop", "simulation.horizon=6h")
    drawdown = values(tree, "max_drawdown")
    stops, leverage = values(tree, "stop"), values(tree, "leverage")[:, None]
    assert paths_of(tree)["max_drawdown"].dims == ("leverage", "stop", "path")
    # Of a step no leg moves more than 6.3 deviations of the wilder regime, and 7% more by the fill.
    step = 1.07 * 6.3 * (1.2 + 1.6) / 2 / np.sqrt(525600) + 0.004
    for k, stop in enumerate(stops[:-1]):
        assert (drawdown[:, k] <= stop + leverage * step).all()
    assert (np.diff(drawdown.mean(axis=2), axis=1) > 0).all()


def test_the_wave_moves_variance_through_the_day_and_adds_none() -> None:
    """Hourly variances against the factor that the code states, at 5 standard errors."""
    scenario = load(EXAMPLES / "volatility_by_hour.toml", ['simulation.horizon="24h"'])
    paths, amplitude = 400, 0.8
    point = {"market.parameters.amplitude": amplitude}
    market = sc.market(scenario, paths, point, trust=True)
    steps = np.diff(np.log(market["price"].sel(leg="a").values), axis=1)
    found = steps.reshape(paths, 24, 60).var(axis=(0, 2))
    away = np.abs(np.arange(1440) - 14 * 60) / 1440
    slope = 1 - 4 * np.minimum(away, 1 - away)
    wave = slope * (3 - slope**2) / 2
    assert np.abs(wave - np.cos(2 * np.pi * away)).max() < 0.021
    factor = (1 + amplitude * wave) ** 2 / (1 + amplitude**2 * 17 / 35)
    expected = factor.reshape(24, 60).mean(axis=1) * 0.9**2 / 525600
    assert np.abs(found / expected - 1).max() < 5 * np.sqrt(2 / (paths * 60))
    assert found.mean() * 525600 == pytest.approx(0.9**2, rel=5 * np.sqrt(2 / (paths * 1440)))
    assert found.max() / found.min() > 20


def test_no_wave_is_the_built_in_market(run: Callable[..., xr.DataTree], tmp_path: Path) -> None:
    """Bit for bit, every outcome of every path."""
    horizon = "simulation.horizon=3h"
    own = run("volatility_by_hour", 'sweep."market.parameters.amplitude"=[0]', horizon)
    file = without_code(
        "volatility_by_hour", tmp_path, "[market.p", "day", "peak", "amplitude", '"market.p'
    )
    plain = run(file, horizon)
    found, expected = paths_of(own).squeeze("amplitude"), paths_of(plain)
    for name in expected.data_vars:
        assert np.array_equal(found[name], expected[name], equal_nan=True), name


def test_a_changed_file_is_another_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[..., xr.DataTree]
) -> None:
    """Its run folder is refused, and a new run computes what the new text says."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for kind in ("py", "toml"):
        shutil.copy(EXAMPLES / f"trailing_stop.{kind}", folder)
    file, code = folder / "trailing_stop.toml", folder / "trailing_stop.py"
    words = ("simulation.horizon=1h", 'sweep."policy.parameters.stop"=[0.01]')
    first = run(file, *words)
    assert "0.run was complete already" in call(file, "0.run", *words).output
    code.write_text(code.read_text().replace("(1.0 - stop)", "(1.0 - 0.1 * stop)"))
    refused = call(file, "0.run", *words)
    assert refused.exit_code == 1
    assert "holds another run: the code that policy.step names has changed." in refused.stderr
    kernels = numba_kernels.cache_info().misses
    second = run(file, *words)
    assert numba_kernels.cache_info().misses == kernels + 1
    assert (values(second, "turnover") < values(first, "turnover")).any()
    shown = CliRunner().invoke(app, ["show", "0.run", "--max-liquidation", "1"])
    assert shown.exit_code == 0, shown.output  # without --trust: it runs no code
