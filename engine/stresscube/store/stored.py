"""A cube's arrays as its own metadata describe them, and their chunks block by block."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from numpy.typing import NDArray

from stresscube.store.encoding import ZSTD, decode
from stresscube.store.layout import ROOT, chunk_name
from stresscube.store.objects import Objects


@dataclass(frozen=True, slots=True)
class Stored:
    """One array that blocks write.

    name: group/name. shape, chunks: along all dims, of which the first `axes` are the run's.
    compressed: whether its chunks are.
    """

    name: str
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: str
    axes: int
    compressed: bool

    def keys(self, grid: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Yield (key, place in chunks) of a block's chunks, in the order that hashes take.

        grid: the block's place along the axes.
        """
        sizes = zip(self.shape[self.axes :], self.chunks[self.axes :], strict=True)
        for rest in itertools.product(*(range(-(-size // chunk)) for size, chunk in sizes)):
            place = (*grid, *rest)
            yield f"{ROOT}/{self.name}/{chunk_name(place)}", place

    def read(self, objects: Objects, key: str, place: tuple[int, ...]) -> NDArray[Any]:
        """Return the numbers of a chunk, without padding.

        Raises ValueError, in a few words, for one that is missing or damaged, OSError for one
        that cannot be read.
        """
        whole = decode(objects.get(key), self.chunks, self.dtype, unpack=self.compressed)
        pairs = zip(place, self.chunks, self.shape, strict=True)
        return whole[tuple(slice(0, min(chunk, size - at * chunk)) for at, chunk, size in pairs)]


def arrays_of(metadata: bytes, axes: Sequence[str]) -> list[Stored]:
    """Return the arrays that blocks write, from the cube's consolidated metadata.

    axes: names of the run's dims. Raises ValueError if the metadata are damaged.
    """
    try:
        nodes = json.loads(metadata)["consolidated_metadata"]["metadata"]
        return list(_by_block(nodes, axes))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError("no metadata") from None


def stored_arrays(objects: Objects, axes: Sequence[str]) -> list[Stored]:
    """Return the arrays that blocks write, from their own metadata where the cube's is damaged.

    Raises ValueError if that is damaged too.
    """
    try:
        return arrays_of(objects.get(f"{ROOT}/zarr.json") or b"", axes)
    except ValueError:
        pass
    try:
        nodes = {
            f"{group}/{name}": json.loads(data)
            for group in objects.names(ROOT)
            for name in objects.names(f"{ROOT}/{group}")
            if (data := objects.get(f"{ROOT}/{group}/{name}/zarr.json"))
        }
        return list(_by_block(nodes, axes))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError("no metadata") from None


def _by_block(nodes: dict[str, Any], axes: Sequence[str]) -> Iterator[Stored]:
    for name, node in sorted(nodes.items()):
        dims = list(cast("list[str]", node.get("dimension_names") or []))
        # A coordinate is the array of its own dim.
        if node["node_type"] != "array" or dims == [name.rpartition("/")[2]]:
            continue
        if dims[: len(axes)] == list(axes):
            chunks = node["chunk_grid"]["configuration"]["chunk_shape"]
            shape = tuple(node["shape"])
            packed = any(codec["name"] == ZSTD for codec in node["codecs"])
            yield Stored(name, shape, tuple(chunks), node["data_type"], len(axes), packed)
