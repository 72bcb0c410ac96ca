"""Making files outlive a power cut: file by file, or all that a file system holds back at once."""

from __future__ import annotations

import ctypes
import errno
import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

NO_FOLDER_SYNC = (errno.EINVAL, errno.EACCES, errno.EPERM, errno.EBADF, errno.ENOTSUP)
"""Where folders cannot be synced or, above the run, not opened."""
SYNCS_AT_ONCE = 16
SYNCS_A_THREAD = 4
"""A file system writes its journal once for all files that are synced at the same time: a
hundred small files in 20 ms where one after the other took 500 (ext4 on a virtual disk)."""
MANY = 32
"""From so many files on one `syncfs` is cheaper: of a hundred files and their folders it took a
sixth of the time that syncing each took, and a tenth of the processor's (ext4)."""
LITTLE = 64 << 20
"""Bytes: `syncfs` also waits for what others have written, so only where that is little."""
WHOLE = ("ext4", "xfs")
"""File systems of a disk, on which `syncfs` reaches the disk."""
TELLS_FAULTS = (5, 8)
"""The Linux from which on `syncfs` tells that something could not be written."""


def make_durable(root: Path, changed: Collection[str]) -> None:
    """Return when files under a folder, new or deleted, would outlive a power cut.

    changed: their paths, each of which begins with the folder's. So would the entries that lead
    to them, the folder's own included. Raises OSError.
    """
    if len(changed) >= MANY and _little_waits() and _whole_file_system(root):
        return
    own = {os.path.dirname(path) for path in changed}
    folders = {folder for path in own for folder in _upwards(root, Path(path))}
    errands = [partial(_sync, path) for path in changed]
    errands += [partial(_sync_folder, folder) for folder in folders]
    _do_all(errands)


def _whole_file_system(root: Path) -> bool:
    """Write back all of the file system that a folder is on; return whether that is done.

    A fault may be of anybody's file: then each of ours has to tell for itself.
    """
    syncfs = _syncfs()
    if syncfs is None or _file_system(os.stat(root).st_dev) not in WHOLE:
        return False
    folder = os.open(root, os.O_RDONLY)
    try:
        return syncfs(folder) == 0
    finally:
        os.close(folder)


@cache
def _syncfs() -> Callable[[int], int] | None:
    """Return Linux's `syncfs(2)`, which Python lacks, if it is there and tells of faults."""
    version = re.match(r"(\d+)\.(\d+)", os.uname().release) if os.name == "posix" else None
    if version is None or (int(version[1]), int(version[2])) < TELLS_FAULTS:
        return None
    return getattr(ctypes.CDLL(None), "syncfs", None)


@cache
def _file_system(device: int) -> str:
    """Return the type of a mounted file system by its device number, "" if it is not known."""
    number = f"{os.major(device)}:{os.minor(device)}"
    with suppress(OSError), open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        for line in mounts:
            about, _, kind = line.partition(" - ")
            if about.split()[2] == number:
                return kind.split()[0]
    return ""


def _little_waits() -> bool:
    """Whether the machine holds back only little that it has not written to its disks."""
    with suppress(OSError), open("/proc/meminfo", encoding="utf-8") as memory:
        found = re.findall(r"^(?:Dirty|Writeback): *(\d+) kB$", memory.read(), re.MULTILINE)
        return len(found) == 2 and sum(map(int, found)) << 10 <= LITTLE
    return False


def _upwards(root: Path, folder: Path) -> Iterator[Path]:
    """Yield the folders whose entries lead to a file, from its own to the one of the root."""
    for above in (folder, *folder.parents):
        yield above
        if above == root.parent:
            return


def _do_all(errands: Sequence[Callable[[], None]]) -> None:
    """Do them in a few threads, each its share: one by one took half as long again."""

    def do(share: Sequence[Callable[[], None]]) -> None:
        for errand in share:
            errand()

    threads = min(SYNCS_AT_ONCE, -(-len(errands) // SYNCS_A_THREAD))
    if threads <= 1:
        do(errands)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(do, [errands[first::threads] for first in range(threads)]))


def _sync(path: str) -> None:
    with suppress(FileNotFoundError):  # deleted since
        _fsync(path)


def _sync_folder(path: Path) -> None:
    try:
        _fsync(path)
    except OSError as fault:
        if fault.errno not in NO_FOLDER_SYNC:
            raise


def _fsync(path: str | Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
