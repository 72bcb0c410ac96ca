"""A run's store of named objects, each written whole or not at all: in a folder or a bucket."""

from __future__ import annotations

import errno
import os
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from stresscube.errors import StoreError, StresscubeError

if TYPE_CHECKING:
    from zarr.abc.store import Store

Place = Path | str
"""Where a run lies, as a user names it: a folder, or the text `s3://bucket/prefix`."""
NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
NO_FOLDER_SYNC = (errno.EINVAL, errno.EACCES, errno.EPERM, errno.EBADF, errno.ENOTSUP)
"""Where folders cannot be synced or, above the run, not opened."""
PARTIAL = ".partial"
"""Ending of an object that is being written. One that stays behind was never believed."""
SYNCS_AT_ONCE = 16
"""A file system writes its journal once for all files that are synced at the same time: a
hundred small files in 20 ms where one after the other took 500 (ext4 on a virtual disk)."""


class Writes(Protocol):
    """Objects on their way to a store, in any order."""

    def put(self, key: str, data: bytes) -> None:
        """Write an object, now or soon."""
        ...

    def wait(self) -> None:
        """Return when every object is stored, or raise what kept one from it."""
        ...


class Objects(Protocol):
    """Where a run is kept: objects by name, each of them whole or absent for every reader.

    Names are relative, with '/'. place: where they are. scratch: a local folder for what need
    not last. at_once: requests that are worth having under way. Every method may raise OSError
    where a file system refuses, StoreError where a bucket does.
    """

    @property
    def place(self) -> Place: ...
    @property
    def scratch(self) -> Path: ...
    @property
    def at_once(self) -> int: ...

    def get(self, key: str) -> bytes | None:
        """Return an object's bytes, or None if there is none."""
        ...

    def get_all(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return many objects, in the order of their keys."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Write an object, replacing what is there."""
        ...

    def writes(self) -> Writes:
        """Return a way to write many objects, several at a time."""
        ...

    def put_new(self, key: str, data: bytes) -> bool:
        """Write an object unless there is one already; return whether it was written."""
        ...

    def names(self, folder: str) -> list[str]:
        """Return the names of what is directly under a folder ("" for all), sorted."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object, if it is there."""
        ...

    def sync(self) -> None:
        """Return when all that was put and deleted here would outlive a power cut."""
        ...

    def sweep(self, seconds: float) -> int:
        """Remove what killed writers left half written, if it is that old; return how many."""
        ...

    def zarr_store(self, folder: str) -> Store:
        """Return the objects under a folder as a read-only Zarr store."""
        ...


def objects_at(place: str | os.PathLike[str]) -> Objects:
    """Return the store at a place: a folder's path, or `s3://bucket/prefix`.

    Raises StresscubeError for another kind of address, StoreError where obstore is not installed.
    Nothing is read or written yet.
    """
    text = os.fspath(place)
    # A Path makes one slash of two.
    scheme = re.match(r"([a-z][a-z0-9+.-]+):/{1,2}", text)
    if scheme is None:
        return LocalObjects(Path(place))
    if scheme[1] != "s3":
        raise StresscubeError(f"{text}: a run lies in a folder or under s3://bucket/prefix")
    try:
        from stresscube.store.s3 import S3Objects
    except ModuleNotFoundError as missing:
        if missing.name != "obstore":
            raise
        raise StoreError(f"{text}: needs obstore: pip install 'stresscube[s3]'") from None
    return S3Objects(text[scheme.end() :])


class LocalObjects:
    """Objects under a local folder. Keys are relative paths with '/'.

    An object appears under its name by a rename, so a reader sees all of it or none, whenever
    the writer is killed. Every method raises OSError where the file system refuses.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._changed: set[Path] = set()
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
        path = self.root / key
        partial = self._write(path, data)
        try:
            os.replace(partial, path)
        except BaseException:
            os.unlink(partial)
            raise
        self._note(path)

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
        path = self.root / key
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
            folders = {folder for path in changed for folder in self._above(path)}
            try:
                errands = [partial(_sync, path) for path in changed]
                errands += [partial(_sync_folder, folder) for folder in folders]
                _do_all(errands)
            except BaseException:
                with self._lock:
                    self._changed |= changed
                raise

    def sweep(self, seconds: float) -> int:
        """Remove what killed writers left half written, if it is that old; return how many.

        The age is by the file system's own clock, which may not be this machine's.
        """
        probe = self._write(self.root / "_control" / "now", b"")
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

    def _note(self, path: Path) -> None:
        with self._lock:
            self._changed.add(path)

    def _above(self, path: Path) -> Iterator[Path]:
        """Yield the folders whose entries lead to a file, from its own to the root's."""
        for folder in path.parents:
            yield folder
            if folder == self.root.parent:
                return

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


def _do_all(errands: Sequence[Callable[[], None]]) -> None:
    """Do them in a few threads, each its share: one by one took half as long again."""

    def do(share: Sequence[Callable[[], None]]) -> None:
        for errand in share:
            errand()

    with ThreadPoolExecutor(SYNCS_AT_ONCE) as pool:
        list(pool.map(do, [errands[first::SYNCS_AT_ONCE] for first in range(SYNCS_AT_ONCE)]))


def _sync(path: Path) -> None:
    with suppress(FileNotFoundError):  # deleted since
        _fsync(path)


def _sync_folder(path: Path) -> None:
    try:
        _fsync(path)
    except OSError as fault:
        if fault.errno not in NO_FOLDER_SYNC:
            raise


def _fsync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _create(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
