"""CuPy's part in the CUDA backend, on numpy arrays and the emulated kernels.

What is done on a stream waits until somebody synchronizes it, and an array that was not written
yet holds NaN, so that a missing wait shows. Every allocation has guards on both sides that each
launch checks. A card has a fixed memory, so that running out of it can be had.
"""

from __future__ import annotations

import operator
import re
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from types import ModuleType, SimpleNamespace, TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stresscube_kernels import cuda

from .module import EmulatedKernel, LaunchError, build

GUARD = 64
"""Bytes on either side of an allocation; also its alignment."""
CANARY = 0xA5


class OutOfMemoryError(MemoryError):
    """The card's memory does not hold an array."""


class Stream:
    """Work in order, done when it is waited for (waits) or at once."""

    def __init__(self, machine: Machine, waits: bool = True) -> None:
        self.machine = machine
        self.card = machine.card
        self.waits = waits
        self._work: deque[tuple[int, Callable[[], None]]] = deque()
        self._count = 0

    def add(self, work: Callable[[], None]) -> None:
        self._count += 1
        self._work.append((self._count, work))
        if not self.waits:
            self.synchronize()

    def synchronize(self) -> None:
        self.run_to(self._count)

    def run_to(self, last: int) -> None:
        while self._work and self._work[0][0] <= last:
            self._work.popleft()[1]()

    def record(self) -> SimpleNamespace:
        last = self._count
        return SimpleNamespace(synchronize=lambda: self.run_to(last))

    def __enter__(self) -> Stream:
        self.machine.streams.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.machine.streams.pop()


class Array:
    """An array on a card. On the default stream things happen at once; on another, what is
    computed and stored waits until that stream is waited for.

    As with CuPy, numpy arrays do not mix with it and nothing turns it into one but `get`.
    """

    __module__ = "cupy"
    __array_ufunc__ = None  # numpy leaves operators to us

    def __init__(self, machine: Machine, card: int, get: Callable[[], NDArray[Any]]) -> None:
        self.machine = machine
        self.card = card
        self._get = get

    @property
    def shape(self) -> tuple[int, ...]:
        return self._get().shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._get().dtype

    def _view(self, make: Callable[[NDArray[Any]], NDArray[Any]]) -> Array:
        return Array(self.machine, self.card, lambda: make(self._get()))

    def __getitem__(self, key: Any) -> Array:
        key = self.machine.unwrapped(key)
        made = self._get()[key]
        if np.shares_memory(made, self._get()):
            return self._view(lambda array: array[key])
        return self.machine.wrapped(made)

    def reshape(self, *shape: Any) -> Array:
        return self._view(lambda array: array.reshape(*shape))

    def __setitem__(self, key: Any, value: Any) -> None:
        key, held = self.machine.unwrapped(key), value

        def assign() -> None:
            self._get()[key] = self.machine.unwrapped(held)

        self.machine.stream.add(assign)

    def astype(self, dtype: Any) -> Array:
        return self.machine.wrapped(self._get().astype(dtype))

    def get(self) -> NDArray[Any]:
        """A copy on the host, after what the current stream still has to do."""
        self.machine.stream.synchronize()
        return self._get().copy()

    def __array__(self, *_: Any, **__: Any) -> NDArray[Any]:
        raise TypeError("a card's array does not become numpy's by itself: use get()")

    def __bool__(self) -> bool:
        return bool(self._get())


def _operator(name: str) -> Any:
    function = getattr(operator, name)

    def apply(self: Array, *others: Any) -> Array:
        machine = self.machine
        held = [self, *others]
        if machine.stream.waits:
            return Array(machine, self.card, lambda: function(*map(machine.unwrapped, held)))
        return machine.wrapped(function(*map(machine.unwrapped, held)))

    def reflected(self: Array, other: Any) -> Array:
        return self.machine.wrapped(function(self.machine.unwrapped(other), self._get()))

    def in_place(self: Array, other: Any) -> Array:
        self._get()[...] = function(self._get(), self.machine.unwrapped(other))
        return self

    return apply, reflected, in_place


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and_", "or_"):
    _word = _name.rstrip("_")
    _apply, _reflected, _in_place = _operator(_name)
    setattr(Array, f"__{_word}__", _apply)
    setattr(Array, f"__r{_word}__", _reflected)
    setattr(Array, f"__i{_word}__", _in_place)
