"""One run at a time where no system keeps a lock: a note of who writes, renewed while it does.

A note that was not renewed for a minute is a dead run's, and so is one of a process of this
machine that has ended. Then the next run takes over under the next number, which is written
only if it is not there, so that of two heirs one is turned away.

A lease only saves work. Should two runs go on at once after all, as when a machine was frozen or
its clock is wrong, they compute the same blocks and write the same numbers.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from stresscube.errors import RunError, StoreError
from stresscube.store.objects import Objects

LASTS = 60.0
RENEWED = 15.0
"""Seconds."""
_held: set[str] = set()
"""What this process has signed its notes with and still holds."""


@contextmanager
def hold(objects: Objects, key: str) -> Generator[None]:
    """Hold the lease `key` while inside.

    Raises RunError if another run holds it.
    """
    sign = uuid.uuid4().hex
    mine = f"{key}.{_take(objects, key, sign)}"
    done = threading.Event()
    _held.add(sign)

    def renew() -> None:
        while not done.wait(RENEWED):
            with suppress(StoreError, OSError):
                if objects.get(mine) is None:
                    return
                objects.put(mine, _note(sign))

    renewing = threading.Thread(target=renew, name="lease", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        done.set()
        _held.discard(sign)
        renewing.join()
        with suppress(StoreError, OSError):
            objects.delete(mine)


def _take(objects: Objects, key: str, sign: str) -> int:
    """Write the first number that is free after all that are dead; remove those."""
    while True:
        held = _numbers(objects, key)
        for number in held:
            _refuse_if_alive(objects, objects.get(f"{key}.{number}"))
        mine = max(held, default=-1) + 1
        if objects.put_new(f"{key}.{mine}", _note(sign)):
            for number in held:
                objects.delete(f"{key}.{number}")
            return mine


def _numbers(objects: Objects, key: str) -> list[int]:
    folder, _, stem = key.rpartition("/")
    found = (name.rpartition(".") for name in objects.names(folder))
    return [int(last) for first, _, last in found if first == stem and last.isdigit()]


def _refuse_if_alive(objects: Objects, note: bytes | None) -> None:
    try:
        content: Any = json.loads(note or b"")
        host, process, sign = str(content["host"]), int(content["process"]), content["sign"]
        age = (datetime.now(UTC) - datetime.fromisoformat(content["renewed"])).total_seconds()
    except (ValueError, KeyError, TypeError):
        return
    if age > LASTS or (host == socket.gethostname() and not _running(process, sign)):
        return
    raise RunError(
        f"{objects.place} is being written by another run (process {process} on {host}, seen "
        f"{max(age, 0.0):.0f} s ago); if that one is gone, try again in {LASTS:.0f} s"
    )


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


def _note(sign: str) -> bytes:
    """Say who writes and when, with a sign that nobody else has."""
    note = {
        "host": socket.gethostname(),
        "process": os.getpid(),
        "renewed": datetime.now(UTC).isoformat(),
        "sign": sign,
    }
    return json.dumps(note).encode()
