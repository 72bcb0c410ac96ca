"""What there is for the CUDA backend on this machine: driver, cards, CuPy. Needs none of them.

The driver is asked directly, so the answer comes at once and with the driver's own reason.
"""

from __future__ import annotations

import ctypes
import importlib
import os
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from . import cache

OLDEST_CUDA = 12
OLDEST_CARD = {12: (5, 0), 13: (7, 5)}
"""The compute capability that the compiler of a CUDA version needs."""
OLDEST_CUPY = 14
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

    @property
    def compiler(self) -> str | None:
        """The distribution that brings its compiler, if one is installed."""
        name = {13: "nvidia-cuda-nvrtc", 12: "nvidia-cuda-nvrtc-cu12"}.get(self.cuda)
        return name if name and _version(name) else None


def cupy() -> Any:
    """CuPy itself, imported where it is needed: it is not there on most machines.

    What it compiles is kept where ours is, unless CUPY_CACHE_DIR names a place: by itself it takes
    the home folder, and cannot be imported where that cannot be written.
    """
    os.environ.setdefault("CUPY_CACHE_DIR", str(cache.folder() / "cupy"))
    return importlib.import_module("cupy")


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
        if found := _version(package):
            return CuPy(package, found, cuda)
    return None


def usable(found: Driver, cupy: CuPy | None) -> tuple[int, ...]:
    """The numbers of the cards that can be used at once: alike, as the first that is new enough."""
    oldest = OLDEST_CARD.get(cupy.cuda if cupy else 0, (0, 0))
    able = [n for n, card in enumerate(found.cards) if card.capability >= oldest]
    return tuple(n for n in able if found.cards[n].name == found.cards[able[0]].name)


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
    here = installed()
    if here is None:
        return f"CuPy is not installed: {install(found)}"
    if int(here.version.partition(".")[0]) < OLDEST_CUPY:
        return f"{here.package} {here.version} is too old: {install(found)}"
    if here.cuda > found.cuda[0]:
        return (
            f"{here.package} is for CUDA {here.cuda}, the driver for {dotted(found.cuda)}: "
            f"pip uninstall {here.package}, then {install(found)}"
        )
    if not usable(found, here):
        card = found.cards[0]
        return (
            f"{card.name} is of compute capability {dotted(card.capability)}, which CUDA "
            f"{here.cuda} has left behind: pip uninstall {here.package}, then {install(found)}"
        )
    return _fault(usable(found, here)[0])


def install(found: Driver | None) -> str:
    """The command that installs what a driver and its cards need beside them."""
    extra = "cuda"
    if found is not None:
        newest = max((card.capability for card in found.cards), default=OLDEST_CARD[13])
        if found.cuda[0] == OLDEST_CUDA or newest < OLDEST_CARD[13]:
            extra = "cuda12"
    return f"pip install 'stresscube[{extra}]'"


def _fault(card: int) -> str | None:
    """Why CuPy does not start on a card, in one line; None if it does."""
    try:
        xp = cupy()
        xp.cuda.nvrtc.getVersion()
        with xp.cuda.Device(card):
            xp.cuda.runtime.memGetInfo()
    except Exception as fault:  # whatever a library or the driver comes up with
        lines = (line.strip() for line in str(fault).splitlines())
        said = next((line for line in lines if any(map(str.isalpha, line))), "no reason given")
        return f"CuPy does not start ({type(fault).__name__}: {said})"
    return None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


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
