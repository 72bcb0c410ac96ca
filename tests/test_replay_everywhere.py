"""Replays with everything else: one's own policy, shards, clusters, resuming, verifying."""

from __future__ import annotations

import dataclasses
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

import stresscube as sc
from histories import bars
from replayed import TEXT, write
from stresscube.cli.app import app
from stresscube.errors import RunError, StresscubeError
from stresscube.interrupts import Stop
from stresscube.plan import make_plan
from stresscube.scenario import Scenario, ScenarioError, load, loads
from stresscube.scenario.recorded import anywhere
from stresscube.scenario.trust import trusted
from stresscube.store.local import LocalObjects

RULES = """
from stresscube_kernels.toolbox import carry_out, decide, funding_gap, leave, log


def step(ops, features, account, now, tick, policy, memory=0.0, *, limit):
    out = ops.fabs(memory) > limit
    decided, order = decide(ops, features, account, now, tick, policy)
    decided, order = leave(ops, account, decided, order, out)
    account = carry_out(ops, features, decided, order, now, tick, policy)
    return account, REMEMBERED
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path)


def own(folder: Path, remembered: str, *overrides: str, limit: float = 0.01) -> Scenario:
    """The replay with a policy that sells where what it remembers is beyond a limit."""
    (folder / "rules.py").write_text(RULES.replace("REMEMBERED", remembered))
    policy = f'step = "rules.py:step"\nparameters = {{ limit = {limit} }}\n\n[sweep]'
    (folder / "own.toml").write_text(TEXT.replace("[sweep]", policy))
    return load(folder / "own.toml", overrides)


def refused(scenario: Scenario) -> str:
    with pytest.raises(ScenarioError) as caught:
        make_plan(scenario, "cpu", trust=True)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def summary(path: Path) -> xr.Dataset:
    return sc.open(path)["summary"].to_dataset().load()


def same(found: xr.Dataset, expected: xr.Dataset) -> None:
    for name, values in expected.data_vars.items():
        np.testing.assert_array_equal(found[name].to_numpy(), values.to_numpy(), str(name))


# --- a policy of one's own


def test_a_policy_of_ones_own_runs_on_history(folder: Path) -> None:
    """It sells for good after a move: where the limit is never reached it is the pair."""
    kept = "ops.where(out, memory, tick.return_a)"
    pair = summary(sc.run(load(folder / "replayed.toml"), folder / "pair.run", backend="cpu"))
    never = own(folder, kept, limit=1.0)
    same(summary(sc.run(never, folder / "never.run", backend="cpu", trust=True)), pair)
    soon = own(folder, kept, limit=0.004)
    found = summary(sc.run(soon, folder / "soon.run", backend="cpu", trust=True))
    assert (found["liquidation_probability"] <= pair["liquidation_probability"]).all()
    assert (found["turnover_mean"] != pair["turnover_mean"]).any()
    again = sc.verify(folder / "soon.run", recompute=1, trust=True)
    assert [it.verdict for it in again.recomputed] == ["identical"]


@pytest.mark.parametrize(
    ("remembered", "words"),
    [
        ("memory + tick.variance_a", "(return account, memory + tick.variance_a) reads "
         "tick.variance_a, which holds the bar's lows and highs here; leave it out, or set "
         "market.replay.ranges = false"),
        ("tick.bridge", "step of rules.py reads tick.bridge, which holds"),
        ("log(ops, 1.0 + tick.covariance)", "reads tick.covariance, which holds"),
        ("2.0 * tick.mispricing", "reads tick.mispricing, which holds"),
        ("memory * tick.mark_b", "reads tick.mark_b, which no recorded history has"),
    ],
)  # fmt: skip
def test_fields_that_mean_something_else_are_refused(
    remembered: str, words: str, folder: Path
) -> None:
    assert words in refused(own(folder, remembered))


def test_without_lows_and_highs_the_variances_are_there(folder: Path) -> None:
    """What a bar's variance was thought to be may be remembered where the bridge decides."""
    scenario = own(folder, "tick.variance_a", "market.replay.ranges=false", limit=1.0)
    assert make_plan(scenario, "cpu", trust=True).cells == 9
    scenario = own(folder, "tick.variance_a", "simulation.bridge=false", limit=1.0)
    assert make_plan(scenario, "cpu", trust=True).cells == 9


def test_no_order_may_see_the_print_that_ends_its_bar(folder: Path) -> None:
    scenario = own(folder, "memory")
    text = (folder / "rules.py").read_text()
    (folder / "rules.py").write_text(text.replace("> limit", "> limit + tick.funding_a"))
    assert (
        "depends on tick.funding_a, which is not known when the step begins; take "
        "toolbox.funding_gap(features, tick), of the prints before"
    ) in refused(scenario)
    (folder / "rules.py").write_text(
        text.replace("> limit", "> limit + funding_gap(features, tick)")
    )
    assert make_plan(scenario, "cpu", trust=True).cells == 9


