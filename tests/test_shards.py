"""Shards: any order, any process, killed or not, one cube; and who may write beside whom."""

from __future__ import annotations

import os
import random
import time
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import pytest

import crashes
import stresscube as sc
from crashes import BLOCKS, KILLED, KilledAfterChunk
from fakes import FakeBackend, FakePrepared
from stresscube.errors import RunError, StresscubeError
from stresscube.lock import locked, writers
from stresscube.plan import make_plan
from stresscube.runner import run
from stresscube.shards import Shard, parse_shard
from stresscube.status import status_of
from stresscube.store.reader import IncompleteRun


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The cube of a run in one piece."""
    return crashes.content(crashes.finish(tmp_path_factory.mktemp("whole") / "small.run"))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6, 7])
def test_shards_divide_a_run_evenly_whatever_their_number(count: int) -> None:
    plan = make_plan(crashes.small(), crashes.backend())
    parts = [Shard(number, count).blocks(plan) for number in range(1, count + 1)]
    assert sorted(index for part in parts for index in part) == list(range(BLOCKS))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_shard_is_read_as_it_is_written() -> None:
    assert parse_shard("3/8") == Shard(3, 8)
    assert str(parse_shard(" 1 / 1 ")) == "1/1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3", "--shard 3: expected a part and their number, such as 3/8"),
        ("a/b", "--shard a/b: expected a part and their number, such as 3/8"),
        ("-1/8", "--shard -1/8: expected a part and their number, such as 3/8"),
        ("9/8", "--shard 9/8: parts count from 1 to 8"),
        ("1/0", "--shard 1/0: parts count from 1 to 0"),
        ("0/8", "--shard 0/8: parts count from 1 to 8; where an index counts from 0, add 1 to it"),
    ],
)
def test_another_shard_is_refused_in_one_sentence(text: str, message: str) -> None:
    with pytest.raises(StresscubeError) as caught:
        parse_shard(text)
    assert str(caught.value).startswith(message)
    assert caught.value.exit_code == 2


def test_eight_shards_of_which_three_are_killed(tmp_path: Path, whole: dict[str, bytes]) -> None:
    """Four at a time, in any order; what was killed is run again, beside others."""
    rng = random.Random(5)
    folder = tmp_path / "run"
    waiting = [f"{number}/8" for number in range(1, 9)]
    rng.shuffle(waiting)
    lives = [it for it in waiting if int(it[0]) <= BLOCKS]  # two shards have no block
    doomed = dict(zip(rng.sample(lives, 3), (7, 60, 133), strict=True))
    kills, at_work = 0, dict[str, crashes.BaseProcess]()
    while waiting or at_work:
        while waiting and len(at_work) < 4:
            shard = waiting.pop(0)
            trap = KilledAfterChunk(doomed.pop(shard)) if shard in doomed else None
            at_work[shard] = crashes.start(folder, shard=shard, trap=trap)
        shard = next(iter(at_work))
        code = crashes.outcome(at_work.pop(shard))
        assert code in (0, KILLED)
        if code == KILLED:
            kills += 1
            waiting.append(shard)
            assert not (folder / "_control/COMPLETE").exists()
    assert kills == 3
    assert crashes.content(folder) == whole
    assert (folder / "_control/COMPLETE").exists()
    assert sc.verify(folder).damage == ()


def test_a_shard_does_its_blocks_and_the_last_one_signs(tmp_path: Path) -> None:
    for number in (2, 3):
        run(crashes.small(), tmp_path, backend=crashes.backend(), shard=f"{number}/3")
    found = status_of(tmp_path)
    assert found.missing == ("000000", "000003")
    assert not (tmp_path / "_control/COMPLETE").exists()
    with pytest.warns(IncompleteRun, match="2 of 6 blocks are missing"):
        sc.open(tmp_path)
    run(crashes.small(), tmp_path, backend=crashes.backend(), shard="1/3")
    assert (tmp_path / "_control/COMPLETE").exists()


def test_a_whole_run_goes_on_where_shards_ended(tmp_path: Path, whole: dict[str, bytes]) -> None:
    run(crashes.small(), tmp_path, backend=crashes.backend(), shard="2/2")
    backend = crashes.backend()
    run(crashes.small(), tmp_path, backend=backend)
    assert len(backend.prepared) == BLOCKS // 2
    assert crashes.content(tmp_path) == whole


def test_another_scenario_is_refused_by_every_shard(tmp_path: Path) -> None:
    run(crashes.small(), tmp_path, backend=crashes.backend(), shard="2/2")
    with pytest.raises(RunError, match=r"simulation\.seed is 5 there and 6 here"):
        run(crashes.small("simulation.seed=6"), tmp_path, backend=crashes.backend(), shard="1/2")


class Within(FakeBackend):
    """A backend that tries another run on the same folder while it computes."""

    def __init__(self, folder: Path, shard: str | None) -> None:
        super().__init__(block_policies=9)
        self.folder, self.shard = folder, shard
        self.caught: list[str] = []
        self.writers: list[str] = []

    def prepare(self, *arguments: Any, **options: Any) -> FakePrepared:
        if not self.prepared:
            self.writers = writers(self.folder)
            try:
                run(crashes.small(), self.folder, backend=crashes.backend(), shard=self.shard)
            except RunError as error:
                self.caught.append(str(error))
        return super().prepare(*arguments, **options)


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        (None, None, "{folder} is being written by another run (process {process})"),
        (None, "1/2", "{folder} is being written by another run (process {process})"),
        ("1/2", None, "{folder} is being written by shard 1/2 (process {process}): wait, or run a "
         "--shard that nobody has"),
        ("1/2", "1/2", "shard 1/2 of {folder} is being written by another process "
         "(process {process})"),
        ("1/2", "2/2", None),
    ],
    ids=["two runs", "a shard beside a run", "a run beside a shard", "a shard twice", "two shards"],
)  # fmt: skip
def test_who_may_write_beside_whom(
    tmp_path: Path, first: str | None, second: str | None, refused: str | None
) -> None:
    backend = Within(tmp_path, second)
    run(crashes.small(), tmp_path, backend=backend, shard=first)
    words = {"folder": tmp_path, "process": os.getpid()}
    assert backend.caught == ([] if refused is None else [refused.format(**words)])
    who = f"shard {first}" if first else "another run"
    assert backend.writers == [f"{who} (process {os.getpid()})"]
    assert writers(tmp_path) == []


def test_two_runs_started_on_one_folder_at_once(tmp_path: Path, whole: dict[str, bytes]) -> None:
    """One of them does it all, the other says in one sentence that it is being done."""
    for number in range(4):
        folder, go = tmp_path / str(number), tmp_path / f"go-{number}"
        meet = crashes.Together(tmp_path / f"meeting-{number}", 2)
        both = [crashes.start(folder, trap=meet, until=go) for _ in range(2)]
        wait([process.sentinel for process in both])
        go.touch()  # who computes goes on once the other has been turned away
        assert sorted(map(crashes.outcome, both)) == [0, RunError.exit_code]
        assert crashes.content(folder) == whole


def test_a_lock_is_let_go_when_its_process_is_killed(tmp_path: Path) -> None:
    process = crashes.start(tmp_path, until=tmp_path / "never")
    holder = [f"another run (process {process.pid})"]
    deadline = time.monotonic() + 60
    while writers(tmp_path) != holder and time.monotonic() < deadline:
        time.sleep(0.02)
    assert writers(tmp_path) == holder
    crashes.kill(process)
    assert writers(tmp_path) == []
    with locked(tmp_path, None):
        assert writers(tmp_path) == [f"another run (process {os.getpid()})"]


def test_a_file_system_without_locks_is_no_hindrance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import fcntl

    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    run(crashes.small(), tmp_path, backend=crashes.backend())
    assert status_of(tmp_path).complete
    assert status_of(tmp_path).writers == ()
