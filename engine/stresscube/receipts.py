"""Receipts: what says that a block is finished, and with which numbers.

A receipt is written after all of its block. What has none does not count, whatever lies in
the cube.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

from stresscube.seal import sealed, unsealed
from stresscube.store.objects import Objects

FOLDER = "_control/receipts"
COMPLETE = "_control/COMPLETE"


@dataclass(frozen=True, slots=True)
class Receipt:
    """One finished block.

    plan: hash of the plan. arrays: {group/name: sha256 of the decoded numbers}. device,
    versions: what computed it. seconds: from start to stored. finished: when, in UTC.
    """

    block: str
    plan: str
    arrays: dict[str, str]
    device: str
    versions: dict[str, str]
    seconds: float
    policy_steps: int
    finished: str


def write(objects: Objects, receipt: Receipt) -> None:
    """Write the receipt of a block whose arrays are all stored, for good."""
    objects.put(key_of(receipt.block), sealed(asdict(receipt)))


def withdraw(objects: Objects, blocks: Iterable[str]) -> None:
    """Remove receipts, and COMPLETE before them: their blocks are to be computed again."""
    objects.delete(COMPLETE)
    objects.sync()
    for block in blocks:
        objects.delete(key_of(block))
    objects.sync()


def key_of(block: str) -> str:
    """Return where the receipt of a block is."""
    return f"{FOLDER}/{block}.json"


def read_all(objects: Objects, plan_hash: str) -> dict[str, Receipt]:
    """Return {block name: receipt} of a plan; damaged or foreign receipts do not count."""
    found: dict[str, Receipt] = {}
    names = objects.names(FOLDER)
    every = objects.get_all([f"{FOLDER}/{name}" for name in names])
    for name, data in zip(names, every, strict=True):
        receipt = parse(data)
        if receipt and receipt.plan == plan_hash and name == f"{receipt.block}.json":
            found[receipt.block] = receipt
    return found


def parse(data: bytes | None) -> Receipt | None:
    """Return the receipt of an object's bytes, or None if it is damaged."""
    content = unsealed(data)
    names = [it.name for it in fields(Receipt)]
    if content is None or sorted(content) != sorted(names) or not content["block"].isdigit():
        return None
    return Receipt(**content)


def complete(objects: Objects, plan_hash: str) -> dict[str, Any] | None:
    """Return what COMPLETE says of a plan's whole run, or None if it is not complete."""
    record = unsealed(objects.get(COMPLETE))
    return record if record and record.get("plan") == plan_hash else None


def write_complete(objects: Objects, plan_hash: str, every: Iterable[Receipt]) -> None:
    """Write COMPLETE, once all receipts are stored for good."""
    objects.sync()
    objects.put(COMPLETE, completion(plan_hash, every))
    objects.sync()


def completion(plan_hash: str, every: Iterable[Receipt]) -> bytes:
    """Return what COMPLETE says: the totals of all receipts."""
    return sealed({"plan": plan_hash, **totals(every)})


def totals(some: Iterable[Receipt]) -> dict[str, Any]:
    """Return what some receipts say together: blocks, seconds, policy-steps, devices."""
    every = sorted(some, key=lambda receipt: receipt.block)
    return {
        "blocks": len(every),
        "seconds": round(sum(receipt.seconds for receipt in every), 3),
        "policy_steps": sum(receipt.policy_steps for receipt in every),
        "devices": sorted({receipt.device for receipt in every}),
    }
