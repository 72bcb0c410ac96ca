"""Who may write to a run in a bucket, where no system keeps locks: notes, renewed while it lasts.

A note that was not renewed for a minute is a dead run's, and so is one of a process of this
machine that has ended. Then the next run takes over under the next number, which is written
only if it is not there, so that of two heirs one is turned away.

A lease only saves work. Should two runs go on at once after all, as when a machine was frozen or
its clock is wrong, they compute the same blocks and write the same numbers.
"""

from __future__ import annotations

import json
import os
import re
import socket
import threading
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stresscube.errors import RunError, StoreError
from stresscube.shards import Shard
from stresscube.store.objects import Objects

FOLDER = "_control/leases"
WHOLE = "whole"
LASTS = 60.0
RENEWED = 15.0
"""Seconds."""
_held: set[str] = set()
"""What this process has signed its notes with and still holds."""


@dataclass(frozen=True, slots=True)
class Note:
    """name: "whole", or "3-of-8" of a shard. number: one more than the note it took over from.

    holder: " (process 7 on node3, seen 4 s ago)", "" for a dead one's.
    """

    name: str
    number: int
    holder: str

    @property
    def key(self) -> str:
        return f"{FOLDER}/{self.name}.{self.number}"

    def __str__(self) -> str:
        what = "another run" if self.name == WHOLE else f"shard {self.name.replace('-of-', '/')}"
        return f"{what}{self.holder}"


@contextmanager
def leased(objects: Objects, shard: Shard | None) -> Generator[None]:
    """Hold a run's lease, or a shard's.

    A whole run excludes all others; a shard excludes whole runs and the same shard.

    Raises RunError if another process is in the way.
    """
    name = WHOLE if shard is None else f"{shard.number}-of-{shard.count}"
    sign = uuid.uuid4().hex
    _held.add(sign)
    mine = None
    try:
        mine = _take(objects, name, sign)
        others = [it for it in _notes(objects) if it.holder and it.name != name]
        _refuse(objects, [it for it in others if WHOLE in (name, it.name)])
        with _renewed(objects, mine, sign):
            yield
    finally:
        _held.discard(sign)
        if mine is not None:
            with suppress(StoreError, OSError):
                objects.delete(mine.key)


def lessees(objects: Objects) -> list[str]:
    """Return who is writing to a run: "another run (process 7 on node3, seen 4 s ago)"."""
    return [str(it) for it in _notes(objects) if it.holder]


def _take(objects: Objects, name: str, sign: str) -> Note:
    """Write the first note that is free after all that are dead; remove those."""
    while True:
        there = [it for it in _notes(objects) if it.name == name]
        _refuse(objects, [it for it in there if it.holder])
        mine = Note(name, max((it.number for it in there), default=-1) + 1, "")
        if objects.put_new(mine.key, _text(sign)):
            for it in there:
                objects.delete(it.key)
            return mine


def _refuse(objects: Objects, holders: list[Note]) -> None:
    """Raise RunError if there are any."""
    if holders:
        shown = ", ".join(map(str, holders[:3]))
        more = f" and {len(holders) - 3} more" if len(holders) > 3 else ""
        raise RunError(
            f"{objects.place} is being written by {shown}{more}: wait, or, if its machine is gone, "
            f"try again in {LASTS:.0f} s"
        )


@contextmanager
def _renewed(objects: Objects, mine: Note, sign: str) -> Generator[None]:
    """Renew a note now and then, unless an heir has taken it away."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(RENEWED):
            with suppress(StoreError, OSError):
                if objects.get(mine.key) is None:
                    return
                objects.put(mine.key, _text(sign))

    renewing = threading.Thread(target=renew, name="lease", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        done.set()
        renewing.join()


def _notes(objects: Objects) -> list[Note]:
    names = [it for it in objects.names(FOLDER) if re.fullmatch(r"[\w-]+\.\d+", it)]
    found: list[Note] = []
    datas = objects.get_all([f"{FOLDER}/{name}" for name in names])
    for (name, _, number), data in zip((it.rpartition(".") for it in names), datas, strict=True):
        if data is not None:
            found.append(Note(name, int(number), _holder(data)))
    return found


def _holder(data: bytes) -> str:
    """Return who has signed a note, if that one is alive."""
    try:
        content: Any = json.loads(data)
        host, process, sign = str(content["host"]), int(content["process"]), content["sign"]
        age = (datetime.now(UTC) - datetime.fromisoformat(content["renewed"])).total_seconds()
    except (ValueError, KeyError, TypeError):
        return ""
    if age > LASTS or (host == socket.gethostname() and not _running(process, sign)):
        return ""
    return f" (process {process} on {host}, seen {max(age, 0.0):.0f} s ago)"


def _running(process: int, sign: str) -> bool:
    if process == os.getpid():
        return sign in _held
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _text(sign: str) -> bytes:
    """Say who writes and when, with a sign that nobody else has."""
    note = {
        "host": socket.gethostname(),
        "process": os.getpid(),
        "renewed": datetime.now(UTC).isoformat(),
        "sign": sign,
    }
    return json.dumps(note).encode()
