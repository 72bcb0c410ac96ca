"""Errors that end a command in one clear line, and the exit codes that go with them."""

from __future__ import annotations

import signal


class StresscubeError(Exception):
    """A fault that the user can mend. str() is the message, one fault a line."""

    exit_code: int = 2


class RunError(StresscubeError):
    """A run could not go on: a full or read-only disk, a damaged or foreign run folder."""

    exit_code = 1


class NoRun(RunError):
    """A place that was named as a run and is none: bad input, like a scenario that is not there."""

    exit_code = 2


class BlocksFailed(RunError):
    """Some blocks of a run failed every time; all others are done."""

    exit_code = 5


class StoreError(StresscubeError):
    """A bucket that is not there, refuses or does not answer."""


class NoAnswer(StoreError):
    """A bucket that does not answer, or only with errors of its own."""


class Interrupted(StresscubeError):
    """A run was stopped on request; what it had finished is kept.

    number: the signal that asked. The exit code is what a shell makes of it: 130 for Ctrl-C,
    143 for SIGTERM.
    """

    exit_code = 128 + signal.SIGINT

    def __init__(self, message: str, number: int = signal.SIGINT) -> None:
        super().__init__(message)
        self.exit_code = 128 + number
