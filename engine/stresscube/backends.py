"""Which code runs a block: backends by name, behind one small interface."""

from __future__ import annotations

import platform
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, Self

from numpy.typing import NDArray

from stresscube.errors import StresscubeError
from stresscube_kernels import cards, jax_here
from stresscube_kernels.contract import Shape, Tick
from stresscube_kernels.rules import outcome_fields, rules_of
from stresscube_kernels.spec import Job
from stresscube_kernels.tree import names

NAMES = ("auto", "cpu", "cuda", "xla")
LANES = 64
"""Paths that a thread takes at a time."""
STEPS_AT_ONCE = 1024
"""Steps of tape that a thread holds."""


class Simulated(Protocol):
    """What one batch of paths gave.

    per_policy: [outcome field, policy, path], in the run's precision.
    market: [2, path], whole-path simple returns of legs a and b.
    """

    @property
    def per_policy(self) -> Any: ...
    @property
    def market(self) -> Any: ...


class Prepared(Protocol):
    """One job, compiled and ready to run any range of its paths."""

    def run(
        self,
        first_path: int,
        n_paths: int,
        *,
        stop: threading.Event | None = None,
        advance: Callable[[int], None] | None = None,
    ) -> Simulated:
        """Simulate paths [first_path, first_path + n_paths).

        advance: called with the policy-steps just done, from any thread. Raises an exception
        of its own, or returns unusable outcomes, soon after `stop` is set.
        """
        ...


class Backend(Protocol):
    """A way to simulate a job.

    name: what a user types and plan.json records. block_policies: most policies of a block;
    it is part of how a run is divided. packages: whose versions determine the numbers.
    device: what computes, as a reader would name it.
    """

    @property
    def name(self) -> str: ...
    @property
    def block_policies(self) -> int: ...
    @property
    def packages(self) -> tuple[str, ...]: ...
    @property
    def device(self) -> str: ...
    def prepare(self, job: Job, threads: int, shape: Shape, *, on_device: bool = False) -> Prepared:
        """Compile code of this shape, or find it compiled, and pack the job's numbers.

        on_device: outcomes stay on its device; else they come as numpy arrays.
        """
        ...

    def simulating(self, threads: int) -> int:
        """Return how many of so many threads simulate at the same time."""
        ...

    def thread_bytes(self, code: Shape, policies: int, width: int) -> int:
        """Return about what a thread of such code allocates, for numbers of `width` bytes."""
        ...

    def workers(self) -> tuple[Backend, ...]:
        """Return a backend for each device that can have a block of its own; itself if one."""
        ...

    def keeps(self, count: int) -> bool:
        """Tell whether so many bytes can stay on its device, where metrics are then computed."""
        ...

    def active(self) -> AbstractContextManager[Any]:
        """Make its device the one that arrays are made and computed on."""
        ...

    def bring(self, array: NDArray[Any]) -> Any:
        """Return the array on its device."""
        ...


