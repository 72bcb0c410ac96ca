"""One of the two processes of `faults.py`: a run, or its bare blocks, on all threads."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import stresscube as sc
from stresscube.backends import choose
from stresscube.block import Means, compute
from stresscube.interrupts import Stop
from stresscube.plan import Plan, make_plan
from stresscube.runner import means_of
from stresscube.scenario import Scenario
from stresscube.store.local import LocalObjects
from stresscube.store.writer import CubeWriter


class Taken(NamedTuple):
    """Seconds: of the clock, and of all processors together."""

    clock: float
    processors: float


def serve(wire: Connection, scenario: Scenario, folder: Path) -> None:
    """Do "run" or "bare" as told and answer how long it took; end at None.

    After the answer it goes on with bare blocks, so that who is still at it is as disturbed as
    before, until the next word comes.
    """
    plan = make_plan(scenario)
    blocks = list(bare_blocks(plan, folder))
    numbers = itertools.count()

    def whole(_: Plan) -> None:
        sc.run(scenario, folder / f"{next(numbers)}.run")

    def bare(fresh: Plan) -> None:
        for block in bare_blocks(fresh, folder):
            block()

    what: dict[str, Callable[[Plan], None]] = {"run": whole, "bare": bare}
    for prepare in what.values():
        prepare(plan)
    wire.send(None)
    while (word := wire.recv()) is not None:
        if word == "rest":
            wire.send(None)
            continue
        wire.send(taken(partial(what[word], make_plan(scenario))))
        for block in itertools.cycle(blocks):
            if wire.poll():
                break
            block()


def taken(run: Callable[[], None]) -> Taken:
    """Run once; return what that took."""
    clock, processors = time.perf_counter(), time.process_time()
    run()
    return Taken(time.perf_counter() - clock, time.process_time() - processors)


def bare_blocks(plan: Plan, folder: Path) -> Iterator[Callable[[], Any]]:
    """Give what computes each of a run's blocks and keeps nothing of it.

    A plan that is new to it has its policies expanded, without which nothing can be computed.
    """
    backend, nowhere = choose(plan.backend), LocalObjects(folder / "nowhere")
    means = Means(
        plan, backend, means_of(plan, backend, None, None), nowhere,
        CubeWriter(nowhere, plan), Stop(), lambda _: None,
    )  # fmt: skip
    return (lambda block=block: compute(means, block) for block in plan.blocks)
