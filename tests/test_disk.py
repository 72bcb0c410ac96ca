"""A disk that fills up, a folder that cannot be written, and what a power cut may take away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import crashes
import stresscube as sc
from crashes import BLOCKS
from fakes import FakeBackend, scenario
from stresscube.errors import RunError
from stresscube.runner import ABANDONED, run
from stresscube.status import status_of
from stresscube.store import durable, local
from stresscube.store.local import PARTIAL, LocalObjects

HERE = Path(__file__).parent


def on_a_small_disk(code: str, folder: Path) -> list[Any]:
    """Run code that may mount a disk at `folder`, and return what it prints, JSON line by line."""
    folder.mkdir()
    code = f"import crashes, json, os, sys\nfolder = {str(folder)!r}\n{code}"
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


FULL = """
from pathlib import Path
from stresscube.errors import RunError
from stresscube.runner import run
import stresscube as sc
for size in (40, 600, 1100, 1700, 2800, 4000):
    os.system(f"mount -t tmpfs -o size={size}k tmpfs {folder}")
    out = Path(folder) / "small.run"
    words = []
    try:
        run(crashes.small(), out, backend=crashes.backend())
    except RunError as error:
        words.append(str(error))
    receipts = len(list(out.glob("_control/receipts/*.json")))
    partials = len(list(out.rglob("*.partial")))
    os.system(f"mount -o remount,size=64m {folder}")
    backend = crashes.backend()
    run(crashes.small(), out, backend=backend)
    content = crashes.content(out)
    whole = content if size == 40 else whole
    sound = content == whole and sc.verify(out).damage == ()
    print(json.dumps([size, words, receipts, partials, len(backend.prepared), sound]))
    os.system(f"umount {folder}")
"""


@pytest.mark.needs("tmpfs")
def test_a_disk_that_fills_up_half_way(tmp_path: Path) -> None:
    """Full before the first file, in the metadata, in a block, between blocks."""
    found = on_a_small_disk(FULL, tmp_path / "disk")
    assert len(found) == 6
    for size, words, receipts, partials, rest, sound in found:
        place = tmp_path / "disk/small.run"
        assert words == [
            f"cannot write to {place}: no space left on the disk; finished blocks are kept, "
            "mend this and run the same command again to go on"
        ], size
        assert partials == 0
        assert rest == BLOCKS - receipts
        assert sound
    kept = [line[2] for line in found]
    assert kept[0] == kept[1] == 0
    assert 0 < kept[4] < kept[5] < BLOCKS


READ_ONLY = """
from pathlib import Path
from stresscube.errors import RunError
from stresscube.runner import run
from stresscube.status import status_of
import stresscube as sc
os.system(f"mount -t tmpfs -o size=64m tmpfs {folder}")
out = Path(folder) / "small.run"
run(crashes.small(), out, backend=crashes.backend(), shard="1/2")
os.system(f"mount -o remount,ro {folder}")
for where in (out, Path(folder) / "new.run"):
    try:
        run(crashes.small(), where, backend=crashes.backend())
    except RunError as error:
        print(json.dumps(str(error)))
print(json.dumps([status_of(out).finished, len(sc.verify(out, recompute=1,
    backend=crashes.backend()).damage)]))
try:
    sc.verify(out, repair=True)
except RunError as error:
    print(json.dumps(str(error)))
