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
from .lines import Program, needed, without
from .programs import Programs, programs
from .xla_ops import Evaluator
from .xla_soft import deaths, soft_operations, softened
from .xla_steps import Carry, Numbers, Stepper

BATCHES = 32
"""Path p is in batch p mod this."""
SUMMED = (
    "deficit", "fees", "slippage", "funding", "liquidation_cost", "turnover", "pnl_a", "pnl_b",
    "pnl_mispricing", "max_drawdown",
)  # fmt: skip
"""Outcomes whose mean over paths is kept."""
POWERS = 2
"""Powers of the return whose means are kept."""


def statistics(levels: int) -> tuple[str, ...]:
    """What is kept of a path, in order; `beyond` once for each level."""
    powers = tuple(f"power_{k}" for k in range(1, POWERS + 1))
    tails = tuple(f"beyond_{k}" for k in range(levels))
    return (*powers, "downside", "liquidated", *SUMMED, *tails)


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

    made: Programs
    steps: Stepper
    touched: Program  # whether each account is touched, outputs `touched_0`, ...
    events: tuple[int, ...]  # the lines that say so

    def total(
        self, numbers: Numbers, soft: Softness, path: Any, counts: Any, steps: Any
    ) -> Any:
        """Sums of each statistic over the paths of each batch, [statistics, policies, BATCHES].

        path: numbers (u) from a multiple of BATCHES on, as many as a multiple of it. counts: 1 for
        each that is to count. steps: of the horizon (u).
        """
        grid = self.steps.grid(len(path), numbers)
        nothing = jnp.zeros(grid, self.steps.real)
        count = len(statistics(len(soft.losses)))
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

        found = so_far.found
        left: Any = 1.0
        for hits, chance in _cases(chances):
            worth = self.left(numbers, soft, account(hits), tick)
            found = _more(found, so_far.weight * chance, worth)
            left = left - chance
        untouched = account([False] * len(self.events))
        return Weighed(
            Carry(carry.path, state, tick, untouched), so_far.weight * left, found
        )

    def left(
        self, numbers: Numbers, soft: Softness, account: tuple[Any, ...], tick: tuple[Any, ...]
    ) -> tuple[Any, ...]:
        """What accounts come to if they are closed now: each statistic [policies, paths]."""
        outcome = self.steps.outcomes(numbers, account, tick)
        gain = outcome["final_equity"] - 1.0
        loss = jnp.minimum(gain, 0.0)
        liquidated = (outcome["liquidation_step"] > 0.5).astype(gain.dtype)
        beyond = [jnp.maximum(-gain - level[:, None], 0.0) for level in soft.losses]
        powers = [gain**k for k in range(1, POWERS + 1)]
        summed = [outcome[name] for name in SUMMED]
        return (*powers, loss * loss, liquidated, *summed, *beyond)


def _more(found: tuple[Any, ...], weight: Any, worth: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(x + weight * y for x, y in zip(found, worth, strict=True))


def _cases(chances: list[Any]) -> Iterable[tuple[tuple[bool, ...], Any]]:
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
def expected(shape: Shape) -> Expected:
    """The expected statistics of a shape of code, in float64."""
    made = programs(shape)
    step = softened(without(made.policy_step, "acts"))
    events = deaths(step)
    outputs = tuple((f"touched_{k}", line) for k, line in enumerate(events))
    touched = Program(needed(step.lines, events), outputs)
    real = np.dtype(np.float64)
    made = replace(made, policy_step=step)
    stepper = Stepper(made, Evaluator(real, soft_operations(real)), paths_last=True)
    return Expected(made, stepper, touched, tuple(line.number for line in events))


@lru_cache(maxsize=32)
def compiled(shape: Shape) -> Mapping[str, Any]:
    """Compiled functions of a shape.

    `total`: that of `Expected`. `derived`: the same with its derivatives, [directions,
    statistics, BATCHES, policies], along `moves`: directions of (reals, table, policies).
    """
    sums = expected(shape)
    jit = cast("Any", jax.jit)

    def derived(
        numbers: Numbers, moves: Any, soft: Softness, path: Any, counts: Any, steps: Any
    ) -> Any:
        def total(reals: Any, table: Any, policies: Any) -> Any:
            moved = numbers._replace(reals=reals, table=table, policies=policies)
            return sums.total(moved, soft, path, counts, steps)

        at = numbers.reals, numbers.table, numbers.policies

        def along(move: Any) -> Any:
            return jax.jvp(total, at, move)

        return jax.vmap(along, out_axes=(None, 0))(moves)

    return {"total": jit(sums.total), "derived": jit(derived)}

