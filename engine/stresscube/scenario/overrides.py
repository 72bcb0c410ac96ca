"""--set key=value: values laid over a file before it is checked."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, cast

from stresscube.scenario.faults import ABSENT, Fault, did_you_mean, quoted
from stresscube.scenario.grammar import children, lookup

SOURCE = "--set"
_BARE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")


class _Bad(ValueError):
    """An override that cannot be applied."""


def apply(raw: dict[str, Any], texts: Iterable[str]) -> tuple[list[str], list[Fault]]:
    """Change `raw` as the texts say; return the keys changed, as faults write them, and faults."""
    changed: list[str] = []
    faults: list[Fault] = []
    for text in texts:
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not key:
            sentence = f'"{text}" must be key=value, as in policy.leverage=5'
            faults.append(Fault(SOURCE, "", ABSENT, sentence))
            continue
        shown: Any = value
        try:
            shown = _value(value)
            changed.append(_put(raw, key, shown))
        except _Bad as bad:
            faults.append(Fault(SOURCE, key, shown, str(bad)))
    return changed, faults


def covers(changed: Iterable[str], key: str) -> bool:
    """Whether a fault at `key` lies in something that was set."""
    return any(key == one or key.startswith((f"{one}.", f"{one}[")) for one in changed)


def unused(raw: dict[str, Any], changed: Iterable[str], swept: Mapping[str, str]) -> list[Fault]:
    """Overrides of a value that [sweep] varies anyway, and so would do nothing.

    swept: where each swept value stands -> its key in [sweep].
    """
    return [
        Fault(
            SOURCE,
            key,
            lookup(raw, key)[1],
            f"would not be used, because [sweep] varies it; set sweep.{swept[key]} to a list",
        )
        for key in changed
        if key in swept and lookup(raw, key)[0]
    ]


def _value(text: str) -> Any:
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        if _BARE.fullmatch(text):
            return text
        raise _Bad("is no TOML value; put text in quotes, lists in [ ]") from None
    if list(table) != ["value"]:
        raise _Bad("must be one value")
    return table["value"]


def _put(raw: dict[str, Any], key: str, value: Any) -> str:
    if key.startswith("sweep."):
        word = key.removeprefix("sweep.").strip("\"'")
        table = _table(raw, "sweep", "sweep")
        table[word] = value
        return f"sweep.{word}"
    words = [word for word in re.split(r"\.|(\[\d+\])", key) if word]
    if len(words) == 1:
        _whole(words[0])
    here: Any = raw
    at = ""
    for depth, word in enumerate(words):
        last = depth == len(words) - 1
        if isinstance(here, list):
            items = cast("list[Any]", here)
            index = _index(items, word, at)
            at = f"{at}[{index}]"
            if last:
                items[index] = value
            here = items[index]
        else:
            at = f"{at}.{word}".removeprefix(".")
            if last:
                _dict(here, at)[word] = value
            else:
                here = _next(_dict(here, at), word, at)
    return at


def _next(table: dict[str, Any], word: str, at: str) -> Any:
    return table[word] if isinstance(table.get(word), list) else _table(table, word, at)


def _table(table: dict[str, Any], word: str, at: str) -> dict[str, Any]:
    return _dict(table.setdefault(word, {}), f"{at}.")


def _dict(value: Any, at: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        inside = at.rpartition(".")[0]
        raise _Bad(f"{inside} is a value, and has no keys inside")
    return cast("dict[str, Any]", value)


def _index(items: list[Any], word: str, at: str) -> int:
    if word.startswith("["):
        index = int(word[1:-1])
        if index >= len(items):
            raise _Bad(f"{at} has {len(items)} items, counted from 0")
        return index
    names = [
        cast("dict[str, Any]", item).get("name") if isinstance(item, dict) else None
        for item in items
    ]
    if word in names:
        return names.index(word)
    known = [name for name in names if isinstance(name, str)]
    hint = did_you_mean(word, known)
    raise _Bad(f'{at} has no item named "{word}"; {hint or f"it has {quoted(known)}"}')


def _whole(word: str) -> None:
    """A key of one word must be one of the file's own; say where else it may stand."""
    top = [*children(""), "sweep"]
    if word in top:
        return
    deeper = {
        inner: f"{section}.{inner}"
        for section in ("market", "simulation", "policy")
        for inner in children(section)
    }
    near = difflib.get_close_matches(word, deeper, n=1)
    hint = f'did you mean "{deeper[near[0]]}"?' if near else f"it has {quoted(top)}"
    raise _Bad(f"is no key of the file; {hint}")
