"""From a scenario file to a cube of recorded history: grammar, plan, run, resume, command line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

import stresscube as sc
from histories import COINS, bars
from replayed import TEXT, write
from stresscube.cli.app import app
from stresscube.errors import RunError
from stresscube.history import HistoryError
from stresscube.history.align import coarser, part
from stresscube.plan import make_plan
from stresscube.scenario import Scenario, ScenarioError, load, loads
from stresscube.scenario.expand import any_market
from stresscube.scenario.recorded import Tape, described, recorded
from stresscube_kernels.pack_replay import window_count
from stresscube_kernels.spec import ReplaySpec


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path)


def scenario(folder: Path, *overrides: str) -> Scenario:
    return load(folder / "replayed.toml", overrides)


def summary(path: Path) -> xr.Dataset:
    return sc.open(path)["summary"].to_dataset().load()


def message(text: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        loads(text, "x.toml")
    return str(caught.value)


# --- the grammar


def test_a_replay_needs_no_regimes(folder: Path) -> None:
    found = scenario(folder)
    assert found.market.replayed
    assert found.market.regimes == ()
    assert found.market.replay is not None
    assert found.market.replay.files == ("data/btc.csv", "data/eth.csv")


def test_a_simulated_market_needs_regimes() -> None:
    text = TEXT.replace('source = "replay"', "")
    assert "x.toml: market.regimes: is missing; add [[market.regimes]]" in message(text)


FILES = 'files = ["data/btc.csv", "data/eth.csv"]'


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (FILES, 'files = "btc.csv"', "must be a list of files"),
        (FILES, "files = [1]", "must be the name of a file"),
        ("[market.replay]", '[market.replay]\nmethod = "blocks"', '"windows" or "bootstrap"'),
        ("[market.replay]", "[market.replay]\ncoincidence = 2", "must be in [0, 1]"),
        ("[market.replay]", '[market.replay]\nstart = "soon"', "must be a date such as 2025-05-04"),
        (
            "[market.replay]", "[market.replay]\nstart = 2025-05-04\nend = 2025-05-04",
            "must be later than market.replay.start (2025-05-04T00:00:00)",
        ),
        ("leverage = 5\n", 'leverage = 5\nside = "spread"', "state market.replay.spread_half_life"),
        ("[sweep]", '[sweep]\n"market.source" = ["replay"]', "is one for the whole cube"),
        (
            "[sweep]", '[sweep]\n"market.clamp" = [0.1, 0.2]',
            'would change nothing, because market.source is "replay"',
        ),
        ("[sweep]", '[sweep]\n"market.replay.files" = ["x"]', "so it is no axis"),
    ],
)  # fmt: skip
def test_faults_of_the_file(old: str, new: str, words: str) -> None:
    assert old in TEXT
    assert words in message(TEXT.replace(old, new, 1))


def test_a_side_by_funding_needs_prints() -> None:
    text = TEXT.replace('funding = ["data/funding.csv"]\n', "")
    text = text.replace("leverage = 5\n", 'leverage = 5\nside = "funding"\n', 1)
    assert "needs funding; name market.replay.funding" in message(text)


def test_one_file_for_both_sources() -> None:
    """Regimes and a replay may stand together; `source` chooses, and each is checked when used."""
    regimes = '\n[[market.regimes]]\nname = "r"\nvolatility = [1, 1]\ncorrelation = 0.5\n'
    text = TEXT.replace("\n[[venues]]", regimes + "\n[[venues]]", 1)
    assert loads(text).market.replayed
    simulated = loads(text, overrides=["market.source=simulated"])
    assert not simulated.market.replayed
    with pytest.raises(ScenarioError, match=r"nothing, because market\.source"):
        loads(text, overrides=["market.source=simulated", "sweep.market.replay.coincidence=[0,1]"])


# --- the data of a plan


def failure(folder: Path, *overrides: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        make_plan(scenario(folder, *overrides))
    text = str(caught.value)
    assert "\n" not in text
    assert caught.value.exit_code == 2
    return text


def test_faults_of_the_data(folder: Path) -> None:
    assert "holds no such" not in failure(folder, 'market.replay.files=["none.csv"]')
    assert "none.csv: No such file" in failure(folder, 'market.replay.files=["none.csv"]')
    assert "is missing; name the files of bars" in failure(folder, "market.replay.files=[]")
    only = failure(folder, 'market.replay.files=["data/btc.csv"]')
    assert "has no ETH; there are BTC" in only
    assert only.startswith(str(folder / "replayed.toml"))
    assert "must be a whole number of the history's bars of 1h" in failure(
        folder, "simulation.step=90min", "simulation.horizon=3h", "venues.A.latency=0s"
    )
    assert "is longer than what is recorded: the history has 300 bars of 1h, of which 6" in failure(
        folder, "simulation.horizon=20d"
    )
    assert "must be at most 12, the windows that the history holds, each 1d after the" in failure(
        folder, "simulation.paths=13"
    )
    assert "has 1 bars between 2025-04-05T00:00:00" in failure(
        folder, "market.replay.start=2025-04-05", "market.replay.end=2025-04-05T01:00:00"
    )
    (folder / "data" / "funding.csv").write_text("timestamp,coin,funding_rate\n2021-01-01,BTC,0\n")
    assert "has one funding print of BTC" in failure(folder)


def test_market_points_are_all_looked_at(folder: Path) -> None:
    """A stride that leaves too few windows is found before anything runs."""
    text = failure(folder, 'sweep."market.replay.stride"=["1d", "5d"]')
    assert "must be at most 3" in text


def test_the_period_is_cut(folder: Path) -> None:
    changes = (
        "market.replay.start=2025-04-01",
        "market.replay.end=2025-04-08",
        "simulation.paths=2",
    )
    found = recorded(scenario(folder, *changes))
    assert len(found.history) == 7 * 24
    assert str(found.history.times[0]) == "2025-04-01T00:00:00.000000000"
    assert described(found) == (
        "BTC and ETH, 168 bars of 1h from 2025-04-01 00:00 to 2025-04-08 00:00, lows and highs"
    )


def test_longer_steps_are_folded(folder: Path) -> None:
    """Three bars a step: the last close, lows and highs of all, funding in its step."""
    found = recorded(scenario(folder, "simulation.step=3h", "simulation.paths=2"))
    frames = bars()
    for leg, coin in enumerate(COINS):
        expected: Any = (
            frames[coin].resample("3h").agg({"close": "last", "low": "min", "high": "max"})
        )
        for name in ("close", "low", "high"):
            values = getattr(found.spec, name)[:, leg]
            np.testing.assert_allclose(values, expected[name].to_numpy()[: len(values)], rtol=1e-14)
    assert found.spec.due is not None
    assert found.spec.rates is not None
    closes = (found.history.times + found.history.step - found.history.times[0]) / np.timedelta64(
        1, "h"
    )
    # Prints stand at 8 h, 16 h, ...: in the steps that end at 9 h, 18 h, 24 h, 33 h ...
    assert np.array_equal(closes[found.spec.due][:4], [9.0, 18.0, 24.0, 33.0])
    assert np.array_equal(found.spec.rates[found.spec.due][:4, 0], [1e-4, -2e-4, -2e-4, 1e-4])
    assert (found.spec.rates[~found.spec.due] == 0.0).all()
    assert found.spec.known is not None
    known = found.spec.known[:, 0]
    assert known[0] == 0.0  # nothing is known yet
    assert known[2] == 0.0  # nor is the print that ends the bar
    assert known[3] == 1e-4  # the last print before


def test_parts_and_folds_keep_to_the_clock() -> None:
    history = sc.tape_from(pd.concat({c: f["close"] for c, f in bars().items()}, axis=1)).history
    shifted = part(history, "2025-03-30T05:00:00", None)
    folded = coarser(shifted, np.timedelta64(4, "h"))
    assert str(folded.times[0]) == "2025-03-30T08:00:00.000000000"
    assert len(folded) == (300 - 8) // 4
    with pytest.raises(HistoryError, match="3 are the least"):
        coarser(shifted, np.timedelta64(200, "h"))


# --- runs


def test_a_cube_of_history(folder: Path) -> None:
    """Cells, attributes, saved paths: the same cube as of a simulated market."""
    path = sc.run(scenario(folder), folder / "a.run", backend="cpu", threads=2)
    found = summary(path)
    assert dict(found.sizes)["leverage"] == 3
    assert np.isfinite(found["return_mean"]).all()
    assert found.attrs["data"].startswith("BTC and ETH, 300 bars of 1h from 2025-03-30 00:00")
    assert set(found.attrs["data_hash"]) == {"files", "market.replay.funding", "bars"}
    saved = sc.open(path)["paths"].to_dataset().load()
    view = sc.market(scenario(folder), paths=11)
    assert np.array_equal(view["price"].sizes["path"], 11)
    starts = view["start"].to_numpy()
    closes = bars()["BTC"]["close"]
    times = closes.index.to_numpy()
    for number, start in enumerate(starts):
        first = int(np.flatnonzero(times == start)[0])
        before, after = closes.iloc[first - 1], closes.iloc[first + 23]
        growth = view["price"].to_numpy()[0, number, -1] / 100.0
        assert growth == pytest.approx(after / before, rel=1e-6)
    mean = saved["final_equity"].mean("path") - 1.0
    np.testing.assert_allclose(mean, found["return_mean"], rtol=1e-5, atol=1e-7)


def test_runs_do_not_depend_on_memory_threads_or_interruptions(folder: Path) -> None:
    case = scenario(folder, 'market.replay.method="bootstrap"', "simulation.paths=700",
                    "sweep.market.replay.block_length=[\"6h\", \"2d\"]")  # fmt: skip
    whole = summary(sc.run(case, folder / "whole.run", backend="cpu", threads=2))
    again = folder / "again.run"
    sc.run(case, again, backend="cpu", threads=1)
    receipts = sorted((again / "_control" / "receipts").iterdir())
    assert len(receipts) == 2
    receipts[1].unlink()
    (again / "_control" / "COMPLETE").unlink()
    sc.run(case, again, backend="cpu", threads=1)
    found = summary(again)
    for name, values in whole.data_vars.items():
        np.testing.assert_array_equal(found[name].to_numpy(), values.to_numpy(), str(name))
    assert (whole["liquidation_probability"].isel(replay_block_length=0)
            != whole["liquidation_probability"].isel(replay_block_length=1)).any()  # fmt: skip


def test_the_plan_knows_the_data(folder: Path) -> None:
    """Other bytes are another plan; another name of the same bytes is not."""
    case = scenario(folder)
    hash_ = make_plan(case, "cpu").hash
    sc.run(case, folder / "a.run", backend="cpu")
    data = folder / "data"
    os.rename(data / "btc.csv", data / "btc_moved.csv")
    files = 'market.replay.files=["data/btc_moved.csv", "data/eth.csv"]'
    assert make_plan(scenario(folder, files), "cpu").hash == hash_
    frame = pd.read_csv(data / "eth.csv")
    frame.loc[200, "close"] = frame["high"][200]
    frame.to_csv(data / "eth.csv", index=False)
    changed = scenario(folder, files)
    assert make_plan(changed, "cpu").hash != hash_
    with pytest.raises(RunError, match=r"the data in market\.replay\.files have changed \(sha256"):
        sc.run(changed, folder / "a.run", backend="cpu")


def test_overlapping_windows_have_wider_errors(folder: Path) -> None:
    """A stride of an eighth of the horizon, all 91 windows: 8 times the variance of as many paths.

    A little more, for the spread of paths is too small as well: V (N - 1) / (1 - V), with V the
    variance of the mean, 1/N + 2/N^2 sum (N - d)(1 - d/8) over d = 1 ... 7.
    """
    apart = make_plan(scenario(folder), "cpu")
    assert apart.overlap(apart.blocks[0]) == (1.0, 1.0)
    case = scenario(folder, "market.replay.stride=3h", "simulation.paths=91")
    plan = make_plan(case, "cpu")
    shared = plan.overlap(plan.blocks[0])
    mean = (91 + 2 * sum((91 - d) * (1 - d / 8) for d in range(1, 8))) / 91**2
    assert shared.paths == pytest.approx(mean * 90 / (1 - mean))
    assert 1.0 < shared.batches < shared.paths
    found = summary(sc.run(case, folder / "a.run", backend="cpu"))
    saved = sc.open(folder / "a.run")["paths"].to_dataset()["final_equity"].load()
    plain = saved.std("path", ddof=1) / np.sqrt(91)
    np.testing.assert_allclose(found["return_mean_se"], plain * np.sqrt(shared.paths), rtol=1e-4)
    drawn = scenario(folder, 'market.replay.method="bootstrap"', "market.replay.stride=3h")
    drawn_plan = make_plan(drawn, "cpu")
    assert drawn_plan.overlap(drawn_plan.blocks[0]) == (1.0, 1.0)


def test_coincidence_is_an_axis(folder: Path) -> None:
    """The certain and the possible liquidations in one cube, on the same windows."""
    case = scenario(folder, "sweep.market.replay.coincidence=[0, 1]")
    found = summary(sc.run(case, folder / "a.run", backend="cpu"))
    certain, possible = (
        found["liquidation_probability"].sel(replay_coincidence=value) for value in (0.0, 1.0)
    )
    assert (certain <= possible).all()
    assert (certain < possible).any()


# --- one's own data


def test_a_tape_from_a_frame(folder: Path) -> None:
    """The files' bars as a DataFrame: the same cells, from any layout."""
    frames = bars()
    frame = pd.concat([one.add_prefix(f"{coin}_") for coin, one in frames.items()], axis=1)
    tape = sc.tape_from(frame, funding=folder / "data" / "funding.csv")
    assert isinstance(tape, Tape)
    assert tape.notes == ("the table: times name no zone and are taken as UTC",
                          "funding.csv: times name no zone and are taken as UTC")  # fmt: skip
    case = scenario(folder)
    files = summary(sc.run(case, folder / "files.run", backend="cpu"))
    frame_run = summary(sc.run(case, folder / "frame.run", backend="cpu", tape=tape))
    for name, values in files.data_vars.items():
        np.testing.assert_array_equal(frame_run[name].to_numpy(), values.to_numpy(), str(name))
    assert sc.market(case, paths=2, tape=tape)["price"].equals(sc.market(case, paths=2)["price"])


