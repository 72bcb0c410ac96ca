"""A cube as a read-only Zarr store that shows finished blocks only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype

from stresscube.errors import RunError
from stresscube.store.encoding import fault
from stresscube.store.layout import ROOT
from stresscube.store.objects import Place


def damaged(place: Place, key: str, words: str) -> RunError:
    """Return the error for an object of a cube that is not as it was written."""
    return RunError(
        f"{place}/{ROOT}/{key} is damaged ({words}): stresscube verify {place} --repair mends it"
    )


class FinishedBlocks(Store):
    """Chunks of unfinished blocks are absent here, so that Zarr reads their fill value.

    A block that is half written, or being written, is never seen. `done` None shows all.
    Arrays that are chunked by block are told by `arrays`; everything else is always visible.
    A chunk that must be there and is damaged or lost raises RunError, with `place` for the user:
    Zarr would read NaN where there is no object.
    """

    def __init__(
        self,
        store: Store,
        arrays: frozenset[str],
        grid: tuple[int, ...],
        done: frozenset[int] | None,
        place: Place,
    ) -> None:
        super().__init__(read_only=True)
        self._store = store
        self._arrays = arrays
        self._grid = grid
        self._done = done
        self._place = place

    @property
    def supports_writes(self) -> bool:
        return False

    @property
    def supports_deletes(self) -> bool:
        return False

    @property
    def supports_listing(self) -> bool:
        return True

    def __eq__(self, value: object) -> bool:
        return (
            isinstance(value, FinishedBlocks)
            and self._store == value._store
            and self._done == value._done
        )

    def with_read_only(self, read_only: bool = False) -> FinishedBlocks:
        """Return this store, which is read-only already.

        Raises ValueError when asked for a writable one.
        """
        if not read_only:
            raise ValueError("a finished cube is not to be written")
        return self

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        if not self._visible(key):
            return None
        found = await self._store.get(key, prototype, byte_range)
        if byte_range is None and f"{key.rpartition('/')[2]}.".startswith("c."):
            words = fault(None if found is None else found.to_bytes())
            if words is not None:
                raise damaged(self._place, key, words)
        return found

    async def get_partial_values(
        self,
        prototype: BufferPrototype,
        key_ranges: Iterable[tuple[str, ByteRequest | None]],
    ) -> list[Buffer | None]:
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def exists(self, key: str) -> bool:
        return self._visible(key) and await self._store.exists(key)

    async def set(self, key: str, value: Buffer) -> None:
        raise PermissionError(f"{key}: opened for reading")

    async def delete(self, key: str) -> None:
        raise PermissionError(f"{key}: opened for reading")

    async def list(self) -> AsyncIterator[str]:
        async for key in self._store.list():
            if self._visible(key):
                yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        async for key in self._store.list_prefix(prefix):
            if self._visible(key):
                yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        async for name in self._store.list_dir(prefix):
            yield name

    def _visible(self, key: str) -> bool:
        """Whether an object is metadata, a coordinate, or of a finished block.

        A chunk's key is `group/array/c` and its place along the axes, then along further dims,
        all with dots between.
        """
        name, _, last = key.rpartition("/")
        first, *place = last.split(".")
        if self._done is None or first != "c" or name not in self._arrays:
            return True
        index = 0
        for at, size in zip(place, self._grid, strict=False):
            index = index * size + int(at)
        return index in self._done
