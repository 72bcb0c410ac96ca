"""A parametric bootstrap: many histories of the calibrated market, each fitted anew.

Efron and Tibshirani (1993), chapter 6. The k-th draw is the refit of the k-th path of the engine
under one seed, whoever makes it and whenever; a refit that is no draw gives way to that of another
path, which the draw alone determines. So a file of draws does not depend on the number of workers,
nor on whether it was made in one go.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from stresscube.calibrate.refit import Found, Refit, history, refit
from stresscube.errors import StresscubeError
from stresscube.text import plural

Tell = Callable[[str], None]
SEED = 20210101
APART = 2**20
"""Paths between a draw's first history and its next."""
TRIES = 8
"""Histories for a draw, beyond which the bootstrap is given up."""
FORMAT = 1
"""Of what is kept; another number where refits are made in another way."""
TOLD = 16
"""How often progress is told."""


class Draw(NamedTuple):
    """row: a refit's numbers. edges: how many ended at an edge. failures: of refits before it."""

    row: dict[str, str]
    edges: int
    failures: tuple[str, ...]


@dataclass(frozen=True)
class Bootstrap:
    """Draws in order."""

    draws: tuple[Draw, ...]

    @property
    def words(self) -> str:
        """What became of the refits, for people."""
        failures = Counter(why for draw in self.draws for why in draw.failures)
        told = [f"{plural(n, 'refit')} {why} and gave way to another" for why, n in
                sorted(failures.items())]  # fmt: skip
        edges = sum(draw.edges > 0 for draw in self.draws)
        at = f"{edges} of {len(self.draws)} draws have a number at the edge of what bars can show"
        return f"{'; '.join(told) or 'every refit settled'}; {at}"


@dataclass
class Kept:
    """Draws that are there already, in a file beside what is to be written, a line each.

    path: None keeps nothing. A file of another calibration is begun anew.
    """

    path: Path | None
    found: Found
    draws: dict[int, Draw] = field(default_factory=dict[int, Draw])

    def __post_init__(self) -> None:
        if self.path is None:
            return
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        known = [line for line in map(_parsed, lines) if line is not None]
        if not known or known[0].get("of") != self._name():
            self.path.write_text(json.dumps({"of": self._name()}) + "\n", encoding="utf-8")
            return
        for line in known[1:]:
            self.draws[line["draw"]] = Draw(line["row"], line["edges"], tuple(line["failures"]))
        if lines and _parsed(lines[-1]) is None:  # written in part
            text = "\n".join(json.dumps(line) for line in known)
            self.path.write_text(text + "\n", encoding="utf-8")

    def add(self, number: int, draw: Draw) -> None:
        """Keep one draw."""
        self.draws[number] = draw
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"draw": number, **draw._asdict()}) + "\n")

    def _name(self) -> str:
        said = f"{FORMAT} {SEED} {self.found.fit.bars} {self.found.text}"
        return hashlib.sha256(said.encode()).hexdigest()


def bootstrap(
    found: Found, count: int, tell: Tell, *, workers: int = 1, keep: Path | None = None
) -> Bootstrap:
    """So many draws, made by so many threads.

    keep: a file of the draws that are done, for another call to go on with; the caller removes it.
    Raises StresscubeError where refits of many histories in a row are no draws.
    """
    kept = Kept(keep, found)
    left = [number for number in range(count) if number not in kept.draws]
    if len(left) < count:
        tell(f"{count - len(left)} of {count} draws are there already, in {keep}")
    stopped = threading.Event()

    def goes_on() -> None:
        if stopped.is_set():
            raise StresscubeError("the refits were given up")

    progress = _Progress(tell, count, len(left))
    with ThreadPoolExecutor(workers) as pool:
        running = {pool.submit(_draw, found, number, goes_on): number for number in left}
        try:
            for done in as_completed(running):
                kept.add(running[done], done.result())
                progress.one_more(len(kept.draws))
        finally:
            stopped.set()
            pool.shutdown(cancel_futures=True)
    return Bootstrap(tuple(kept.draws[number] for number in range(count)))


def _draw(found: Found, number: int, goes_on: Callable[[], None]) -> Draw:
    """The refit of the first of a draw's histories that makes one."""
    failures: list[str] = []
    for attempt in range(TRIES):
        made: Refit = refit(found, history(found, SEED, number + APART * attempt), goes_on)
        if not made.failure:
            return Draw(made.row, made.edges, tuple(failures))
        failures.append(made.failure)
    raise StresscubeError(
        f"--uncertainty: {TRIES} refits in a row are no draw, the last as it {failures[-1]}; "
        "--draws-by covariance draws without refits"
    )


class _Progress:
    """Tells how far the refits are, and about how long they will take."""

    def __init__(self, tell: Tell, count: int, left: int) -> None:
        self._tell, self._count, self._left = tell, count, left
        self._began = time.monotonic()
        self._done = 0

    def one_more(self, known: int) -> None:
        self._done += 1
        if self._done != 2 and self._done % max(1, self._left // TOLD) and known < self._count:
            return
        each = (time.monotonic() - self._began) / self._done
        seconds = each * (self._left - self._done)
        self._tell(f"{known} of {self._count} histories refitted, about {seconds:.0f} s to go")


def _parsed(line: str) -> dict[str, Any] | None:
    """A line that was kept; None for one that was cut off."""
    try:
        made: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return made
