"""Running a scenario: whatever blocks of its plan have no receipt yet, one after the other."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from stresscube import receipts
from stresscube.backends import Backend, choose
from stresscube.block import Computed, Means, Stopped, compute, store
from stresscube.errors import Interrupted
from stresscube.folder import adopt, one_line_faults, only_process, require_run_folder
from stresscube.interrupts import stop_on_signals
from stresscube.memory import default_budget, parse_size, shares
from stresscube.plan import Block, Plan, make_plan
from stresscube.receipts import Receipt
from stresscube.scenario import Scenario, load
from stresscube.scenario.recorded import Tape, on_tape
from stresscube.store.objects import LocalObjects
from stresscube.store.writer import CubeWriter


class Progress(Protocol):
    """What is told of a run while it goes on."""

    def start(self, plan: Plan, done_blocks: frozenset[int]) -> None:
        """Called once, with the blocks (by index) that an earlier run has finished."""
        ...

    def advance(self, policy_steps: int) -> None:
        """Called with the work just done, from any thread."""
        ...

    def block_done(self, block: Block) -> None:
        """Called when a block is stored and has its receipt."""
        ...

    def finish(self) -> None:
        """Called once at the end, however the run ends."""
        ...


class Silent:
    """Tells nothing."""

    def start(self, plan: Plan, done_blocks: frozenset[int]) -> None: ...
    def advance(self, policy_steps: int) -> None: ...
    def block_done(self, block: Block) -> None: ...
    def finish(self) -> None: ...


def run(
    scenario: Scenario | str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    backend: str | Backend = "auto",
    threads: int | None = None,
    memory: str | int | None = None,
    trust: bool = False,
    progress: Progress | None = None,
    tape: Tape | None = None,
) -> Path:
    """Run a scenario, or go on with its run, and return the run's folder.

    scenario: a Scenario or the path of its file. out: the folder, `<name>.run` by default.
    backend: a name or a backend. threads: all cores by default. memory: most that the run
    allocates beyond interpreter and libraries, in bytes or as "4GB"; half of the machine's by
    default. trust: whether Python code that the scenario names may run; it may then do whatever
    this process may. tape: recorded data in place of the scenario's market
    (`stresscube.tape_from`). The numbers do not depend on threads, memory or interruptions.

    Raises ScenarioError for code that may not run or cannot, RunError if the folder holds another
    run or cannot be written, Interrupted when asked to stop, StresscubeError for a memory that is
    too small.
    """
    if not isinstance(scenario, Scenario):
        scenario = load(scenario)
    if tape is not None:
        scenario = on_tape(scenario, tape)
    chosen = choose(backend)
    plan = make_plan(scenario, chosen, trust=trust)
    cores = threads or usable_cores()
    budget = default_budget() if memory is None else parse_size(memory)
    share = shares(plan, chosen, budget, cores)
    folder = Path(out) if out is not None else Path(f"{scenario.name}.run")
    teller = progress or Silent()
    with one_line_faults(folder):
        require_run_folder(folder)
        with only_process(folder), stop_on_signals() as stop:
            objects = LocalObjects(folder)
            adopt(objects, plan, folder)
            cube = CubeWriter(objects, plan)
            cube.create()
            means = Means(plan, chosen, share, objects, cube, stop, teller.advance)
            _run_rest(means, teller, folder)
    return folder


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _run_rest(means: Means, progress: Progress, folder: Path) -> None:
    plan, objects = means.plan, means.objects
    if receipts.complete(objects, plan.hash):
        progress.start(plan, frozenset(block.index for block in plan.blocks))
        progress.finish()
        return
    known = receipts.read_all(objects, plan.hash)
    done = {block.index for block in plan.blocks if block.name in known}
    progress.start(plan, frozenset(done))
    rest = [block for block in plan.blocks if block.index not in done]
    one_at_a_time = threading.Lock()

    def sign(block: Block, receipt: Receipt) -> None:
        with one_at_a_time:
            receipts.write(objects, receipt)
            known[block.name] = receipt
            done.add(block.index)
            progress.block_done(block)

    try:
        _run_blocks(means, rest, sign)
    except (Stopped, KeyboardInterrupt):
        means.stop.set()
        raise Interrupted(
            f"stopped with {len(done)} of {len(plan.blocks)} blocks done; "
            f"run the same command again to go on in {folder}"
        ) from None
    finally:
        progress.finish()
    receipts.write_complete(objects, plan.hash, [known[block.name] for block in plan.blocks])


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
