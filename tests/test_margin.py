"""Maintenance margin: exchanges' tables, their published example, and the bridge's test."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from markets import ledger, policy, simulation, tape_of, venue
from stresscube_kernels.contract import Shape, Tier
from stresscube_kernels.margin import Margin, margin, tiered
from stresscube_kernels.ops import NumpyOps
from stresscube_kernels.pack import (
    feasible,
    margin_branches,
    opening_margin,
    pack_policies,
)

OPS = NumpyOps()
# Binance's USDT-margined tables at the time of its example: notional floor, rate.
ETH_TIERS = (
    (0, 0.005), (10_000, 0.0065), (100_000, 0.01), (500_000, 0.02), (1_000_000, 0.05),
    (2_000_000, 0.10), (5_000_000, 0.125),
)  # fmt: skip
BTC_TIERS = (
    (0, 0.004), (50_000, 0.005), (250_000, 0.01), (1_000_000, 0.025), (5_000_000, 0.05),
)  # fmt: skip
WALLET = 1_535_443.01
ETH = {"size": 3683.979, "entry": 1456.84, "mark": 1335.18}
BTC = {"size": 109.488, "entry": 32481.98, "mark": 31967.27}


def binance() -> Any:
    """The policy record of an account with ETH on leg a and BTC on leg b, money in USDT."""
    venues = (venue("eth", maintenance_tiers=ETH_TIERS), venue("btc", maintenance_tiers=BTC_TIERS))
    shape = Shape(venues=2, tiers=len(ETH_TIERS))
    return pack_policies((policy(1.0, venues=venues),), simulation(1, 1.0, 0, capital=1.0), shape)


def both(packed: Any, notional_a: float, notional_b: float) -> tuple[Margin, Margin]:
    """What each leg of a packed policy asks for."""
    tiers = packed.venues[0].tiers, packed.venues[-1].tiers
    notionals = np.array([notional_a]), np.array([notional_b])
    a, b = (margin(OPS, table, n) for table, n in zip(tiers, notionals, strict=True))
    return a, b


def distance(eth: float, btc: float) -> float:
    """Equity less maintenance margin at these mark prices."""
    profit = ETH["size"] * (eth - ETH["entry"]) + BTC["size"] * (btc - BTC["entry"])
    needed = both(binance(), ETH["size"] * eth, BTC["size"] * btc)
    return WALLET + profit - (needed[0].required + needed[1].required).item()


def test_deductions_are_the_ones_that_exchanges_print() -> None:
    """ETH's 2-5 million tier: rate 10%, deduction 135,365; BTC's 1-5 million: 2.5%, 16,300."""
    eth, btc = margin_branches(ETH_TIERS, 1.0), margin_branches(BTC_TIERS, 1.0)
    printed = [0, 15, 365, 5365, 35_365, 135_365, 260_365]
    assert [tier.deduction for tier in eth] == pytest.approx(printed, abs=1e-6)
    assert [tier.deduction for tier in btc] == pytest.approx([0, 50, 1300, 16_300, 141_300])


def test_the_published_positions_are_in_the_published_tiers() -> None:
    """At the marks: ETH 4.92 million, BTC 3.50 million; margins notional * rate - deduction."""
    eth, btc = both(binance(), ETH["size"] * ETH["mark"], BTC["size"] * BTC["mark"])
    expected = ETH["size"] * ETH["mark"] * 0.10 - 135_365
    expected += BTC["size"] * BTC["mark"] * 0.025 - 16_300
    assert (eth.required + btc.required).item() == pytest.approx(expected, rel=1e-12)
    assert (eth.rate.item(), btc.rate.item()) == (0.10, 0.025)


def test_published_liquidation_prices() -> None:
    """Binance's cross-margin example: liquidated at ETH 1153.26, or at BTC 26316.89."""
    assert distance(ETH["mark"], BTC["mark"]) > 0
    eth = brentq(lambda price: distance(price, BTC["mark"]), 1000, ETH["mark"])
    btc = brentq(lambda price: distance(ETH["mark"], price), 20_000, BTC["mark"])
    assert eth == pytest.approx(1153.26, abs=0.005)
    assert btc == pytest.approx(26316.89, abs=0.005)


def by_table(table: list[tuple[float, float]], notional: float) -> float:
    """Brackets, each with its own rate, as income tax is reckoned: the definition."""
    floors = [floor for floor, _ in table] + [np.inf]
    return sum(
        rate * max(0.0, min(notional, floors[k + 1]) - floors[k])
        for k, (_, rate) in enumerate(table)
    )


rates = st.lists(st.floats(0.0005, 0.5), min_size=1, max_size=8, unique=True).map(sorted)
floors = st.lists(st.floats(1.0, 1e7), min_size=7, max_size=7, unique=True).map(sorted)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(
    rates=rates, floors=floors, notional=st.floats(0.0, 2e7),
    capital=st.sampled_from([1.0, 1e3, 1e5]),
)  # fmt: skip
def test_the_maximum_of_tangents_is_the_table(
    rates: list[float], floors: list[float], notional: float, capital: float
) -> None:
    """Continuous brackets with ascending rates are the maximum of their lines."""
    table = list(zip([0.0, *floors], rates, strict=False))
    branches = tuple(margin_branches(table, capital))
    required, rate = tiered(OPS, branches, notional / capital)
    assert float(required) * capital == pytest.approx(by_table(table, notional), rel=1e-9, abs=1e-6)
    bracket = max(k for k, (floor, _) in enumerate(table) if floor <= notional)
    if all(abs(notional - floor) > 1e-6 * floor for floor, _ in table[1:]):
        assert float(rate) == table[bracket][1]


