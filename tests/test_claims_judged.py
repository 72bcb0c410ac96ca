"""Each claim on a case where it is true by construction, and on one where it is false."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from claim_cubes import Figures, Point, made
from stresscube.claims.catalogue import CLAIMS
from stresscube.claims.claim import Claim
from stresscube.claims.tested.paper_trading import loss_probability, luckiest, sharpe_error
from stresscube.claims.verdicts import Verdict

HOLDS, ONLY_IF, FAILS = Verdict.HOLDS, Verdict.ONLY_IF, Verdict.FAILS
INF = math.inf
BY_NAME = {it.name: it for it in CLAIMS}


def flat(value: float) -> Callable[[Point], float]:
    return lambda _: value


def steps(dim: str, values: dict[Any, float], other: float = 0.0) -> Callable[[Point], float]:
    return lambda at: values.get(at[dim], other)


def clock(at: Point) -> bool:
    return at["rebalance_interval"] == 0.25 and at["rebalance_threshold"] == INF


def drifted(at: Point) -> bool:
    return at["rebalance_threshold"] == 0.008 and at["rebalance_interval"] == INF


def by_skill(best: float) -> Callable[[Point], float]:
    """Return a median that grows most at one leverage."""
    return lambda at: 0.5 - 0.001 * abs(at["leverage"] - best)


TRUE: dict[str, Figures] = {
    "threshold": {
        "fees_mean": lambda at: 0.3 if clock(at) else 0.1,
        "pnl_mispricing_mean": lambda at: 0.02 if drifted(at) else 0.01,
        "win_rate": lambda at: 0.6 if drifted(at) else 0.4,
    },
    "holding": {
        "fees_mean": lambda at: 0.1 / at["holding"],
        "sharpe": lambda at: 3.0 if at["holding"] == 1.0 else 2.0,
    },
    "noise": {
        "return_mean": lambda at: (
            -at["rebalance_threshold"] if at["calm_correlation"] == 0.5
            else at["rebalance_threshold"]
        ),
    },
    "leverage-rebalances": {"rebalances_per_day": steps("leverage", {10: 10.0, 50: 60.0})},
    "liquidation": {
        "survival": flat(0.92),
        "liquidation_probability": lambda at: 0.08 if at["venue"] == "C" else 0.14,
        "liquidation_probability_per_trade": flat(0.08),
    },
    "venues": {"return_mean": steps("venue", {"A": 0.12, "C": 0.1, "C-slow": 0.02})},
    "latency": {"return_mean": steps("venue", {"none": 0.1, "quick": 0.1, "half": 0.0999})},
    "correlation": {
        "return_std": steps("spike_correlation", {0.3: 0.4, 0.85: 0.2}),
        "liquidation_probability": steps("sizing_correlation", {"off": 0.4, "0.4": 0.1}),
    },
    "neutrality": {"pnl_beta": flat(-0.02)},
    "bias": {"liquidation_probability": lambda at: 0.3 - at["directional_bias"]},
    "sharpe": {"sharpe": flat(3.0), "max_drawdown_mean": flat(0.05)},
    "underwater": {"under_water_probability": flat(0.6), "recovery_probability": flat(0.3)},
    "funding": {
        "funding_mean": flat(0.2),
        "fees_mean": flat(0.1),
        "return_std": lambda at: 0.1 * at["holding"],
    },
    "margin-modes": {"liquidation_probability": flat(0.01)},
    "leverage": {
        "return_quantile": by_skill(10.0),
        "liquidation_probability": lambda at: 0.01 * at["leverage"],
    },
    "same-coin": {"return_std": flat(0.1)},
    "paper-trading": {"under_water_probability": flat(0.01)},
}  # fmt: skip

TRUE_VERDICTS: dict[str, list[Verdict]] = {
    # 10x gross and 10x for each leg cannot both be best.
    "leverage": [HOLDS, FAILS, HOLDS],
    # The standard errors of a record are no matter of any cube.
    "paper-trading": [ONLY_IF, HOLDS, HOLDS],
}

FALSE: dict[str, Figures] = {
    "threshold": {
        "fees_mean": flat(0.1),
        "pnl_mispricing_mean": flat(0.01),
        "win_rate": flat(0.4),
    },
    "holding": {"fees_mean": flat(0.1), "sharpe": lambda at: at["holding"]},
    "noise": {
        "return_mean": lambda at: (
            at["rebalance_threshold"] if at["calm_correlation"] == 0.5
            else -at["rebalance_threshold"]
        ),
        "return_std": lambda at: (
            -at["rebalance_threshold"] if at["calm_correlation"] == 0.5
            else at["rebalance_threshold"]
        ),
        "max_drawdown_mean": lambda at: (
            -at["rebalance_threshold"] if at["calm_correlation"] == 0.5
            else at["rebalance_threshold"]
        ),
    },
    "leverage-rebalances": {"rebalances_per_day": steps("leverage", {10: 10.0, 50: 250.0})},
    "liquidation": {
        "survival": flat(0.98),
        "liquidation_probability": flat(0.02),
        "liquidation_probability_per_trade": flat(0.001),
    },
    "venues": {"return_mean": steps("venue", {"A": -0.05, "C": 0.1, "C-slow": 0.099})},
    "latency": {"return_mean": steps("venue", {"none": 0.1, "half": 0.05}, other=0.1)},
    "correlation": {
        "return_std": flat(0.2),
        "liquidation_probability": steps("sizing_correlation", {"off": 0.4, "0.4": 0.39}),
    },
    "neutrality": {"pnl_beta": lambda at: 0.5 if at["leg"] == "a" else -0.5},
    "bias": {"liquidation_probability": lambda at: 0.3 + at["directional_bias"]},
    "sharpe": {"sharpe": flat(1.0), "max_drawdown_mean": flat(0.3)},
    "underwater": {"under_water_probability": flat(0.1), "recovery_probability": flat(0.01)},
    "funding": {"funding_mean": flat(0.01), "fees_mean": flat(0.1), "return_std": flat(0.1)},
    "margin-modes": {"liquidation_probability": flat(0.5)},
    "leverage": {
        "return_quantile": lambda at: math.expm1(0.01 * at["leverage"] ** 1.1),
        "liquidation_probability": lambda at: 0.01 * at["leverage"],
    },
    "same-coin": {"return_std": lambda at: 0.1 if at["run"] == "same" else 1.0},
    "paper-trading": {"under_water_probability": flat(0.4)},
}  # fmt: skip

FALSE_VERDICTS: dict[str, list[Verdict]] = {"paper-trading": [ONLY_IF, FAILS, HOLDS]}


def verdicts(claim: Claim, figures: Figures, error: float = 1e-5) -> list[Verdict]:
    """Return the verdicts in the market of the claim's own file."""
    return [it.verdict for it in claim.judge(made(claim, claim.studies[0], figures, error))]