def test_a_spread_needs_its_half_life(folder: Path) -> None:
    assert "reads tick.z, and there is none; state market.replay.spread_half_life" in refused(
        own(folder, "tick.z")
    )
    stated = own(folder, "tick.z", 'market.replay.spread_half_life="1d"', "simulation.paths=8")
    assert make_plan(stated, "cpu", trust=True).cells == 9


def test_faults_of_code_are_told_as_ever(folder: Path) -> None:
    scenario = own(folder, "account.equty")
    assert 'Account has no field equty; did you mean "equity"?' in refused(scenario)
    with pytest.raises(ScenarioError, match="add --trust to run it"):
        make_plan(scenario, "cpu")


# --- axes that meet


def test_a_half_life_that_is_off_leaves_no_spread() -> None:
    text = TEXT.replace("[market.replay]", '[market.replay]\nspread_half_life = "1d"')
    swept = text + 'side = ["fixed", "spread"]\n"market.replay.spread_half_life" = ["6h", "off"]\n'
    with pytest.raises(ScenarioError) as caught:
        loads(swept, "x.toml")
    assert str(caught.value) == (
        'x.toml: sweep.market.replay.spread_half_life[1] = "off": leaves no z, and sweep.side[1] = '
        '"spread" needs one; take the value out, or run it in a file without that side'
    )
    assert loads(swept.replace(', "off"]', ', "2d"]')).market.replayed
    assert loads(swept.replace('"fixed", "spread"', '"fixed"')).market.replayed


def test_exits_above_entries_are_refused_on_replays_too() -> None:
    text = TEXT.replace("[market.replay]", '[market.replay]\nspread_half_life = "1d"')
    swept = text + 'side = ["spread"]\nentry_z = [1.0, 2.0]\nexit_z = [0.0, 1.5]\n'
    with pytest.raises(ScenarioError, match=r"must be at most entry_z \(sweep.entry_z\[0\] = 1\)"):
        loads(swept)


def test_regimes_are_no_books_of_a_replay(folder: Path) -> None:
    text = TEXT.replace("save_paths = true", "by_regime = true")
    with pytest.raises(ScenarioError) as caught:
        loads(text, "x.toml")
    assert str(caught.value) == (
        "x.toml: simulation.by_regime = true: has no regimes to go by, because market.source is "
        '"replay"; leave it out'
    )


# --- elsewhere


