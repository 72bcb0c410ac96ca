"""Stopping a run on request: the first signal asks, a second one insists."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop(threading.Event):
    """Set when the run is to stop; the work looks at it often enough.

    number: the signal that asked, SIGINT if none did.
    """

    abrupt = False
    number: int = signal.SIGINT

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

    A second signal does what it did before, and one that was ignored, as SIGINT is in what a
    script starts with `&`, still is. Outside the main thread no signal can be caught, and the
    event is only there to be set by others.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heard = [number for number in SIGNALS if before[number] != signal.SIG_IGN]

    def ask(number: int, frame: FrameType | None) -> None:
        stop.number = number
        stop.set()
        signal.signal(number, before[signal.Signals(number)] or signal.SIG_DFL)
        if stop.abrupt:
            raise KeyboardInterrupt

    for number in heard:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number in heard:
            signal.signal(number, before[number] or signal.SIG_DFL)
