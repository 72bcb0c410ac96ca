"""The same rebalancing rule under vectorbt, in a process of its own: its pins need not be ours.

Every pair is two columns of one group with shared cash. At the first bar both legs are opened
at the policy's leverage; afterwards they are resized whenever leg b has drifted from its hedge
by more than the threshold. Fees and slippage as fractions; no margin, latency or liquidation.

    python vectorbt_rule.py INPUT.npz     then one line on stdin for each measurement

INPUT holds prices [bars, 2] and, for each policy, hedge_ratio, leverage, rebalance_threshold,
fee and slippage. The first line printed is {"versions": ..., "orders": ...}, after a run that
compiles. A line "orders" on stdin measures from_order_func alone, "outcomes" also what it leaves
to be computed from the orders: each policy's final value and largest drawdown. Each is answered
by {"seconds": ...}.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from typing import Any

import numpy as np
import vectorbt as vbt
from numba import njit
from vectorbt.portfolio import nb
from vectorbt.portfolio.enums import Direction, SizeType


@njit
def prepare(c: Any, sizes: Any) -> Any:
    """Before any bar: memory for the target units of every column."""
    return (sizes,)


@njit
def decide(c: Any, sizes: Any, hedge: Any, leverage: Any, threshold: Any) -> Any:
    """Before the two legs of a pair at one bar: their target units, NaN for no order."""
    a, b = c.from_col, c.to_col - 1
    price_a, price_b = c.close[c.i, a], c.close[c.i, b]
    notional_a = abs(c.last_position[a]) * price_a
    notional_b = abs(c.last_position[b]) * price_b
    h = hedge[c.group]
    wanted = h * notional_a
    opens = c.i == 0
    if opens or abs(notional_b - wanted) > threshold[c.group] * wanted:
        gross = leverage[c.group] if opens else notional_a + notional_b
        size = gross / (1.0 + h)
        sizes[a] = size / price_a
        sizes[b] = -h * size / price_b
    else:
        sizes[a] = np.nan
        sizes[b] = np.nan
    return (sizes,)


@njit
def order(c: Any, sizes: Any, fee: Any, slippage: Any) -> Any:
    """One leg at one bar."""
    if np.isnan(sizes[c.col]):
        return nb.order_nothing_nb()
    return nb.order_nb(
        size=sizes[c.col],
        price=c.close[c.i, c.col],
        size_type=SizeType.TargetAmount,
        direction=Direction.Both,
        fees=fee[c.group],
        slippage=slippage[c.group],
    )


def simulate(case: dict[str, Any]) -> Any:
    """All policies on the one path: columns 2k and 2k + 1 are the legs of policy k."""
    policies = len(case["hedge_ratio"])
    columns = 2 * policies
    return vbt.Portfolio.from_order_func(
        np.tile(case["prices"], (1, policies)),
        order,
        case["fee"],
        case["slippage"],
        pre_sim_func_nb=prepare,
        pre_sim_args=(np.full(columns, np.nan),),
        pre_segment_func_nb=decide,
        pre_segment_args=(case["hedge_ratio"], case["leverage"], case["rebalance_threshold"]),
        # Money enough that buying a levered position never fails: vectorbt has no margin.
        init_cash=1e6,
        cash_sharing=True,
        group_by=np.repeat(np.arange(policies), 2),
        update_value=False,
        ffill_val_price=False,
        max_logs=1,
    )


def outcomes(portfolio: Any) -> tuple[Any, Any]:
    """Final value and largest drawdown of every policy."""
    return portfolio.final_value(), portfolio.max_drawdown()


def main() -> None:
    """Compile, report, then measure once for each line read."""
    with np.load(sys.argv[1]) as file:
        case = dict(file)
    portfolio = simulate(case)
    outcomes(portfolio)
    about = {
        "versions": {name: version(name) for name in ("vectorbt", "numba", "numpy", "pandas")},
        "orders": len(portfolio.order_records),
    }
    print(json.dumps(about), flush=True)
    for line in sys.stdin:
        begun = time.perf_counter()
        made = simulate(case)
        if line.strip() == "outcomes":
            outcomes(made)
        print(json.dumps({"seconds": time.perf_counter() - begun}), flush=True)


if __name__ == "__main__":
    main()
