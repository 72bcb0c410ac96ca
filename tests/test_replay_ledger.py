"""Recorded minutes replayed, against an account kept trade by trade in plain Python.

The whole chain: files, reader, tape, policy kernel. Where vectorbt is there, it keeps the fees and
rebalances of the same bars as a third witness.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from markets import of, policy, venue
from plain_book import Bars, Terms, keep, outcomes
from stresscube import history
from stresscube.history.funding import on_bars
from stresscube_kernels import cpu, oracle
from stresscube_kernels.contract import Outcome
from stresscube_kernels.pack import job_shape, pack_policies
from stresscube_kernels.spec import (
    NEVER,
    HistorySpec,
    Job,
    PolicySpec,
    ReplaySpec,
    SimulationSpec,
    VenueSpec,
)
from stresscube_kernels.view import window_bars

pytestmark = pytest.mark.needs("data", "pyarrow")

MINUTE = 1.0 / (365 * 24 * 60)
CAPITAL = 100_000.0
TIERS = ((0.0, 0.004), (300_000.0, 0.01), (1_000_000.0, 0.025))
EXCHANGE = VenueSpec("X", 0.0005, 0.0002, 0.0, 1e9, TIERS, 0.0125)
STEPS, PATHS = 720, 10


def recorded(folder: Path) -> HistorySpec:
    """May 2025 by the minute, with the month's funding prints."""
    bars = history.read(folder / "binance_perp_1m_2025_05.parquet")
    prints = history.read_funding(folder / "binance_funding_8h_2021_2025_MIT.parquet")
    rates, due = on_bars(prints, bars)
    assert due.sum() == 90  # three a day
    return HistorySpec(bars.close, MINUTE, bars.low, bars.high, rates, due)


def grid() -> list[PolicySpec]:
    return [
        PolicySpec((EXCHANGE,), hedge, leverage, rebalance_threshold=threshold, holding=holding)
        for hedge, threshold in ((0.0, NEVER), (1.0, 0.004), (0.7, 0.01))
        for leverage in (4.0, 40.0, 90.0)
        for holding in (NEVER, 95 * MINUTE)
    ]


def terms(spec: PolicySpec) -> Terms:
    return Terms(
        hedge=spec.hedge_ratio or 0.0,
        leverage=spec.leverage,
        threshold=spec.rebalance_threshold,
        holding=round(spec.holding / MINUTE) if spec.holding < NEVER else NEVER,
        fee=EXCHANGE.taker_fee,
        slippage=EXCHANGE.slippage,
        tiers=[(floor / CAPITAL, rate) for floor, rate in TIERS],
        liquidation_fee=EXCHANGE.liquidation_fee,
    )


@pytest.mark.slow
def test_every_account_is_that_of_the_plain_books(market_data: Path) -> None:
    """All outcomes of 18 policies in 10 windows of May 2025, liquidations inside bars included.

    1e-9 of the notional: the books add up 720 steps in another order and in other units.
    """
    spec = recorded(market_data)
    market = ReplaySpec(spec, stride=4000 * MINUTE)
    run = SimulationSpec(STEPS, MINUTE, 0, "float64", CAPITAL)
    job = Job(market, tuple(grid()), run)
    exact = oracle.run(job, 0, PATHS)
    fast = cpu.prepare(job, threads=1).run(0, PATHS)
    assert np.array_equal(fast.per_policy, exact.per_policy)
    starts = window_bars(market, run, 0, PATHS)
    assert spec.low is not None
    assert spec.high is not None
    assert spec.rates is not None
    assert spec.due is not None
    died = 0
    for path, first in enumerate(starts):
        part = slice(first, first + STEPS)
        close = spec.close[first - 1 : first + STEPS]
        bars = Bars(close, spec.low[part], spec.high[part], spec.rates[part], spec.due[part])
        for number, one in enumerate(grid()):
            expected = outcomes(keep(terms(one), bars), STEPS)
            died += expected["liquidation_step"] > 0
            for name, value in expected.items():
                found = of(exact.per_policy, name)[number, path]
                assert abs(found - value) <= 1e-9 * (1.0 + one.leverage), (number, path, name)
    assert 20 < died < 160


def test_lows_and_highs_matter_in_these_minutes(market_data: Path) -> None:
    """Closes alone would have spared accounts that the minutes' lows and highs took."""
    spec = recorded(market_data)
    shares: list[float] = []
    for ranges in (True, False):
        market = ReplaySpec(spec, stride=720 * MINUTE, ranges=ranges)
        run = SimulationSpec(STEPS, MINUTE, 0, "float64", CAPITAL, bridge=ranges)
        found = cpu.prepare(Job(market, tuple(grid()), run), threads=1).run(0, 55)
        shares.append(float((of(found.per_policy, "liquidation_step") > 0).mean()))
    assert shares[0] > shares[1] > 0.0


@pytest.mark.needs("vectorbt")
def test_fees_and_rebalances_are_vectorbts(
    market_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Final value, fees and number of orders of the threshold rule, on a week of minutes."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1]))
    rule = importlib.import_module("benchmarks.vectorbt_rule")
    spec = recorded(market_data)
    steps = 7 * 1440
    thresholds = np.array([0.002, 0.006, 0.02])
    free = venue(taker_fee=0.0005, slippage=0.0, maintenance_tiers=((0.0, 0.0),))
    policies = tuple(
        policy(0.9, 2.0, venues=(free,), rebalance_threshold=float(threshold))
        for threshold in thresholds
    )
    history_alone = HistorySpec(spec.close, MINUTE)
    market = ReplaySpec(history_alone)
    run = SimulationSpec(steps, MINUTE, 0, "float64", bridge=False)
    job = Job(market, policies, run)
    shape = job_shape(job)
    made, _ = oracle.simulate(job, 0, 1, np.float64, shape)
    found = oracle.run_policies(made, pack_policies(policies, run, shape), shape)
    first = int(window_bars(market, run, 0, 1)[0])
    case: dict[str, Any] = {
        "prices": spec.close[first - 1 : first + steps],
        "hedge_ratio": np.full(3, 0.9),
        "leverage": np.full(3, 2.0),
        "rebalance_threshold": thresholds,
        "fee": np.full(3, 0.0005),
        "slippage": np.zeros(3),
    }
    portfolio = rule.simulate(case)
    values = np.asarray(portfolio.final_value()) - 1e6
    ours = dict(zip(Outcome._fields, found[:, :, 0], strict=True))
    prices = case["prices"]
    # vectorbt leaves the position open; the kernel closes it and pays for that.
    orders = portfolio.orders.records
    held = np.zeros(3)
    for number in range(3):
        for leg in range(2):
            of_leg = orders[orders["col"] == 2 * number + leg]
            signed = np.where(of_leg["side"] == 0, of_leg["size"], -of_leg["size"])
            held[number] += abs(float(signed.sum())) * prices[-1, leg]
    closing = 0.0005 * held
    np.testing.assert_allclose(ours["final_equity"] - 1.0, values - closing, atol=1e-7)
    fees = np.array([orders["fees"][orders["col"] // 2 == number].sum() for number in range(3)])
    np.testing.assert_allclose(ours["fees"], fees + closing, rtol=1e-9)
    counts = np.array([(orders["col"] == 2 * number).sum() for number in range(3)])
    assert np.array_equal(ours["rebalances"], counts - 1)  # the first order opens
    assert ours["rebalances"][0] > 20
