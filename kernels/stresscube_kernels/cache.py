"""Where generated code and its compiled form are kept between processes."""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import platformdirs

FOLDER_VARIABLE = "STRESSCUBE_CACHE_DIR"


def digest(*parts: str) -> str:
    """A short name for generated code: equal parts, equal name."""
    joined = "\0".join(parts)
    return hashlib.sha256(joined.encode()).hexdigest()[:20]


@lru_cache(maxsize=1)
def folder() -> Path:
    """The cache folder of this user, or a private temporary one where none can be written."""
    named = os.environ.get(FOLDER_VARIABLE)
    wanted = Path(named) if named else Path(platformdirs.user_cache_dir("stresscube"))
    try:
        wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=wanted):
            return wanted
    except OSError:
        made = Path(tempfile.mkdtemp(prefix="stresscube-"))
        atexit.register(shutil.rmtree, made, ignore_errors=True)
        return made


@contextmanager
def locked(name: str) -> Generator[Path]:
    """The folder of one piece of code, held by one process at a time, so one compiles."""
    place = folder() / name
    place.mkdir(mode=0o700, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield place


def write_once(path: Path, text: str) -> None:
    """Write a file by rename, unless it is there: readers never see half of it."""
    if path.exists() and path.read_text() == text:
        return
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    os.replace(temporary, path)


def load_module(path: Path, name: str) -> ModuleType:
    """Import a generated Python file under a name of its own."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # numba pickles functions by module name
    spec.loader.exec_module(module)
    return module
