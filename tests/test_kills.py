"""kill -9 anywhere, then the same command again: the same bytes as without."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

import pytest

import crashes
import stresscube as sc
from crashes import BLOCKS, KILLED, KilledAfterChunk, KilledAt
from stresscube.store.local import PARTIAL
from stresscube.store.reader import IncompleteRun


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The cube of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole") / "small.run"
    return crashes.content(crashes.finish(folder))


def unharmed(folder: Path, whole: dict[str, bytes]) -> None:
    """Assert that a run is complete, and as if nothing had happened; remove it."""
    assert crashes.content(folder) == whole
    assert sorted(path.name for path in (folder / "_control").iterdir()) == [
        "COMPLETE", "cube.json", "lock", "plan.json", "receipts"
    ]  # fmt: skip
    assert not list(folder.rglob(f"*{PARTIAL}"))
    assert sc.verify(folder).damage == ()
    shutil.rmtree(folder)


def test_kills_at_random_moments(scratch: Path, whole: dict[str, bytes]) -> None:
    """Forty of them, from before the folder is there until after the run is signed."""
    rng = random.Random(11)
    length = min(seconds_of_a_run(scratch / f"timing-{number}") for number in range(3))
    kills, runs = 0, 0
    while kills < 40:
        runs += 1
        folder = scratch / f"{runs}.run"
        while True:
            process = crashes.start(folder, seconds=0.01)
            time.sleep(rng.uniform(0.0, length))
            if crashes.kill(process) != KILLED:
                break
            kills += 1
        unharmed(folder, whole)


def seconds_of_a_run(folder: Path) -> float:
    begun = time.monotonic()
    crashes.finish(folder, seconds=0.01)
    return time.monotonic() - begun


def test_a_kill_after_each_array_of_a_block(scratch: Path, whole: dict[str, bytes]) -> None:
    """The first block is begun again each time: what it has written before does not count."""
    folder = scratch / "run"
    arrays = sum(crashes.is_block_chunk(name) for name in whole) // BLOCKS
    assert arrays > 130
    for number in range(1, arrays + 1):
        process = crashes.start(folder, trap=KilledAfterChunk(number))
        assert crashes.outcome(process) == KILLED
        assert not (folder / "_control/receipts").exists()
    chunks = [name for name in crashes.content(folder) if crashes.is_block_chunk(name)]
    assert sum(crashes.block_of(name) == ["0", "0", "0"] for name in chunks) == arrays
    with pytest.warns(IncompleteRun, match=f"{BLOCKS} of {BLOCKS} blocks are missing"):
        assert sc.open(folder)["summary"]["sharpe"].isnull().all()
    unharmed(crashes.finish(folder), whole)


PLACES = {
    "plan": "_control/plan.json",
    "first metadata": "/summary/zarr.json",
    "last metadata": "cube.zarr/zarr.json",
    "cube": "_control/cube.json",
    "first array": "/feasible/c.0.0.0",
    "receipt": "receipts/000002",
    "last receipt": f"receipts/{BLOCKS - 1:06d}",
    "complete": "_control/COMPLETE",
}


@pytest.mark.parametrize("place", PLACES)
def test_a_kill_at_each_step_of_writing(scratch: Path, whole: dict[str, bytes], place: str) -> None:
    """Before it is opened, half written, before it is closed, renamed, and synced."""
    for number in range(1, 7):
        folder = scratch / str(number)
        process = crashes.start(folder, trap=KilledAt(number, PLACES[place]))
        assert crashes.outcome(process) == KILLED
        unharmed(crashes.finish(folder), whole)


@pytest.mark.soak
def test_a_kill_at_every_operation_on_the_disk(scratch: Path, whole: dict[str, bytes]) -> None:
    """Each run goes on where the one before was killed, ever further, over and over."""
    rng = random.Random(12)
    kills = 0
    for runs in range(100):
        folder = scratch / f"{runs}.run"
        while True:
            process = crashes.start(folder, trap=KilledAt(rng.randint(1, 6000)))
            if crashes.outcome(process) != KILLED:
                break
            kills += 1
        unharmed(folder, whole)
    assert kills > 150
