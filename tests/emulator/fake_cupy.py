"""CuPy's part in the CUDA backend, on numpy arrays and the emulated kernels.

What is done on a stream waits until somebody synchronizes it, and an array that was not written
yet holds NaN, so that a missing wait shows; so does an array that was given back before. Every
allocation has guards on both sides that each launch checks. A card has a fixed memory (`pool.py`).
"""

from __future__ import annotations

import re
import sys
import threading
import time
import weakref
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace, TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from stresscube_kernels import cuda

from .arrays import Array, Memory, Namespace, Stream
from .module import EmulatedKernel, LaunchError, build
from .pool import CUDADriverError, CUDARuntimeError, OutOfMemoryError, Pool

GUARD = 64
"""Bytes on either side of an allocation; also its alignment."""
CANARY = 0xA5


class Kernel:
    """A kernel of a module, launched on the current stream of the current card."""

    def __init__(self, machine: Machine, kernel: EmulatedKernel, local_size_bytes: int) -> None:
        self.machine = machine
        self.local_size_bytes = local_size_bytes
        self.num_regs = 64
        self._kernel = kernel

    def __call__(self, grid: Sequence[int], block: Sequence[int], args: Sequence[Any]) -> None:
        machine, name = self.machine, self._kernel.name
        if any(isinstance(a, Array) and a.card != machine.card for a in args):
            raise LaunchError(f"{name}: an array of another card")
        values = [self._argument(a) for a in args]
        memory = [a.memory for a in args if isinstance(a, Array) and a.memory is not None]
        there = [weakref.ref(m) for m in memory if m.stream is not machine.stream]
        held = [m for m in memory if m.stream is machine.stream]
        machine.launches.append((name, machine.card, tuple(grid), tuple(block)))

        def run() -> None:
            if any(ref() is None for ref in there):
                raise LaunchError(f"{name}: an array was given back before the kernel ran")
            self._kernel(grid, block[0], values)
            machine.check_guards(name)
            held.clear()

        machine.stream.add(run)

    def _argument(self, value: Any) -> np.generic:
        """What the driver copies at the launch: an address, or a number or record by value."""
        if isinstance(value, Array):
            array = value._get()
            if not array.flags.c_contiguous:
                raise LaunchError(f"{self._kernel.name}: an array that is not contiguous")
            return np.uint64(array.ctypes.data)
        if isinstance(value, np.ndarray) and value.size == 1:
            return value.copy().reshape(-1)[0]
        if not isinstance(value, np.generic):
            raise LaunchError(f"{self._kernel.name}: pass numpy scalars, whose size is known")
        return value