for _name in ("lt", "le", "gt", "ge", "eq", "ne", "neg", "invert", "abs"):
    setattr(Array, f"__{_name}__", _operator(_name)[0])


class Kernel:
    """A kernel of a module, launched on the current stream of the current card."""

    def __init__(self, machine: Machine, kernel: EmulatedKernel, local_size_bytes: int) -> None:
        self.machine = machine
        self.local_size_bytes = local_size_bytes
        self.num_regs = 64
        self._kernel = kernel

    def __call__(self, grid: Sequence[int], block: Sequence[int], args: Sequence[Any]) -> None:
        machine = self.machine
        away = [a for a in args if isinstance(a, Array) and a.card != machine.card]
        if away:
            raise LaunchError(f"{self._kernel.name}: an array of another card")
        if not all(isinstance(a, Array | np.generic) for a in args):
            raise LaunchError(f"{self._kernel.name}: pass numpy scalars, whose size is known")
        machine.launches.append((self._kernel.name, machine.card, tuple(grid), tuple(block)))

        def run() -> None:
            held = [a._get() if isinstance(a, Array) else a for a in args]
            self._kernel(grid, block[0], held)
            machine.check_guards(self._kernel.name)

        machine.stream.add(run)


class Namespace(ModuleType):
    """Numpy's functions on a card's arrays, for what the host side does not name itself."""

    def __init__(self, machine: Machine) -> None:
        super().__init__("cupy")
        self._machine = machine

    def __getattr__(self, name: str) -> Any:
        found = getattr(np, name)
        if not callable(found) or isinstance(found, type):
            return found
        machine = self._machine

        def call(*args: Any, **rest: Any) -> Any:
            made = found(*map(machine.unwrapped, args), **rest)
            return (
                tuple(map(machine.wrapped, made))
                if isinstance(made, tuple)
                else machine.wrapped(made)
            )

        return call


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
        self.used = [0] * cards
        self.most_used = [0] * cards
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

    def allocate(self, shape: Any, dtype: Any) -> Array:
        card, dtype = self.card, np.dtype(dtype)
        size = int(np.prod(shape)) * dtype.itemsize
        if self.used[card] + size > self.memory:
            raise OutOfMemoryError(f"out of memory allocating {size} bytes")
        base = np.full(size + 3 * GUARD, CANARY, np.uint8)
        start = GUARD + -(base.ctypes.data + GUARD) % GUARD
        inside = base[start : start + size]
        array = inside.view(dtype).reshape(shape)
        array.fill(np.nan if dtype.kind == "f" else 0xDEADBEEF)
        self.used[card] += size
        self.most_used[card] = max(self.most_used[card], self.used[card])
        self._alive[id(base)] = base

        def free(key: int = id(base)) -> None:
            self.used[card] -= size
            del self._alive[key]

        made = Array(self, card, lambda: array)
        weakref.finalize(array, free)
        del base, inside
        return made

    def wrapped(self, value: Any) -> Any:
        """A result as an array of the current card."""
        array = np.asarray(value)
        return Array(self, self.card, lambda: array)

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
                if not 0 <= card < len(machine.used):
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

        pool = SimpleNamespace(
            free_bytes=lambda: 0, free_all_blocks=lambda: None, used_bytes=lambda: machine.used
        )
        module = Namespace(self)
        module.__dict__.update(
            RawModule=RawModule,
            ndarray=Array,
            asarray=machine.asarray,
            asnumpy=lambda array: array.get(),
            empty=machine.allocate,
            get_default_memory_pool=lambda: pool,
            cuda=SimpleNamespace(
                Device=Device,
                Event=Event,
                get_elapsed_time=lambda start, end: (end.time - start.time) * 1e3,
                Stream=lambda non_blocking=False: Stream(machine),
                get_current_stream=lambda: machine.stream,
                memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
                runtime=SimpleNamespace(
                    memGetInfo=lambda: (
                        machine.memory - machine.used[machine.card],
                        machine.memory,
                    ),
                    getDeviceCount=lambda: len(machine.used),
                ),
            ),
        )
        return module


def install(machine: Machine, monkeypatch: Any) -> Machine:
    """Let `import cupy` find this machine for the length of a test."""
    monkeypatch.setitem(sys.modules, "cupy", machine.module())
    # past its cache, which may hold kernels of another test's machine
    uncached = getattr(cuda.cuda_kernels, "__wrapped__", cuda.cuda_kernels)
    monkeypatch.setattr(cuda, "cuda_kernels", uncached)
    return machine
