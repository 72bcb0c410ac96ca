"""Expected outcomes of a path, given its market: liquidation is a weight and not an event.

A path's account goes on as if it were never touched inside a step, with the weight of not having
been; each step gives off what the touched one comes to, with the chance that it is. That is the
mean over the bridge's draws (conditional Monte Carlo), so it has no temperature and no jump, and
parameters can be differentiated through it. The lines are those of every backend; what is soft in
them is in `xla_soft.py`.

Under isolated margin a touched account is closed at the end of the step, the leg that is left with
it, where the step of every backend closes that leg after latency in the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np

from .contract import Shape
from .lines import Line, Program, needed, without
from .programs import Programs, programs
from .xla_ops import Evaluator
from .xla_soft import deaths, reads, soft_operations, softened
from .xla_steps import Carry, Numbers, Stepper

BATCHES = 32
"""Path p is in batch p mod this."""
FROM_EQUITY = ("power_1", "power_2", "downside")
BEYOND = "beyond_"
"""Followed by the number of a loss: how far a path's loss goes beyond it."""
LIQUIDATED = "liquidated"


def outcome_of(statistic: str) -> str:
    """The outcome that a statistic is made of; most are an outcome themselves."""
    if statistic in FROM_EQUITY or statistic.startswith(BEYOND):
        return "final_equity"
    return "liquidation_step" if statistic == LIQUIDATED else statistic


class Softness(NamedTuple):
    """temperature: of the drift rule, as a share of its threshold, in [0, 1); 0 is the hard rule.

    losses: [levels, policies], beyond which a path's loss counts in `beyond`.
    """

    temperature: Any
    losses: Any


class Weighed(NamedTuple):
    """A path on its way. weight: of not having been touched [policies, paths].

    found: what has been given off, each statistic [policies, paths].
    """

    carry: Carry
    weight: Any
    found: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """The expected statistics of paths for a shape of code."""

    statistics: tuple[str, ...]
    made: Programs
    steps: Stepper
    touched: Program  # whether each account is touched, outputs `touched_0`, ...
    events: tuple[int, ...]  # the lines that say so

    def total(self, numbers: Numbers, soft: Softness, path: Any, counts: Any, steps: Any) -> Any:
        """Sums of each statistic over the paths of each batch, [statistic, policies, BATCHES].

        path: numbers (u) from a multiple of BATCHES on, as many as a multiple of it. counts: 1 for
        each that is to count. steps: of the horizon (u).
        """
        grid = self.steps.grid(len(path), numbers)
        nothing = jnp.zeros(grid, self.steps.real)
        count = len(self.statistics)
        begun = Weighed(self.steps.start(numbers, path), nothing + 1.0, (nothing,) * count)

        def body(step: Any, so_far: Weighed) -> Weighed:
            return self.move(numbers, soft, so_far, step)

        done = cast("Any", jax.lax.fori_loop)(jnp.uint32(0), steps, body, begun)
        last = self.left(numbers, soft, done.carry.account, done.carry.tick)
        found = jnp.stack(_more(done.found, done.weight, last))
        found = jnp.where(counts > 0, found, 0.0)
        return found.reshape(count, grid[0], -1, BATCHES).sum(axis=2)

    def move(self, numbers: Numbers, soft: Softness, so_far: Weighed, step: Any) -> Weighed:
        """A step: what is touched in it is given off, the rest goes on."""
        carry = so_far.carry
        state, tick = self.steps.market(numbers, carry, step)
        given = self.steps.on_paths(numbers, carry.account, tick)
        given |= {"clock.now": step.astype(self.steps.real), "soft.temperature": soft.temperature}
        chances = list(self.steps.evaluate(self.touched, given).values())

        def account(touched: Iterable[bool]) -> tuple[Any, ...]:
            known = {k: jnp.asarray(hit) for k, hit in zip(self.events, touched, strict=True)}
            made = self.steps.evaluate(self.made.policy_step, given, known)
            return self.steps.accounts(made, len(carry.path), numbers)

        def give_off(found: tuple[Any, ...]) -> tuple[Any, ...]:
            for hits, chance in cases(chances):
                worth = self.left(numbers, soft, account(hits), tick)
                found = _more(found, so_far.weight * chance, worth)
            return found

        found, left = so_far.found, so_far.weight
        if chances:
            likeliest = chances[0] if len(chances) == 1 else jnp.maximum(*chances)
            some = jnp.any(likeliest > 0.0)  # mostly nobody is near the margin
            found = cast("Any", jax.lax.cond)(some, give_off, tuple, found)
            left = left * (1.0 - likeliest)
        untouched = account([False] * len(self.events))
        return Weighed(Carry(carry.path, state, tick, untouched), left, found)

    def left(
        self, numbers: Numbers, soft: Softness, account: tuple[Any, ...], tick: tuple[Any, ...]
    ) -> tuple[Any, ...]:
        """What accounts come to if they are closed now: each statistic [policies, paths]."""
        outcome = self.steps.outcomes(numbers, account, tick)
        return tuple(_statistic(name, outcome[outcome_of(name)], soft) for name in self.statistics)


