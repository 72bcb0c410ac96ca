"""Runs in processes of their own that can be killed anywhere, at the price of a fork.

A server process imports what a run needs and forks one child a run, so that no child imports
anything. A child may carry a trap that stops it, for good, at an operation on the disk.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from fakes import FakeBackend, scenario
from stresscube.errors import StresscubeError
from stresscube.runner import run
from stresscube.scenario import Scenario
from stresscube.store import objects

Trap = Callable[[], None]
KILLED = -signal.SIGKILL
OPERATIONS = ("open", "write", "close", "replace", "link", "unlink", "fsync", "mkdir")
"""What LocalObjects asks of the system, as names in the module `os`."""


def small(paths: int = 300) -> Scenario:
    """Two markets and 18 policies, with outcomes of single paths; 4 blocks of 9."""
    return scenario(paths, True, "sweep.venue=['A']")


def backend(seconds: float = 0.0) -> FakeBackend:
    """A backend of 9 policies a block that takes so long for a batch."""
    return FakeBackend(block_policies=9, before=lambda _: time.sleep(seconds))


@cache
def server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["stresscube.runner", "stresscube.store.layout", "zarr"])
    return context


def start(folder: Path, *, trap: Trap | None = None, **options: Any) -> BaseProcess:
    """Start a run of the small scenario in `folder`."""
    process = server().Process(target=_run, args=(folder, trap, options))
    process.start()
    return process


def outcome(process: BaseProcess, seconds: float = 60.0) -> int:
    """Wait for a process and return its exit code; what hangs is killed and is a failure."""
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise AssertionError(f"a run did not end within {seconds} s")
    return process.exitcode


def kill(process: BaseProcess) -> int:
    """Kill a process as a machine that vanishes would, and return its exit code."""
    assert process.pid is not None
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
    return outcome(process)


def _run(folder: Path, trap: Trap | None, options: dict[str, Any]) -> None:
    seconds = options.pop("seconds", 0.0)
    made = options.pop("scenario", None) or small()
    if trap is not None:
        trap()
    try:
        run(made, folder, backend=backend(seconds), **options)
    except StresscubeError as error:
        print(error, flush=True)
        os._exit(error.exit_code)


class KilledAt:
    """A trap: the process kills itself before its `number`-th operation on the disk, from 1.

    After a `key` is given, operations count from the first one on a file whose path has it.
    """

    def __init__(self, number: int, key: str = "") -> None:
        self.number = number
        self.key = key

    def __call__(self) -> None:
        left, armed = self.number, not self.key
        real = {name: getattr(os, name) for name in OPERATIONS}

        def trapped(name: str) -> Callable[..., Any]:
            def call(*arguments: Any, **options: Any) -> Any:
                nonlocal left, armed
                armed = armed or any(self.key in str(it) for it in arguments)
                left -= armed
                if left == 0:
                    if name == "write":
                        real["write"](arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                    os.kill(os.getpid(), signal.SIGKILL)
                return real[name](*arguments, **options)

            return call

        class Traps:
            def __getattr__(self, name: str) -> Any:
                return trapped(name) if name in real else getattr(os, name)

        objects.os = Traps()  # type: ignore[assignment]


def content(folder: Path) -> dict[str, bytes]:
    """Return every object of a run's cube, {path: bytes}."""
    root = folder / "cube.zarr"
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not path.name.endswith(objects.PARTIAL)
    }
