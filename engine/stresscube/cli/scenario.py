"""Loading a scenario with what the command line changes in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stresscube.scenario import load


def load_scenario(path: Path, paths: int | None, seed: int | None, settings: Sequence[str]) -> Any:
    """Return the scenario of a file; --paths and --seed win over --set.

    Raises ScenarioError.
    """
    overrides = list(settings)
    overrides += [f"simulation.paths={paths}"] if paths is not None else []
    overrides += [f"simulation.seed={seed}"] if seed is not None else []
    return load(path, overrides)
