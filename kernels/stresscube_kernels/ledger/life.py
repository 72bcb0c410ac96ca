"""One account's steps on one path as arrays over steps, recorded while the oracle runs it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..contract import Account, Policy, Shape, Tick
from ..decide import NOTHING, Order
from ..oracle import cast_policies, lives, simulate, tick_at
from ..pack import job_shape, pack_policies
from ..rules import outcome_fields, rules_of
from ..spec import Job
from ..tree import leaves, rebuild, shortened, values
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


def live(job: Job, path: int) -> Life:
    """Run the job's only policy on one path, by the oracle in the precision of the job.

    Raises TypeError if its rules' account has not the fields of the built-in one.
    """
    shape, run = job_shape(job), job.simulation
    rules = rules_of(shape)
    if missing := set(Account._fields) - set(rules.account._fields):
        raise TypeError(f"a ledger needs an account with {', '.join(sorted(missing))}")
    tape, _ = simulate(job, path, 1, run.precision, shape)
    policy = cast_policies(pack_policies(job.policies, run, shape), run.precision)
    ops = Witness(run.precision)
    accounts: list[Any] = []
    carried: list[Carried | None] = []
    for account in lives(ops, tape, policy, shape):
        accounts.append(account)
        carried.append(_that_made(account, ops.carried))
        ops.carried.clear()
    closed = rules.close(ops, shape.features, accounts[-1], tick_at(tape, -1), policy)
    account = _stack(ops, [shortened(account, Account) for account in accounts])
    numbers = shortened(policy, Policy)
    found = [
        one or Carried(shortened(before, Account), NOTHING, numbers, None)
        for one, before in zip(carried[1:], accounts, strict=False)
    ]
    return Life(
        shape=shape,
        ops=ops,
        tick=Tick(*np.moveaxis(tape[0], -1, 0)),
        before=Account(*(leaf[:-1] for leaf in account)),
        after=Account(*(leaf[1:] for leaf in account)),
        decided=_stack(ops, [one.decided for one in found]),
        order=_stack(ops, [one.order for one in found]),
        policy=_stack(ops, [one.policy for one in found]),
        seen=np.array([one is not None for one in carried[1:]]),
        memory=_memory(ops, accounts[1:]),
        outcome=dict(zip(outcome_fields(shape), map(_number, values(closed)), strict=True)),
    )


def _that_made(account: Any, carried: Sequence[Carried]) -> Carried | None:
    """Of the orders carried out in a step the one that its account came from, if any did."""
    for one in reversed(carried):
        if all(np.array_equal(x, y) for x, y in zip(one.account, account, strict=False)):
            return one
    return None


def _memory(ops: Witness, accounts: Sequence[Any]) -> dict[str, Rows]:
    """What code of one's own remembers after each step, number by number."""
    if "memory" not in accounts[0]._fields:
        return {}
    columns = zip(*(leaves(account.memory, "memory") for account in accounts), strict=True)
    return {column[0][0]: _array(ops, (value for _, value in column)) for column in columns}


def _stack(ops: Witness, records: Sequence[Any]) -> Any:
    """A record of arrays from records of numbers."""
    columns = zip(*map(values, records), strict=True)
    return rebuild(records[0], (_array(ops, column) for column in columns))


def _array(ops: Witness, column: Iterable[Any]) -> Rows:
    numbers = list(map(_number, column))
    return np.array(numbers, bool if isinstance(numbers[0], bool) else ops.dtype)


def _number(leaf: Any) -> Any:
    return leaf.item() if isinstance(leaf, np.ndarray | np.generic) else leaf
