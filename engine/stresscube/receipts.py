"""Receipts: what says that a block is finished, and with which numbers.

A receipt is written after all of its block. What has none does not count, whatever lies in
the cube.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, cast

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
    """Write the receipt of a block whose arrays are all stored."""
    objects.put(f"{FOLDER}/{receipt.block}.json", _json(asdict(receipt)))


def read_all(objects: Objects, plan_hash: str) -> dict[str, Receipt]:
    """Return {block name: receipt} of a plan; unreadable or foreign receipts do not count."""
    found: dict[str, Receipt] = {}
    names = objects.names(FOLDER)
    every = objects.get_all([f"{FOLDER}/{name}" for name in names])
    for name, data in zip(names, every, strict=True):
        receipt = _parse(data)
        if receipt and receipt.plan == plan_hash and f"{receipt.block}.json" == name:
            found[receipt.block] = receipt
    return found


def complete(objects: Objects, plan_hash: str) -> dict[str, Any] | None:
    """Return what COMPLETE says of a plan's whole run, or None if it is not complete."""
    data = objects.get(COMPLETE)
    try:
        content: Any = json.loads(data) if data else None
    except ValueError:
        return None
    if not isinstance(content, dict):
        return None
    record = cast("dict[str, Any]", content)
    return record if record.get("plan") == plan_hash else None


def write_complete(objects: Objects, plan_hash: str, receipts: list[Receipt]) -> None:
    """Write COMPLETE, with the totals of all receipts."""
    objects.put(COMPLETE, _json({"plan": plan_hash, **totals(receipts)}))


def totals(receipts: list[Receipt]) -> dict[str, Any]:
    """Return what all receipts say together: blocks, seconds, policy-steps, devices."""
    return {
        "blocks": len(receipts),
        "seconds": round(sum(receipt.seconds for receipt in receipts), 3),
        "policy_steps": sum(receipt.policy_steps for receipt in receipts),
        "devices": sorted({receipt.device for receipt in receipts}),
    }


def _parse(data: bytes | None) -> Receipt | None:
    try:
        content = json.loads(data or b"")
        receipt = Receipt(**{it.name: content[it.name] for it in fields(Receipt)})
    except (ValueError, KeyError, TypeError):
        return None
    return receipt


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()
