"""What went wrong in a user's code, in one sentence: the line, and what to write instead."""

from __future__ import annotations

import linecache
import re
import traceback
from typing import Any

from stresscube.scenario.faults import LONGEST, did_you_mean, quoted
from stresscube_kernels import trace
from stresscube_kernels.toolbox import LookAhead
from stresscube_kernels.trace import Symbol, TraceOps

OPERATIONS = tuple(name for name in vars(TraceOps) if name[0] != "_" and name != "call")
_OPS = ", ".join(OPERATIONS)


def explained(error: BaseException, name: str, path: str) -> str:
    """A sentence for an error that running or calling the code of a file raised.

    name: of the file, in messages. path: as it was compiled.
    """
    if isinstance(error, SyntaxError) and error.filename == path:
        code = (error.text or "").strip()
        return f"{_place(name, error.lineno, code)} is no Python: {error.msg}"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
    number = lines[-1] if lines else None
    code = linecache.getline(path, number).strip() if number else ""
    return f"{_place(name, number, code)}: {_reason(error)}"


def place_of(source: tuple[str, int], name: str, path: str) -> str:
    """How a sentence names the (file, line) that an operation comes from, in a file of code."""
    file, number = source
    if file != path:
        return name
    return _place(name, number, linecache.getline(path, number).strip())


def _place(name: str, number: int | None, code: str) -> str:
    if number is None:
        return name
    shown = code if len(code) <= LONGEST else code[: LONGEST - 4].rstrip() + " ..."
    return f"line {number} of {name} ({shown})" if shown else f"line {number} of {name}"


def _reason(error: BaseException) -> str:
    if isinstance(error, AttributeError):
        return _attribute(error)
    if isinstance(error, LookAhead):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, TypeError) and frames and frames[-1].filename == trace.__file__:
        return str(error)
    message = " ".join(str(error).split())
    if isinstance(error, TypeError) and "Symbol" in message:
        return (
            "a number of the simulation only takes + - * / < <= > >=, the functions of ops "
            f"({_OPS}) and those of stresscube_kernels.toolbox"
        )
    kind = type(error).__name__
    return f"{kind}: {_plain(message)}" if message else f"raises {kind}"


def _attribute(error: AttributeError) -> str:
    owner, name = error.obj, error.name or ""
    if isinstance(owner, TraceOps):
        hint = did_you_mean(name, OPERATIONS)
        more = "; exp and log are in stresscube_kernels.toolbox" if "exp" in name else ""
        return f"ops has no {name}; {hint or f'it has {_OPS}'}{more}"
    fields: Any = getattr(owner, "_fields", None)
    if fields:
        hint = did_you_mean(name, fields) or f"it has {quoted(fields, 40)}"
        return f"{type(owner).__name__} has no field {name}; {hint}"
    if isinstance(owner, Symbol):
        return f"a number of the simulation has no .{name}"
    return f"AttributeError: {_plain(str(error))}"


def _plain(message: str) -> str:
    """A message of Python's in words that a reader of docs/own_rules.md knows."""
    return re.sub(r"'?Symbol'?( object)?", "a number of the simulation", message)
