"""What a Dask worker does for a run: prove that it would compute the same numbers, then blocks.

Blocks and receipts go from the worker to the run's store; only receipts go to the client too.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any

from distributed import WorkerPlugin, get_worker

from stresscube import receipts
from stresscube.backends import Backend, choose
from stresscube.block import Means, run_block
from stresscube.errors import StresscubeError
from stresscube.folder import PLAN, one_line_faults, plan_differences, read_plan
from stresscube.interrupts import Stop
from stresscube.memory import default_budget, parse_size, shares, usable_cores
from stresscube.plan import make_plan
from stresscube.receipts import Receipt
from stresscube.store.objects import objects_at
from stresscube.store.writer import CubeWriter

TELLING = 0.5
"""Seconds between two words of a block about its progress."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker is told of a run.

    name: of the run among all on the cluster; it is also the resource that a worker has once it
    is ready, one for each block that it can run at a time. document: plan.json. scenario:
    pickled. backend: a name, or a backend itself. place: where the run lies, for every machine.
    threads, memory: of a worker; what its machine has unless given. parts: workers that share
    what one machine has.
    """

    name: str
    document: dict[str, Any]
    scenario: bytes
    backend: str | Backend
    place: str
    threads: int | None
    memory: int | str | None
    parts: int = 1


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a block was not computed, in one line."""

    reason: str


class Seat(WorkerPlugin):
    """A run's place on a worker: the plan, made again there, and the devices to compute with."""

    def __init__(self, work: Work) -> None:
        self.name = work.name
        self.work = work

    async def setup(self, worker: Any) -> None:
        """Get ready and say so.

        Raises StresscubeError if this worker would compute other numbers or has no way to
        store them. Then it gets no block.
        """
        self.stop = Stop()
        self.means = await asyncio.to_thread(prepare, self.work, self.stop)
        self._devices: SimpleQueue[Backend] = SimpleQueue()
        devices = self.means.backend.workers()
        for device in devices:
            self._devices.put(device)
        await worker.set_resources(**{self.name: len(devices)})

    def teardown(self, worker: Any) -> None:
        """Give up the blocks that are being computed."""
        self.stop.set()

    @contextmanager
    def device(self) -> Generator[Backend]:
        """Lend a device for one block."""
        device = self._devices.get()
        try:
            yield device
        finally:
            self._devices.put(device)


def prepare(work: Work, stop: Stop) -> Means:
    """Return what blocks of a run are computed with here.

    Raises StresscubeError, with what differs, if the numbers would be others here, or if the
    run's store is not seen from here.
    """
    backend = choose(work.backend)
    plan = make_plan(pickle.loads(work.scenario), backend)
    if plan.hash != work.document["hash"]:
        found = "; ".join(plan_differences(work.document, plan)[:5])
        raise StresscubeError(f"it would compute other numbers (there is the client's): {found}")
    objects = objects_at(work.place)
    with one_line_faults(objects.place):
        if objects.get(PLAN) is None:
            raise StresscubeError(
                f"{work.place} is not seen from there: a folder must be shared "
                "by all machines, or give s3://bucket/prefix"
            )
        if read_plan(objects, objects.place).get("hash") != plan.hash:
            raise StresscubeError(f"it sees another run in {work.place}")
        cores = work.threads or max(1, usable_cores() // work.parts)
        budget = default_budget() // work.parts if work.memory is None else parse_size(work.memory)
        share = shares(plan, backend, budget, cores)
        return Means(plan, backend, share, objects, CubeWriter(objects, plan), stop, _nowhere)


def compute(name: str, index: int) -> Receipt | Failure:
    """Compute a block, store it and sign it, as a task on a worker that has a seat."""
    worker: Any = get_worker()
    seat: Seat = worker.plugins[name]
    plan = seat.means.plan
    block = plan.blocks[index]
    telling = _Telling(lambda steps: worker.log_event(name, {"block": index, "steps": steps}))
    try:
        with seat.device() as device, one_line_faults(seat.means.objects.place):
            means = replace(seat.means, backend=device, advance=telling.advance)
            receipt = run_block(means, block)
            means.objects.sync()
            receipts.write(means.objects, receipt)
            means.objects.sync()
            return receipt
    except StresscubeError as fault:
        return Failure(str(fault))
    except Exception as fault:
        logging.getLogger("distributed.worker").exception("block %s failed", block.name)
        return Failure(f"{type(fault).__name__}: {' '.join(str(fault).split())}")


class _Telling:
    """Adds up the policy-steps of a block and tells them now and then."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell = tell
        self._steps = 0
        self._last = time.monotonic()
        self._lock = threading.Lock()

    def advance(self, policy_steps: int) -> None:
        with self._lock:
            self._steps += policy_steps
            now = time.monotonic()
            if now - self._last >= TELLING:
                self._last = now
                self._tell(self._steps)


def _nowhere(policy_steps: int) -> None:
    """Tell nobody: each block says where."""
