"""[market.uncertainty], from a file of draws to a cube: grammar, faults, plan, run and trace."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import stresscube as sc
from stresscube.cli.app import app
from stresscube.errors import RunError, StresscubeError
from stresscube.gradients.problem import Problem
from stresscube.plan import make_plan
from stresscube.scenario import ScenarioError, load
from stresscube.scenario.expand import any_market, market_spec
from stresscube.store.layout import context
from stresscube_kernels.spec import DrawnSpec, MarketSpec

TEXT = """\
name = "drawn"
simulation = { paths = 4096, horizon = "2h", step = "5min", seed = 1, save_paths = true }

[market]
assets = ["BTC", "ETH"]
uncertainty = { file = "x.draws.csv", draws = 32 }

[[market.regimes]]
name = "calm"
mean_duration = "12h"
volatility = [0.45, 0.60]
correlation = 0.85
next = { wild = 0.5, dead = 0.5 }

[[market.regimes]]
name = "wild"
mean_duration = "4h"
volatility = [1.2, 1.6]
correlation = 0.85
next = { calm = 1.0 }

[[market.regimes]]
name = "dead"
mean_duration = "2h"
volatility = [0.1, 0.1]
correlation = 0.5
next = { calm = 1.0 }

[[venues]]
name = "X"
taker_fee = 0.0005
maintenance_tiers = [[0, 0.02]]
liquidation_fee = 0.0125

[policy]
venue = "X"
hedge_ratio = 1.0
leverage = 40
rebalance_threshold = 0.01

