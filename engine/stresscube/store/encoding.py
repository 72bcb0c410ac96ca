"""One chunk of a Zarr array as bytes: little-endian, zstd, then a CRC-32C that detects damage.

Encoding here what `codecs()` says there costs a fiftieth of a write through Zarr's array
interface, and a block writes a hundred small chunks. A test holds the two equal, byte for byte.
"""

from __future__ import annotations

import math
from typing import Any, cast

import google_crc32c
import numpy as np
from numcodecs import registry
from numpy.typing import DTypeLike, NDArray

LEVEL = -1
"""A block's metrics come out 3% longer than at level 1, in four fifths of the time."""
PAGE = 4096
"""Bytes that a file takes on the disk at least: a chunk of no more is not compressed."""
CHECKSUM_BYTES = 4
ZSTD = "zstd"
_zstd = cast("Any", registry.get_codec({"id": ZSTD, "level": LEVEL}))


def codecs(chunk: tuple[int, ...], dtype: DTypeLike) -> list[Any]:
    """Return the Zarr codecs of an array that follow the default array-to-bytes codec."""
    from zarr.codecs import Crc32cCodec, ZstdCodec

    checked = [Crc32cCodec()]
    return [ZstdCodec(level=LEVEL), *checked] if compressed(chunk, dtype) else checked


def compressed(chunk: tuple[int, ...], dtype: DTypeLike) -> bool:
    """Whether chunks of an extent and type are compressed."""
    return math.prod(chunk) * np.dtype(dtype).itemsize > PAGE


def encode(values: NDArray[Any], chunk: tuple[int, ...], fill: Any) -> bytes:
    """Return the chunk object of `values`, padded with `fill` where it is at the cube's edge."""
    whole = values
    if values.shape != chunk:
        whole = np.full(chunk, fill, dtype=values.dtype)
        whole[tuple(slice(0, size) for size in values.shape)] = values
    little = whole.astype(whole.dtype.newbyteorder("<"), copy=False)
    if compressed(chunk, whole.dtype):
        packed = bytes(_zstd.encode(np.ascontiguousarray(little)))
    else:
        packed = little.tobytes()
    return packed + _checksum(packed)


def fault(data: bytes | None) -> str | None:
    """Return what is wrong with a chunk object as it is stored, in a few words, or None."""
    if data is None:
        return "missing"
    if len(data) <= CHECKSUM_BYTES:
        return "cut off" if data else "empty"
    sound = _checksum(data[:-CHECKSUM_BYTES]) == data[-CHECKSUM_BYTES:]
    return None if sound else "its checksum is wrong"


def decode(data: bytes | None, chunk: tuple[int, ...], dtype: str, *, unpack: bool) -> NDArray[Any]:
    """Return the numbers of a chunk object, padding and all. unpack: whether it is compressed.

    Raises ValueError, in a few words, for one that is missing or damaged.
    """
    if (words := fault(data)) is not None:
        raise ValueError(words)
    assert data is not None
    try:
        packed = data[:-CHECKSUM_BYTES]
        plain = bytes(_zstd.decode(packed)) if unpack else packed
        little = np.frombuffer(plain, dtype=np.dtype(dtype).newbyteorder("<"))
        return little.reshape(chunk).astype(dtype, copy=False)
    except (ValueError, RuntimeError):
        raise ValueError("it does not decode") from None


def _checksum(packed: bytes) -> bytes:
    return cast("int", google_crc32c.value(packed)).to_bytes(CHECKSUM_BYTES, "little")
