"""Who may write to a run: one whole run, or any number of different shards.

The system keeps the locks of a folder; a bucket has leases.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from stresscube.errors import RunError
from stresscube.leases import leased, lessees
from stresscube.shards import Shard
from stresscube.store.objects import Place, objects_at

LOCK = "_control/lock"
SHARD_LOCKS = "_control/shards"
PATIENCE = 0.5
"""Seconds to wait for a lock: `stresscube status` may hold one for an instant."""
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
"""What file systems without locks answer. Runs go on there: a lock only saves double work."""


@contextmanager
def locked(folder: Place, shard: Shard | None) -> Generator[None]:
    """Hold a run's lock.

    A whole run excludes all others; a shard excludes whole runs and the same shard.

    Raises RunError if another process is in the way.
    """
    local = isinstance(folder, Path)
    with _locked(folder, shard) if local else leased(objects_at(folder), shard):
        yield


@contextmanager
def _locked(folder: Path, shard: Shard | None) -> Generator[None]:
    """The system lets go of this lock when the process ends, however it ends."""
    with ExitStack() as stack:
        whole = stack.enter_context(_opened(folder / LOCK))
        if not _locks(whole, fcntl.LOCK_EX if shard is None else fcntl.LOCK_SH):
            raise RunError(f"{folder} is being written by {_others(folder)}")
        if shard is None:
            _sign(whole)
        else:
            own = stack.enter_context(_opened(_place(folder, shard)))
            if not _locks(own, fcntl.LOCK_EX):
                who = f"another process{_holder(own)}"
                raise RunError(f"shard {shard} of {folder} is being written by {who}")
            _sign(own)
        yield


def writers(folder: Place) -> list[str]:
    """Return who is writing to a run: "another run (process 7)", "shard 1/2 (process 8)"."""
    if not isinstance(folder, Path):
        return lessees(objects_at(folder))
    with suppress(FileNotFoundError), (folder / LOCK).open(encoding="ascii") as whole:
        if not _is_free(whole):
            return [f"another run{_holder(whole)}"]
    return [f"shard {shard}{holder}" for shard, holder in _shards_at_work(folder)]


def _others(folder: Path) -> str:
    shards = _shards_at_work(folder)
    if not shards:
        with (folder / LOCK).open(encoding="ascii") as whole:
            return f"another run{_holder(whole)}"
    shown = ", ".join(f"shard {shard}{holder}" for shard, holder in shards[:3])
    more = f" and {len(shards) - 3} more" if len(shards) > 3 else ""
    return f"{shown}{more}: wait, or run a --shard that nobody has"


def _shards_at_work(folder: Path) -> list[tuple[Shard, str]]:
    found: list[tuple[Shard, str]] = []
    for path in (folder / SHARD_LOCKS).glob("*.lock"):
        match = re.fullmatch(r"(\d+)-of-(\d+)\.lock", path.name)
        if match is None:
            continue
        with path.open(encoding="ascii") as file:
            if not _is_free(file):
                found.append((Shard(int(match[1]), int(match[2])), _holder(file)))
    return sorted(found, key=lambda it: (it[0].count, it[0].number))


def _place(folder: Path, shard: Shard) -> Path:
    return folder / SHARD_LOCKS / f"{shard.number}-of-{shard.count}.lock"


def _opened(path: Path) -> IO[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("a+", encoding="ascii")


def _locks(file: IO[str], kind: int) -> bool:
    """Take a lock if nobody has it, now or in a moment."""
    patient = time.monotonic() + PATIENCE
    while not _lock_now(file, kind):
        if time.monotonic() > patient:
            return False
        time.sleep(0.05)
    return True


def _is_free(file: IO[str]) -> bool:
    free = _lock_now(file, fcntl.LOCK_SH)
    if free:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)
    return free


def _lock_now(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as fault:
        if fault.errno not in NO_LOCKS:
            raise
    return True


def _sign(file: IO[str]) -> None:
    """Write down who holds a lock."""
    file.truncate(0)
    file.write(f"{os.getpid()} {socket.gethostname()}\n")
    file.flush()


def _holder(file: IO[str]) -> str:
    """Return " (process 7)", " (process 7 on node3)", or "" if it is not written down."""
    file.seek(0)
    process, _, host = file.read().strip().partition(" ")
    elsewhere = f" on {host}" if host and host != socket.gethostname() else ""
    return f" (process {process}{elsewhere})" if process else ""
