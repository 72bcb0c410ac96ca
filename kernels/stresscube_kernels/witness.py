"""Operations that remember the orders carried out with them: what a ledger is made of."""

from __future__ import annotations

from typing import Any, NamedTuple

from .contract import Account, Policy
from .decide import Order
from .ops import NumpyOps


class Carried(NamedTuple):
    """An order that was carried through a step."""

    decided: Account  # as the decision left it, before anything was filled
    order: Order
    policy: Policy  # the numbers that it was carried out with
    account: Account  # at the step's end


class Witness(NumpyOps):
    """The oracle's operations, and every order that was carried out with them."""

    def __init__(self, dtype: Any) -> None:
        super().__init__(dtype)
        self.carried: list[Carried] = []
