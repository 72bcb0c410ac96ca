"""What there is for the CUDA backend on this machine: driver, cards, CuPy. Needs none of them.

The driver is asked directly, so the answer comes at once and with the driver's own reason.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

OLDEST_CUDA = 12
_LIBRARY = "libcuda.so.1"
_CAPABILITY = (75, 76)  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR


class NoDriver(RuntimeError):
    """Why no driver answers, in a few words."""


@dataclass(frozen=True, slots=True)
class Card:
    """One card: its name, bytes of memory and compute capability."""

    name: str
    memory: int
    capability: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Driver:
    """cuda: the newest CUDA version that it runs."""

    cuda: tuple[int, int]
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True)
class CuPy:
    """The CuPy that is installed, and the CUDA version it was built for (0: not known)."""

    package: str
    version: str
    cuda: int


def driver() -> Driver:
    """Ask the driver.

    Raises NoDriver where there is none or it cannot start.
    """
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError:
        raise NoDriver(f"there is no NVIDIA driver ({_LIBRARY} was not found)") from None
    no_card = 100
    started = library.cuInit(0)
    if started not in (0, no_card):
        raise NoDriver(f"the NVIDIA driver does not start: {_reason(library, started)}")
    number = ctypes.c_int()
    library.cuDriverGetVersion(ctypes.byref(number))
    cuda = number.value // 1000, number.value % 1000 // 10
    count = ctypes.c_int()
    if started == no_card or library.cuDeviceGetCount(ctypes.byref(count)):
        return Driver(cuda, ())
    return Driver(cuda, tuple(_card(library, index) for index in range(count.value)))


def installed() -> CuPy | None:
    """The CuPy that is installed, not imported."""
    for package, cuda in (("cupy-cuda13x", 13), ("cupy-cuda12x", 12), ("cupy", 0)):
        try:
            return CuPy(package, version(package), cuda)
        except PackageNotFoundError:
            continue
    return None


def why_not() -> str | None:
    """Why the CUDA backend cannot be used here, in one line; None if it can."""
    try:
        found = driver()
    except NoDriver as reason:
        return str(reason)
    if not found.cards:
        return "the NVIDIA driver sees no card"
    if found.cuda[0] < OLDEST_CUDA:
        return f"the NVIDIA driver is for CUDA {dotted(found.cuda)}; {OLDEST_CUDA} is needed"
    cupy = installed()
    if cupy is None:
        return f"CuPy is not installed: {install(found)}"
    if cupy.cuda > found.cuda[0]:
        return (
            f"{cupy.package} is for CUDA {cupy.cuda}, the driver for {dotted(found.cuda)}: "
            f"pip uninstall {cupy.package}, then {install(found)}"
        )
    return None


def install(found: Driver | None) -> str:
    """The command that installs what a driver needs beside it."""
    extra = "cuda12" if found is not None and found.cuda[0] == OLDEST_CUDA else "cuda"
    return f"pip install 'stresscube[{extra}]'"


def dotted(pair: tuple[int, int]) -> str:
    """A version as text."""
    return f"{pair[0]}.{pair[1]}"


def _card(library: Any, index: int) -> Card:
    device, size = ctypes.c_int(), ctypes.c_size_t()
    name = ctypes.create_string_buffer(256)
    library.cuDeviceGet(ctypes.byref(device), index)
    library.cuDeviceGetName(name, len(name), device)
    library.cuDeviceTotalMem_v2(ctypes.byref(size), device)
    capability: list[int] = []
    for attribute in _CAPABILITY:
        value = ctypes.c_int()
        library.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
        capability.append(value.value)
    return Card(name.value.decode(), size.value, (capability[0], capability[1]))


def _reason(library: Any, error: int) -> str:
    text = ctypes.c_char_p()
    if library.cuGetErrorString(error, ctypes.byref(text)) or text.value is None:
        return f"error {error}"
    return text.value.decode()
