"""Where the command line prints: plain text unless the stream is a terminal."""

from __future__ import annotations

import sys

from rich.console import Console

PIPED_WIDTH = 80


def console(*, stderr: bool = False) -> Console:
    """Return a console for stdout or stderr, 80 columns wide when that is no terminal."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPED_WIDTH
    return Console(stderr=stderr, width=width, highlight=False, emoji=False)
