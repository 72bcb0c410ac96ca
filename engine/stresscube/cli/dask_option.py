"""`--dask [ADDRESS]`: an option whose value may be left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from typer.core import TyperCommand

NAME = "--dask"
LOCAL = "local"
ADDRESS = re.compile(r"[a-z]+://.+|[\w.-]+:\d+|local")
"""Of a Dask scheduler: tcp://node1:8786, or node1:8786. No scenario file looks like one."""


class DaskCommand(TyperCommand):
    """A command with this option. Typer knows none that may go without its value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(completed(args)))


def completed(args: Sequence[str]) -> Iterator[str]:
    """Yield arguments with LOCAL after an option that no address follows."""
    for place, arg in enumerate(args):
        following = args[place + 1] if place + 1 < len(args) else ""
        yield arg
        if arg == NAME and not ADDRESS.fullmatch(following):
            yield LOCAL
