"""How fast runs went on this machine, remembered for the estimates of `stresscube check`."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, cast

from stresscube.plan import Plan

SHORTEST = 1.0
"""Seconds that a run must have taken for its rate to be worth remembering."""


@dataclass(frozen=True, slots=True)
class Rate:
    """policy_steps: a second, end to end. day: when it was seen."""

    policy_steps: float
    day: str


def recall(plan: Plan, threads: int) -> Rate | None:
    """Return the rate of the last run of this scenario here, or None."""
    entry = _read().get(_key(plan, threads))
    try:
        rate = Rate(float(entry["policy_steps"]), str(entry["day"]))  # type: ignore[index]
    except (TypeError, KeyError, ValueError):
        return None
    return rate if rate.policy_steps > 0 else None


def remember(plan: Plan, threads: int, policy_steps: float, seconds: float) -> None:
    """Keep the rate of a run. A home that cannot be written is no fault."""
    if seconds < SHORTEST or policy_steps <= 0:
        return
    rates = _read()
    rates[_key(plan, threads)] = {
        "policy_steps": policy_steps / seconds,
        "day": date.today().isoformat(),
    }
    path = _path()
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.{os.getpid()}")
        new.write_text(json.dumps(rates, indent=1), encoding="utf-8")
        new.replace(path)


def _key(plan: Plan, threads: int) -> str:
    precision = plan.simulation.precision
    return f"{plan.scenario.name}, {plan.backend}, {precision}, {threads} threads"


def _read() -> dict[str, Any]:
    try:
        content = json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", content) if isinstance(content, dict) else {}


def _path() -> Path:
    own = os.environ.get("STRESSCUBE_CACHE_DIR")
    if own:
        return Path(own) / "rates.json"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/stresscube/rates.json"
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "stresscube/rates.json"
