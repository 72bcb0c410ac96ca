"""A bucket as a Zarr store whose faults are one sentence."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import ObjectStore

if TYPE_CHECKING:
    from obstore.store import S3Store

Faults = Callable[[], AbstractContextManager[None]]


class Reading(ObjectStore["S3Store"]):
    """A read-only bucket. `faults` turns what obstore raises into a StoreError."""

    def __init__(self, store: S3Store, faults: Faults) -> None:
        super().__init__(store, read_only=True)
        self._faults = faults

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        with self._faults():
            return await super().get(key, prototype, byte_range)

    async def exists(self, key: str) -> bool:
        with self._faults():
            return await super().exists(key)
