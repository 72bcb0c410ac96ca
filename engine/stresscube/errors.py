"""Errors that end a command in one clear line, and the exit codes that go with them."""

from __future__ import annotations

from typing import ClassVar


class StresscubeError(Exception):
    """A fault that the user can mend. str() is the message, one fault a line."""

    exit_code: ClassVar[int] = 2


class RunError(StresscubeError):
    """A run could not go on: a full or read-only disk, a damaged or foreign run folder."""

    exit_code: ClassVar[int] = 1


class BlocksFailed(RunError):
    """Some blocks of a run failed every time; all others are done."""

    exit_code: ClassVar[int] = 3


class StoreError(StresscubeError):
    """A bucket that is not there, refuses or does not answer."""


class NoAnswer(StoreError):
    """A bucket that does not answer, or only with errors of its own."""


class Interrupted(StresscubeError):
    """A run was stopped on request; what it had finished is kept."""

    exit_code: ClassVar[int] = 130
