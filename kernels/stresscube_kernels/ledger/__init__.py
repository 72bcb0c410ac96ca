"""The ledger of one policy on one path: everything that happened to its account, step by step.

The account is run by the code that runs whole cubes, and what flowed is the difference of its
books. Orders are seen as they are carried out (`witness.py`); fills and margins are computed from
them by the functions that the step calls, on all steps at once.
"""

from .columns import COLUMNS, SUMS, Column
from .rows import START_PRICE, Ledger, ledger, totals

__all__ = ["COLUMNS", "START_PRICE", "SUMS", "Column", "Ledger", "ledger", "totals"]
