"""Blocks are stored while the next one is computed; what goes wrong there ends the run too."""

from __future__ import annotations

import errno
import time
from pathlib import Path
from typing import Any

import pytest

import stresscube as sc
from fakes import FakeBackend, scenario
from stresscube.errors import Interrupted, RunError
from stresscube.runner import run
from stresscube.store.writer import BlockWriter


def receipts(folder: Path) -> list[str]:
    return sorted(path.stem for path in (folder / "_control" / "receipts").glob("*"))


def test_a_block_is_stored_while_the_next_one_is_computed(tmp_path: Path) -> None:
    """The second block does not end before the first has its receipt."""
    folder, seen = tmp_path / "out", list[list[str]]()

    def wait(first_path: int) -> None:
        deadline = time.monotonic() + 20.0
        while len(receipts(folder)) < len(seen) and time.monotonic() < deadline:
            time.sleep(0.01)
        seen.append(receipts(folder))

    run(scenario(50), folder, backend=FakeBackend(before=wait))
    assert len(seen) > 2
    assert [len(known) for known in seen] == list(range(len(seen)))
    assert (folder / "_control" / "COMPLETE").exists()


def test_a_fault_of_storing_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when a stop comes at the same time: what was not stored is told, and not signed."""
    whole, stored = BlockWriter.summary, list[int]()

    def summary(self: BlockWriter, arrays: Any) -> None:
        stored.append(1)
        if len(stored) == 2:
            raise OSError(errno.ENOSPC, "no space")
        whole(self, arrays)

    monkeypatch.setattr(BlockWriter, "summary", summary)
    folder = tmp_path / "out"
    with pytest.raises(RunError, match="no space left on the disk"):
        run(scenario(50), folder, backend=FakeBackend())
    assert receipts(folder) == ["000000"]
    assert run(scenario(50), folder, backend=FakeBackend()) == folder
    assert sc.open(folder)["summary"].to_dataset().sizes["leverage"] == 3


def test_a_stopped_run_keeps_what_was_being_stored(tmp_path: Path) -> None:
    folder, batches = tmp_path / "out", list[int]()

    class Stopping(FakeBackend):
        def prepare(self, job: Any, threads: int, shape: Any, **rest: Any) -> Any:
            made = super().prepare(job, threads, shape, **rest)

            class Third:
                def run(self, first_path: int, n_paths: int, **means: Any) -> Any:
                    batches.append(first_path)
                    if len(batches) == 3:
                        means["stop"].set()
                    return made.run(first_path, n_paths)

            return Third()

    with pytest.raises(Interrupted, match="stopped with 2 of 12 blocks done"):
        run(scenario(50), folder, backend=Stopping())
    assert receipts(folder) == ["000000", "000001"]


def test_no_memory_is_told_in_a_sentence(tmp_path: Path) -> None:
    def full(first_path: int) -> None:
        raise MemoryError("card 0 is out of memory: 20.0 MiB are needed")

    with pytest.raises(RunError, match=r"card 0 is out of memory.*; finished blocks are kept"):
        run(scenario(50), tmp_path / "out", backend=FakeBackend(before=full))
