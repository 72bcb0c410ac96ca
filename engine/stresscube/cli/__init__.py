"""The command line: `stresscube run | check | show | plot | report | schema`."""

from stresscube.cli.app import app, main

__all__ = ["app", "main"]
