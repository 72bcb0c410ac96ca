"""Turning errors into one line on stderr and an exit code."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import NoReturn, ParamSpec

import typer

from stresscube.errors import StresscubeError

Arguments = ParamSpec("Arguments")

UNEXPECTED = 70
"""Exit code for a fault of the program itself (EX_SOFTWARE of sysexits.h)."""
STOPPED = 130
DAMAGED = 3
"""Exit code of `stresscube verify` for a run with damage that is still there."""
UNFINISHED = 4
"""Exit code of `stresscube status` and `verify` for a sound run with blocks missing."""


def one_line_errors(command: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Wrap a command so that no error reaches the user as a traceback.

    With STRESSCUBE_DEBUG set, unexpected ones do.
    """

    @functools.wraps(command)
    def guarded(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except StresscubeError as error:
            stop(str(error), error.exit_code)
        except KeyboardInterrupt:
            stop("stopped", STOPPED)
        except BrokenPipeError:
            _leave_quietly()
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if os.environ.get("STRESSCUBE_DEBUG"):
                raise
            stop(_unexpected(error), UNEXPECTED)

    return guarded


def stop(message: str, exit_code: int) -> NoReturn:
    """Print each line of a message to stderr and exit."""
    for line in message.splitlines() or ["failed"]:
        typer.echo(f"stresscube: {line}", err=True)
    raise typer.Exit(exit_code)


def _unexpected(error: Exception) -> str:
    text = " ".join(str(error).split())
    return (
        f"unexpected {type(error).__name__}: {text} (a bug: please report this line; "
        "STRESSCUBE_DEBUG=1 shows where it happened)"
    )


def _leave_quietly() -> NoReturn:
    """End without complaint when the reader of a pipe has gone, as `| head` does."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit(0)
