"""Verifying a run: everything decoded and hashed, some of it computed again, damage mended."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from stresscube import receipts
from stresscube.audit import UNSIGNED, Audit, Damage, audit
from stresscube.backends import Backend
from stresscube.block import Stopped
from stresscube.errors import Interrupted, NoRun, RunError, StresscubeError
from stresscube.folder import PLAN, one_line_faults, read_plan
from stresscube.interrupts import Stop, stop_on_signals
from stresscube.lock import writers
from stresscube.recompute import DIFFERENT, Rebuilt, Recomputed, rebuild
from stresscube.recompute import recompute as compute_again
from stresscube.runner import Progress, Silent, at_work, go_on, means_of, usable_cores
from stresscube.scenario import Scenario
from stresscube.scenario.recorded import Tape, on_tape
from stresscube.seal import sealed, unsealed
from stresscube.store.layout import ROOT
from stresscube.store.local import LocalObjects
from stresscube.store.objects import Objects, Place, objects_at
from stresscube.store.writer import CUBE, plan_of_cube

Told = Callable[[int, int], None]
"""Called with blocks done and blocks to do, while a run is read."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verifying a run gave.

    audit: as the run is now; of no blocks where plan.json itself is damaged. recomputed: blocks
    that were computed again. mended: the damage that was found and is gone.
    """

    audit: Audit
    recomputed: tuple[Recomputed, ...] = ()
    mended: tuple[Damage, ...] = ()

    @property
    def damage(self) -> tuple[Damage, ...]:
        """What is damaged still."""
        return self.audit.damage

    @property
    def complete(self) -> bool:
        """Whether no block is missing."""
        return len(self.audit.finished) == self.audit.blocks > 0


def verify(
    run: str | os.PathLike[str],
    *,
    recompute: int = 0,
    repair: bool = False,
    scenario: Scenario | None = None,
    tape: Tape | None = None,
    backend: str | Backend | None = None,
    threads: int | None = None,
    memory: str | int | None = None,
    trust: bool = False,
    told: Told = lambda done, blocks: None,
    progress: Progress | None = None,
) -> Verdict:
    """Decode and hash all of a run, compute some blocks again, and mend what is damaged.

    recompute: how many finished blocks, drawn at random, to compute again. repair: compute the
    damaged blocks again and write them. scenario: needed for these two only where the run's was
    changed in Python after it was loaded, or ran on a `tape`, which is then needed too. backend:
    the run's own unless given. threads, memory: as for a run. trust: whether Python code that the
    scenario names may run, as plan.json has it.
    told, progress: called while it reads, and while it repairs.

    Raises RunError if there is no run, if it cannot be computed again here, or, to repair it, if
    it is being written; ScenarioError for code that may not run; Interrupted when asked to stop.
    """
    if tape is not None:
        if scenario is None:
            raise RunError("verify: with a tape, give the scenario too: verify(run, scenario=...)")
        scenario = on_tape(scenario, tape)
    there = objects_at(run)
    folder = there.place
    if isinstance(there, LocalObjects) and not there.root.is_dir():
        raise NoRun(f"{folder}: no such run folder")
    asked = _Asked(folder, recompute, scenario, backend, threads, memory, trust, told)
    if not repair:
        with one_line_faults(folder, reading=True), stop_on_signals() as stop:
            return _look(asked, there, stop, alone=not writers(folder))
    with at_work(folder, None) as (objects, stop):
        control = _mend_plan(asked, objects)
        found = _look(asked, objects, stop, alone=True)
        if not found.damage:
            return replace(found, mended=control)
        _mend(asked, objects, stop, found, progress or Silent())
        after = audit(objects, folder, threads=asked.cores, advance=told)
        mended = tuple(it for it in found.damage if it not in after.damage)
        return Verdict(after, found.recomputed, control + mended)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What `verify` was asked for."""

    folder: Place
    recompute: int
    scenario: Scenario | None
    backend: str | Backend | None
    threads: int | None
    memory: str | int | None
    trust: bool
    told: Told

    @property
    def cores(self) -> int:
        return self.threads or usable_cores()

    def rebuilt(self, there: dict[str, Any]) -> Rebuilt:
        return rebuild(there, self.scenario, self.backend, trust=self.trust)