def test_a_tape_for_a_simulated_scenario() -> None:
    """Its regimes are passed over; an axis of them would do nothing and is refused."""
    text = TEXT.replace('source = "replay"', "").replace("\n[market.replay]\n", "\n")
    text = text.replace('files = ["data/btc.csv", "data/eth.csv"]\n', "")
    text = text.replace('funding = ["data/funding.csv"]\n', "")
    regimes = '\n[[market.regimes]]\nname = "r"\nvolatility = [1, 1]\ncorrelation = 0.5\n'
    text = text.replace("\n[[venues]]", regimes + "\n[[venues]]", 1)
    frame = pd.concat({c: f["close"] for c, f in bars().items()}, axis=1)
    tape = sc.tape_from(frame)
    view = sc.market(loads(text), paths=3, tape=tape)
    closes = frame["ETH"].to_numpy()
    assert view["price"].to_numpy()[1, 0, 1] / 100.0 == pytest.approx(closes[6] / closes[5])
    assert view["regime"].attrs["names"] == ["history"]
    swept = text + '"market.regimes.r.correlation" = [0.1, 0.2]\n'
    with pytest.raises(ScenarioError, match="would change nothing"):
        sc.market(loads(swept), tape=tape)


def test_a_frame_that_is_no_history() -> None:
    with pytest.raises(HistoryError, match="the table: has no column of times"):
        sc.tape_from(pd.DataFrame({"a": [1.0, 2.0]}))