"""


@pytest.mark.needs("tmpfs")
def test_a_read_only_disk_can_be_read_and_not_written(tmp_path: Path) -> None:
    place = tmp_path / "disk"
    old, new, found, mended = on_a_small_disk(READ_ONLY, place)
    end = (
        "the file system is read-only; finished blocks are kept, mend this and run the same "
        "command again to go on"
    )
    assert old == mended == f"cannot write to {place / 'small.run'}: {end}"
    assert new == f"cannot write to {place / 'new.run'}: {end}"
    assert found == [BLOCKS // 2, 0]


def test_orphans_are_swept_and_no_others(tmp_path: Path) -> None:
    """A whole run is alone, so all that is half written is an orphan; beside shards age tells."""
    run(crashes.small(), tmp_path, backend=crashes.backend(), shard="1/2")
    young = tmp_path / f"cube.zarr/summary/sharpe/c.0.0.0.0.0.1-2-ab{PARTIAL}"
    old = tmp_path / f"_control/receipts/000001.json.1-2-cd{PARTIAL}"
    for path in (young, old):
        path.write_bytes(b"half")
    long_ago = young.stat().st_mtime - ABANDONED - 10
    os.utime(old, (long_ago, long_ago))
    assert sc.verify(tmp_path).damage == ()
    assert status_of(tmp_path).partials == 2
    run(crashes.small(), tmp_path, backend=crashes.backend(), shard="1/2")
    assert young.exists()
    assert not old.exists()
    run(crashes.small(), tmp_path, backend=crashes.backend())
    assert status_of(tmp_path).partials == 0
    assert sc.verify(tmp_path).complete


def test_a_block_that_is_nan_throughout_is_stored_like_any_other(tmp_path: Path) -> None:
    """Nothing of it can be run, so all its numbers are NaN: written, signed and watched over."""
    made = scenario(200, True, "sweep.venue=['B']", "sweep.leverage=[10, 50]")
    backend = FakeBackend(block_policies=1)
    run(made, tmp_path, backend=backend)
    assert len(backend.prepared) == 12
    tree = sc.open(tmp_path)
    dead = tree["summary"].to_dataset().sel(leverage=50)
    assert not dead["feasible"].any()
    assert dead["return_mean"].isnull().all()
    assert tree["paths"].to_dataset().sel(leverage=50)["final_equity"].isnull().all()
    assert sc.verify(tmp_path, recompute=24, backend=FakeBackend(block_policies=1)).damage == ()
    (chunk,) = (tmp_path / "cube.zarr/summary/sharpe").glob("c.1.0.2.1.1")
    chunk.unlink()
    (damage,) = sc.verify(tmp_path).damage
    assert (damage.what, damage.block) == ("missing", "000023")
    with pytest.raises(RunError, match=r"sharpe/c\.1\.0\.2\.1\.1 is damaged \(missing\)"):
        sc.open(tmp_path)["summary"]["sharpe"].load()
    sc.verify(tmp_path, repair=True, backend=FakeBackend(block_policies=1))
    assert np.isnan(sc.open(tmp_path)["summary"]["sharpe"].sel(leverage=50)).all()


class Recorder:
    """Keeps what LocalObjects asked of the system, with paths in the place of open files."""

    def __init__(self) -> None:
        self.log: list[tuple[str, str]] = []
        self._open: dict[int, str] = {}

    def __call__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            made = getattr(os, name)(*arguments, **options)
            if name == "open":
                self._open[made] = str(arguments[0])
            elif name in ("replace", "link"):
                self.log.append(("appears", str(arguments[1])))
            elif name == "fsync":
                self.log.append(("synced", self._open[arguments[0]]))
            elif name == "unlink":
                self.log.append(("disappears", str(arguments[0])))
            return made

        return call

    def whole(self, folder: int) -> int:
        """Sync all of a file system, as far as the log can tell."""
        self.log.append(("synced", WHOLE))
        return 0

    def durable(self, path: Path, before: int) -> bool:
        """Whether what last happened to a file would have survived a power cut by then."""
        log = self.log[:before]
        changes = [at for at, it in enumerate(log) if it[0] != "synced" and it[1] == str(path)]
        after = log[changes[-1] :]
        if ("synced", WHOLE) in after:
            return True
        file = ("synced", str(path)) in after or after[0][0] == "disappears"
        folders = [it for it in path.parents if it == ROOT or ROOT in it.parents]
        return file and all(("synced", str(folder)) in after for folder in folders)

    def when(self, word: str, path: Path) -> int:
        """Return the place in the log of the last event of a file."""
        return max(at for at, it in enumerate(self.log) if it == (word, str(path)))


ROOT = Path()
WHOLE = "the file system"


@pytest.mark.parametrize("at_once", [False, True])
def test_what_is_signed_is_on_disk_before_its_signature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    """Arrays before their receipt, metadata before the first block, receipts before COMPLETE."""
    recorder = Recorder()
    monkeypatch.setattr(durable, "_little_waits", lambda: at_once)
    monkeypatch.setattr(durable, "_file_system", lambda _: "ext4")
    monkeypatch.setattr(durable, "_syncfs", lambda: recorder.whole)
    monkeypatch.setattr(local, "os", local.os)
    monkeypatch.setattr(durable, "os", durable.os)
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    crashes.instead(recorder)
    folder = run(crashes.small(), tmp_path / "run", backend=crashes.backend())
    control = folder / "_control"
    for block in range(BLOCKS):
        receipt = control / f"receipts/{block:06d}.json"
        place = np.unravel_index(block, (2, 3))
        signed = recorder.when("appears", receipt)
        chunks = list((folder / "cube.zarr").glob(f"*/*/c.{place[0]}.0.{place[1]}.*"))
        assert len(chunks) > 130
        for path in chunks:
            assert recorder.durable(path, signed), path
        assert recorder.durable(receipt, recorder.when("appears", control / "COMPLETE"))
    made = recorder.when("appears", control / "cube.json")
    for path in (folder / "cube.zarr").rglob("zarr.json"):
        assert recorder.durable(path, made), path
    first = min(at for at, it in enumerate(recorder.log) if "cube.zarr" in it[1])
    assert recorder.durable(control / "plan.json", first)
    for name in ("COMPLETE", "cube.json"):
        assert recorder.durable(control / name, len(recorder.log))
    # A block's hundred files are many.
    at_once_times = [it[1] for it in recorder.log].count(WHOLE)
    assert at_once_times >= BLOCKS if at_once else at_once_times == 0


def test_what_is_withdrawn_is_gone_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run(crashes.small(), tmp_path / "run", backend=crashes.backend())
    chunk = folder / "cube.zarr/summary/sharpe/c.0.0.1.0.0"
    chunk.unlink()
    recorder = Recorder()
    monkeypatch.setattr(local, "os", local.os)
    monkeypatch.setattr(durable, "os", durable.os)
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    crashes.instead(recorder)
    sc.verify(folder, repair=True, backend=crashes.backend())
    complete, receipt = (folder / "_control" / it for it in ("COMPLETE", "receipts/000001.json"))
    gone = recorder.when("disappears", receipt)
    begun = min(at for at, it in enumerate(recorder.log) if it[1].startswith(str(chunk.parent)))
    assert recorder.when("disappears", complete) < gone < begun
    recorder.log[:] = [it for it in recorder.log if it[0] != "appears" or "_control" not in it[1]]
    assert recorder.durable(complete, recorder.when("disappears", receipt))
    assert recorder.durable(receipt, recorder.when("appears", chunk))


def test_a_sync_that_fails_is_tried_again_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalObjects(tmp_path)
    store.put("a/b", b"x")
    store.put("a/c", b"x")
    store.delete("a/c")
    synced: list[str] = []

    def failing(path: Path) -> None:
        raise OSError(5, "Input/output error", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(durable, "_fsync", failing)
        with pytest.raises(OSError, match="Input/output"):
            store.sync()
    real = durable._fsync
    monkeypatch.setattr(durable, "_fsync", lambda path: (synced.append(str(path)), real(path)))
    store.sync()
    assert {str(tmp_path / "a/b"), str(tmp_path / "a"), str(tmp_path)} <= set(synced)
    synced.clear()
    store.sync()
    assert synced == []


@pytest.mark.parametrize("why", ["much waits", "another kind", "not there", "it fails"])
def test_files_are_synced_one_by_one_where_all_at_once_will_not_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """A whole file system is synced only where that is quick, is sure and goes well."""
    asked: list[int] = []
    synced: list[str] = []

    def fails(folder: int) -> int:
        asked.append(folder)
        return -1

    monkeypatch.setattr(durable, "_little_waits", lambda: why != "much waits")
    monkeypatch.setattr(
        durable, "_file_system", lambda _: "fuse" if why == "another kind" else "xfs"
    )
    monkeypatch.setattr(durable, "_syncfs", lambda: None if why == "not there" else fails)
    monkeypatch.setattr(durable, "_fsync", lambda path: synced.append(str(path)))
    store = LocalObjects(tmp_path)
    for number in range(durable.MANY):
        store.put(f"a/{number}", b"x")
    store.sync()
    assert len(asked) == (why == "it fails")
    assert {str(tmp_path / f"a/{number}") for number in range(durable.MANY)} <= set(synced)
    assert {str(tmp_path / "a"), str(tmp_path)} <= set(synced)


def test_a_few_files_do_not_wait_for_the_whole_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "_whole_file_system", lambda _: pytest.fail("asked"))
    store = LocalObjects(tmp_path)
    for number in range(durable.MANY - 1):
        store.put(f"a/{number}", b"x")
    store.sync()
    assert store.names("a") == sorted(str(number) for number in range(durable.MANY - 1))


def test_the_file_system_of_a_folder_is_known_to_linux() -> None:
    """What /proc is mounted as is the same everywhere; a number that no device has is unknown."""
    assert durable._file_system(os.stat("/proc").st_dev) == "proc"
    assert durable._file_system(os.makedev(4095, 1)) == ""
