"""The rows of a ledger: one for each step of the path, and one for the close at the horizon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..books import drawdown, worth
from ..closing import costs_of
from ..contract import Shape, Tick
from ..decide import drift_of, drifted, intend
from ..isolated import survives
from ..legs import legs
from ..pack import NEVER_IN_A_KERNEL
from ..spec import Job
from ..ticks import unpack
from .columns import COLUMNS, SUMS
from .events import CLOSE, events
from .life import Life, Rows, at, live
from .parts import Parts, jumps, parts

HOURS = 8760.0
START_PRICE = 100.0
ENDS = ("equity", "drawdown", "shadow_equity", "extra_margin")
LASTING = (
    "step", "time", "regime", "correlation_regime", "price_a", "price_b", "alive", "bias",
)  # fmt: skip
"""Columns whose last step's value stands in the close as well."""
FLOWS = (*SUMS, "trade_return")
BOOKS = {"trade_return": "trade_sum_1"}


@dataclass(frozen=True, slots=True)
class Ledger:
    """One path.

    columns: by name, [steps + 1] each, the last row the close at the horizon. Regimes are numbers
    here, -1 for none. outcome: {field: number} of the path by the same run.
    """

    columns: dict[str, Rows]
    outcome: dict[str, float]


def ledger(job: Job, path: int, shape: Shape | None = None) -> Ledger:
    """The ledger of the job's only policy on one path.

    shape: code that is compiled already and serves it; the job's own by default. Raises TypeError
    if its rules' account has not the fields of the built-in one.
    """
    life = live(job, path, shape)
    steps = _steps(life, job.simulation.step * HOURS)
    closed = _close(life)
    made: dict[str, Rows] = {}
    for column in COLUMNS:
        rows = steps[column.name]
        last = closed.get(column.name, rows[-1] if column.name in LASTING else np.nan)
        rows = np.array([*rows, last]) if column.text else np.append(rows, last)
        made[column.name] = rows.astype(np.int64) if column.whole else rows
    for name, rows in life.memory.items():
        made[name] = np.append(rows, rows[-1]).astype(np.float64)
    return Ledger(made, life.outcome)


def totals(columns: dict[str, Any]) -> dict[str, float]:
    """What a ledger's rows say of the path, by the names of `Outcome`."""
    dead = np.flatnonzero(np.asarray(columns["alive"]) == 0)
    last = {name: float(np.asarray(columns[name])[-1]) for name in ENDS}
    return {
        "final_equity": last["equity"],
        "max_drawdown": last["drawdown"],
        "liquidation_step": float(np.asarray(columns["step"])[dead[0]]) if dead.size else 0.0,
        "shadow_equity": last["shadow_equity"] if dead.size else last["equity"],
        "extra_margin": last["extra_margin"],
        **{name: float(np.sum(columns[name])) for name in SUMS},
    }


def _steps(life: Life, hours: float) -> dict[str, Rows]:
    """Every column of the steps, the close not among them."""
    found = parts(life)
    count = len(life.seen)
    step = np.arange(1, count + 1)
    made = {"step": step, "time": step * hours}
    made |= _market(life) | _decision(life, found) | _fills(life, found) | _flows(life)
    return made | _ends(life, found)


def _market(life: Life) -> dict[str, Rows]:
    tick, features = life.tick, life.shape.features
    states = unpack(tick.state)
    prices = _prices(tick)[:, 1:]
    nothing = np.full(len(tick.state), np.nan)
    slow = states.correlation_regime if life.shape.correlation_regimes else nothing * 0 - 1
    return {
        "regime": states.regime,
        "correlation_regime": np.nan_to_num(slow, nan=-1.0).astype(np.int64),
        "jump": jumps(life),
        "price_a": prices[0],
        "price_b": prices[1],
        "mark_b": prices[1] * (1.0 + tick.mark_b) if features.mark else nothing,
        "funding_rate_a": tick.funding_a if features.funding else nothing,
        "funding_rate_b": tick.funding_b if features.funding else nothing,
        "z": tick.z if features.spread else nothing,
        "trend": tick.trend if features.signals else nothing,
    }


def _prices(tick: Tick) -> Rows:
    """Prices [leg, step] at the steps' ends, the start before them."""
    returns = np.stack([tick.return_a, tick.return_b]).astype(np.float64)
    grown = START_PRICE * np.cumprod(1.0 + returns, axis=1)
    return np.concatenate([np.full((2, 1), START_PRICE), grown], axis=1)


