"""Everything that determines a run's numbers, in a form that can be hashed and compared."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import stresscube
from stresscube.backends import Backend, versions
from stresscube.scenario import Scenario
from stresscube.scenario.draws import fingerprint
from stresscube.scenario.recorded import recorded

WORDS_ONLY = ("name", "description", "source", "text", "overrides", "code")
"""Fields of a scenario that say something of it and change no number, or stand elsewhere."""
FILE_NAMES = ("files", "funding")
"""Where a replay's data are: what is in them counts."""
SOURCES = ("stresscube_kernels", "stresscube.metrics", "stresscube.scenario", "stresscube.history")
"""Packages whose code the numbers come from."""
FILES = ("files", "market.replay.funding", "market.uncertainty.file")
"""Keys of the hashes of files, without that of the bars made of them."""
DATA = "identity.data."
"""How keys of the content of data begin."""
SUFFIXES = {".py", ".h", ".cpp", ".cu"}


def identity(scenario: Scenario, backend: Backend) -> dict[str, Any]:
    """Return what determines the numbers: scenario, data, backend, versions, sources, user code."""
    content: dict[str, Any] = scenario.model_dump(mode="python", exclude=set(WORDS_ONLY))
    for name in FILE_NAMES:
        (content["market"]["replay"] or {}).pop(name, None)
    (content["market"]["uncertainty"] or {}).pop("file", None)
    return {
        "scenario": canonical(content),
        "data": data_of(scenario),
        "backend": backend.name,
        "versions": {"stresscube": stresscube.__version__, **versions(backend)},
        "sources": {name: sources_hash(name) for name in SOURCES},
        "code": {code.key: code.rules for code in scenario.code},
    }


def data_of(scenario: Scenario) -> dict[str, str]:
    """Return the hashes of what a scenario reads besides itself: recorded data, or draws."""
    return recorded(scenario).fingerprint if scenario.market.replayed else fingerprint(scenario)


def canonical(value: Any) -> Any:
    """Return nested mappings, sequences and numbers as JSON that has one spelling each.

    Numbers that are not finite become words, because JSON has none; an integral float and
    the integer are the same.
    """
    if isinstance(value, Enum):
        return canonical(value.value)
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return {str(key): canonical(item) for key, item in items}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [canonical(item) for item in cast("Sequence[Any]", value)]
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if value is None or isinstance(value, str | bool | int):
        return value
    return str(value)


def digest(value: Any) -> str:
    """Return the sha256 of a canonical value, hexadecimal."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def sources_hash(package: str) -> str:
    """Return the sha256 over names and contents of a package's source files, or "" if absent."""
    try:
        spec = find_spec(package)
    except ModuleNotFoundError:
        spec = None
    if spec is None or not spec.submodule_search_locations:
        return ""
    total = hashlib.sha256()
    for location in spec.submodule_search_locations:
        root = Path(location)
        for path in sorted(p for p in root.rglob("*") if p.suffix in SUFFIXES):
            total.update(path.relative_to(root).as_posix().encode() + b"\0")
            total.update(path.read_bytes() + b"\0")
    return total.hexdigest()


def differences(there: Any, here: Any) -> list[str]:
    """Return 'key: X there, Y here' for every leaf in which two documents differ."""
    old, new = dict(_leaves(there)), dict(_leaves(here))
    found: list[str] = list(_other_data(old, new))
    for key in [*old, *(key for key in new if key not in old)]:
        before, after = old.get(key, "absent"), new.get(key, "absent")
        if before == after or (found and key.startswith(DATA)):
            continue
        name = key.removeprefix("identity.").removeprefix("scenario.")
        if name.startswith("sources."):
            found.append(f"the source code of {name.removeprefix('sources.')} has changed")
        elif name.startswith("code."):
            found.append(f"the code that {name.removeprefix('code.')} names has changed")
        else:
            found.append(f"{name} is {_short(before)} there and {_short(after)} here")
    return found


def _other_data(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Files that hold other bytes; the bars made of a replay's follow."""
    for key in (f"{DATA}{name}" for name in FILES):
        before, after = old.get(key), new.get(key)
        if before and after and before != after:
            name = "market.replay.files" if key.endswith("files") else key.removeprefix(DATA)
            yield (
                f"the data in {name} have changed (sha256 {before[:12]} there, {after[:12]} here)"
            )


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, item in cast("dict[str, Any]", value).items():
            yield from _leaves(item, f"{key}.{name}" if key else name)
    elif isinstance(value, list) and any(
        isinstance(item, dict | list) for item in cast("list[Any]", value)
    ):
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _leaves(item, f"{key}[{index}]")
    else:
        yield key, value


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
