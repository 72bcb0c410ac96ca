"""Where numbers come from: machine, versions, commit; and the file they are appended to."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from stresscube.backends import processor_name
from stresscube_kernels.cpu import available_threads

from .case import ROOT

RESULTS = ROOT / "benchmarks" / "results" / "cpu.jsonl"
PACKAGES = ("stresscube", "numpy", "numba", "llvmlite", "jax", "jaxlib", "zarr", "xarray")


@lru_cache(maxsize=1)
def provenance() -> dict[str, Any]:
    """What every line says about where and from what it was measured."""
    cores = available_threads()
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": f"{processor_name()}, {cores} cores",
        "cores": cores,
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version(), **installed(), **compiler()},
    }


def commit() -> str:
    """The commit that was measured, with + where files that it holds have changed."""
    try:
        head = _out("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD")
        code = ("--", ".", ":!benchmarks/results")
        changed = ("status", "--porcelain", "--untracked-files=no", *code)
        dirty = _out("git", "-C", str(ROOT), *changed)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+" if dirty else "")


def installed() -> dict[str, str]:
    """Versions of the packages that decide speed."""
    found: dict[str, str] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def compiler() -> dict[str, str]:
    """The host C++ compiler."""
    try:
        return {"c++": _out("c++", "-dumpfullversion")}
    except (OSError, subprocess.CalledProcessError):
        return {}


def append(lines: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Add lines to a JSON-lines file, each with its provenance."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        for line in lines:
            about = provenance()
            versions = about["versions"] | line.get("versions", {})
            file.write(json.dumps({**about, **line, "versions": versions}) + "\n")


def significant(number: float, digits: int = 4) -> float:
    """Rounded to some significant digits: the rest is noise."""
    return float(f"{number:.{digits}g}")


def _out(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
