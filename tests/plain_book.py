"""An account of a pair kept trade by trade in plain Python, in coins and cash.

Written for the tests alone and from the model's words, not from its code: positions are amounts
of coins, equity is cash plus what they are worth, margin comes from a look-up in the exchange's
table, a trade is opened and closed by name. Latency is 0 and the pair is long a, short b.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Pair = tuple[float, float]


@dataclass
class Terms:
    """The policy and its venue. tiers: (notional floor, rate) in units of starting equity."""

    hedge: float
    leverage: float
    threshold: float
    holding: float  # steps
    fee: float
    slippage: float
    tiers: list[Pair]
    liquidation_fee: float


@dataclass
class Bars:
    """Closes [n + 1, 2], the first before the first bar; lows and highs [n, 2]; rates [n, 2]."""

    close: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    rates: NDArray[np.float64]  # paid at the ends of bars
    due: NDArray[np.bool_]  # where this holds


@dataclass
class Trade:
    """One trade: equity when it opened, before its costs, and what it returned."""

    opened: float
    result: float = math.nan


@dataclass
class Books:
    """What the account came to."""

    cash: float = 1.0
    coins: list[float] = field(default_factory=lambda: [0.0, 0.0])
    fees: float = 0.0
    slippage: float = 0.0
    funding: float = 0.0
    turnover: float = 0.0
    pnl: list[float] = field(default_factory=lambda: [0.0, 0.0])
    liquidation_cost: float = 0.0
    deficit: float = 0.0
    rebalances: int = 0
    trades: list[Trade] = field(default_factory=list)
    died: int = 0
    curve: list[float] = field(default_factory=lambda: [1.0])

    def equity(self, prices: NDArray[np.float64]) -> float:
        return self.cash + self.coins[0] * prices[0] + self.coins[1] * prices[1]

    def trade(self, terms: Terms, prices: NDArray[np.float64], target: list[float]) -> None:
        """Buy and sell to reach the target in coins, at these prices."""
        for leg in range(2):
            amount = target[leg] - self.coins[leg]
            value = abs(amount) * prices[leg]
            self.cash -= amount * prices[leg] + (terms.fee + terms.slippage) * value
            self.fees += terms.fee * value
            self.slippage += terms.slippage * value
            self.turnover += value
            self.coins[leg] = target[leg]


def requirement(tiers: list[Pair], notional: float) -> float:
    """The exchange's table, row by row: rate times notional less the deduction of the row.

    The deduction makes each row begin where the one before ends.
    """
    deduction, before, result = 0.0, tiers[0][1], 0.0
    for floor, rate in tiers:
        deduction += floor * (rate - before)
        before = rate
        if notional >= floor:
            result = rate * notional - deduction
    return result


def margin(terms: Terms, coins: list[float], prices: Pair) -> float:
    return sum(
        requirement(terms.tiers, abs(amount) * price)
        for amount, price in zip(coins, prices, strict=True)
    )


def positions(terms: Terms, gross: float, prices: NDArray[np.float64]) -> list[float]:
    long = gross / (1.0 + terms.hedge)
    return [long / prices[0], -terms.hedge * long / prices[1]]


def keep(terms: Terms, bars: Bars) -> Books:
    """The books of one policy over all bars."""
    books = Books()
    opened_at: int | None = None
    steps = len(bars.low)
    for k in range(steps):
        start, end = bars.close[k], bars.close[k + 1]
        if books.died:
            books.curve.append(books.cash)
            continue
        opened_at = decide(terms, books, start, k, opened_at)
        hit = inside(terms, books, start, bars.low[k], bars.high[k], end)
        for leg in range(2):
            books.pnl[leg] += books.coins[leg] * (end[leg] - start[leg])
        if not hit and bars.due[k]:
            for leg in range(2):
                paid = books.coins[leg] * end[leg] * bars.rates[k, leg]
                books.cash -= paid
                books.funding += paid
            hit = books.equity(end) <= margin(terms, books.coins, (end[0], end[1]))
        if hit:
            liquidate(terms, books, end, k)
        books.curve.append(books.equity(end))
    if not books.died:
        books.trade(terms, bars.close[-1], [0.0, 0.0])
        books.deficit += max(-books.cash, 0.0)
        books.cash = max(books.cash, 0.0)
        books.trades[-1].result = books.cash / books.trades[-1].opened - 1.0
        books.curve.append(books.cash)
    return books


def decide(
    terms: Terms, books: Books, prices: NDArray[np.float64], k: int, opened_at: int | None
) -> int | None:
    """Close at expiry and open anew, or rebalance, at the prices of the bar's start."""
    if opened_at is not None and k - opened_at >= terms.holding:
        worth = books.equity(prices)  # the new trade is sized before the order's costs
        books.trade(terms, prices, [0.0, 0.0])
        books.trades[-1].result = books.cash / books.trades[-1].opened - 1.0
        return begin(terms, books, prices, k, worth)
    if opened_at is None:
        return begin(terms, books, prices, k, books.cash)
    long, short = (abs(c) * p for c, p in zip(books.coins, prices, strict=True))
    if abs(short - terms.hedge * long) > terms.threshold * terms.hedge * long:
        books.trade(terms, prices, positions(terms, long + short, prices))
        books.rebalances += 1
    return opened_at


