"""A reader beside a writer, and before damaged objects."""

from __future__ import annotations

import itertools
import os
import shutil
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import crashes
import stresscube as sc
from crashes import BLOCKS, KilledAfterChunk
from stresscube.errors import RunError
from stresscube.plan import make_plan
from stresscube.store.reader import IncompleteRun


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return crashes.finish(tmp_path_factory.mktemp("whole") / "small.run")


def groups(folder: Path) -> list[xr.Dataset]:
    """Return summary and paths as they are now, read whole; no warning is heard."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IncompleteRun)
        tree = sc.open(folder)
    return [tree[name].to_dataset().load() for name in ("summary", "paths")]


def seen(found: list[xr.Dataset], whole: list[xr.Dataset]) -> frozenset[int]:
    """Return the blocks that a reader saw; each must be whole in all arrays, or in none."""
    there: set[int] = set()
    for block in make_plan(crashes.small(), crashes.backend()).blocks:
        masked = np.isnan(found[0]["sharpe"].values[block.region]).all()
        for now, then in zip(found, whole, strict=True):
            for name in then.data_vars:
                here, expected = now[name].values[block.region], then[name].values[block.region]
                if masked:
                    expected = np.full_like(here, True if here.dtype == bool else np.nan)
                np.testing.assert_array_equal(here, expected, err_msg=f"{name}, {block.name}")
        there |= set() if masked else {block.index}
    return frozenset(there)


def test_a_reader_beside_writers_that_are_killed_sees_no_torn_block(
    tmp_path: Path, whole: Path
) -> None:
    """Each writer stores one block, is killed half way through the next, and another goes on."""
    folder, final = tmp_path / "run", groups(whole)
    states: list[frozenset[int]] = []
    for number in range(BLOCKS):
        trap = KilledAfterChunk(10 + 20 * number, receipts=1) if number < BLOCKS - 1 else None
        process = crashes.start(folder, trap=trap, seconds=0.1)
        while process.exitcode is None:
            if (folder / "cube.zarr/zarr.json").exists():
                states.append(seen(groups(folder), final))
            time.sleep(0.01)
        states.append(seen(groups(folder), final))
    assert all(before <= after for before, after in itertools.pairwise(states))
    assert {len(state) for state in states} >= set(range(1, BLOCKS + 1))


def test_what_was_opened_early_does_not_change(tmp_path: Path, whole: Path) -> None:
    """A block that is finished after the opening stays masked: no number changes under a reader."""
    folder = tmp_path / "run"
    crashes.finish(folder, shard="1/2")
    with pytest.warns(IncompleteRun, match="3 of 6 blocks are missing"):
        early = sc.open(folder)
    crashes.finish(folder)
    assert int(early["summary"]["sharpe"].isnull().sum()) == 18
    assert not sc.open(folder)["summary"]["sharpe"].isnull().any()


def test_a_run_with_all_receipts_is_complete_for_a_reader(tmp_path: Path, whole: Path) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "run"))
    (folder / "_control/COMPLETE").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not sc.open(folder)["summary"]["sharpe"].isnull().any()


def test_before_the_cube_is_there_a_reader_is_told_so(tmp_path: Path) -> None:
    trap = crashes.KilledAt(1, "cube.zarr/zarr.json")
    assert crashes.outcome(crashes.start(tmp_path / "run", trap=trap)) == crashes.KILLED
    with (
        pytest.warns(IncompleteRun, match="6 of 6 blocks are missing"),
        pytest.raises(RunError, match="has no cube yet: run the scenario again to go on"),
    ):
        sc.open(tmp_path / "run")


@pytest.mark.parametrize(
    ("name", "size", "words"),
    [
        ("summary/sharpe/c.1.0.0.0.0", None, "missing"),
        ("summary/sharpe/c.1.0.0.0.0", 0, "empty"),
        ("summary/sharpe/c.1.0.0.0.0", 3, "cut off"),
        ("summary/sharpe/c.1.0.0.0.0", 30, "its checksum is wrong"),
        ("summary/leverage/c.0", None, "missing"),
        ("zarr.json", 100, "no metadata"),
        ("zarr.json", None, "missing"),
    ],
)
def test_damage_is_told_and_never_read_as_nan(
    scratch: Path, whole: Path, name: str, size: int | None, words: str
) -> None:
    folder = Path(shutil.copytree(whole, scratch / "run"))
    path = folder / "cube.zarr" / name
    path.unlink() if size is None else os.truncate(path, size)
    with pytest.raises(RunError) as caught:
        sc.open(folder)["summary"]["sharpe"].load()
    assert str(caught.value) == (
        f"{path} is damaged ({words}): stresscube verify {folder} --repair mends it"
    )
    assert sc.verify(folder, repair=True, backend=crashes.backend()).damage == ()
    xr.testing.assert_equal(groups(folder)[0], groups(whole)[0])