def test_a_tape_goes_to_another_process(folder: Path) -> None:
    """The same bars there: the same fingerprint, and prices to the bit."""
    frame = pd.concat([one.add_prefix(f"{c}_") for c, one in bars().items()], axis=1)
    tape = sc.tape_from(frame, funding=folder / "data" / "funding.csv")
    case = load(folder / "replayed.toml")
    expected = sc.market(case, paths=3, tape=tape)["price"].to_numpy()
    (folder / "tape.pickle").write_bytes(pickle.dumps(tape))
    code = (
        "import pickle, sys, numpy as np, stresscube as sc\n"
        "tape = pickle.load(open('tape.pickle', 'rb'))\n"
        "view = sc.market('replayed.toml', paths=3, tape=tape)\n"
        "np.save('there.npy', view['price'].to_numpy())\n"
        "print(tape.history.hash)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.strip() == tape.history.hash
    assert np.array_equal(np.load(folder / "there.npy"), expected)


def test_shards_of_a_replay_are_one_cube(folder: Path) -> None:
    case = load(folder / "replayed.toml", ["sweep.market.replay.coincidence=[0, 0.5, 1]"])
    whole = summary(sc.run(case, folder / "whole.run", backend="cpu"))
    for shard in ("2/2", "1/2"):
        sc.run(case, folder / "parts.run", backend="cpu", shard=shard)
    same(summary(folder / "parts.run"), whole)


@pytest.fixture
def worker(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """What a Dask worker does with a run of the scenario, in another current folder."""
    pytest.importorskip("distributed")
    from stresscube.dask_engine import Cluster, work_of
    from stresscube.dask_worker import prepare

    def prepared(change: Callable[[], object] = lambda: None, **tape: Any) -> Any:
        monkeypatch.chdir(folder)
        place = sc.run("replayed.toml", folder / "a.run", backend="cpu", **tape)
        scenario = load("replayed.toml")
        if tape:
            from stresscube.scenario.recorded import on_tape

            scenario = on_tape(scenario, tape["tape"])
        plan = make_plan(scenario, "cpu")
        from stresscube.backends import choose

        work = work_of(Cluster("x"), plan, choose("cpu"), LocalObjects(place), 1)
        change()
        (folder / "elsewhere").mkdir()
        monkeypatch.chdir(folder / "elsewhere")
        return prepare(dataclasses.replace(work, memory="2GB"), Stop()), plan

    return prepared


def test_a_worker_reads_the_data_where_they_lie(worker: Callable[..., Any]) -> None:
    means, plan = worker()
    assert means.plan.hash == plan.hash


def test_a_worker_gets_a_tape_with_the_scenario(worker: Callable[..., Any], folder: Path) -> None:
    frame = pd.concat({c: f["close"] for c, f in bars().items()}, axis=1)
    means, plan = worker(tape=sc.tape_from(frame))
    assert means.plan.hash == plan.hash
    assert "files" not in plan.scenario.market.replay.model_dump() or means.plan.scenario.tape


def test_a_worker_without_the_data_takes_no_part(worker: Callable[..., Any], folder: Path) -> None:
    with pytest.raises(StresscubeError) as caught:
        worker(lambda: (folder / "data" / "btc.csv").unlink())
    assert str(caught.value).count("\n") == 0
    assert f"{folder}/data/btc.csv: No such file or directory" in str(caught.value)


def test_a_worker_with_other_data_takes_no_part(worker: Callable[..., Any], folder: Path) -> None:
    def change() -> None:
        text = (folder / "data" / "btc.csv").read_text()
        (folder / "data" / "btc.csv").write_text(text.replace("\n", "\n\n", 1))

    with pytest.raises(StresscubeError, match=r"market\.replay\.files have changed \(sha256"):
        worker(change)


def test_an_unmoved_scenario_is_not_touched(folder: Path) -> None:
    simulated = load(Path(__file__).resolve().parents[1] / "scenarios" / "quickstart.toml")
    assert anywhere(simulated) is simulated
    case = trusted(load(folder / "replayed.toml"), trust=False)
    assert Path(anywhere(case).source) == (folder / "replayed.toml").absolute()


# --- resuming and verifying


def test_a_run_is_not_resumed_on_other_data(folder: Path) -> None:
    """Bars or funding that changed are named, with what they were."""
    case = load(folder / "replayed.toml")
    sc.run(case, folder / "a.run", backend="cpu")
    (folder / "a.run" / "_control" / "COMPLETE").unlink()
    prints = folder / "data" / "funding.csv"
    prints.write_text(prints.read_text().replace("-0.0002", "-0.0003", 1))
    with pytest.raises(RunError) as caught:
        sc.run(case, folder / "a.run", backend="cpu")
    text = str(caught.value)
    assert "holds another run: the data in market.replay.funding have changed (sha256 " in text
    assert "data.bars" not in text
    with pytest.raises(RunError, match=r"cannot be computed again here: the data in market\.repl"):
        sc.verify(folder / "a.run", recompute=1)


def test_a_replay_is_recomputed_from_anywhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """plan.json says where the data's names are seen from; without them there is one sentence."""
    monkeypatch.chdir(folder)
    sc.run("replayed.toml", "a.run", backend="cpu")
    (folder / "far").mkdir()
    monkeypatch.chdir(folder / "far")
    found = sc.verify(folder / "a.run", recompute=1)
    assert [it.verdict for it in found.recomputed] == ["identical"]
    assert not found.damage
    (folder / "data" / "eth.csv").unlink()
    done = CliRunner().invoke(app, ["verify", str(folder / "a.run"), "--recompute", "1"])
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert "eth.csv: No such file" in done.stderr
    assert sc.verify(folder / "a.run").complete


def test_a_run_on_a_tape_is_recomputed_with_the_tape(folder: Path) -> None:
    frame = pd.concat({c: f["close"] for c, f in bars().items()}, axis=1)
    tape, case = sc.tape_from(frame), load(folder / "replayed.toml")
    sc.run(case, folder / "a.run", backend="cpu", tape=tape)
    found = sc.verify(folder / "a.run", recompute=1, scenario=case, tape=tape)
    assert [it.verdict for it in found.recomputed] == ["identical"]
    with pytest.raises(RunError, match="with a tape, give the scenario too"):
        sc.verify(folder / "a.run", recompute=1, tape=tape)
    with pytest.raises(RunError, match="cannot be computed again here"):
        sc.verify(folder / "a.run", recompute=1)


def test_the_market_of_a_bootstrap_is_made_of_bars_that_were(folder: Path) -> None:
    """sc.market on a bootstrap: every step is a bar of the files, and no window begins."""
    case = load(folder / "replayed.toml", ['market.replay.method="bootstrap"'])
    view = sc.market(case, paths=5)
    assert "start" not in view.coords
    assert view["regime"].attrs["names"] == ["history"]
    close = bars()["BTC"]["close"].to_numpy()
    price = view["price"].to_numpy()[0]
    moves = price[:, 1:] / price[:, :-1]
    known = close[1:] / close[:-1]
    nearest = np.abs(moves[:, :, None] - known).min(axis=2)
    assert nearest.max() < 1e-9
