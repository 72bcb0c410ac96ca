"""A bucket as a Zarr store that is patient and whose faults are one sentence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import ObjectStore

from stresscube.errors import NoAnswer

if TYPE_CHECKING:
    from obstore.store import S3Store


class Reading(ObjectStore["S3Store"]):
    """A read-only bucket.

    faults: turns what obstore raises into a StoreError. again: gives the pauses before a request
    is sent again.
    """

    def __init__(
        self,
        store: S3Store,
        faults: Callable[[], AbstractContextManager[None]],
        again: Callable[[], Iterator[float | None]],
    ) -> None:
        super().__init__(store, read_only=True)
        self._faults = faults
        self._again = again

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        pauses = self._again()
        while True:
            try:
                with self._faults():
                    return await super().get(key, prototype, byte_range)
            except NoAnswer:
                pause = next(pauses)
                if pause is None:
                    raise
                await asyncio.sleep(pause)
