"""The market and policy steps under JAX: one loop over time, paths and policies side by side.

Paths are sharded over devices; nothing crosses from one path to another, so nothing is sent.
Policies are the last, contiguous dimension: XLA then broadcasts ticks along it, which is up to six
times as fast as the other way round. A tick is used as soon as it is made, so no tape is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from .contract import Shape, Tick
from .draws import draw_of
from .lines import without
from .programs import Programs, programs
from .xla_ops import Evaluator, Shifted

AXIS = "paths"
TICK = Tick._fields
PRICES = ("price_a", "price_b")


class Numbers(NamedTuple):
    """What every path reads. reals, words, table: as `pack_market.split` makes them.

    Of markets that paths have in turn: reals and words [fields, markets], their tables one after
    the other.
    policies: [fields, policies]. key: the two words of the seed.
    """

    reals: Any
    words: Any
    table: Any
    policies: Any
    key: Any


class Carry(NamedTuple):
    """What is carried from step to step. path, and each of state and tick: [paths].

    Each of account: [paths, policies]. tick: the last one.
    """

    path: Any
    state: tuple[Any, ...]
    tick: tuple[Any, ...]
    account: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Stepper:
    """The functions of a shape of code on arrays of one precision, without a loop or devices.

    paths_last: whether accounts are [policies, paths], which is faster for few policies.
    """

    made: Programs
    evaluate: Evaluator
    paths_last: bool = False

    @property
    def real(self) -> Any:
        """The dtype of reals."""
        return self.evaluate.real

    def open(self, numbers: Numbers, paths: int) -> tuple[Any, ...]:
        """Accounts at time 0."""
        opened = self.evaluate(self.made.policy_open, self._policies(numbers))
        return self.accounts(opened, paths, numbers)

    def start(self, numbers: Numbers, path: Any) -> Carry:
        """Paths and accounts at time 0; path: their numbers (u)."""
        given = self._market(numbers, path) | self._draw(numbers, path, jnp.uint32(0))
        begun = self.evaluate(self.made.market_start, given)
        state = self._columns(begun, "state", self.made.state_fields, path.shape)
        nothing = tuple(jnp.zeros(path.shape, self.real) for _ in TICK)
        return Carry(path, state, nothing, self.open(numbers, len(path)))

    def move(self, numbers: Numbers, carry: Carry, step: Any) -> Carry:
        """The step after so many (u): the market's, and every policy's."""
        state, tick = self.market(numbers, carry, step)
        account = self.act(numbers, carry.account, tick, step)
        return Carry(carry.path, state, tick, account)

    def market(
        self, numbers: Numbers, carry: Carry, step: Any
    ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """The market's state after a step, and its tick."""
        path, state, _, _ = carry
        given = self._market(numbers, path) | self._draw(numbers, path, step)
        given |= _named("state", self.made.state_fields, state)
        found = self.evaluate(self.made.market_step, given)
        tick = self._columns(found, "tick", TICK, path.shape)
        return self._columns(found, "state", self.made.state_fields, path.shape), tick

    def act(
        self, numbers: Numbers, account: tuple[Any, ...], tick: tuple[Any, ...], step: Any
    ) -> tuple[Any, ...]:
        """The accounts after a tick [paths], which so many steps (u) were before."""
        given = self.on_paths(numbers, account, tick) | {"clock.now": step.astype(self.real)}
        found = self.evaluate(self.made.policy_step, given)
        return self.accounts(found, len(tick[0]), numbers)

    def close(self, numbers: Numbers, account: tuple[Any, ...], tick: tuple[Any, ...]) -> Any:
        """Outcomes [fields, policies, paths] at the last tick."""
        columns = self.outcomes(numbers, account, tick)
        return jnp.stack(list(columns.values())).transpose(0, 2, 1)

    def outcomes(
        self, numbers: Numbers, account: tuple[Any, ...], tick: tuple[Any, ...]
    ) -> dict[str, Any]:
        """Outcomes by name, at the last tick; each has the shape of accounts."""
        found = self.evaluate(self.made.policy_close, self.on_paths(numbers, account, tick))
        grid = self.grid(len(tick[0]), numbers)
        fields = self.made.outcome_fields
        return dict(zip(fields, self._columns(found, "outcome", fields, grid), strict=True))

    def returns(self, carry: Carry) -> Any:
        """Simple returns of the legs since time 0, [2, paths]."""
        places = map(self.made.state_fields.index, PRICES)
        return jnp.stack([carry.state[place] for place in places]) - 1.0

    def accounts(self, found: dict[str, Any], paths: int, numbers: Numbers) -> tuple[Any, ...]:
        """The accounts that a step made."""
        grid = self.grid(paths, numbers)
        return self._columns(found, "account", self.made.account_fields, grid)

    def _columns(
        self, found: dict[str, Any], record: str, fields: tuple[str, ...], shape: tuple[int, ...]
    ) -> tuple[Any, ...]:
        return tuple(
            jnp.broadcast_to(found[f"{record}.{field}"], shape).astype(self.real)
            for field in fields
        )

    def on_paths(
        self, numbers: Numbers, account: tuple[Any, ...], tick: tuple[Any, ...]
    ) -> dict[str, Any]:
        """What a policy's functions read, by name."""
        given = self._policies(numbers) | _named("account", self.made.account_fields, account)
        place = (None, slice(None)) if self.paths_last else (slice(None), None)
        return given | _named("tick", TICK, (field[place] for field in tick))

    def grid(self, paths: int, numbers: Numbers) -> tuple[int, int]:
        """The shape of accounts."""
        policies = numbers.policies.shape[1]
        return (policies, paths) if self.paths_last else (paths, policies)

    def _policies(self, numbers: Numbers) -> dict[str, Any]:
        place = (slice(None), None) if self.paths_last else (None, slice(None))
        rows = (row[place] for row in numbers.policies)
        return _named("policy", self.made.policy_fields, rows)

    def _market(self, numbers: Numbers, path: Any) -> dict[str, Any]:
        reals, words, table = numbers.reals, numbers.words, numbers.table
        if self.made.shape.drawn:  # a column for each path
            count = reals.shape[1]
            draw = draw_of(path, jnp.uint32(count))
            reals, words = reals[:, draw], words[:, draw]
            table = Shifted(table, draw * jnp.uint32(len(table) // count))
        arrays = {"f": iter(reals), "u": iter(words), "t": iter([table])}
        return {f"market.{name}": next(arrays[kind]) for name, kind in self.made.market_fields}

    def _draw(self, numbers: Numbers, path: Any, step: Any) -> dict[str, Any]:
        key = numbers.key
        return {
            "draw.path": path, "draw.step": step, "draw.key_0": key[0], "draw.key_1": key[1],
        }  # fmt: skip


def _named(record: str, fields: tuple[str, ...], values: Any) -> dict[str, Any]:
    made: Iterator[Any] = iter(values)
    return {f"{record}.{field}": next(made) for field in fields}


@lru_cache(maxsize=64)
def stepper(shape: Shape, precision: str) -> Stepper:
    """The steps of a shape of code."""
    made = programs(shape)
    step = replace(made, policy_step=without(made.policy_step, "acts"))
    return Stepper(step, Evaluator(np.dtype(precision)))


@dataclass(frozen=True, slots=True)
class Loops:
    """Compiled functions on sharded arrays; each compiles when it is first called.

    start: (numbers, path) -> carry. advance: (numbers, carry, first, last) -> carry, through steps
    [first, last). close: (numbers, carry) -> (outcomes [fields, policies, paths], returns [2,
    paths]).
    """

    start: Callable[..., Any]
    advance: Callable[..., Any]
    close: Callable[..., Any]


@lru_cache(maxsize=64)
def loops(shape: Shape, precision: str, mesh: Mesh) -> Loops:
    """The loops of a shape of code over the paths that each device has."""
    steps = stepper(shape, precision)
    each, same = PartitionSpec(AXIS), PartitionSpec()

    def advance(numbers: Numbers, carry: Carry, first: Any, last: Any) -> Carry:
        def body(step: Any, carry: Carry) -> Carry:
            return steps.move(numbers, carry, step)

        return cast("Any", jax.lax.fori_loop)(first, last, body, carry)

    def close(numbers: Numbers, carry: Carry) -> tuple[Any, Any]:
        return steps.close(numbers, carry.account, carry.tick), steps.returns(carry)

    def sharded(function: Callable[..., Any], given: Any, made: Any, **rest: Any) -> Any:
        mapped = jax.shard_map(function, mesh=mesh, in_specs=given, out_specs=made, check_vma=False)
        return cast("Any", jax.jit)(mapped, **rest)

    across = PartitionSpec(None, None, AXIS), PartitionSpec(None, AXIS)
    return Loops(
        sharded(steps.start, (same, each), each),
        sharded(advance, (same, each, same, same), each, donate_argnums=1),
        sharded(close, (same, each), across),
    )
