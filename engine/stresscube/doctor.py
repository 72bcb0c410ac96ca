"""What each backend needs, whether it is here, and what installs it."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from stresscube.backends import automatic as automatic_backend
from stresscube.backends import processor_name
from stresscube_kernels import cache, cards, cpu, jax_here


@dataclass(frozen=True, slots=True)
class Finding:
    """One backend. found: what it needs and is here. missing: what is not. mend: what to do."""

    backend: str
    ready: bool
    found: tuple[str, ...]
    missing: str = ""
    mend: str = ""


def program() -> str:
    """What runs: versions of the program, Python and the system."""
    ours = _package("stresscube") or "stresscube, not installed"
    python = ".".join(map(str, sys.version_info[:3]))
    return f"{ours}; Python {python}; {platform.system()} {platform.machine()}"


def findings() -> tuple[Finding, ...]:
    """Every backend."""
    return cpu_backend(), cuda_backend(), xla_backend()


def cpu_backend() -> Finding:
    """The processor, numba, and where compiled code is kept."""
    cores = cpu.available_threads()
    return Finding(
        "cpu",
        ready=True,
        found=(
            f"{processor_name()}, {cores} {'core' if cores == 1 else 'cores'}",
            ", ".join(filter(None, map(_package, ("numba", "llvmlite", "numpy")))),
            f"compiled code is kept in {cache.folder()}",
        ),
    )


def cuda_backend() -> Finding:
    """The driver, the cards and CuPy."""
    found: list[str] = []
    driver = None
    try:
        driver = cards.driver()
        found.append(f"NVIDIA driver for CUDA {cards.dotted(driver.cuda)}")
        found += [
            f"card {index}: {card.name}, {card.memory / 2**30:.0f} GiB, "
            f"compute capability {cards.dotted(card.capability)}"
            for index, card in enumerate(driver.cards)
        ]
    except cards.NoDriver:
        pass
    cupy = cards.installed()
    compiler = _package(cupy.compiler) if cupy and cupy.compiler else None
    found += [f"{cupy.package} {cupy.version}"] if cupy else []
    found += [compiler] if compiler else []
    missing = cards.why_not() or ""
    if not missing:
        return Finding("cuda", True, tuple(found))
    if driver is None:
        mend = (
            "a machine with an NVIDIA card and its driver, then pip install 'stresscube[cuda]' "
            "(for CUDA 13), or pip install 'stresscube[cuda12]' (where nvidia-smi says CUDA 12)"
        )
    elif driver.cuda[0] < cards.OLDEST_CUDA:
        mend = "a newer NVIDIA driver (version 525 or later)"
    else:
        mend = cards.install(driver)
    return Finding("cuda", False, tuple(found), missing, mend)


def xla_backend() -> Finding:
    """JAX and its devices."""
    found = tuple(filter(None, map(_package, ("jax", "jaxlib"))))
    if reason := jax_here.why_not():
        missing, _, mend = reason.partition(": ")
        return Finding("xla", False, found, missing, mend)
    try:
        devices = jax_here.devices()
    except RuntimeError as fault:
        return Finding("xla", False, found, f"JAX finds no device: {fault}", jax_here.INSTALL)
    device = f"{devices.count} {'device' if devices.count == 1 else 'devices'}: {devices.kind}"
    return Finding("xla", True, (", ".join(found), device))


def automatic() -> str:
    """What `--backend auto` takes, and why."""
    taken, reason = automatic_backend()
    return f"{taken.name}: {reason}"


def _package(name: str) -> str | None:
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return None
