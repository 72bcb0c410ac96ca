"""A run's store of named objects, each written whole or not at all: in a folder or a bucket."""

from __future__ import annotations

import errno
import os
import re
import threading
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from stresscube.errors import StresscubeError

if TYPE_CHECKING:
    from zarr.abc.store import Store

Place = Path | str
"""Where a run lies, as a user names it: a folder, or the text `s3://bucket/prefix`."""
NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
PARTIAL = ".partial"
"""Ending of an object that is being written. One that stays behind was never believed."""


class Writes(Protocol):
    """Objects on their way to a store."""

    def put(self, key: str, data: bytes) -> None:
        """Write an object, now or soon."""
        ...

    def wait(self) -> None:
        """Return when every object is stored, or raise what kept one from it."""
        ...


class Objects(Protocol):
    """Objects by key. A key is a relative path with '/'.

    place: where they are. scratch: a local folder for what need not last. An object is seen
    whole or not at all, by any reader at any time. Methods raise OSError where a file system
    refuses, StoreError where a store does.
    """

    @property
    def place(self) -> Place: ...
    @property
    def scratch(self) -> Path: ...

    def get(self, key: str) -> bytes | None:
        """Return an object's bytes, or None if there is none."""
        ...

    def get_all(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return many objects at once, in the order of their keys."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Write an object, replacing what is there."""
        ...

    def put_new(self, key: str, data: bytes) -> bool:
        """Write an object unless there is one already; return whether it was written.

        Of several writers at once, one writes.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove an object, if it is there."""
        ...

    def names(self, folder: str) -> list[str]:
        """Return the names of what is directly under a folder ("" for all), sorted."""
        ...

    def sync(self) -> None:
        """Return when all that was put and deleted here would outlive a power cut."""
        ...

    def writes(self) -> Writes:
        """Return a way to write objects whose order does not matter, several at a time."""
        ...

    def zarr_store(self, folder: str) -> Store:
        """Return the objects under a folder as a read-only Zarr store."""
        ...


def objects_at(place: str | os.PathLike[str]) -> Objects:
    """Return the store at a place: a folder's path, or `s3://bucket/prefix`.

    Raises StresscubeError for another kind of address. Nothing is read or written yet.
    """
    text = os.fspath(place)
    # A Path makes one slash of two.
    scheme = re.match(r"([a-z][a-z0-9+.-]+):/{1,2}", text)
    if scheme is None:
        return LocalObjects(Path(place))
    if scheme[1] != "s3":
        raise StresscubeError(f"{text}: a run lies in a folder or under s3://bucket/prefix")
    from stresscube.store.s3 import S3Objects

    return S3Objects(text[scheme.end() :])


class LocalObjects:
    """Objects under a local folder. Keys are relative paths with '/'.

    An object appears under its name by a rename, so a reader sees all of it or none, whenever
    the writer is killed. Every method raises OSError where the file system refuses.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def place(self) -> Path:
        """The folder."""
        return self.root

    @property
    def scratch(self) -> Path:
        """A folder on the same disk."""
        return self.root / "_control"

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

    def get_all(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return many objects, in the order of their keys."""
        return [self.get(key) for key in keys]

    def delete(self, key: str) -> None:
        """Remove an object, if it is there."""
        with suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(self.root / key)

    def sync(self) -> None:
        """Return: the file system is trusted to keep what it took."""

    def writes(self) -> Writes:
        """Return this store: a disk takes objects as fast one by one."""
        return self

    def wait(self) -> None:
        """Return: what was put is there."""

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
