"""Backends that die, fail or wait in the workers of a cluster, to where they are pickled."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fakes import FakeBackend, FakePrepared, Made
from stresscube_kernels.contract import Shape
from stresscube_kernels.spec import Job

Fate = Callable[[Job, threading.Event], None]
"""Called with each job before it is computed, and with what is set when it is to stop."""


def nothing(*_: object) -> None:
    """Let all go well."""


@dataclass
class FatedPrepared(FakePrepared):
    fate: Fate = nothing

    def run(
        self,
        first_path: int,
        n_paths: int,
        *,
        stop: threading.Event | None = None,
        advance: Callable[[int], None] | None = None,
    ) -> Made:
        self.fate(self.job, stop or threading.Event())
        return super().run(first_path, n_paths, stop=stop, advance=advance)


@dataclass
class Fated(FakeBackend):
    """A backend whose jobs meet a fate."""

    fate: Fate = nothing
    before: Callable[[int], None] = nothing
    prepared: list[Job] = field(default_factory=list)

    def prepare(
        self, job: Job, threads: int, shape: Shape, *, on_device: bool = False
    ) -> FakePrepared:
        return FatedPrepared(job, self.dtype, self.before, self.fate)


@dataclass(frozen=True)
class Is:
    """Whether a job is that of one block of the tests' scenario."""

    hedge_ratio: float
    correlation: float

    def __call__(self, job: Job) -> bool:
        found = job.policies[0].hedge_ratio, job.simulated.regimes[0].correlation
        return found == (self.hedge_ratio, self.correlation)


@dataclass(frozen=True)
class DieAtFirst:
    """Kill the worker, as often as there are names to take in a folder."""

    folder: Path
    times: int

    def __call__(self, job: Job, stop: threading.Event) -> None:
        for number in range(self.times):
            try:
                (self.folder / f"death-{number}").touch(exist_ok=False)
            except FileExistsError:
                continue
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class FailAndKill:
    """Raise an error at one block, always, and kill the worker at another, always."""

    fails: Is
    kills: Is

    def __call__(self, job: Job, stop: threading.Event) -> None:
        if self.fails(job):
            raise ValueError("a matrix\nis not positive definite")
        if self.kills(job):
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Wait:
    """At one block, say so by a file and wait for another."""

    at: Is
    folder: Path

    def __call__(self, job: Job, stop: threading.Event) -> None:
        if not self.at(job):
            return
        (self.folder / "waiting").touch()
        for _ in range(600):
            if stop.is_set() or (self.folder / "go").exists():
                return
            time.sleep(0.1)
        raise TimeoutError