def _look(asked: _Asked, objects: Objects, stop: Stop, *, alone: bool) -> Verdict:
    """Audit a run and compute some sound blocks again.

    alone: whether nobody else was writing to it when this began.
    """
    lost = _lost_plan(objects)
    if lost is not None:
        return Verdict(Audit(0, {}, 0, (lost,)))

    def told(done: int, blocks: int) -> None:
        asked.told(done, blocks)
        if stop.is_set():
            raise Interrupted("stopped", stop.number)

    found = audit(objects, asked.folder, threads=asked.cores, advance=told)
    if not alone:
        # The last block's receipt may be there, and COMPLETE be about to be.
        found = replace(found, damage=tuple(it for it in found.damage if it.what != UNSIGNED))
    again = tuple(_recomputed(asked, objects, stop, found)) if asked.recompute else ()
    differ = [
        Damage(receipts.key_of(it.block), f"other numbers when recomputed: {it.why}", it.block)
        for it in again
        if it.verdict == DIFFERENT
    ]
    return Verdict(replace(found, damage=(*found.damage, *differ)), again)


def _lost_plan(objects: Objects) -> Damage | None:
    """Return what is wrong with the plan.json of what has been a run, or None."""
    data = objects.get(PLAN)
    if unsealed(data) is not None or (data is None and plan_of_cube(objects) is None):
        return None
    return Damage(PLAN, "missing" if data is None else "not as it was written")


def _recomputed(asked: _Asked, objects: Objects, stop: Stop, found: Audit) -> Iterable[Recomputed]:
    sound = sorted(found.sound)
    chosen = random.SystemRandom().sample(sound, min(asked.recompute, len(sound)))
    rebuilt = asked.rebuilt(read_plan(objects, asked.folder))
    share = means_of(rebuilt.plan, rebuilt.backend, asked.threads, asked.memory)
    try:
        for name in sorted(chosen):
            yield compute_again(rebuilt, share, objects, found.finished[name], stop)
    except (Stopped, KeyboardInterrupt):
        raise Interrupted("stopped", stop.number) from None


def _mend(asked: _Asked, objects: Objects, stop: Stop, found: Verdict, progress: Progress) -> None:
    """Withdraw what is damaged, then go on with the run: it writes what is missing.

    Raises RunError, with nothing touched, if other code than here has made the run.
    """
    rebuilt = asked.rebuilt(read_plan(objects, asked.folder))
    plan = rebuilt.plan
    if rebuilt.changed:
        raise RunError(
            f"{asked.folder} cannot be mended here: {'; '.join(rebuilt.changed[:5])}. "
            "Mend it with the versions that it was made with"
        )
    share = means_of(plan, rebuilt.backend, asked.threads, asked.memory)
    keys = {it.key for it in found.damage}
    blocks = found.audit.damaged_blocks
    receipts.withdraw(objects, blocks)
    for key in keys:
        if key.startswith(f"{receipts.FOLDER}/"):
            objects.delete(key)
    if keys & {CUBE, *_of_no_block(found.damage)}:
        objects.delete(CUBE)  # so that metadata and coordinates are written again
    mine = frozenset(map(int, blocks))
    go_on(plan, rebuilt.backend, share, objects, stop, asked.folder, progress, mine)


def _of_no_block(damage: Iterable[Damage]) -> set[str]:
    return {it.key for it in damage if it.block is None and it.key.startswith(ROOT)}


def _mend_plan(asked: _Asked, objects: Objects) -> tuple[Damage, ...]:
    """Write plan.json again, if it is damaged, from what the cube's attributes say.

    Raises RunError if they do not say it, or this version would make another plan of it.
    """
    lost = _lost_plan(objects)
    if lost is None:
        return ()
    for key in (f"{ROOT}/zarr.json", f"{ROOT}/summary/zarr.json", f"{ROOT}/paths/zarr.json"):
        try:
            said = json.loads(objects.get(key) or b"")["attributes"]
            words = {name: said[name] for name in ("name", "overrides", "code")}
            there = {
                "hash": said["plan"],
                "identity": {"backend": said["backend"], "versions": said["versions"]},
                "scenario": {**words, "text": said["scenario"]},
            }
            rebuilt = asked.rebuilt(there)
        except (ValueError, KeyError, TypeError, StresscubeError):
            continue
        if not rebuilt.changed:
            objects.put(PLAN, sealed(rebuilt.plan.document))
            objects.sync()
            return (lost,)
    raise RunError(
        f"{asked.folder}/{PLAN} is damaged or lost, and cannot be made again from the cube here. "
        "Give the command that made the run again"
    )
