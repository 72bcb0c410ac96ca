"""A folder as a store of named objects, each written whole or not at all."""

from __future__ import annotations

import errno
import os
import threading
import uuid
from contextlib import suppress
from pathlib import Path

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

    def put(self, key: str, data: bytes) -> None:
        """Write an object, replacing what is there."""
        path = self.root / key
        partial = self._write(path, data)
        os.replace(partial, path)

    def put_new(self, key: str, data: bytes) -> bool:
        """Write an object unless there is one already; return whether it was written."""
        path = self.root / key
        partial = self._write(path, data)
        try:
            os.link(partial, path)
        except FileExistsError:
            return False
        except OSError as fault:
            if fault.errno not in NO_HARD_LINKS:
                raise
            if path.exists():
                return False
            os.replace(partial, path)
            return True
        finally:
            with suppress(FileNotFoundError):
                os.unlink(partial)
        return True

    def get(self, key: str) -> bytes | None:
        """Return an object's bytes, or None if there is none."""
        try:
            return (self.root / key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def names(self, folder: str) -> list[str]:
        """Return the names of the whole objects directly under a folder, sorted."""
        try:
            found = os.listdir(self.root / folder)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(name for name in found if not name.endswith(PARTIAL))

    def _write(self, path: Path, data: bytes) -> str:
        partial = f"{path}.{os.getpid()}-{threading.get_ident()}-{uuid.uuid4().hex[:8]}{PARTIAL}"
        try:
            file = _create(partial)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
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
