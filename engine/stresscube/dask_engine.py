"""Blocks of a run on a Dask cluster: who gets which, and what becomes of those that fail.

The cluster's scheduler carries messages and knows who is there. Which worker gets which block is
decided here: only workers that have shown that they would compute the same numbers get one, one a
device at a time, so that a worker that dies takes no more down than what it was computing.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stresscube.backends import Backend, CpuBackend, CudaBackend, XlaBackend
from stresscube.errors import StresscubeError
from stresscube.identity import digest
from stresscube.interrupts import Stop
from stresscube.plan import Block, Plan
from stresscube.scenario.recorded import anywhere
from stresscube.store.objects import Objects

if TYPE_CHECKING:
    from stresscube.dask_worker import Work
    from stresscube.foreman import Listener

LOCAL = "local"
"""The address of no cluster: one is started here."""
CARDS = "CUDA_VISIBLE_DEVICES"
CONNECTING = "10s"
"""In which a scheduler must answer."""
LOGGING = "distributed.nanny.pre-spawn-environ.DASK_LOGGING__DISTRIBUTED"
"""Of processes that are started here; the run itself says what matters."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where to compute. address: of a scheduler, or LOCAL. threads, memory: of each worker."""

    address: str
    threads: int | None = None
    memory: int | str | None = None


def run_on_cluster(
    cluster: Cluster,
    plan: Plan,
    backend: Backend,
    objects: Objects,
    stop: Stop,
    blocks: Sequence[Block],
    done: Callable[[Block], None],
    listener: Listener,
) -> None:
    """Compute blocks on a cluster and call `done` for each that is stored and signed.

    Raises BlocksFailed, when all others are done, for those that failed every time;
    StresscubeError if no scheduler answers or a worker cannot take part, RunError if the
    scheduler goes away, Stopped when asked to stop.
    """
    try:
        from stresscube.dask_worker import Seat
        from stresscube.foreman import Foreman
    except ModuleNotFoundError as missing:
        if missing.name not in ("distributed", "dask"):
            raise
        raise StresscubeError("--dask needs Dask: pip install 'stresscube[dask]'") from None
    parts = len(backend.workers()) if cluster.address == LOCAL else 1
    work = work_of(cluster, plan, backend, objects, parts)
    with _connected(cluster.address, backend) as client:
        try:
            client.register_plugin(Seat(work))
        except Exception as fault:
            raise _unfit(cluster.address, fault) from fault
        try:
            Foreman(client, work.name, plan, stop, done, listener).see_to(blocks)
        finally:
            with suppress(Exception):
                client.unregister_worker_plugin(work.name)


def work_of(cluster: Cluster, plan: Plan, backend: Backend, objects: Objects, parts: int) -> Work:
    """Return what a worker is told of a run."""
    from stresscube.dask_worker import Work

    place = objects.place
    where = str(place.absolute()) if isinstance(place, Path) else place
    named = (CpuBackend, CudaBackend, XlaBackend)
    return Work(
        name=f"stresscube-{digest([plan.hash, where])[:16]}",
        document=plan.document,
        scenario=pickle.dumps(anywhere(plan.scenario)),
        backend=backend.name if isinstance(backend, named) else backend,
        place=where,
        threads=cluster.threads,
        memory=cluster.memory,
        parts=parts,
    )


@contextmanager
def _connected(address: str, backend: Backend) -> Generator[Any]:
    """Give a client of a cluster. One that is started here ends with it."""
    from dask import config
    from distributed import Client

    settings = {
        "distributed.comm.timeouts.connect": CONNECTING,
        LOGGING: "critical",
    }
    with config.set(settings):
        if address == LOCAL:
            with _local_cluster(backend) as cluster, Client(cluster) as client:
                yield client
            return
        try:
            client = Client(address, timeout=CONNECTING)
        except (OSError, ValueError) as fault:
            raise StresscubeError(
                f"--dask {address}: no scheduler answers there; start one with: dask scheduler, "
                "and workers with: dask worker ADDRESS --nthreads 1"
            ) from fault
        with client:
            yield client


@contextmanager
def _local_cluster(backend: Backend) -> Generator[Any]:
    """Run a scheduler in this process, and a process for each device that has a block of its own.

    One process computes with all cores: blocks side by side were not faster on a processor, and
    each would take memory for outcomes of its own.
    """
    from distributed import Nanny, Scheduler, SpecCluster

    def worker(number: int) -> dict[str, Any]:
        env = only_device(backend, number, os.environ)
        return {"cls": Nanny, "options": {**here, "nthreads": 1, "memory_limit": 0, "env": env}}

    here = {"host": "127.0.0.1", "dashboard": False}
    # Its page of health wants a port too; two clusters on one machine must not want the same.
    ports = {"port": 0, "dashboard_address": "127.0.0.1:0"}
    scheduler = {"cls": Scheduler, "options": {**here, **ports}}
    workers = {number: worker(number) for number in range(len(backend.workers()))}
    level: Any = logging.CRITICAL
    cluster: Any = SpecCluster(workers, scheduler, silence_logs=level)
    with cluster:
        yield cluster


def only_device(backend: Backend, number: int, seen: Mapping[str, str]) -> dict[str, str]:
    """Return what to set in the environment of a process so that it sees one card."""
    if not isinstance(backend, CudaBackend):
        return {}
    names = seen.get(CARDS, "").split(",")
    device = backend.devices[number]
    return {CARDS: names[device] if names[0] else str(device)}


def _unfit(address: str, fault: Exception) -> StresscubeError:
    words = (str(fault).strip().splitlines() or [""])[0]
    if not isinstance(fault, StresscubeError):
        words = f"{type(fault).__name__}: {words}"
    return StresscubeError(f"--dask {address}: a worker cannot take part: {words}")