class Machine:
    """A machine with some cards, and the module that CuPy would be on it.

    memory: bytes of each card. spilled: bytes of local memory a thread, for each number of
    policies a thread. launches: (kernel, card, grid, block) of every launch.
    """

    def __init__(
        self, cards: int = 1, memory: int = 2**30, spilled: dict[int, int] | None = None
    ) -> None:
        self.memory = memory
        self.spilled = spilled or {}
        self._current = threading.local()
        self.launches: list[tuple[str, int, tuple[int, ...], tuple[int, ...]]] = []
        self.pools = [Pool(memory) for _ in range(cards)]
        self.all_streams: list[Stream] = []
        self._alive: dict[int, NDArray[np.uint8]] = {}
        self._default = [self._stream_of(card) for card in range(cards)]

    def _stream_of(self, card: int) -> Stream:
        self.card = card
        made = Stream(self, waits=False)
        self.card = 0
        return made

    @property
    def card(self) -> int:
        """The current card of the current thread."""
        return getattr(self._current, "card", 0)

    @card.setter
    def card(self, card: int) -> None:
        self._current.card = card

    @property
    def streams(self) -> list[Stream]:
        """The streams that the current thread has entered."""
        if not hasattr(self._current, "streams"):
            self._current.streams = []
        return self._current.streams

    @property
    def stream(self) -> Stream:
        """The current stream."""
        ours = [stream for stream in self.streams if stream.card == self.card]
        return ours[-1] if ours else self._default[self.card]

    @contextmanager
    def apart(self) -> Generator[None]:
        """Let this thread's arrays lie outside of the pool."""
        self._current.apart = True
        try:
            yield
        finally:
            self._current.apart = False

    def allocate(self, shape: Any, dtype: Any) -> Array:
        card, dtype, pool = self.card, np.dtype(dtype), self.pools[self.card]
        size = int(np.prod(shape)) * dtype.itemsize
        if getattr(self._current, "apart", False):
            chunk = pool.take_apart(size)
        else:
            chunk = pool.take(size, self.stream)
        base = np.full(size + 3 * GUARD, CANARY, np.uint8)
        start = GUARD + -(base.ctypes.data + GUARD) % GUARD
        array = base[start : start + size].view(dtype).reshape(shape)
        array.fill(np.nan if dtype.kind == "f" else 0xDEADBEEF)
        self._alive[id(base)] = base

        def free(key: int = id(base)) -> None:
            pool.give(chunk)
            self._alive.pop(key).fill(0xFF)  # NaN, for whoever still looks at it

        memory = Memory(self.stream)
        weakref.finalize(memory, free)
        return Array(self, card, lambda: array, memory)

    def drain(self) -> None:
        """Do whatever is left to do on any stream."""
        for stream in self.all_streams:
            stream.synchronize()

    def wrapped(self, value: Any, of: Any = None) -> Any:
        """A result as an array of the current card; it may be a view of what it was made of."""
        array = np.asarray(value)
        return Array(self, self.card, lambda: (array, of)[0])

    def unwrapped(self, value: Any) -> Any:
        """What numpy computes with.

        Raises TypeError for an array of numpy, or of another card, where only ours are taken.
        """
        if isinstance(value, tuple | list):
            return type(value)(map(self.unwrapped, value))
        if isinstance(value, np.ndarray):
            raise TypeError("unsupported type numpy.ndarray: use cupy.asarray")
        if isinstance(value, Array) and value.card != self.card:
            raise LaunchError(f"an array of card {value.card} on card {self.card}")
        return value._get() if isinstance(value, Array) else value

    def check_guards(self, kernel: str) -> None:
        """Raises LaunchError if something was written before or after an array."""
        for base in tuple(self._alive.values()):
            start = GUARD + -(base.ctypes.data + GUARD) % GUARD
            end = start + base.size - 3 * GUARD
            if (base[:start] != CANARY).any() or (base[end:] != CANARY).any():
                raise LaunchError(f"{kernel}: wrote outside of an array")

    def asarray(self, array: Any, dtype: Any = None) -> Array:
        if isinstance(array, Array):
            return array if dtype in (None, array.dtype) else array.astype(dtype)
        array = np.asarray(array, dtype)
        made = self.allocate(array.shape, array.dtype)
        made._get()[...] = array
        return made

    def module(self) -> ModuleType:
        """What `import cupy` gives on this machine."""
        machine = self

        class Device:
            """The card that is current inside `with`."""

            def __init__(self, card: int | None = None) -> None:
                card = machine.card if card is None else card
                if not 0 <= card < len(machine.pools):
                    raise LaunchError(f"there is no card {card}")
                self.id = card
                self.compute_capability = "90"
                self.attributes = {"MultiProcessorCount": 2}

            def __enter__(self) -> Device:
                self._before, machine.card = machine.card, self.id
                return self

            def __exit__(
                self, kind: type[BaseException] | None, _: object, __: TracebackType | None
            ) -> None:
                machine.card = self._before

        class Event:
            """A moment on the current stream."""

            def record(self) -> None:
                machine.stream.add(self._happen)

            def _happen(self) -> None:
                self.time = time.perf_counter()

            def synchronize(self) -> None:
                machine.stream.synchronize()

        class RawModule:
            """Source built by the host compiler."""

            def __init__(self, *, code: str, options: tuple[str, ...] = ()) -> None:
                found = re.search(r"#define POLICIES_PER_THREAD (\d+)", code)
                self._spilled = machine.spilled.get(int(found[1]), 0) if found else 0
                self._kernels = build(code)

            def get_function(self, name: str) -> Kernel:
                return Kernel(machine, self._kernels[name], self._spilled)

        module = Namespace(self)
        module.__dict__.update(
            RawModule=RawModule,
            ndarray=Array,
            asarray=machine.asarray,
            asnumpy=lambda array: array.get(),
            empty=machine.allocate,
            get_default_memory_pool=lambda: machine.pools[machine.card],
            cuda=SimpleNamespace(
                Device=Device,
                Event=Event,
                get_elapsed_time=lambda start, end: (end.time - start.time) * 1e3,
                Stream=lambda non_blocking=False: Stream(machine),
                get_current_stream=lambda: machine.stream,
                using_allocator=machine.apart,
                memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
                nvrtc=SimpleNamespace(getVersion=lambda: (13, 5)),
                driver=SimpleNamespace(CUDADriverError=CUDADriverError),
                runtime=SimpleNamespace(
                    CUDARuntimeError=CUDARuntimeError,
                    memGetInfo=lambda: (
                        machine.memory - machine.pools[machine.card].held,
                        machine.memory,
                    ),
                    getDeviceCount=lambda: len(machine.pools),
                ),
            ),
        )
        return module


def install(machine: Machine, monkeypatch: Any) -> Machine:
    """Let `import cupy` find this machine for the length of a test."""
    monkeypatch.setitem(sys.modules, "cupy", machine.module())
    for name in ("cupyx", "cupyx.scipy"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "cupyx.scipy.special", Namespace(machine, special))
    # past its cache, which may hold kernels of another test's machine
    uncached = getattr(cuda.cuda_kernels, "__wrapped__", cuda.cuda_kernels)
    monkeypatch.setattr(cuda, "cuda_kernels", uncached)
    return machine