def _statistic(name: str, outcome: Any, soft: Softness) -> Any:
    if name == LIQUIDATED:
        return (outcome > 0.5).astype(outcome.dtype)
    if outcome_of(name) == name:
        return outcome
    gain = outcome - 1.0
    if name.startswith(BEYOND):
        return jnp.maximum(-gain - soft.losses[int(name.removeprefix(BEYOND))][:, None], 0.0)
    if name == "power_1":
        return gain
    return (gain if name == "power_2" else jnp.minimum(gain, 0.0)) ** 2


def _more(found: tuple[Any, ...], weight: Any, worth: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(x + weight * y for x, y in zip(found, worth, strict=True))


def cases(chances: list[Any]) -> Iterable[tuple[tuple[bool, ...], Any]]:
    """Which accounts are touched, and the chance of just that; both share one draw of the bridge.

    So the less likely one is touched only where the other is as well.
    """
    if len(chances) == 1:
        return [((True,), chances[0])]
    if not chances:
        return []
    a, b = chances
    both = jnp.minimum(a, b)
    return [((True, True), both), ((True, False), a - both), ((False, True), b - both)]


@lru_cache(maxsize=32)
def expected(shape: Shape, statistics: tuple[str, ...]) -> Expected:
    """These expected statistics of a shape of code, in float64."""
    made = programs(shape)
    step = softened(without(made.policy_step, "acts"))
    events = deaths(step)
    made = _pruned(replace(made, policy_step=step), events, set(map(outcome_of, statistics)))
    outputs = tuple((f"touched_{k}", line) for k, line in enumerate(events))
    touched = Program(needed(step.lines, events), outputs)
    real = np.dtype(np.float64)
    steps = Stepper(made, Evaluator(real, soft_operations(real)), paths_last=True)
    return Expected(statistics, made, steps, touched, tuple(line.number for line in events))


def _pruned(made: Programs, events: Iterable[Line], outcomes: set[str]) -> Programs:
    """Only the fields of accounts that these outcomes depend on, and liquidation."""
    wanted = {f"outcome.{name}" for name in outcomes}
    close = _only(made.policy_close, wanted)
    fields = {"account.alive"}.union(*map(reads, (*events, *(o for _, o in close.outputs))))
    step = dict(made.policy_step.outputs)
    while more := set[str]().union(*(reads(step[f]) for f in fields if f in step)) - fields:
        fields |= more
    return replace(
        made,
        policy_open=_only(made.policy_open, fields),
        policy_step=_only(made.policy_step, fields),
        policy_close=close,
        account_fields=tuple(f for f in made.account_fields if f"account.{f}" in fields),
        outcome_fields=tuple(f for f in made.outcome_fields if f in outcomes),
    )


def _only(program: Program, names: set[str]) -> Program:
    outputs = tuple((name, operand) for name, operand in program.outputs if name in names)
    return Program(needed(program.lines, [operand for _, operand in outputs]), outputs)


@lru_cache(maxsize=32)
def compiled(shape: Shape, statistics: tuple[str, ...]) -> Mapping[str, Any]:
    """Compiled functions of a shape and what is asked for.

    `total`: that of `Expected`. The others are its derivatives, [direction, statistic, policies,
    BATCHES], along `moves`: `by_policy` of policies alone, so that the market is computed once for
    all directions, `by_market` of (reals, table, policies).
    """
    sums = expected(shape, statistics)
    jit = cast("Any", jax.jit)

    def by_policy(numbers: Numbers, moves: Any, *rest: Any) -> Any:
        def total(policies: Any) -> Any:
            return sums.total(numbers._replace(policies=policies), *rest)

        def along(move: Any) -> Any:
            return jax.jvp(total, (numbers.policies,), (move,))[1]

        return jax.vmap(along)(moves)

    def by_market(numbers: Numbers, moves: Any, *rest: Any) -> Any:
        def total(reals: Any, table: Any, policies: Any) -> Any:
            moved = numbers._replace(reals=reals, table=table, policies=policies)
            return sums.total(moved, *rest)

        at = numbers.reals, numbers.table, numbers.policies

        def along(reals: Any, table: Any, policies: Any) -> Any:
            return jax.jvp(total, at, (reals, table, policies))[1]

        return jax.vmap(along)(*moves)

    return {"total": jit(sums.total), "by_policy": jit(by_policy), "by_market": jit(by_market)}
