"""A run's objects in an S3 bucket, through obstore."""

from __future__ import annotations

import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from stresscube.errors import NoAnswer, StoreError
from stresscube.store.s3_faults import explain

if TYPE_CHECKING:
    from zarr.abc.store import Store

Answer = TypeVar("Answer")
FIRST = timedelta(seconds=10)
"""For how long the first request is tried again, so that a wrong address is told soon."""
PATIENCE = timedelta(minutes=3)
"""For how long every later request is."""
BACKOFF = {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=15), "base": 4}
"""A pause is drawn from 0.1 s to four times the last one, so it doubles on average."""
AT_ONCE = 16
"""Requests in flight: each waits for the network most of its time."""
LARGE, LARGE_AT_ONCE = 2**24, 4
"""Bytes in flight beyond which fewer writes are."""
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


class S3Objects:
    """Objects under `s3://bucket/prefix`. S3 stores an object whole or not at all.

    Credentials, region and endpoint come from the environment: docs/stores.md lists what counts.
    Errors of the server, broken connections and time-outs are tried again. Methods raise
    StoreError, one sentence, when that was in vain or the store refuses.
    """

    def __init__(self, address: str) -> None:
        """address: `bucket` or `bucket/prefix`.

        Raises StoreError for an address without a bucket. Nothing is asked of the store yet.
        """
        self._bucket, _, prefix = address.partition("/")
        self._prefix = prefix.strip("/")
        self.place = f"s3://{self._bucket}/{self._prefix}".rstrip("/")
        if not self._bucket:
            raise StoreError("s3://: name a bucket, as in s3://bucket/prefix")

    @property
    def at_once(self) -> int:
        """As many as are sent at a time."""
        return AT_ONCE

    @property
    def scratch(self) -> Path:
        """This machine's folder for temporary files."""
        return Path(tempfile.gettempdir())

    def get(self, key: str) -> bytes | None:
        """Return an object's bytes, or None if there is none."""

        def ask(store: S3Store) -> bytes | None:
            try:
                return bytes(obstore.get(store, key).bytes())
            except FileNotFoundError as fault:
                if "NoSuchBucket" in str(fault):
                    raise
                return None

        return self._patiently(ask)

    def get_all(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return many objects, in the order of their keys."""
        return list(self._pool.map(self.get, keys))

    def put(self, key: str, data: bytes) -> None:
        """Write an object, replacing what is there."""
        self._patiently(lambda store: obstore.put(store, key, data, use_multipart=False))

    def put_new(self, key: str, data: bytes) -> bool:
        """Write an object unless there is one already; return whether it is there now.

        If the answer to a request was lost, the data tells whether it was this writer's; data
        that several writers may write says only that it is there.
        """

        def ask(store: S3Store) -> bool:
            try:
                obstore.put(store, key, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
            return True

        return self._patiently(ask) or self.get(key) == data

    def delete(self, key: str) -> None:
        """Remove an object, if it is there."""
        self._patiently(lambda store: obstore.delete(store, key))

    def names(self, folder: str) -> list[str]:
        """Return the names of what is directly under a folder ("" for all), sorted."""

        def ask(store: S3Store) -> list[str]:
            found = obstore.list_with_delimiter(store, folder or None)
            return [*found["common_prefixes"], *(it["path"] for it in found["objects"])]

        # Some servers keep a folder once it was there, and list it as an object of its own.
        keys = {key.rstrip("/") for key in self._patiently(ask)} - {folder}
        return sorted(key.rpartition("/")[2] for key in keys)

    def sync(self) -> None:
        """Return: what was put is stored."""

    def sweep(self, seconds: float) -> int:
        """Return 0: nothing is ever half written."""
        return 0

    def writes(self) -> _Writes:
        """Return a way to write objects, several at a time."""
        return _Writes(self, self._pool)

    def zarr_store(self, folder: str) -> Store:
        """Return the objects under a folder as a read-only Zarr store."""
        from stresscube.store.s3_zarr import Reading

        path = f"{self._prefix}/{folder}".strip("/")
        pauses = partial(again, PATIENCE)
        return Reading(self._open(path, PATIENCE), self._in_one_sentence, pauses)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="s3")

    @cached_property
    def _store(self) -> S3Store:
        """The bucket, once it has answered."""
        first = self._open(self._prefix, FIRST)
        self._insist(lambda: obstore.list_with_delimiter(first), FIRST)
        return self._open(self._prefix, PATIENCE)

    def _open(self, prefix: str, patience: timedelta) -> S3Store:
        endpoint = next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), "")
        if endpoint and not endpoint.startswith(("http://", "https://")):
            raise StoreError(f"AWS_ENDPOINT_URL={endpoint}: must begin with https:// or http://")
        options: Any = {"allow_http": True} if endpoint.startswith("http://") else None
        retries: Any = {"max_retries": 10_000, "retry_timeout": patience, "backoff": BACKOFF}
        with self._in_one_sentence():
            # Deleting one object may be repeated; the request that deletes many may not.
            return S3Store(
                self._bucket, prefix=prefix or None, client_options=options, retry_config=retries,
                config={"disable_bulk_delete": True},
            )  # fmt: skip

    def _patiently(self, ask: Callable[[S3Store], Answer]) -> Answer:
        store = self._store
        return self._insist(lambda: ask(store), PATIENCE)

    def _insist(self, ask: Callable[[], Answer], patience: timedelta) -> Answer:
        """Ask until there is an answer: obstore itself does not repeat every request."""
        pauses = again(patience)
        while True:
            try:
                with self._in_one_sentence():
                    return ask()
            except NoAnswer:
                pause = next(pauses)
                if pause is None:
                    raise
                time.sleep(pause)

    @contextmanager
    def _in_one_sentence(self) -> Generator[None]:
        """Turn what obstore raises into a StoreError."""
        try:
            yield
        except (BaseError, FileNotFoundError, ValueError) as fault:
            raise explain(self.place, fault) from fault


def again(patience: timedelta) -> Generator[float | None]:
    """Yield seconds to wait before a request is sent again, and None when it is enough."""
    end, pause = time.monotonic() + patience.total_seconds(), 0.1
    while time.monotonic() + pause < end:
        yield pause
        pause = min(2 * pause, 15.0)
    yield None


class _Writes:
    """Objects on their way to a bucket, oldest first."""

    def __init__(self, objects: S3Objects, pool: ThreadPoolExecutor) -> None:
        self._objects = objects
        self._pool = pool
        self._going: deque[tuple[Future[None], int]] = deque()

    def put(self, key: str, data: bytes) -> None:
        """Send an object; wait for earlier ones where too many are under way."""
        while self._full():
            self._going.popleft()[0].result()
        self._going.append((self._pool.submit(self._objects.put, key, data), len(data)))

    def wait(self) -> None:
        """Return when every object is stored."""
        while self._going:
            self._going.popleft()[0].result()

    def _full(self) -> bool:
        count, size = len(self._going), sum(size for _, size in self._going)
        return count >= AT_ONCE or (count >= LARGE_AT_ONCE and size >= LARGE)
