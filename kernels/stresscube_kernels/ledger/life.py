"""One account's steps on one path, each an array over the steps.

The path is run by the code that runs whole cubes. Then the very step is called once more, on all
steps at once, with operations that remember what order it carried out (`witness.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import cpu
from ..contract import Account, Policy, Shape, Tick
from ..decide import NOTHING, Order
from ..oracle import cast_policies
from ..pack import job_shape, pack_policies
from ..rules import Rules, outcome_fields, rules_of
from ..spec import Job
from ..tree import combine, leaves, rebuild, shortened, values
from ..witness import Carried, Witness

Rows = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Life:
    """The steps of an account; each leaf of a record is an array over them.

    before, after: the account at the steps' starts and ends. decided, order, policy: what was
    carried out. seen: where that is known; code of one's own may do without. memory: of such code,
    after each step. outcome: {field: number} of the whole path.
    """

    shape: Shape
    ops: Witness
    tick: Tick
    before: Account
    after: Account
    decided: Account
    order: Order
    policy: Policy
    seen: Rows
    memory: dict[str, Rows]
    outcome: dict[str, float]


def live(job: Job, path: int, shape: Shape | None = None) -> Life:
    """Run the job's only policy on one path, in the precision of the job.

    shape: code that is compiled already and serves it; the job's own by default. Raises TypeError
    if its rules' account has not the fields of the built-in one.
    """
    shape = shape or job_shape(job)
    rules = rules_of(shape)
    if missing := set(Account._fields) - set(rules.account._fields):
        raise TypeError(f"a ledger needs an account with {', '.join(sorted(missing))}")
    watched = cpu.prepare(job, threads=1, shape=shape).watch(path)
    account = rebuild(rules.account, iter(watched.accounts.T))
    before, after = at(account, slice(None, -1)), at(account, slice(1, None))
    tick = Tick(*watched.tape.T)
    ops = Witness(job.simulation.precision)
    decided, order, numbers, seen = _carried(ops, rules, job, shape, before, tick)
    return Life(
        shape=shape,
        ops=ops,
        tick=tick,
        before=shortened(before, Account),
        after=shortened(after, Account),
        decided=decided,
        order=order,
        policy=numbers,
        seen=seen,
        memory=dict(leaves(after.memory, "memory")) if "memory" in after._fields else {},
        outcome=dict(zip(outcome_fields(shape), watched.outcome.tolist(), strict=True)),
    )


def _carried(
    ops: Witness, rules: Rules, job: Job, shape: Shape, before: Any, tick: Tick
) -> tuple[Account, Order, Policy, Rows]:
    """What every step carried out, and whether that is known."""
    packed = cast_policies(pack_policies(job.policies, job.simulation, shape), ops.dtype)
    policy = at(packed, 0)
    now = np.arange(job.simulation.steps).astype(ops.dtype)
    made = rules.step(ops, shape.features, before, now, tick, policy)
    plain = shortened(before, Account)
    chosen = _wide(Carried(plain, NOTHING, shortened(policy, Policy), plain), now.shape)
    seen = np.zeros(now.shape, bool)
    for one in ops.carried:
        one = _wide(one, now.shape)
        here = np.logical_and.reduce([x == y for x, y in zip(one.account, made, strict=False)])
        chosen = combine(partial(ops.where, here), one, chosen)
        seen |= here
    return chosen.decided, chosen.order, chosen.policy, seen


def at(record: Any, steps: Any) -> Any:
    """A record at some of its steps: an index or a slice."""
    return rebuild(record, (leaf[steps] for leaf in values(record)))


def _wide(carried: Carried, shape: tuple[int, ...]) -> Carried:
    return rebuild(carried, (np.broadcast_to(leaf, shape) for leaf in values(carried)))
