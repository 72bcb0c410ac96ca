"""A trailing stop: once equity is `stop` below its highest, sell everything and stay out.

    stresscube run examples/trailing_stop.toml --trust

docs/own_rules.md explains every line.
"""

from typing import NamedTuple

from stresscube_kernels.toolbox import carry_out, decide, leave


class Memory(NamedTuple):
    """What an account remembers besides what every account does."""

    highest: float
    out: float


START = Memory(highest=1.0, out=0.0)


def step(ops, features, account, now, tick, policy, memory=START, *, stop):
    """The pair's step, unless the stop was reached."""
    out = memory.out > 0.5
    decided, order = decide(ops, features, account, now, tick, policy)
    decided, order = leave(ops, account, decided, order, out)
    account = carry_out(ops, features, decided, order, now, tick, policy)
    highest = ops.fmax(memory.highest, account.equity)
    fallen = account.equity < (1.0 - stop) * highest
    return account, Memory(highest, ops.where(fallen, 1.0, memory.out))
