"""The command line: `stresscube run | check | show | recommend | export | plot | ...`."""

from stresscube.cli.app import app, main

__all__ = ["app", "main"]
