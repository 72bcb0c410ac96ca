"""A run's objects in a local folder: a file each, which appears under its name by a rename."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from stresscube.store.durable import make_durable

if TYPE_CHECKING:
    from zarr.abc.store import Store

    from stresscube.store.objects import Writes

NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
PARTIAL = ".partial"
"""Ending of an object that is being written. One that stays behind was never believed."""


class LocalObjects:
    """Objects under a local folder. Keys are relative paths with '/'.

    An object appears under its name by a rename, so a reader sees all of it or none, whenever
    the writer is killed. Every method raises OSError where the file system refuses.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._at = os.fspath(root)
        self._changed: set[str] = set()
        self._lock = threading.Lock()
        self._syncing = threading.Lock()

    @property
    def place(self) -> Path:
        """The folder."""
        return self.root

    @property
    def scratch(self) -> Path:
        """A folder on the same disk."""
        return self.root / "_control"

    @property
    def at_once(self) -> int:
        """One: a disk answers at once."""
        return 1

    def writes(self) -> Writes:
        """Return this store, which takes objects as fast one by one."""
        return self

    def wait(self) -> None:
        """Return: what was put is there."""

    def put(self, key: str, data: bytes) -> None:
        """Write an object, replacing what is there."""
        path = self._path(key)
        partial = self._write(path, data)
        try:
            os.replace(partial, path)
        except BaseException:
            os.unlink(partial)
            raise
        self._note(path)

    def put_new(self, key: str, data: bytes) -> bool:
        """Write an object unless there is one already; return whether it was written."""
        path = self._path(key)
        partial = self._write(path, data)
        try:
            os.link(partial, path)
        except FileExistsError:
            return False
        except OSError as fault:
            if fault.errno not in NO_HARD_LINKS:
                raise
            if os.path.exists(path):
                return False
            os.replace(partial, path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(partial)
        self._note(path)
        return True

    def get(self, key: str) -> bytes | None:
        """Return an object's bytes, or None if there is none."""
        try:
            return (self.root / key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def get_all(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return many objects, in the order of their keys."""
        return [self.get(key) for key in keys]

    def zarr_store(self, folder: str) -> Store:
        """Return the objects under a folder as a read-only Zarr store."""
        from zarr.storage import LocalStore

        return LocalStore(self.root / folder, read_only=True)

    def names(self, folder: str) -> list[str]:
        """Return the names of the whole objects directly under a folder, sorted."""
        try:
            found = os.listdir(self.root / folder)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(name for name in found if not name.endswith(PARTIAL))

    def delete(self, key: str) -> None:
        """Remove an object, if it is there."""
        path = self._path(key)
        with suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(path)
            self._note(path)

    def sync(self) -> None:
        """Return when all that was put and deleted here would outlive a power cut.

        Without it a file system may keep a rename and lose what was renamed.
        """
        with self._syncing:  # who comes second must wait for what the first has taken on
            with self._lock:
                changed, self._changed = self._changed, set()
            try:
                make_durable(self.root, changed)
            except BaseException:
                with self._lock:
                    self._changed |= changed
                raise

    def sweep(self, seconds: float) -> int:
        """Remove what killed writers left half written, if it is that old; return how many.

        The age is by the file system's own clock, which may not be this machine's.
        """
        probe = self._write(self._path("_control/now"), b"")
        now = os.stat(probe).st_mtime
        os.unlink(probe)
        found = 0
        for path in self.partials():
            with suppress(FileNotFoundError):  # its writer finished it
                if now - path.stat().st_mtime >= seconds:
                    path.unlink()
                    found += 1
        return found

    def partials(self) -> Iterator[Path]:
        """Return the files of objects that are being written, or were left half written."""
        return self.root.rglob(f"*{PARTIAL}")

    def _path(self, key: str) -> str:
        # A text: pathlib takes longer than the write, and a block has a hundred of them.
        return f"{self._at}/{key}"

    def _note(self, path: str) -> None:
        with self._lock:
            self._changed.add(path)

    def _write(self, path: str, data: bytes) -> str:
        mark = f"{os.getpid()}-{threading.get_ident()}-{os.urandom(4).hex()}"
        partial = f"{path}.{mark}{PARTIAL}"
        try:
            file = _create(partial)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            file = _create(partial)
        try:
            write_all(file, memoryview(data))
        except BaseException:
            os.close(file)
            os.unlink(partial)
            raise
        os.close(file)
        return partial


def write_all(file: int, data: memoryview, offset: int | None = None) -> None:
    """Write all of `data` to an open file, at an offset or where it stands."""
    view = data.cast("B") if data.nbytes else data
    done = 0
    while done < view.nbytes:
        rest = view[done:]
        done += os.write(file, rest) if offset is None else os.pwrite(file, rest, offset + done)


def _create(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
