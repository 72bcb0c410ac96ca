"""From a path to text, and from text to plain TOML tables, with faults instead of tracebacks."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from stresscube.scenario.faults import ABSENT, Fault, ScenarioError, did_you_mean

LARGEST = 10_000_000
"""Bytes; a scenario file is thousands of times smaller."""


def read_text(path: Path) -> str:
    """The text of a scenario file. Raises ScenarioError with the one thing that is wrong."""
    source = str(path)
    try:
        if path.is_dir():
            raise _error(source, "is a folder; name a scenario file in it, such as x.toml")
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise _error(source, f"no such file{_nearby(path)}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _error(source, f"cannot be read: {reason}") from None
    if len(data) > LARGEST:
        raise _error(source, f"is larger than {LARGEST:,} bytes; this is no scenario file")
    return _decode(source, data)


def read_toml(text: str, source: str) -> dict[str, Any]:
    """TOML text as tables. Raises ScenarioError with line and column."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise _error(source, "is not valid TOML: lists or tables are nested too deeply") from None
    except ValueError as error:
        raise _error(source, f"is not valid TOML: {_plain(str(error), text)}") from None


def _decode(source: str, data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _error(source, "line 1, column 1: is UTF-16 text; save it as UTF-8")
    if data.startswith(b"\xef\xbb\xbf"):
        raise _error(
            source, "line 1, column 1: begins with a byte order mark; save it as UTF-8 without one"
        )
    if b"\0" in data:
        where = _place(data, data.index(b"\0"))
        raise _error(source, f"{where}: holds a zero byte; this is no text file")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        where = _place(data, error.start)
        byte = data[error.start]
        raise _error(source, f"{where}: byte 0x{byte:02x} is not UTF-8; save it as UTF-8") from None


def _place(data: bytes, offset: int) -> str:
    before = data[:offset]
    column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", errors="replace"))
    return f"line {before.count(bytes([10])) + 1}, column {column + 1}"


def _plain(message: str, text: str) -> str:
    """tomllib's message on one line, with the place where the text ends if it is there."""
    end = f"{text.count(chr(10)) + 1}, column {len(text) - text.rfind(chr(10))}"
    message = message.replace("(at end of document)", f"(line {end}, the end)")
    return " ".join(message.split()).replace("(at line ", "(line ")


def _nearby(path: Path) -> str:
    try:
        names = sorted(item.name for item in path.parent.glob("*.toml"))
    except OSError:
        return ""
    hint = did_you_mean(path.name, names)
    return f"; {hint}" if hint else ""


def _error(source: str, sentence: str) -> ScenarioError:
    return ScenarioError([Fault(source, "", ABSENT, sentence)])