class _InThisMemory:
    """A backend whose outcomes come as numpy arrays, and which has one block at a time."""

    __slots__ = ()

    def workers(self) -> tuple[Self, ...]:
        """Itself: all that it computes with shares one block."""
        return (self,)

    def keeps(self, count: int) -> bool:
        """No: metrics are computed from numpy's arrays."""
        return False

    def active(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def bring(self, array: NDArray[Any]) -> Any:
        """Itself."""
        return array


@dataclass(frozen=True, slots=True)
class CpuBackend(_InThisMemory):
    """Compiled loops on this machine's processor cores."""

    name: str = "cpu"
    block_policies: int = 512
    packages: tuple[str, ...] = ("numpy", "numba", "llvmlite")

    @property
    def device(self) -> str:
        """The processor's name."""
        return processor_name()

    def prepare(self, job: Job, threads: int, shape: Shape, *, on_device: bool = False) -> Prepared:
        from stresscube_kernels import cpu

        return cpu.prepare(job, threads=threads, shape=shape)

    def simulating(self, threads: int) -> int:
        """All of them."""
        return threads

    def thread_bytes(self, code: Shape, policies: int, width: int) -> int:
        """A group of paths: their tape, and accounts and outcomes (twice) of all policies."""
        account = len(names(rules_of(code).account)) + 2 * len(outcome_fields(code))
        padded = -(-policies // LANES) * LANES
        return LANES * width * (STEPS_AT_ONCE * len(Tick._fields) + padded * account)


@dataclass(frozen=True, slots=True)
class CudaBackend:
    """NVIDIA cards. devices: their numbers; several take a block each at the same time.

    package: CuPy's distribution. compiler: that of its compiler, "" where it is not a package.
    """

    devices: tuple[int, ...]
    package: str
    device: str
    compiler: str = ""
    name: str = "cuda"
    block_policies: int = 4096

    @property
    def packages(self) -> tuple[str, ...]:
        """Whose versions determine the numbers."""
        return ("numpy", self.package, *([self.compiler] if self.compiler else []))

    def prepare(self, job: Job, threads: int, shape: Shape, *, on_device: bool = False) -> Prepared:
        from stresscube_kernels import cuda

        return cuda.prepare(job, shape=shape, device=self.devices[0], to_host=not on_device)

    def simulating(self, threads: int) -> int:
        """One: it feeds a card."""
        return 1

    def thread_bytes(self, code: Shape, policies: int, width: int) -> int:
        """A batch that comes from the card, before it has its place."""
        from stresscube_kernels import cuda

        return cuda.staged_bytes(len(outcome_fields(code)), policies, width)

    def workers(self) -> tuple[Backend, ...]:
        """Every card."""
        return tuple(replace(self, devices=(number,)) for number in self.devices)

    def keeps(self, count: int) -> bool:
        """Two thirds of what is free on the fullest card; batches in flight have the rest."""
        from stresscube_kernels import cuda_memory

        return count <= min(map(cuda_memory.free_bytes, self.devices)) * 2 // 3

    def active(self) -> AbstractContextManager[Any]:
        from stresscube_kernels import cuda_memory

        return cuda_memory.on_device(self.devices[0])

    def bring(self, array: NDArray[Any]) -> Any:
        return cards.cupy().asarray(array)


@dataclass(frozen=True, slots=True)
class XlaBackend(_InThisMemory):
    """JAX on all of this machine's devices at once: TPUs, cards or the processor."""

    device: str
    name: str = "xla"
    block_policies: int = 512
    packages: tuple[str, ...] = ("numpy", "jax", "jaxlib")

    def prepare(self, job: Job, threads: int, shape: Shape, *, on_device: bool = False) -> Prepared:
        from stresscube_kernels import xla

        return xla.prepare(job, shape=shape)

    def simulating(self, threads: int) -> int:
        """One: JAX itself uses all devices and cores."""
        return 1

    def thread_bytes(self, code: Shape, policies: int, width: int) -> int:
        """A batch of paths: what is in flight where that is this memory, and its outcomes."""
        from stresscube_kernels import xla

        return xla.batch_bytes(code, policies, width)


def choose(backend: str | Backend) -> Backend:
    """Return the backend of this name, or the backend itself.

    Raises StresscubeError for an unknown name, and for cuda or xla where it cannot be used.
    """
    if not isinstance(backend, str):
        return backend
    if backend == "auto":
        return automatic()[0]
    if backend == "cpu":
        return CpuBackend()
    if backend == "cuda":
        if reason := cards.why_not():
            raise StresscubeError(f"--backend cuda: {reason}")
        return cuda_backend()
    if backend == "xla":
        return xla_backend()
    raise StresscubeError(f"--backend {backend}: must be one of {', '.join(NAMES)}")


def elsewhere(backend: str | Backend) -> Backend:
    """Return the backend that machines other than this one have: no card needs to be here.

    Raises StresscubeError as `choose`, and for cuda without CuPy, whose version is a part of
    what determines the numbers.
    """
    if backend != "cuda" or not cards.why_not():
        return choose(backend)
    cupy = cards.installed()
    if cupy is None:
        raise StresscubeError(
            "--backend cuda: the CuPy of the workers must be installed here too, though no card "
            f"is needed: {cards.install(None)}"
        )
    return CudaBackend((), cupy.package, "")


def automatic() -> tuple[Backend, str]:
    """Return the backend that "auto" takes, and why: a few words."""
    if reason := cards.why_not():
        return CpuBackend(), reason
    return cuda_backend(), "a card and CuPy are here"


def cuda_backend() -> CudaBackend:
    """Return the backend of all cards that are alike."""
    driver, cupy = cards.driver(), cards.installed()
    assert cupy is not None
    alike = cards.usable(driver, cupy)
    return CudaBackend(alike, cupy.package, driver.cards[alike[0]].name, cupy.compiler or "")


def xla_backend() -> XlaBackend:
    """Return the backend of all devices that JAX has here.

    Raises StresscubeError where there is no JAX, or it finds no device.
    """
    if reason := jax_here.why_not():
        raise StresscubeError(f"--backend xla: {reason}")
    try:
        found = jax_here.devices()
    except RuntimeError as fault:
        raise StresscubeError(f"--backend xla: JAX finds no device: {fault}") from fault
    kind = processor_name() if found.platform == "cpu" else found.kind
    return XlaBackend(kind if found.count == 1 else f"{found.count} x {kind}")


def versions(backend: Backend) -> dict[str, str]:
    """Return {package: version} of the packages that determine this backend's numbers."""
    return {name: version(name) for name in backend.packages}


def processor_name() -> str:
    """Return the processor's name as its system gives it, or its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()
