"""How far a run is, from its control objects alone."""

from __future__ import annotations

from dataclasses import dataclass

from stresscube import receipts
from stresscube.blocks import block_name
from stresscube.errors import NoRun
from stresscube.folder import read_plan
from stresscube.lock import writers
from stresscube.store.local import LocalObjects
from stresscube.store.objects import Place, objects_at


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of a run.

    blocks: of the whole run. missing: names of those without a sound receipt. complete: whether
    every block is there. seconds, policy_steps: of the finished blocks together. devices: that
    computed them. versions: of the packages that determine the numbers. writers: who is writing
    now, in words. partials: objects that are being written or were left half written.
    """

    name: str
    backend: str
    blocks: int
    missing: tuple[str, ...]
    seconds: float
    policy_steps: int
    devices: tuple[str, ...]
    versions: dict[str, str]
    writers: tuple[str, ...]
    partials: int

    @property
    def complete(self) -> bool:
        return not self.missing

    @property
    def finished(self) -> int:
        """Blocks that are done."""
        return self.blocks - len(self.missing)


def status_of(folder: Place) -> Status:
    """Return how far a run is.

    Raises RunError if there is none.
    """
    objects = objects_at(folder)
    if isinstance(objects, LocalObjects) and not objects.root.exists():
        raise NoRun(f"{folder}: no such run folder")
    plan = read_plan(objects, folder)
    known = receipts.read_all(objects, plan["hash"])
    names = [block_name(index) for index in range(plan["blocks"])]
    totals = receipts.totals(known[name] for name in names if name in known)
    return Status(
        name=plan["scenario"]["name"],
        backend=plan["identity"]["backend"],
        blocks=len(names),
        missing=tuple(name for name in names if name not in known),
        seconds=totals["seconds"],
        policy_steps=totals["policy_steps"],
        devices=tuple(totals["devices"]),
        versions=plan["identity"]["versions"],
        writers=tuple(writers(objects.place)),
        partials=len(list(objects.partials())) if isinstance(objects, LocalObjects) else 0,
    )