def begin(terms: Terms, books: Books, prices: NDArray[np.float64], k: int, worth: float) -> int:
    books.trades.append(Trade(books.cash))
    books.trade(terms, prices, positions(terms, terms.leverage * worth, prices))
    return k


def inside(
    terms: Terms,
    books: Books,
    start: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    end: NDArray[np.float64],
) -> bool:
    """Whether margin was met at the start, at the end, or at both legs' worst in between."""
    worst = (min(low[0], start[0], end[0]), max(high[1], start[1], end[1]))
    for prices in ((start[0], start[1]), (end[0], end[1]), worst):
        worth = books.cash + books.coins[0] * prices[0] + books.coins[1] * prices[1]
        if worth <= margin(terms, books.coins, prices):
            return True
    return False


def liquidate(terms: Terms, books: Books, end: NDArray[np.float64], k: int) -> None:
    """Close at the lesser of margin and equity at the bar's end; the fee takes what is left."""
    marked = books.equity(end)
    found = min(margin(terms, books.coins, (end[0], end[1])), marked)
    gross = sum(abs(c) * p for c, p in zip(books.coins, end, strict=True))
    fee = min(terms.liquidation_fee * gross, max(found, 0.0))
    books.deficit += max(-found, 0.0)
    books.liquidation_cost = marked - found + fee
    books.cash, books.coins = max(found, 0.0) - fee, [0.0, 0.0]
    books.trades[-1].result = books.cash / books.trades[-1].opened - 1.0
    books.died = k + 1


def outcomes(books: Books, steps: int) -> dict[str, float]:
    """The numbers that the kernels also give, by their names there."""
    peak, deepest, under = 1.0, 0.0, 0
    for k, value in enumerate(books.curve):
        peak = max(peak, value)
        deepest = max(deepest, 1.0 - value / peak)
        under += value < peak and k <= steps
    results = [trade.result for trade in books.trades]
    return {
        "final_equity": books.cash,
        "max_drawdown": deepest,
        "liquidation_step": float(books.died),
        "deficit": books.deficit,
        "pnl_a": books.pnl[0],
        "pnl_b": books.pnl[1],
        "fees": books.fees,
        "slippage": books.slippage,
        "funding": books.funding,
        "liquidation_cost": books.liquidation_cost,
        "turnover": books.turnover,
        "under_water": float(under),
        "rebalances": float(books.rebalances),
        "trades": float(len(results)),
        "wins": float(sum(result > 0.0 for result in results)),
        "trade_sum_1": sum(results),
        "trade_sum_2": sum(result**2 for result in results),
        "trade_downside": sum(min(result, 0.0) ** 2 for result in results),
    }
