"""A run's folder: one process at a time, one plan for good, faults of the disk in one line."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stresscube.errors import RunError
from stresscube.identity import differences
from stresscube.plan import Plan
from stresscube.store import lease
from stresscube.store.objects import LocalObjects, Objects, Place

CONTROL = "_control"
PLAN = "_control/plan.json"
LOCK = "_control/lock"
HASHED = ("format", "identity", "axes", "block_shape", "chunk_policies", "chunk_paths")

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
def one_line_faults(folder: Place) -> Generator[None]:
    """Turn an OSError inside into a RunError of one line that says how to go on."""
    try:
        yield
    except OSError as fault:
        number = fault.errno
        reason = str(fault) if number is None else _REASONS.get(number, os.strerror(number))
        raise RunError(
            f"cannot write to {_place(fault, folder)}: {reason}; finished blocks are kept, "
            "mend this and run the same command again to go on"
        ) from fault


def _place(fault: OSError, folder: Place) -> str:
    """Return the file that a fault names if it is outside the run's folder, else the folder."""
    name = fault.filename
    inside = isinstance(name, str) and Path(folder).absolute() in Path(name).absolute().parents
    return name if isinstance(name, str) and not inside else str(folder)


@contextmanager
def only_process(objects: Objects) -> Generator[None]:
    """Hold the run's lock.

    Raises RunError if another process holds it.
    """
    if isinstance(objects, LocalObjects):
        with _flock(objects.root):
            yield
    else:
        with lease.hold(objects, LOCK):
            yield


@contextmanager
def _flock(folder: Path) -> Generator[None]:
    """The system lets go of this lock when the process ends, however it ends."""
    path = folder / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip()
            who = f" (process {holder})" if holder else ""
            raise RunError(f"{folder} is being written by another run{who}") from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


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


def adopt(objects: Objects, plan: Plan) -> None:
    """Write plan.json, or make sure that the one that is there is this plan.

    Raises RunError that names what differs.
    """
    document = plan.document
    data = (json.dumps(document, indent=1) + "\n").encode()
    if objects.get(PLAN) is None and objects.put_new(PLAN, data):
        return
    there = read_plan(objects)
    if there.get("hash") == document["hash"]:
        return
    found = differences(
        {key: there.get(key) for key in HASHED}, {key: document[key] for key in HASHED}
    )
    # Axes follow from the sweep, which is named already.
    named = [text for text in found if not text.startswith("axes")] or found
    listed = "; ".join(named[:5]) + (f"; and {len(named) - 5} more" if len(named) > 5 else "")
    raise RunError(
        f"{objects.place} holds another run: {listed or 'its plan.json was edited'}. "
        "Give another folder with -o, or remove this one, to start a new run"
    )


def read_plan(objects: Objects) -> dict[str, Any]:
    """Return the content of plan.json.

    Raises RunError if there is none or it cannot be read.
    """
    data = objects.get(PLAN)
    if data is None:
        raise RunError(f"{objects.place} is not a run: it has no {PLAN}")
    try:
        content = json.loads(data)
        return {**content, "hash": content["hash"]}
    except (ValueError, TypeError, KeyError):
        raise RunError(
            f"{objects.place}/{PLAN} is damaged: remove the folder to start again"
        ) from None
