"""Giving out blocks to the workers of a Dask cluster, and taking them in."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Protocol, cast

from stresscube.block import Stopped
from stresscube.dask_worker import Failure, compute
from stresscube.errors import BlocksFailed, RunError
from stresscube.interrupts import Stop
from stresscube.plan import Block, Plan
from stresscube.text import label, plural

ALLOWED_DEATHS = 20
"""Workers that may die over a block before it is held to be what kills them: spot machines die by
themselves."""
ATTEMPTS = 3
"""Times that a block is computed before its error is believed."""
LOOKING = 0.5
"""Seconds between two looks at who is there."""
FETCHING = 10.0
"""Seconds in which a worker must hand over a receipt."""


class Listener(Protocol):
    """What is told of blocks while they are computed elsewhere."""

    def advance(self, policy_steps: int) -> None:
        """Called with the work just done."""
        ...

    def say(self, text: str) -> None:
        """Called with what a reader should know at once."""
        ...


class Foreman:
    """Sees to it that every block is computed, if it can be.

    name: of the run on the cluster; workers that are ready have a resource of this name.
    """

    def __init__(
        self,
        client: Any,
        name: str,
        plan: Plan,
        stop: Stop,
        done: Callable[[Block], None],
        listener: Listener,
    ) -> None:
        self._client, self._name, self._plan = client, name, plan
        self._stop, self._done, self._listener = stop, done, listener
        self._left: deque[Block] = deque()
        self._given: dict[Any, tuple[Block, str]] = {}
        self._room: dict[str, int] | None = None
        self._deaths: Counter[Block] = Counter()
        self._attempts: Counter[Block] = Counter()
        self._steps: Counter[int] = Counter()
        self._failed: dict[Block, str] = {}
        self._news: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def see_to(self, blocks: Sequence[Block]) -> None:
        """Return when all blocks are done.

        Raises BlocksFailed for those that failed, when the others are done; RunError if the
        scheduler goes away; Stopped when asked to stop.
        """
        self._left.extend(blocks)
        self._client.subscribe_topic(self._name, self._on_event)
        try:
            self._work_off()
        finally:
            with suppress(Exception):
                self._client.unsubscribe_topic(self._name)
                self._client.cancel(list(self._given))
        if self._failed:
            raise BlocksFailed(self._report())

    def _work_off(self) -> None:
        looked = float("-inf")
        while self._left or self._given:
            if self._stop.is_set():
                raise Stopped
            if time.monotonic() - looked >= LOOKING:
                self._look()
                looked = time.monotonic()
            self._give_out()
            with suppress(Empty):
                self._news.get(timeout=LOOKING / 2)()

    def _look(self) -> None:
        """See who is there, and take back what was given to those who are gone."""
        try:
            there = self._client.scheduler_info(n_workers=-1)["workers"]
        except Exception as fault:
            raise self._forsaken() from fault
        workers = cast("dict[str, dict[str, Any]]", there)
        places = {at: int(it["resources"].get(self._name, 0)) for at, it in workers.items()}
        room = {address: count for address, count in places.items() if count}
        if not room and self._room != room:
            others = f" ({len(workers)} are there; their logs say why not)" if workers else ""
            self._listener.say(f"no worker is ready{others}: waiting")
        self._room = room
        for future, (block, address) in list(self._given.items()):
            if address not in workers:
                del self._given[future]
                future.cancel()
                self._mourn(block)

    def _give_out(self) -> None:
        busy = Counter(address for _, address in self._given.values())
        for address, places in (self._room or {}).items():
            for _ in range(places - busy[address]):
                if not self._left:
                    return
                block = self._left.popleft()
                future = self._client.submit(
                    compute, self._name, block.index, workers=[address], pure=False
                )
                self._given[future] = block, address
                future.add_done_callback(self._on_done)

    def _on_done(self, future: Any) -> None:
        self._news.put(lambda: self._take(future))

    def _take(self, future: Any) -> None:
        """Take in a block that is done, or is not to be."""
        if future not in self._given:
            return
        block, _ = self._given.pop(future)
        if self._client.status != "running":
            raise self._forsaken()
        try:
            result: Any = future.result(timeout=FETCHING)
        except Exception:  # the worker died, or took the receipt with it
            return self._mourn(block)
        if isinstance(result, Failure):
            return self._blame(block, result.reason)
        self._on_steps(block.index, result.policy_steps)
        self._done(block)
        return None

    def _mourn(self, block: Block) -> None:
        """Note that a worker died over a block."""
        self._deaths[block] += 1
        if self._deaths[block] > ALLOWED_DEATHS:
            self._give_up(block, f"{self._deaths[block]} workers died over it")
        else:
            self._left.appendleft(block)

    def _blame(self, block: Block, reason: str) -> None:
        """Note that a block raised an error."""
        self._attempts[block] += 1
        if self._attempts[block] >= ATTEMPTS:
            self._give_up(block, reason)
        else:
            self._listener.say(f"block {block.name} failed, to be tried again: {reason}")
            self._left.append(block)

    def _give_up(self, block: Block, reason: str) -> None:
        self._failed[block] = reason
        self._listener.say(f"block {block.name} failed for good: {reason}")

    def _on_event(self, event: tuple[float, Any]) -> None:
        _, told = event
        self._news.put(lambda: self._on_steps(int(told["block"]), int(told["steps"])))

    def _on_steps(self, index: int, steps: int) -> None:
        """Count what a block has done beyond what it had done before, perhaps elsewhere."""
        more = steps - self._steps[index]
        if more > 0:
            self._steps[index] = steps
            self._listener.advance(more)

    def _forsaken(self) -> RunError:
        return RunError(
            "the Dask scheduler is gone; finished blocks are kept, run the same command again to "
            "go on"
        )

    def _report(self) -> str:
        failed = sorted(self._failed, key=lambda block: block.index)
        head = f"{plural(len(failed), 'block')} failed, all others are done; run the same command "
        lines = [f"block {it.name} ({self._where(it)}): {self._failed[it]}" for it in failed]
        return "\n".join([f"{head}again to try once more:", *lines])

    def _where(self, block: Block) -> str:
        """Return the values of a block's cells: `venue = A, leverage = 2 to 50`."""
        parts: list[str] = []
        for axis, part in zip(self._plan.axes, block.region, strict=True):
            values = [label(value) for value in axis.values[part]]
            parts.append(f"{axis.name} = {values[0]}" + (f" to {values[-1]}" if values[1:] else ""))
        return ", ".join(parts) or "the whole run"