def test_every_claim_has_its_cases() -> None:
    assert set(TRUE) == set(FALSE) == set(BY_NAME)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_claim_that_is_true_holds(name: str) -> None:
    found = verdicts(BY_NAME[name], TRUE[name])
    assert found == TRUE_VERDICTS.get(name, [HOLDS] * len(found))


@pytest.mark.parametrize("name", BY_NAME)
def test_a_claim_that_is_false_does_not_hold(name: str) -> None:
    found = verdicts(BY_NAME[name], FALSE[name])
    assert found == FALSE_VERDICTS.get(name, [FAILS] * len(found))


@pytest.mark.parametrize("name", [it for it in BY_NAME if it != "paper-trading"])
def test_nothing_is_settled_by_figures_that_are_all_error(name: str) -> None:
    assert set(verdicts(BY_NAME[name], TRUE[name], error=1e3)) == {Verdict.UNSETTLED}


def test_a_claim_that_needs_another_reading_holds_only_if() -> None:
    fees: Figures = {
        "fees_mean": lambda at: 0.1 / at["holding"],
        "pnl_mispricing_mean": lambda at: 0.05 if at["side"] == "spread" else 0.0,
        "win_rate": lambda at: 0.7 if at["side"] == "spread" else 0.3,
    }
    assert verdicts(BY_NAME["threshold"], fees) == [ONLY_IF] * 3
    equity: Figures = {
        "rebalances_per_day": lambda at: (
            60.0 if at["drift_measure"] == "equity" and at["leverage"] == 50 else 10.0
        )
    }
    assert verdicts(BY_NAME["leverage-rebalances"], equity) == [ONLY_IF, HOLDS]
    trend: Figures = {
        "liquidation_probability": lambda at: (
            0.3 + at["directional_bias"] * (-1.0 if at["run"] else 1.0)
        )
    }
    assert verdicts(BY_NAME["bias"], trend) == [ONLY_IF, ONLY_IF]


def test_the_error_of_a_sharpe_ratio_is_that_of_simulated_records() -> None:
    """Lo (2002), on 4,000 records of 1.5 years of days with a Sharpe ratio of 2; 4 errors."""
    days, records = 548, 4000
    rng = np.random.default_rng(11)
    returns = rng.normal(2.0 / math.sqrt(365.0), 1.0, (records, days))
    ratios = returns.mean(axis=1) / returns.std(axis=1) * math.sqrt(365.0)
    expected = sharpe_error(2.0, days / 365.0)
    assert abs(ratios.std() - expected) < 4.0 * expected / math.sqrt(2.0 * records)
    lost = float((returns.sum(axis=1) < 0.0).mean())
    theory = loss_probability(2.0, days / 365.0)
    assert abs(lost - theory) < 4.0 * math.sqrt(theory * (1.0 - theory) / records)


def test_the_luckiest_of_many_books_worth_nothing() -> None:
    """The expected maximum of 50 normal variables; the formula is good to 1%; 4 errors."""
    rng = np.random.default_rng(12)
    maxima = rng.normal(size=(20_000, 50)).max(axis=1) * sharpe_error(0.0, 1.5)
    error = 4.0 * maxima.std() / math.sqrt(maxima.size)
    assert abs(luckiest(50, 1.5) - maxima.mean()) < error + 0.01 * maxima.mean()
