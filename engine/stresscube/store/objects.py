"""A run's store of named objects, each written whole or not at all: in a folder or a bucket."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from stresscube.errors import StoreError, StresscubeError
from stresscube.store.local import LocalObjects

if TYPE_CHECKING:
    from zarr.abc.store import Store

Place = Path | str
"""Where a run lies, as a user names it: a folder, or the text `s3://bucket/prefix`."""


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