def _decision(life: Life, found: Parts) -> dict[str, Rows]:
    ops, features, policy = life.ops, life.shape.features, life.policy
    now = np.arange(len(life.seen)).astype(ops.dtype)
    given = (ops, features, life.before, now, life.tick, policy)
    intent = intend(*given)
    hedged = (ops, features, life.before, intent.hedge, policy)
    away, against = drift_of(*hedged)
    held = (life.before.alive > 0.5) & (against > 0.0) & (life.before.until > 0.5)
    drift = np.full(len(now), np.nan)
    np.divide(away, against, out=drift, where=held)
    threshold = policy.rebalance_threshold.astype(np.float64)
    return {
        "event": np.array(events(life, intent, drifted(*hedged), found), object),
        "bias": life.after.bias,
        "hedge_ratio": np.broadcast_to(intent.hedge.ratio, now.shape),
        "drift": drift,
        "threshold": np.where(threshold >= 0.99 * NEVER_IN_A_KERNEL, np.inf, threshold),
    }


def _fills(life: Life, found: Parts) -> dict[str, Rows]:
    made: dict[str, Rows] = {}
    for name, leg, price in zip("ab", (found.a, found.b), _prices(life.tick), strict=True):
        traded = (leg.turnover > 0.0) | (leg.order != 0.0)
        made |= {
            f"order_{name}": leg.order,
            f"fill_price_{name}": np.where(traded, price[:-1] * (1.0 + leg.moved), np.nan),
            f"turnover_{name}": leg.turnover,
            f"fees_{name}": leg.fees,
            f"slippage_{name}": leg.slippage,
            f"funding_{name}": leg.funding,
        }
    return made


def _flows(life: Life) -> dict[str, Rows]:
    """Differences of the books; in float64, so that they add up to the books exactly."""
    made: dict[str, Rows] = {}
    for name in FLOWS:
        book = BOOKS.get(name, name)
        after, before = getattr(life.after, book), getattr(life.before, book)
        made[name] = after.astype(np.float64) - before
    made["trade_return"] = np.where(made["trades"] > 0, made["trade_return"], np.nan)
    return made


def _ends(life: Life, found: Parts) -> dict[str, Rows]:
    ops, features, after = life.ops, life.shape.features, life.after
    living = after.alive > 0.5
    rests = survives(ops, after)
    is_b = after.rest_is_b > 0.5
    nothing = np.full(len(living), np.nan)

    def own(equity: Rows, mine: Rows) -> Rows:
        if not features.isolated:
            return nothing
        return np.where(living, equity, np.where(rests & mine, after.rest_equity, np.nan))

    return {
        "notional_a": found.a.notional,
        "notional_b": found.b.notional,
        "equity": worth(ops, features, after),
        "equity_a": own(after.equity_a, ~is_b),
        "equity_b": own(after.equity_b, is_b),
        "margin_a": found.a.margin,
        "margin_b": found.b.margin,
        "margin_ratio": found.ratio,
        "margin_ratio_a": found.a.ratio,
        "margin_ratio_b": found.b.ratio,
        "alive": after.alive,
        "drawdown": drawdown(after),
        "shadow_a": np.where(living, np.nan, after.notional_a),
        "shadow_b": np.where(living, np.nan, after.notional_b),
        "shadow_equity": np.where(living, np.nan, after.equity),
        "extra_margin": after.extra_margin,
    }


def _close(life: Life) -> dict[str, Any]:
    """The row of the close at the horizon: what of it is not as in the last step."""
    end, outcome = at(life.after, -1), life.outcome
    made: dict[str, Any] = {"jump": 0, "notional_a": 0.0, "notional_b": 0.0}
    for name in FLOWS:
        book = BOOKS.get(name, name)
        made[name] = outcome[book] - float(getattr(end, book))
    made["trade_return"] = made["trade_return"] if made["trades"] > 0 else np.nan
    dead = end.alive < 0.5
    made |= {
        "equity": outcome["final_equity"],
        "drawdown": outcome["max_drawdown"],
        "extra_margin": outcome["extra_margin"],
        "shadow_equity": outcome["shadow_equity"] if dead else np.nan,
        "shadow_a": 0.0 if dead else np.nan,
        "shadow_b": 0.0 if dead else np.nan,
    }
    sold = _sold(life, end)
    return made | sold | {"event": CLOSE if sold["order_a"] or sold["order_b"] else ""}


def _sold(life: Life, end: Any) -> dict[str, Any]:
    """What closing the legs at the last price costs; no latency."""
    both = legs(life.shape.features, at(life.tick, -1), at(life.policy, -1))
    notionals = end.notional_a, end.notional_b
    if end.alive < 0.5:
        rest = float(end.rest)
        notionals = (0.0, rest) if end.rest_is_b > 0.5 else (rest, 0.0)
    made: dict[str, Any] = {}
    for name, leg, notional, price in zip(
        "ab", both, notionals, _prices(life.tick)[:, -1], strict=True
    ):
        fees, slippage, turnover = costs_of(life.ops, leg, notional)
        made |= {
            f"order_{name}": 0.0 - notional,
            f"fill_price_{name}": price if notional else np.nan,
            f"turnover_{name}": turnover,
            f"fees_{name}": fees,
            f"slippage_{name}": slippage,
            f"funding_{name}": 0.0,
        }
    return made
