"""The policy step under JAX: the step as it is written, ops = jax.numpy, inside lax.scan.

Only a measure for the compiled backends. Precision is float32, and 64-bit types stay off.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from stresscube_kernels.contract import Account, Outcome, Policy, Shape, Tick
from stresscube_kernels.policy import policy_close, policy_open, policy_step
from stresscube_kernels.tree import rebuild, values


class JaxOps:
    """The operations of a step (`stresscube_kernels.ops.Ops`) on JAX arrays, in float32."""

    def where(self, condition: Any, yes: Any, no: Any) -> Any:
        return jnp.where(condition, yes, no)

    def fmin(self, x: Any, y: Any) -> Any:
        return jnp.minimum(x, y)

    def fmax(self, x: Any, y: Any) -> Any:
        return jnp.maximum(x, y)

    def fabs(self, x: Any) -> Any:
        return jnp.abs(x)

    def sqrt(self, x: Any) -> Any:
        return jnp.sqrt(x)

    def u32(self, value: int) -> Any:
        return jnp.uint32(value)

    def mulhi(self, x: Any, y: Any) -> Any:
        """By halves of 16 bits: without x64 there is no 64-bit product."""
        x_low, x_high = x & 0xFFFF, x >> 16
        y_low, y_high = y & 0xFFFF, y >> 16
        middle = x_high * y_low + ((x_low * y_low) >> 16)  # at most 2^32 - 2^16: never carries
        carried = x_low * y_high + (middle & 0xFFFF)
        return x_high * y_high + (middle >> 16) + (carried >> 16)

    def u2f(self, x: Any) -> Any:
        return jnp.asarray(x).astype(jnp.float32)

    def f2bits(self, x: Any) -> Any:
        return jax.lax.bitcast_convert_type(jnp.asarray(x, jnp.float32), jnp.uint32)

    def bits2f(self, x: Any) -> Any:
        return jax.lax.bitcast_convert_type(jnp.asarray(x, jnp.uint32), jnp.float32)

    def lookup(self, table: Any, index: Any) -> Any:
        return jnp.asarray(table)[index]

    def call(self, function: Callable[..., Any], *operands: Any) -> Any:
        return function(self, *operands)


Simulate = Callable[[Any], Outcome]


def prepare(policies: Policy, shape: Shape) -> Simulate:
    """A function from a tape [steps, len(Tick._fields), paths] to outcomes [paths, policies].

    Policies are the last, contiguous dimension: XLA then broadcasts ticks along it, which is
    up to six times as fast as the other way round.
    """
    ops = JaxOps()
    leaves = [jnp.asarray(np.asarray(leaf), jnp.float32) for leaf in values(policies)]

    def ticks(row: Any) -> Tick:
        return Tick(*(row[field][:, None] for field in range(len(Tick._fields))))

    def simulate(tape: Any, leaves: list[Any]) -> Outcome:
        policy = rebuild(policies, iter(leaf[None, :] for leaf in leaves))
        grid = (tape.shape[2], len(leaves[0]))

        def whole(account: Account) -> Account:
            return Account(*(jnp.broadcast_to(jnp.float32(field), grid) for field in account))

        def step(account: Account, at: tuple[Any, Any]) -> tuple[Account, None]:
            now, row = at
            made = policy_step(ops, shape.features, account, now, ticks(row), policy)
            return whole(made), None

        opened = whole(policy_open(ops, shape.features, policy))
        now = jnp.arange(tape.shape[0], dtype=jnp.float32)
        account, _ = jax.lax.scan(step, opened, (now, tape))
        return policy_close(ops, shape.features, account, ticks(tape[-1]), policy)

    jitted: Any = jax.jit(simulate)

    def run(tape: Any) -> Outcome:
        return jax.block_until_ready(jitted(tape, leaves))

    return run