[sweep]
hedge_ratio = [0.5, "min-variance"]
"""
KEYS = (
    "market.regimes.wild.volatility.BTC",
    "market.regimes.calm.volatility.ETH",
    "market.regimes.calm.mean_duration",
    "market.regimes.calm.next.wild",
    "market.regimes.calm.next.dead",
)


def rows(count: int = 40) -> list[list[str]]:
    rng = np.random.default_rng(7)
    shares = rng.uniform(0.2, 0.8, count)
    return [
        [f"{1.2 * rng.lognormal(0, 0.5):.5g}", f"{0.6 * rng.lognormal(0, 0.4):.5g}",
         f"{rng.uniform(4, 30):.3f}h", f"{share:.9f}", f"{1 - share:.9f}"]
        for share in shares
    ]  # fmt: skip


def write(
    folder: Path, values: list[list[str]] | None = None, keys: tuple[str, ...] = KEYS
) -> Path:
    lines = ["# a comment", ",".join(keys), *(", ".join(row) for row in values or rows())]
    (folder / "x.draws.csv").write_text("\n".join(lines) + "\n")
    file = folder / "x.toml"
    file.write_text(TEXT)
    return file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path)


def summary(path: Path) -> xr.Dataset:
    return sc.open(path)["summary"].to_dataset().load()


def saved(path: Path) -> xr.DataArray:
    """Final equity of every path."""
    return sc.open(path)["paths"].to_dataset()["final_equity"]


def faults(file: Path, *overrides: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        make_plan(load(file, overrides), "cpu")
    return str(caught.value).splitlines()


# --- from the file to markets


def test_draws_are_the_rows_and_the_centre_the_scenario(file: Path) -> None:
    found = any_market(loaded := load(file), {})
    assert isinstance(found, DrawnSpec)
    assert found.centre == market_spec(loaded, {})
    assert len(found.draws) == 32
    for row, draw in zip(rows(), found.draws, strict=False):
        calm, wild, dead = draw.regimes
        assert wild.volatility == (float(row[0]), 1.6)
        assert calm.volatility == (0.45, float(row[1]))
        assert draw.chain.mean_durations[0] == pytest.approx(float(row[2][:-1]) / 8760, rel=1e-12)
        assert draw.chain.jump_probabilities[0] == pytest.approx((0, float(row[3]), float(row[4])))
        assert dead == found.centre.regimes[2]


def test_the_estimators_know_of_draws(file: Path) -> None:
    known = context(make_plan(load(file), "cpu"))
    assert (known.draws, known.group) == (32, 64)
    only = context(make_plan(load(file, ["market.uncertainty.draw=3"]), "cpu"))
    assert (only.draws, only.group) == (0, 1)


def test_each_draw_a_market_point(file: Path) -> None:
    plan = make_plan(load(file, ['market.uncertainty.per="market"', "simulation.paths=100"]), "cpu")
    assert plan.dims == ("draw", "hedge_ratio")
    assert plan.shape == (32, 2)
    assert plan.draws == 0
    drawn = any_market(load(file), {})
    assert isinstance(drawn, DrawnSpec)
    assert [plan.market(block) for block in plan.blocks] == list(drawn.draws)


def test_a_draw_alone_and_swept(file: Path) -> None:
    drawn = any_market(load(file), {})
    assert isinstance(drawn, DrawnSpec)
    assert any_market(load(file, ["market.uncertainty.draw=3"]), {}) == drawn.draws[3]
    plan = make_plan(load(file, ["sweep.market.uncertainty.draw=[0, 5]"]), "cpu")
    assert plan.dims == ("draw", "hedge_ratio")
    assert [plan.market(block) for block in plan.blocks] == [drawn.draws[0], drawn.draws[5]]


def test_a_swept_key_is_swept_in_every_draw(file: Path) -> None:
    plan = make_plan(load(file, ["sweep.market.regimes.calm.correlation=[0.9, 0.1]"]), "cpu")
    for block, rho in zip(plan.blocks, (0.9, 0.1), strict=True):
        market = plan.market(block)
        assert isinstance(market, DrawnSpec)
        assert {draw.regimes[0].correlation for draw in market.draws} == {rho}
        assert plan.market(block) is market  # read once


# --- what is wrong, all at once


def test_every_fault_of_a_file_in_one_go(tmp_path: Path) -> None:
    values = rows()
    values[2][0] = "-1"
    values[4][0] = values[5][0] = "1e9"
    values[3][2] = "seven"
    values[6][3] = "0.9"
    values[7] = values[7][:3]
    keys = (*KEYS[:1], "market.regimes.calm.volatility.ETC", *KEYS[2:])
    found = faults(write(tmp_path, values, keys))
    assert len(found) == 5
    assert all("x.draws.csv: " in line for line in found)
    text = "\n".join(found)
    assert "market.regimes.calm.volatility.ETC: holds one value for each leg" in text
    assert (
        "row 3, market.regimes.wild.volatility.BTC = -1.0: must be in [0, 100] (and so in 2" in text
    )
    assert 'row 4, market.regimes.calm.mean_duration = "seven": must be a number and' in text
    assert "row 7, market.regimes[0].next: probabilities must sum to 1" in text
    assert "row 8: has 3 values, and there are 5 keys" in text


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("market.regimes.calm.volatility.BTX", "holds one value for each leg"),
        ("market.regimes.clam.mean_duration", 'there is no regime "clam"; did you mean "calm"?'),
        ("leverage", "cannot be drawn; what can is in"),
        ("market.interest", "cannot be drawn; what can is in"),
        ("market.regimes.calm.name", "names are no axis"),
        ("market.regimes.calm.next", "sum to 1 only together"),
        ("nothing", "is no policy key"),
    ],
)
def test_a_key_that_cannot_be_drawn(tmp_path: Path, key: str, sentence: str) -> None:
    (line,) = faults(write(tmp_path, [["1"]] * 32, (key,)))
    assert "x.draws.csv: " in line
    assert sentence in line


def test_what_contradicts_something_else_in_a_draw(tmp_path: Path) -> None:
    key = "market.regimes.calm.next"
    values = [["0.5", "0.5"]] * 31 + [["0.3", "0.7"]]
    (line,) = faults(write(tmp_path, values, (f"{key}.wild", f"{key}.bull")))
    assert "row 1, market.regimes[0].next.bull" in line
    assert 'is none of "wild", "dead"' in line


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["market.uncertainty.draws=48"], "must be a multiple of 32"),
        (["market.uncertainty.draws=64", "simulation.paths=8192"], "must be at most 40, the rows"),
        (["simulation.paths=2000"], "must be a multiple of 2,048, 64 paths for each of the 32 "
         "draws; take 2,048"),
        (['market.uncertainty.file="y.csv"'], "y.csv: No such file or directory"),
        (['market.uncertainty.file="."'], "is no table of draws"),
        (["market.uncertainty.draw=40"], "must be a whole number below market.uncertainty.draws"),
        (["market.uncertainty.draw=1.5"], "must be a whole number below market.uncertainty.draws"),
        (['market.uncertainty.per="paths"'], 'must be "path" or "market"'),
        (["sweep.market.regimes.calm.mean_duration=['1h', '2h']"], "is swept; sweep it or draw it"),
        (["sweep.market.uncertainty.draws=[32, 64]"], "is no number, duration or word"),
    ],
)  # fmt: skip
def test_a_wrong_table(file: Path, overrides: list[str], sentence: str) -> None:
    (line,) = faults(file, *overrides)
    assert sentence in line


def test_a_replay_has_no_numbers_to_draw(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    text = TEXT[: TEXT.index("[[market.regimes]]")] + TEXT[TEXT.index("[[venues]]") :]
    replay = 'source = "replay"\nreplay = { files = ["a.csv"] }\nuncertainty'
    file.write_text(text.replace("uncertainty", replay).replace('"min-variance"', "1.0"))
    (line,) = faults(file)
    assert "market.uncertainty" in line
    assert 'would change nothing, because market.source is "replay"' in line


def test_the_command_says_it_in_a_sentence(tmp_path: Path) -> None:
    file = write(tmp_path, [["-1"]] * 32, KEYS[:1])
    made = CliRunner().invoke(app, ["check", str(file)])
    assert made.exit_code == 2
    assert "row 1, market.regimes.wild.volatility.BTC = -1.0: must be" in made.output
    assert "Traceback" not in made.output


def test_check_says_how_draws_are_dealt(file: Path) -> None:
    made = CliRunner().invoke(app, ["check", str(file)])
    assert made.exit_code == 0, made.output
    assert "32 of the market's numbers, 128 paths each; errors are theirs" in made.output


# --- runs


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    return sc.run(load(write(folder)), folder / "whole", backend="cpu")


def test_the_cube_is_its_draws_together(run: Path) -> None:
    """Each estimate is the mean over draws, its error that of their means."""
    made = sc.open(run)
    equity = saved(run).to_numpy().astype(np.float64)
    own = np.arange(4096) // 64 % 32
    found = made["summary"].to_dataset()
    means = np.stack([equity[..., own == k].mean(axis=-1) - 1.0 for k in range(32)], axis=-1)
    assert np.allclose(found["return_mean"], means.mean(axis=-1), rtol=0, atol=1e-9)
    claimed = means.std(axis=-1, ddof=1) / 32**0.5
    assert np.allclose(found["return_mean_se"], claimed, rtol=1e-6, atol=0)
    assert np.allclose(found["return_mean_batch"], means, rtol=0, atol=1e-9)
    assert float(found["liquidation_probability"].min()) > 0.01


def test_draws_as_market_points_are_the_same_paths(run: Path, tmp_path: Path) -> None:
    """A draw by itself: the same paths of the same numbers, all of them."""
    overrides = ['market.uncertainty.per="market"', "sweep.hedge_ratio=[0.5]"]
    alone = sc.run(load(write(tmp_path), overrides), tmp_path / "each", backend="cpu")
    mixed = saved(run).sel(hedge_ratio="0.5").to_numpy()
    each = saved(alone).to_numpy()[:, 0]
    own = np.arange(4096) // 64 % 32
    assert each.shape == (32, 4096)
    assert np.array_equal(each[own, np.arange(4096)], mixed)


def test_shards_resume_and_recompute(run: Path, tmp_path: Path) -> None:
    overrides = ["sweep.market.regimes.wild.correlation=[0.9, 0.1]"]
    loaded = load(write(tmp_path), overrides)
    folder = tmp_path / "parts"
    sc.run(loaded, folder, backend="cpu", shard="1/2")
    sc.run(loaded, folder, backend="cpu", shard="2/2")
    whole = sc.run(loaded, tmp_path / "whole", backend="cpu")
    assert summary(folder).equals(summary(whole))
    found = sc.verify(folder, recompute=2)
    assert found.damage == ()
    assert found.complete


def test_other_draws_are_another_run(tmp_path: Path) -> None:
    file = write(tmp_path)
    folder = sc.run(load(file), tmp_path / "run", backend="cpu")
    plan = json.loads((folder / "_control" / "plan.json").read_text())
    assert set(plan["identity"]["data"]) == {"market.uncertainty.file"}
    values = rows()
    values[0][0] = "0.7"
    write(tmp_path, values)
    with pytest.raises(RunError, match=r"the data in market\.uncertainty\.file have changed"):
        sc.run(load(file), folder, backend="cpu")
    assert any("have changed since" in note for note in sc.trace(folder, 0).notes)


def test_the_name_of_the_file_counts_for_nothing(tmp_path: Path) -> None:
    file = write(tmp_path)
    plan = make_plan(load(file), "cpu")
    (tmp_path / "x.draws.csv").rename(tmp_path / "y.csv")
    moved = make_plan(load(file, ['market.uncertainty.file="y.csv"']), "cpu")
    assert moved.hash == plan.hash


@pytest.mark.parametrize("path", [0, 100, 2111, 4095])
def test_the_ledger_is_that_of_the_very_path(run: Path, path: int) -> None:
    traced = sc.trace(run, path, {"hedge_ratio": 0.5})
    theirs = saved(run).sel(hedge_ratio="0.5", path=path)
    assert traced.totals["final_equity"] == float(theirs)
    assert set(traced.table["regime"]) <= {"calm", "wild", "dead"}
    assert not any("NOT the run's path" in note for note in traced.notes)


def test_paths_to_look_at_are_the_runs(run: Path, tmp_path: Path) -> None:
    seen = sc.market(write(tmp_path), paths=100)
    assert list(seen["regime"].attrs["names"]) == ["calm", "wild", "dead"]
    assert isinstance(any_market(load(tmp_path / "x.toml"), {}), DrawnSpec)
    assert not isinstance(any_market(load(tmp_path / "x.toml"), {}), MarketSpec)
    price = seen["price"].sel(leg="a", path=70).isel(time=-1) / 100.0
    traced = sc.trace(run, 70, {"hedge_ratio": 0.5}).table
    last = traced["price_a"].to_numpy()[-1] / 100.0
    assert float(price) == pytest.approx(last, rel=1e-5)  # float32's rounding of 24 steps


def test_derivatives_are_of_one_draw(file: Path) -> None:
    with pytest.raises(StresscubeError, match=r"drawn: .*--set market\.uncertainty\.draw=0$"):
        Problem(file)
    assert isinstance(Problem(load(file, ["market.uncertainty.draw=0"])).market, MarketSpec)