# --- the command line


def invoke(*words: str) -> Any:
    return CliRunner().invoke(app, words, env={"COLUMNS": "120", "NO_COLOR": "1"})


def test_check_tells_what_is_in_the_data(folder: Path) -> None:
    (folder / "data" / "btc.csv").write_text(
        "\n".join(
            line
            for number, line in enumerate((folder / "data" / "btc.csv").read_text().splitlines())
            if number != 100
        )
    )
    done = invoke("check", str(folder / "replayed.toml"), "--backend", "cpu",
                  "--set", "market.replay.stride=6h", "--set", "simulation.paths=46")  # fmt: skip
    assert done.exit_code == 0, done.output
    text = " ".join(done.output.split())
    assert "BTC and ETH, 300 bars of 1h from 2025-03-30 00:00 to" in text
    assert (
        "46 windows, each 6 h after the other; they overlap, so errors are 2.04 times wider" in text
    )
    assert "BTC: 1 bar missing in 1 gap, the longest 1h from 2025-04-03 03:00; filled" in text
    drawn = invoke("check", str(folder / "replayed.toml"), "--backend", "cpu",
                   "--set", 'market.replay.method="bootstrap"')  # fmt: skip
    assert "blocks of 1 d on average" in " ".join(drawn.output.split())


def test_run_and_its_faults(folder: Path) -> None:
    out = folder / "out.run"
    done = invoke("run", str(folder / "replayed.toml"), "-o", str(out), "--backend", "cpu")
    assert done.exit_code == 0, done.output
    assert "data: BTC and ETH, 300 bars of 1h" in done.output
    plan = json.loads((out / "_control" / "plan.json").read_text())
    assert set(plan["identity"]["data"]) == {"files", "market.replay.funding", "bars"}
    assert "files" not in plan["identity"]["scenario"]["market"]["replay"]
    broken = invoke("run", str(folder / "replayed.toml"), "--set", 'market.replay.files=["x.csv"]')
    assert broken.exit_code == 2
    assert broken.stderr.count("\n") == 1
    assert "No such file" in broken.stderr


def test_window_counts_are_those_of_the_message(folder: Path) -> None:
    """What the message promises can be run."""
    case = scenario(folder, "simulation.paths=12")
    spec = any_market(case, {})
    assert isinstance(spec, ReplaySpec)
    assert window_count(spec, make_plan(case, "cpu").simulation) == 12
    assert sc.market(case, paths=12).sizes["path"] == 12
