"""Runs in processes of their own that can be killed anywhere, at the price of a fork.

A server process imports what a run needs and forks one child a run, so that no child imports
anything. A child may carry a trap that kills it at an operation on the disk.
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
from stresscube.plan import make_plan
from stresscube.runner import run
from stresscube.scenario import Scenario
from stresscube.store import durable, layout, local, metadata, writer

Trap = Callable[[], None]
KILLED = -signal.SIGKILL
BLOCKS = 6
OPERATIONS = ("open", "write", "close", "replace", "link", "unlink", "fsync")
"""What LocalObjects asks of the system, as names in the module `os`."""


def small(*overrides: str) -> Scenario:
    """Two markets and 18 policies, with outcomes of single paths: 6 blocks of 6."""
    return scenario(300, True, "sweep.venue=['A']", *overrides)


def backend(seconds: float = 0.0, until: Path | None = None) -> FakeBackend:
    """A backend of 9 policies a block at most.

    seconds: that a batch takes. until: a file without which none begins.
    """

    def before(first_path: int) -> None:
        while until is not None and not until.exists():
            time.sleep(0.005)
        time.sleep(seconds)

    return FakeBackend(block_policies=9, before=before)


@cache
def server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["stresscube.runner", "stresscube.store.layout", "zarr"])
    return context


@cache
def empty_cube() -> tuple[str, dict[str, bytes]]:
    """Return the small scenario's plan hash and its cube's metadata, which take a while to make."""
    plan = make_plan(small(), backend())
    return plan.hash, metadata.metadata(plan)


def start(folder: Path, *, trap: Trap | None = None, **options: Any) -> BaseProcess:
    """Start a run of the small scenario in `folder`.

    trap: called first in its process. seconds, until: of `backend`. Others are of `run`.
    """
    process = server().Process(target=_run, args=(folder, trap, options, empty_cube()))
    process.start()
    return process


def outcome(process: BaseProcess, seconds: float = 120.0) -> int:
    """Wait for a process and return its exit code; what hangs is killed and is a failure."""
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise AssertionError(f"a run did not end within {seconds} s")
    return process.exitcode


def finish(folder: Path, **options: Any) -> Path:
    """Run the small scenario in a process of its own to its end."""
    assert outcome(start(folder, **options)) == 0
    return folder


def kill(process: BaseProcess) -> int:
    """Kill a process as a machine that vanishes would, and return its exit code."""
    assert process.pid is not None
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
    return outcome(process)


def _run(
    folder: Path, trap: Trap | None, options: dict[str, Any], ready: tuple[str, dict[str, bytes]]
) -> None:
    means = {name: options.pop(name) for name in ("seconds", "until") if name in options}
    made = options.pop("scenario", None) or small()
    real = writer.metadata
    writer.metadata = lambda plan: ready[1] if plan.hash == ready[0] else real(plan)
    if trap is not None:
        trap()
    try:
        run(made, folder, backend=backend(**means), **options)
    except StresscubeError as error:
        print(error, flush=True)
        os._exit(error.exit_code)


class KilledAt:
    """A trap: the process kills itself before its `number`-th operation on the disk, from 1.

    With a `key`, operations count from the first one on a path that has it. A write that it is
    killed before is done by half.
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

        instead(trapped)


class KilledAfterChunk:
    """A trap: the process kills itself once it has written so many chunks of one block.

    It is the first block of which a chunk is written after so many receipts. Chunks of the next
    one, which is computed meanwhile, do not count.
    """

    def __init__(self, number: int, receipts: int = 0) -> None:
        self.number = number
        self.receipts = receipts

    def __call__(self) -> None:
        left, receipts, block = self.number, self.receipts, None
        real = local.LocalObjects.put

        def put(self: local.LocalObjects, key: str, data: bytes) -> None:
            nonlocal left, receipts, block
            real(self, key, data)
            receipts -= "/receipts/" in key
            if receipts <= 0 and is_block_chunk(key):
                block = block or block_of(key)
                left -= block_of(key) == block
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        local.LocalObjects.put = put


class Together:
    """A trap: processes wait for each other, so that they begin at the same time."""

    def __init__(self, meeting: Path, count: int) -> None:
        self.meeting = meeting
        self.count = count

    def __call__(self) -> None:
        self.meeting.mkdir(parents=True, exist_ok=True)
        (self.meeting / str(os.getpid())).touch()
        while len(list(self.meeting.iterdir())) < self.count:
            time.sleep(0.001)


def instead(make: Callable[[str], Callable[..., Any]]) -> None:
    """Put functions in the place of the system's operations, in this process."""

    class Changed:
        def __getattr__(self, name: str) -> Any:
            return make(name) if name in OPERATIONS else getattr(os, name)

    local.os = durable.os = Changed()  # type: ignore[assignment]


def is_block_chunk(key: str) -> bool:
    """Whether an object is of a block: its name has a place along all three axes."""
    return key.rpartition("/")[2].count(".") >= 3 and ".json" not in key


def block_of(key: str) -> list[str]:
    """Return the place along the three axes of the block that a chunk is of."""
    return key.rpartition("/")[2].split(".")[1:4]


def content(folder: Path) -> dict[str, bytes]:
    """Return every object of a run's cube, {path: bytes}."""
    root = folder / layout.ROOT
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not path.name.endswith(local.PARTIAL)
    }
