"""What is damaged in a run: every object decoded and held against what receipts and seals say.

Nothing is computed again here, so a run is audited on any machine, by any version.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from stresscube import receipts
from stresscube.blocks import block_name
from stresscube.folder import read_plan
from stresscube.receipts import Receipt
from stresscube.seal import unsealed
from stresscube.store.objects import Objects, Place
from stresscube.store.stored import Stored, stored_arrays
from stresscube.store.writer import CUBE

UNSIGNED = "missing, with all blocks there"


@dataclass(frozen=True, slots=True)
class Damage:
    """One object that is not as it was written.

    key: its name. what: in a few words. block: whose it is, if of one.
    """

    key: str
    what: str
    block: str | None = None

    def __str__(self) -> str:
        of = f" (block {self.block})" if self.block else ""
        return f"{self.key}{of}: {self.what}"


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found.

    blocks: of the whole run. finished: {block: receipt} of those with a sound receipt.
    chunks: how many were decoded and hashed. damage: what is not as it was written.
    """

    blocks: int
    finished: dict[str, Receipt]
    chunks: int
    damage: tuple[Damage, ...]

    @property
    def damaged_blocks(self) -> tuple[str, ...]:
        """Names of the blocks that damage touches."""
        return tuple(sorted({it.block for it in self.damage if it.block is not None}))

    @property
    def sound(self) -> dict[str, Receipt]:
        """{block: receipt} of the finished blocks without damage."""
        return {name: it for name, it in self.finished.items() if name not in self.damaged_blocks}


def audit(
    objects: Objects,
    folder: Place,
    *,
    threads: int = 1,
    advance: Callable[[int, int], None] = lambda done, blocks: None,
) -> Audit:
    """Read everything of a run and return what is damaged.

    advance: called with the blocks done so far and their number, from this thread.

    Raises RunError if there is no run, or its plan.json is damaged.
    """
    plan = read_plan(objects, folder)
    names = [block_name(index) for index in range(plan["blocks"])]
    signed = list(_receipts(objects, plan["hash"], names))
    known = {receipt.block: receipt for _, receipt in signed if receipt is not None}
    # After the receipts: the cube is there before the first of them is.
    found = list(_metadata(objects, plan["hash"], begun=bool(signed)))
    found += [damage for damage, _ in signed if damage is not None]
    try:
        arrays = stored_arrays(objects, [axis["name"] for axis in plan["axes"]])
    except ValueError:
        arrays = []  # the metadata's own damage is found already
    grids = _grids(plan)

    def check(name: str) -> list[Damage]:
        return list(_block(objects, arrays, known[name], grids[int(name)]))

    with ThreadPoolExecutor(max(threads, objects.at_once)) as pool:
        for done, of_block in enumerate(pool.map(check, known), 1):
            found += of_block
            advance(done, len(known))
    found += _completion(objects, plan["hash"], known, names)
    chunks = sum(len(list(it.keys(grids[int(name)]))) for name in known for it in arrays)
    return Audit(len(names), known, chunks, tuple(found))


def _metadata(objects: Objects, plan_hash: str, *, begun: bool) -> Iterator[Damage]:
    """Check what is of no block: metadata and coordinates. begun: whether there are receipts."""
    data = objects.get(CUBE)
    sums = unsealed(data)
    if sums is None:
        if data is not None or begun:
            yield Damage(CUBE, _garbled(data))
        return
    if sums["plan"] != plan_hash:
        yield Damage(CUBE, "of another run")
    for key, expected in sums["objects"].items():
        words = _read_fault(objects, key, expected)
        if words:
            yield Damage(key, words)


def _read_fault(objects: Objects, key: str, expected: str) -> str | None:
    try:
        data = objects.get(key)
    except OSError as fault:
        return _unreadable(fault)
    if not data:
        return "missing" if data is None else "empty"
    return None if hashlib.sha256(data).hexdigest() == expected else "not as it was written"


def _receipts(
    objects: Objects, plan_hash: str, names: Sequence[str]
) -> Iterator[tuple[Damage | None, Receipt | None]]:
    """Yield every receipt that is there, or what is wrong with it."""
    every = set(names)
    for file in objects.names(receipts.FOLDER):
        key, block = f"{receipts.FOLDER}/{file}", file.removesuffix(".json")
        data = objects.get(key)
        receipt = receipts.parse(data)
        of = block if block in every else None
        if receipt is None:
            yield Damage(key, _garbled(data), of), None
        elif receipt.plan != plan_hash or receipt.block != block or of is None:
            yield Damage(key, "of another run or block", of), None
        else:
            yield None, receipt


def _block(
    objects: Objects, arrays: Sequence[Stored], receipt: Receipt, grid: tuple[int, ...]
) -> Iterator[Damage]:
    """Decode and hash all that a block has written."""
    name = receipt.block
    if arrays and receipt.arrays.keys() != {array.name for array in arrays}:
        yield Damage(receipts.key_of(name), "names other arrays than the cube has", name)
    for array in arrays:
        total, sound = hashlib.sha256(), True
        keys = list(array.keys(grid))
        for key, place in keys:
            try:
                total.update(np.ascontiguousarray(array.read(objects, key, place)).data)
            except (ValueError, OSError) as fault:
                words = _unreadable(fault) if isinstance(fault, OSError) else str(fault)
                yield Damage(key, words, name)
                sound = False
        if sound and total.hexdigest() != receipt.arrays.get(array.name):
            for key, _ in keys:
                yield Damage(key, "its numbers are not those of the receipt", name)


def _completion(
    objects: Objects, plan_hash: str, known: dict[str, Receipt], names: Sequence[str]
) -> Iterator[Damage]:
    """Check COMPLETE: there if every block is, with the totals of the receipts."""
    data = objects.get(receipts.COMPLETE)
    if data is None:
        if len(known) == len(names):
            yield Damage(receipts.COMPLETE, UNSIGNED)
    elif unsealed(data) is None:
        yield Damage(receipts.COMPLETE, _garbled(data))
    elif len(known) < len(names):
        for name in names:
            if name not in known and objects.get(receipts.key_of(name)) is None:
                yield Damage(receipts.key_of(name), "missing", name)
    elif data != receipts.completion(plan_hash, known.values()):
        yield Damage(receipts.COMPLETE, "not what the receipts say together")


def _grids(plan: dict[str, Any]) -> list[tuple[int, ...]]:
    """Return every block's place along the axes, in blocks."""
    sizes = [len(axis["values"]) for axis in plan["axes"]]
    pairs = zip(sizes, plan["block_shape"], strict=True)
    return list(itertools.product(*(range(-(-size // part)) for size, part in pairs)))


def _garbled(data: bytes | None) -> str:
    if not data:
        return "missing" if data is None else "empty"
    return "not as it was written"


def _unreadable(fault: OSError) -> str:
    return f"cannot be read: {fault.strerror or fault}"
