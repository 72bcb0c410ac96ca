"""A run's folder: one plan for good, faults of the disk in one line."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stresscube.errors import NoRun, RunError
from stresscube.identity import differences
from stresscube.plan import Plan
from stresscube.seal import sealed, unsealed
from stresscube.store.objects import Objects, Place
from stresscube.store.writer import plan_of_cube

CONTROL = "_control"
PLAN = "_control/plan.json"
HASHED = ("format", "identity", "axes", "block_shape", "chunk_policies", "chunk_paths")
FOLLOWS = ("axes", "block_shape", "chunk_")
"""What mostly differs because something else does, which is named already."""

_REASONS = {
    errno.ENOSPC: "no space left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EIO: "the disk reports an input/output error",
}


@contextmanager
def one_line_faults(folder: Place, *, reading: bool = False) -> Generator[None]:
    """Turn an OSError or MemoryError inside into a RunError of one line: how to go on."""
    try:
        yield
    except MemoryError as fault:
        said = " ".join(str(fault).split()) or "out of memory"
        raise RunError(
            f"{said}; finished blocks are kept, free some memory and run the same command again "
            "to go on"
        ) from fault
    except OSError as fault:
        number = fault.errno
        reason = str(fault) if number is None else _REASONS.get(number, os.strerror(number))
        if reading:
            raise RunError(f"cannot read {_place(fault, folder)}: {reason}") from fault
        raise RunError(
            f"cannot write to {_place(fault, folder)}: {reason}; finished blocks are kept, "
            "mend this and run the same command again to go on"
        ) from fault


def _place(fault: OSError, folder: Place) -> str:
    """Return the file that a fault names if it is outside the run's folder, else the folder."""
    name = fault.filename
    inside = isinstance(name, str) and Path(folder).absolute() in Path(name).absolute().parents
    return name if isinstance(name, str) and not inside else str(folder)


def require_run_folder(objects: Objects) -> None:
    """Refuse a place that holds something else than a run.

    Raises RunError.
    """
    place = objects.place
    if isinstance(place, Path) and place.exists() and not place.is_dir():
        raise RunError(f"{place} is a file: give another folder with -o")
    names = objects.names("")
    if names and CONTROL not in names:
        raise RunError(f"{place} is not empty and holds no run: give another folder with -o")


def adopt(objects: Objects, plan: Plan, folder: Place) -> None:
    """Write plan.json, or make sure that the one that is there is this plan.

    One that is damaged or lost is written again if the cube says that it was this one.

    Raises RunError that names what differs.
    """
    document = plan.document
    there = unsealed(objects.get(PLAN))
    if there is None:
        if plan_of_cube(objects) not in (None, plan.hash):
            raise RunError(
                f"{folder} holds another run, and its plan.json is damaged or lost. "
                "Give another folder with -o, or remove this one, to start a new run"
            )
        if not _write_new(objects, sealed(document)):
            there = read_plan(objects, folder)
    if there is None or there.get("hash") == document["hash"]:
        return
    found = plan_differences(there, plan)
    listed = "; ".join(found[:5]) + (f"; and {len(found) - 5} more" if len(found) > 5 else "")
    raise RunError(
        f"{folder} holds another run: {listed}. "
        "Give another folder with -o, or remove this one, to start a new run"
    )


def plan_differences(there: dict[str, Any], plan: Plan) -> list[str]:
    """Return in words what differs between the content of a plan.json and a plan."""
    here = plan.document
    found = differences({key: there.get(key) for key in HASHED}, {key: here[key] for key in HASHED})
    return [text for text in found if not text.startswith(FOLLOWS)] or found


def read_plan(objects: Objects, folder: Place) -> dict[str, Any]:
    """Return the content of plan.json.

    Raises RunError if there is none or it is damaged.
    """
    data = objects.get(PLAN)
    content = unsealed(data)
    if content is not None:
        return content
    if data is None and plan_of_cube(objects) is None:
        raise NoRun(f"{folder} is not a run: it has no {PLAN}")
    raise RunError(
        f"{folder}/{PLAN} is {'lost' if data is None else 'damaged'}: stresscube verify {folder} "
        "--repair mends it, or the command that made the run, given again"
    )


def _write_new(objects: Objects, data: bytes) -> bool:
    """Write plan.json unless a sound one is there by now; return whether it was written."""
    written = objects.put_new(PLAN, data)
    if not written and unsealed(objects.get(PLAN)) is None:
        objects.put(PLAN, data)
        written = True
    objects.sync()
    return written