def test_padding_with_the_last_tier_changes_nothing() -> None:
    """Tables of different lengths share code: the short one repeats its last tier."""
    one, three = (
        pack_policies(
            (policy(venues=(venue(maintenance_tiers=((0, 0.01), (1000, 0.02))),)),),
            simulation(1, 1.0, 0, capital=100.0),
            Shape(tiers=tiers),
        )
        for tiers in (2, 4)
    )
    for notional in (5.0, 10.0, 50.0):
        assert both(one, notional, -notional) == both(three, notional, -notional)


def test_margin_is_of_both_legs_whatever_their_sign() -> None:
    packed = pack_policies(
        (policy(venues=(venue(maintenance_tiers=((0, 0.01), (300, 0.03))),)),),
        simulation(1, 1.0, 0, capital=100.0), Shape(tiers=2),
    )  # fmt: skip
    # leg a: 2 = 200 in quote, in the first tier: 0.02. leg b: 5: 0.03 + 2 * 0.03 = 0.09
    a, b = both(packed, 2.0, -5.0)
    assert (a.required + b.required).item() == pytest.approx(0.11, abs=1e-15)
    assert (a.rate.item(), b.rate.item()) == (0.01, 0.03)


def test_feasible_means_margin_below_equity_at_opening() -> None:
    """Rate 2%: gross 49 needs 0.98 of equity, 50 all of it. The venue's cap comes first."""
    tiers = ((0.0, 0.02),)
    run = simulation(1, 1.0, 0)
    for leverage, cap, able in ((49.0, 1e9, True), (50.0, 1e9, False), (200.0, 49.0, True)):
        spec = policy(0.7, leverage, venues=(venue(maintenance_tiers=tiers, max_leverage=cap),))
        assert feasible(spec, run) is able
        assert opening_margin(spec, run) == pytest.approx(0.02 * min(leverage, cap), rel=1e-12)


def test_capital_decides_which_tier_binds() -> None:
    """Gross 10, one leg: 1000 of capital stay in the first tier (1%), 100 000 reach the second.

    10 * 1% = 0.1; at 100 000 the floor of 500 000 is 5 units: 5 * 1% + 5 * 5% = 0.3.
    """
    spec = policy(0.0, 10.0, venues=(venue(maintenance_tiers=((0, 0.01), (500_000, 0.05))),))
    assert opening_margin(spec, simulation(1, 1.0, 0, capital=1e3)) == pytest.approx(0.1)
    assert opening_margin(spec, simulation(1, 1.0, 0, capital=1e5)) == pytest.approx(0.3)


BRIDGE = {"variance_a": 0.04, "covariance": 0.012, "variance_b": 0.09}


@pytest.mark.parametrize(("draw", "hit"), [(0.99, False), (1.01, True)])
def test_the_bridge_hits_where_its_inequality_says(draw: float, hit: bool) -> None:
    """e v > 2 d0 d1, reckoned by hand, on both sides of equality.

    h 0.5, L 3: N_a = 2, N_b = -1, m 10%: M = 0.3, d0 = 0.7 at the start. The step moves nothing
    but a by -5%: E1 = 0.9, M = 0.1 (1.9 + 1) = 0.29, d1 = 0.61. Weights: 2 (1 - 0.1) = 1.8 and
    -1 (1 + 0.1) = -1.1. v = 3.24 * 0.04 + 1.21 * 0.09 - 2 * 1.98 * 0.012 = 0.19098.
    Equality at e = 2 * 0.7 * 0.61 / 0.19098 = 4.47167.
    """
    exact = 2 * 0.7 * 0.61 / 0.19098
    tape = tape_of({"return_a": -0.05, "bridge": draw * exact, **BRIDGE})
    spec = policy(0.5, 3.0, venues=(venue(maintenance_tiers=((0, 0.1),)),))
    assert ledger(tape, spec)["liquidation_step"] == float(hit)
    assert ledger(tape, spec, bridge=False)["liquidation_step"] == 0.0


def test_the_bridge_uses_the_rate_of_the_tier_that_binds() -> None:
    """Leg of 4, floor at 2: M = 2 * 1% + 2 * 20% = 0.42, marginal rate 20%.

    d0 = d1 = 0.58, w = 4 * 0.8 = 3.2, v = 10.24 * 0.01 = 0.1024; equality at
    e = 2 * 0.3364 / 0.1024 = 6.5703. With the first tier's rate it would be 4.29.
    """
    spec = policy(0.0, 4.0, venues=(venue(maintenance_tiers=((0, 0.01), (2, 0.2))),))
    for draw, hit in ((6.5, 0.0), (6.64, 1.0)):
        tape = tape_of({"variance_a": 0.01, "bridge": draw})
        assert ledger(tape, spec, capital=1.0)["liquidation_step"] == hit


def test_tier_records_are_what_the_kernels_read() -> None:
    """Deductions come in units of equity: quote currency over capital."""
    assert margin_branches(((0, 0.004), (50_000, 0.005)), 100_000.0) == [
        Tier(0.004, 0.0),
        Tier(0.005, pytest.approx(50 / 100_000)),
    ]
