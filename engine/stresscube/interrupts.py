"""Stopping a run on request: the first signal asks, a second one insists."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop(threading.Event):
    """Set when the run is to stop; the work looks at it often enough."""

    abrupt = False

    @contextmanager
    def breaking_in(self) -> Generator[None]:
        """Let a signal raise KeyboardInterrupt inside: for long work that cannot look."""
        self.abrupt = True
        try:
            yield
        finally:
            self.abrupt = False


@contextmanager
def stop_on_signals() -> Generator[Stop]:
    """Give an event that SIGINT and SIGTERM set instead of breaking in anywhere.

    A second signal does what it did before. Outside the main thread no signal can be caught,
    and the event is only there to be set by others.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def ask(number: int, frame: FrameType | None) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)] or signal.SIG_DFL)
        if stop.abrupt:
            raise KeyboardInterrupt

    for number in SIGNALS:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number in SIGNALS:
            signal.signal(number, before[number] or signal.SIG_DFL)
