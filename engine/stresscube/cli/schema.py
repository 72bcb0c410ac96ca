"""`stresscube schema`."""

from __future__ import annotations

import json

import typer

from stresscube.scenario import json_schema


def schema() -> None:
    """Print the JSON Schema of scenario files."""
    typer.echo(json.dumps(json_schema(), indent=2))
