"""Records as kernel arguments by value: laid out as the C++ struct of the same fields is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .programs import kind_of


def by_value(leaves: Iterable[tuple[str, Any]], precision: str, table: int) -> NDArray[Any]:
    """One record of named leaves, [1]: numpy aligns its fields as a C++ compiler does.

    table: the address that stands for a leaf that is an array.
    """
    kinds = {"f": np.dtype(precision), "u": np.dtype(np.uint32), "t": np.dtype(np.uint64)}
    named = [(name, kinds[kind_of(leaf)], leaf) for name, leaf in leaves]
    made = np.zeros(1, np.dtype([(name, kind) for name, kind, _ in named], align=True))
    for name, _, leaf in named:
        made[name] = table if isinstance(leaf, np.ndarray) else leaf
    return made
