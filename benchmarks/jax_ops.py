"""The policy step under JAX on a tape that is there: what the compiled backends are measured by.

The step is the XLA backend's own; only the loop is over given ticks, not over ticks just made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from stresscube_kernels.contract import Policy, Shape
from stresscube_kernels.tree import values
from stresscube_kernels.xla_steps import Numbers, stepper

Simulate = Callable[[Any], Any]


def prepare(policies: Policy, shape: Shape) -> Simulate:
    """A function from a float32 tape [steps, tick fields, paths] to outcomes
    [fields, policies, paths]."""
    steps = stepper(shape, "float32")
    fields = np.array(values(policies), np.float32)
    nothing = np.zeros(0, np.float32)
    numbers = Numbers(nothing, nothing, nothing, jnp.asarray(fields), nothing)

    def simulate(tape: Any, numbers: Numbers) -> Any:
        def step(account: Any, at: tuple[Any, Any]) -> tuple[Any, None]:
            number, tick = at
            return steps.act(numbers, account, tuple(tick), number), None

        opened = steps.open(numbers, tape.shape[2])
        clock = jnp.arange(len(tape), dtype=jnp.uint32)
        account, _ = jax.lax.scan(step, opened, (clock, tape))
        return steps.close(numbers, account, tuple(tape[-1]))

    jitted: Any = jax.jit(simulate)

    def run(tape: Any) -> Any:
        return jax.block_until_ready(jitted(tape, numbers))

    return run
