"""The progress of a run: a live bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import threading
import time

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from stresscube.plan import Block, Plan
from stresscube.text import count, time_span

SECONDS_BETWEEN_LINES = 10.0
RECENT = 20.0
"""Seconds over which the rate for the time left is taken."""


class Meter:
    """Counts the work of a run and its time; shows nothing.

    done: policy-steps of this process. total: policy-steps that were left at the start.
    blocks, resumed: blocks of its part that are done, and that were when it began. mine: all
    blocks of its part.
    """

    def __init__(self) -> None:
        self.plan: Plan | None = None
        self.done = 0
        self.total = 0
        self.blocks = 0
        self.mine = 0
        self.resumed = 0
        self.seconds = 0.0
        self._started = 0.0
        self._marks: list[tuple[float, int]] = []
        self._lock = threading.Lock()

    def start(self, plan: Plan, done_blocks: frozenset[int], mine: frozenset[int]) -> None:
        """Begin with the blocks that are already there."""
        self.plan = plan
        self.resumed = self.blocks = len(done_blocks)
        self.mine = len(mine)
        self.total = sum(policy_steps(plan, plan.blocks[at]) for at in mine - done_blocks)
        self._started = time.monotonic()
        self._marks = [(self._started, 0)]
        self._begin()

    def advance(self, policy_steps: int) -> None:
        """Count the work of one batch."""
        with self._lock:
            self.done += policy_steps
            now = time.monotonic()
            if len(self._marks) == 1 and self._marks[0][1] == 0:
                # Until the first batch is there, time went into compiling.
                self._marks = [(now, self.done)]
            self._marks.append((now, self.done))
            while len(self._marks) > 2 and now - self._marks[1][0] > RECENT:
                self._marks.pop(0)
            self._update()

    def block_done(self, block: Block) -> None:
        """Count a stored block."""
        with self._lock:
            self.blocks += 1
            self._update()

    def say(self, text: str) -> None:
        """Show a line at once."""
        with self._lock:
            self._show(text)

    def finish(self) -> None:
        """Stop the clock and take the display down."""
        self.seconds = time.monotonic() - self._started
        self._end()

    @property
    def rate(self) -> float:
        """Policy-steps a second of late, 0 if not known yet."""
        (first, before), (last, after) = self._marks[0], self._marks[-1]
        return (after - before) / (last - first) if last > first else 0.0

    def text(self) -> str:
        """Return rate and time left in words."""
        if self.rate <= 0:
            return "compiling" if not self.done else ""
        left = time_span((self.total - self.done) / self.rate)
        return f"{count(self.rate)} policy-steps/s, {left} left"

    def _begin(self) -> None: ...
    def _update(self) -> None: ...
    def _show(self, text: str) -> None: ...
    def _end(self) -> None: ...


class Bar(Meter):
    """A live bar."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[words]}", style="cyan"),
            console=console,
            transient=True,
            expand=True,
        )
        self._task = self._progress.add_task("", total=None, words="compiling")

    def _begin(self) -> None:
        self._update()
        self._progress.start()

    def _update(self) -> None:
        assert self.plan is not None
        name = escape(str(self.plan.scenario.name))
        description = f"{name}: {self.blocks}/{self.mine} blocks"
        self._progress.update(
            self._task,
            description=description,
            completed=self.done,
            total=max(self.total, 1) if self.done else None,
            words=self.text(),
        )

    def _show(self, text: str) -> None:
        self._progress.console.print(escape(text), style="yellow", soft_wrap=True)

    def _end(self) -> None:
        self._progress.stop()


class Lines(Meter):
    """A line every ten seconds, for logs."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._last = 0.0

    def _begin(self) -> None:
        self._last = self._started

    def _update(self) -> None:
        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_LINES:
            return
        self._last = now
        assert self.plan is not None
        share = self.done / max(self.total, 1)
        self._console.print(
            escape(
                f"{self.plan.scenario.name}: {self.blocks} of {self.mine} blocks, "
                f"{share:.0%}, {self.text()}"
            ),
            soft_wrap=True,
        )

    def _show(self, text: str) -> None:
        self._console.print(escape(text), soft_wrap=True)


def meter(console: Console, *, quiet: bool) -> Meter:
    """Return the meter that suits the stream."""
    if quiet:
        return Meter()
    return Bar(console) if console.is_terminal else Lines(console)


def policy_steps(plan: Plan, block: Block) -> int:
    """Return the work of a block."""
    feasible = int(plan.policy_cells(block).feasible.sum())
    return feasible * plan.paths * plan.simulation.steps
