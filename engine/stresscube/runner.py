"""Running a scenario: whatever blocks of its plan have no receipt yet, one after the other."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypedDict, Unpack, overload

from stresscube import receipts
from stresscube.backends import Backend, choose, elsewhere
from stresscube.block import Computed, Means, Stopped, compute, store
from stresscube.dask_engine import LOCAL, Cluster, run_on_cluster
from stresscube.errors import Interrupted
from stresscube.folder import adopt, one_line_faults, require_run_folder
from stresscube.interrupts import Stop, stop_on_signals
from stresscube.lock import locked
from stresscube.memory import Shares, default_budget, parse_size, shares, usable_cores
from stresscube.plan import Block, Plan, make_plan
from stresscube.receipts import Receipt
from stresscube.scenario import Scenario, load
from stresscube.scenario.recorded import Tape, on_tape
from stresscube.shards import Shard, parse_shard
from stresscube.store.objects import Objects, Place, objects_at
from stresscube.store.writer import CubeWriter

ABANDONED = 3600.0
"""Seconds after which half an object counts as left behind by a writer that was killed."""


class Progress(Protocol):
    """What is told of a run while it goes on."""

    def start(self, plan: Plan, done_blocks: frozenset[int], mine: frozenset[int]) -> None:
        """Called once. mine: the blocks (by index) that this process is to see done.

        done_blocks: those of them that have been finished before.
        """
        ...

    def advance(self, policy_steps: int) -> None:
        """Called with the work just done, from any thread."""
        ...

    def block_done(self, block: Block) -> None:
        """Called when a block is stored and has its receipt."""
        ...

    def say(self, text: str) -> None:
        """Called with what a reader should know at once, as that a block has failed."""
        ...

    def finish(self) -> None:
        """Called once at the end, however the run ends."""
        ...


class Silent:
    """Tells nothing."""

    def start(self, plan: Plan, done_blocks: frozenset[int], mine: frozenset[int]) -> None: ...
    def advance(self, policy_steps: int) -> None: ...
    def block_done(self, block: Block) -> None: ...
    def say(self, text: str) -> None: ...
    def finish(self) -> None: ...


class Options(TypedDict, total=False):
    """The options of `run`."""

    backend: str | Backend
    threads: int | None
    memory: str | int | None
    trust: bool
    progress: Progress | None
    shard: str | Shard | None
    dask: str | None
    tape: Tape | None


@overload
def run(
    scenario: Scenario | str | os.PathLike[str], out: Path | None = None, **options: Unpack[Options]
) -> Path: ...
@overload
def run(
    scenario: Scenario | str | os.PathLike[str], out: str, **options: Unpack[Options]
) -> Place: ...
def run(
    scenario: Scenario | str | os.PathLike[str],
    out: Place | None = None,
    *,
    backend: str | Backend = "auto",
    threads: int | None = None,
    memory: str | int | None = None,
    trust: bool = False,
    progress: Progress | None = None,
    shard: str | Shard | None = None,
    dask: str | None = None,
    tape: Tape | None = None,
) -> Place:
    """Run a scenario, or go on with its run, and return where it lies.

    scenario: a Scenario or the path of its file. out: a folder or the text
    `s3://bucket/prefix`; the folder `<name>.run` by default. The answer is a Path or such a text.
    backend: a name or a backend. threads: all cores by default. memory: most that the run
    allocates beyond interpreter and libraries, in bytes or as "4GB"; half of the machine's by
    default. The numbers do not depend on threads, memory or interruptions. trust: whether Python
    code that the scenario names may run; it may then do whatever this process may. shard: "3/8"
    runs the third of eight parts, which any machine may take; the folder is complete when all are
    done. dask: the address of a Dask scheduler, on whose workers blocks are computed, or "local"
    to start a cluster here; threads and memory are then each worker's. tape: recorded data in
    place of the scenario's market (`stresscube.tape_from`).

    Raises ScenarioError for code that may not run or cannot, RunError if the folder holds another
    run or cannot be written, StoreError if a bucket refuses or does not answer, Interrupted when
    asked to stop, BlocksFailed if some blocks fail on a cluster every time, StresscubeError for a
    memory that is too small or a cluster that cannot be used.
    """
    if not isinstance(scenario, Scenario):
        scenario = load(scenario)
    if tape is not None:
        scenario = on_tape(scenario, tape)
    chosen = choose(backend) if dask in (None, LOCAL) else elsewhere(backend)
    plan = make_plan(scenario, chosen, trust=trust)
    how = Cluster(dask, threads, memory) if dask else means_of(plan, chosen, threads, memory)
    part = parse_shard(shard) if isinstance(shard, str) else shard
    folder = objects_at(f"{scenario.name}.run" if out is None else out).place
    with at_work(folder, part) as (objects, stop):
        mine = frozenset(range(len(plan.blocks))) if part is None else part.blocks(plan)
        go_on(plan, chosen, how, objects, stop, folder, progress or Silent(), mine)
    return folder


@contextmanager
def at_work(folder: Place, shard: Shard | None) -> Generator[tuple[Objects, Stop]]:
    """Give a run's objects to write to, and what tells when to stop.

    Raises RunError if the folder holds something else, cannot be written or is being written.
    """
    with one_line_faults(folder):
        objects = objects_at(folder)
        require_run_folder(objects)
        with locked(folder, shard), stop_on_signals() as stop:
            # Alone here, nobody is writing what is half written. Among shards only age tells.
            objects.sweep(0.0 if shard is None else ABANDONED)
            yield objects, stop


def go_on(
    plan: Plan,
    backend: Backend,
    how: Shares | Cluster,
    objects: Objects,
    stop: Stop,
    folder: Place,
    progress: Progress,
    mine: frozenset[int],
) -> None:
    """Run those of some blocks (by index) that have no receipt; sign the run if all have one.

    how: with what they are run here, or on which cluster.

    Raises RunError if another plan is there, Interrupted when asked to stop, BlocksFailed if some
    fail on a cluster.
    """
    adopt(objects, plan, folder)
    cube = CubeWriter(objects, plan)

    def run_them(blocks: Sequence[Block], done: Callable[[Block], None]) -> None:
        if isinstance(how, Cluster):
            created()
            run_on_cluster(how, plan, backend, objects, stop, blocks, done, progress)
        else:
            means = Means(plan, backend, how, objects, cube, stop, progress.advance)
            _run_here(means, blocks, created, done)

    with _creating(cube, stop) as created:
        try:
            _run_rest(plan, objects, stop, progress, mine, run_them)
        finally:
            progress.finish()
    known = receipts.read_all(objects, plan.hash)
    every = [known[block.name] for block in plan.blocks if block.name in known]
    if len(every) == len(plan.blocks) and receipts.complete(objects, plan.hash) is None:
        receipts.write_complete(objects, plan.hash, every)


def means_of(plan: Plan, backend: Backend, threads: int | None, memory: str | int | None) -> Shares:
    """Return how memory and cores are spent, all cores and half of the memory unless given.

    Raises StresscubeError for a memory that is too small.
    """
    budget = default_budget() if memory is None else parse_size(memory)
    return shares(plan, backend, budget, threads or usable_cores())


@contextmanager
def _creating(cube: CubeWriter, stop: Stop) -> Generator[Callable[[], None]]:
    """Write the empty cube while the first blocks are computed; give what waits until it is there.

    A fault of it stops the run and is raised in place of what that brings about.
    """
    # Made here: Zarr silences a warning meanwhile, which Python does for all threads at once.
    missing = cube.missing()
    with ThreadPoolExecutor(1) as beside:
        created = beside.submit(cube.create, missing)
        created.add_done_callback(lambda done: stop.set() if done.exception() else None)
        try:
            yield created.result
        finally:
            created.result()


def _run_rest(
    plan: Plan,
    objects: Objects,
    stop: Stop,
    progress: Progress,
    mine: frozenset[int],
    run_them: Callable[[Sequence[Block], Callable[[Block], None]], None],
) -> None:
    """Have those blocks computed that have no receipt.

    run_them: called with blocks, and with what to call when one is stored and signed.
    """
    known = receipts.read_all(objects, plan.hash)
    done = {block.index for block in plan.blocks if block.name in known} & mine
    rest = [block for block in plan.blocks if block.index in mine - done]
    if rest:
        receipts.withdraw(objects, ())  # what said that the run was complete, if anything did
    progress.start(plan, frozenset(done), mine)

    def signed(block: Block) -> None:
        done.add(block.index)
        progress.block_done(block)

    try:
        if rest:
            run_them(rest, signed)
    except (Stopped, KeyboardInterrupt):
        stop.set()
        raise Interrupted(
            f"stopped with {len(done)} of {len(mine)} blocks done; "
            f"run the same command again to go on in {objects.place}",
            stop.number,
        ) from None


def _run_here(
    means: Means,
    blocks: Sequence[Block],
    created: Callable[[], None],
    done: Callable[[Block], None],
) -> None:
    """Run and sign blocks in this process. created: returns when the cube is there."""
    one_at_a_time = threading.Lock()

    def sign(block: Block, receipt: Receipt) -> None:
        created()  # a receipt speaks of arrays in a cube
        means.objects.sync()  # after a power cut, too, no receipt may be there without its arrays
        with one_at_a_time:
            receipts.write(means.objects, receipt)
            done(block)

    _run_blocks(means, blocks, sign)


def _run_blocks(
    means: Means, blocks: Sequence[Block], sign: Callable[[Block, Receipt], None]
) -> None:
    """Run blocks, as many at a time as the backend has workers.

    The first fault stops all workers and is raised.
    """
    workers = means.backend.workers()[: len(blocks)]
    queue = deque(blocks)
    if len(workers) <= 1:
        _work(means, queue, sign)
        return

    def work(worker: Backend) -> None:
        try:
            _work(replace(means, backend=worker), queue, sign)
        except BaseException:
            means.stop.set()
            raise

    with ThreadPoolExecutor(len(workers)) as pool:
        futures = [pool.submit(work, worker) for worker in workers]
        try:
            wait(futures)
        except BaseException:
            means.stop.set()
            raise
    faults = [fault for future in futures if (fault := future.exception())]
    for fault in sorted(faults, key=lambda fault: isinstance(fault, Stopped)):
        raise fault


def _work(means: Means, queue: deque[Block], sign: Callable[[Block, Receipt], None]) -> None:
    """Run blocks until none is left. A block is stored while the next one is computed."""
    stored: Future[None] | None = None

    def keep(made: Computed) -> None:
        sign(made.block, store(means, made))

    with ThreadPoolExecutor(1) as storing:
        try:
            while queue:
                try:
                    block = queue.popleft()
                except IndexError:  # another worker was faster
                    break
                made = compute(means, block)
                if stored is not None:
                    stored.result()
                stored = storing.submit(keep, made)
        finally:
            if stored is not None:
                stored.result()
