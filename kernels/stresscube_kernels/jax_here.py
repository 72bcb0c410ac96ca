"""What there is for the XLA backend on this machine: JAX and its devices. Needs no JAX itself."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

OLDEST = (0, 9)
INSTALL = "pip install 'stresscube[xla]'; for accelerators 'jax[tpu]' or 'jax[cuda13]' besides"


@dataclass(frozen=True, slots=True)
class Devices:
    """JAX's local devices: what it calls their platform and kind, and how many there are."""

    platform: str
    kind: str
    count: int


def installed() -> str | None:
    """The version of JAX that is installed, if one is."""
    try:
        return version("jax")
    except PackageNotFoundError:
        return None


def why_not() -> str | None:
    """Why the XLA backend cannot run here, or None where it can. Does not start JAX."""
    found = installed()
    if found is None:
        return f"JAX is not installed: {INSTALL}"
    if tuple(map(int, found.split(".")[:2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return f"jax {found} is too old; {oldest} or later is needed: {INSTALL}"
    return None


def devices() -> Devices:
    """The local devices that JAX computes on by default.

    Raises RuntimeError, in JAX's words, where it finds none that it is told to use.
    """
    found = importlib.import_module("jax").local_devices()
    return Devices(found[0].platform, found[0].device_kind, len(found))
