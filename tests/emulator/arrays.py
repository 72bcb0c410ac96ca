"""Streams and arrays of a made-up card.

What is done on a stream waits until somebody synchronizes it. Arrays are numpy's, which nothing
turns into one but `get`.
"""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .fake_cupy import Machine


class Stream:
    """Work in order, done when it is waited for (waits) or at once."""

    def __init__(self, machine: Machine, waits: bool = True) -> None:
        self.machine = machine
        self.card = machine.card
        self.waits = waits
        self._work: deque[tuple[int, Callable[[], object]]] = deque()
        self._count = 0
        machine.all_streams.append(self)

    def add(self, work: Callable[[], object]) -> None:
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

    def __init__(
        self,
        machine: Machine,
        card: int,
        get: Callable[[], NDArray[Any]],
        memory: Memory | None = None,
    ) -> None:
        self.machine = machine
        self.card = card
        self.memory = memory
        self._get = get

    @property
    def shape(self) -> tuple[int, ...]:
        return self._get().shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._get().dtype

    @property
    def nbytes(self) -> int:
        return self._get().nbytes

    @property
    def data(self) -> SimpleNamespace:
        return SimpleNamespace(ptr=self._get().ctypes.data)

    def _view(self, make: Callable[[NDArray[Any]], NDArray[Any]]) -> Array:
        return Array(self.machine, self.card, lambda: make(self._get()), self.memory)

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

    def get(self, stream: Stream | None = None) -> NDArray[Any]:
        """A copy on the host, after what the stream (the current one) still has to do."""
        (stream or self.machine.stream).synchronize()
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


class Memory:
    """What an array lies in. stream: the one that was current then, on which alone it may be given
    back while work that uses it waits."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream


class Namespace(ModuleType):
    """Functions of numpy (or of another module) on a card's arrays."""

    def __init__(self, machine: Machine, functions: ModuleType = np) -> None:
        super().__init__("cupy")
        self._machine = machine
        self._functions = functions

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._functions, name)
        if not callable(found) or isinstance(found, type):
            return found
        machine = self._machine

        def call(*args: Any, out: Array | None = None, **rest: Any) -> Any:
            if out is not None:
                target = out
                machine.stream.add(
                    lambda: found(*map(machine.unwrapped, args), out=target._get(), **rest)
                )
                return out
            made = found(*map(machine.unwrapped, args), **rest)
            if isinstance(made, tuple):
                return tuple(machine.wrapped(each, args) for each in made)
            return machine.wrapped(made, args)

        return call
