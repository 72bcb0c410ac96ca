"""The nearest valid document to a faulty one, so that the rest of it can be checked too."""

from __future__ import annotations

import re
from typing import Any, cast

from stresscube.scenario.grammar import Key, children, keys, pattern_of


def mended(body: dict[str, Any], faulty: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Put an example or the default where a key is at fault; return the keys so changed."""
    changed: list[str] = []
    for key in faulty:
        at = _known(key)
        changed.append(at or key)
        _replace(body, at or key, keys().get(pattern_of(at)) if at else None)
    return body, changed


def _known(key: str) -> str:
    """The longest part of the key that the grammar has as a value or table; "" if none.

    An unknown key in a known table is not mended through the table but dropped.
    """
    part = key
    while part:
        entry = _entry(part)
        if entry is not None:
            return part if part == key or entry.leaf is not None else ""
        part = re.sub(r"[.\[]?[^.\[]*$", "", part)
    return ""


def _entry(key: str) -> Key | None:
    pattern = pattern_of(key)
    return keys().get(pattern) or keys().get(f"{pattern}[]")


def _replace(body: dict[str, Any], key: str, entry: Key | None) -> None:
    steps = [name or int(index) for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", key)]
    here: Any = body
    for step in steps[:-1]:
        try:
            here = here[step]
        except (KeyError, IndexError, TypeError):
            return
    entry = entry or _entry(key)
    last = steps[-1]
    if isinstance(here, list) and isinstance(last, int) and last < len(cast("list[Any]", here)):
        here[last] = _table(entry)
    elif isinstance(here, dict):
        table = cast("dict[Any, Any]", here)
        table.pop(last, None)
        if entry is not None and entry.required:
            table[last] = _placeholder(entry)


def _placeholder(entry: Key) -> Any:
    if entry.leaf is not None:
        return entry.example
    return [_table(entry)] if entry.many else _table(entry)


def _table(entry: Key | None) -> dict[str, Any]:
    """The least table of a kind: its required keys, with examples."""
    inside = children(entry.pattern) if entry is not None and entry.model is not None else {}
    return {word: _placeholder(child) for word, child in inside.items() if child.required}
