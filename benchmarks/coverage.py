"""How often 95% intervals hold the truth: outcomes from known laws, summarised over and over.

`python -m benchmarks.coverage` draws runs of which every metric is known in closed form, takes
value ± 1.96 standard errors of each, and counts. A repetition is a policy of its own, so that the
program's own `summarise` does all of the work. Truths are those of mixtures of normals, half
normals, log-normals, uniform times of death and trades that share their path's luck.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from scipy.special import ndtr, ndtri

from stresscube.metrics import Context, metrics_of, summarise
from stresscube_kernels.contract import Features, Shape
from stresscube_kernels.rules import outcome_fields

from . import record

Floats = NDArray[np.float64]
RESULTS = record.ROOT / "benchmarks" / "results" / "coverage.jsonl"
MINUTE = 1.0 / 525_600
STEPS = 10_080
CONTEXT = Context(horizon=STEPS * MINUTE, step=MINUTE, steps=STEPS, regimes=("calm", "stress"))
FIELDS = outcome_fields(Shape(features=Features(by_regime=True), regimes=2))
REACH = float(ndtri(0.975))
WITHOUT_TRUTH = ("sharpe_probabilistic", "trade_sharpe_probabilistic")
"""Statements about the estimate itself: a truth of theirs would change with every run."""
LIQUIDATIONS = (0.05, 0.6)
"""Of policies that are seldom liquidated, and of those of which more than half are."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """A mixture of normals: weights, means and standard deviations, each [part]."""

    weight: Floats
    mean: Floats
    std: Floats

    def moments(self) -> tuple[float, float, float, float]:
        """Mean, standard deviation, skewness and kurtosis."""
        mean = float(self.weight @ self.mean)
        d, v = self.mean - mean, self.std**2
        variance = float(self.weight @ (d**2 + v))
        third = float(self.weight @ (d**3 + 3 * d * v))
        fourth = float(self.weight @ (d**4 + 6 * d**2 * v + 3 * v**2))
        return mean, variance**0.5, third / variance**1.5, fourth / variance**2

    def below(self, x: float) -> float:
        """P(X < x)."""
        return float(self.weight @ ndtr((x - self.mean) / self.std))

    def quantile(self, p: float) -> float:
        """The x with P(X < x) = p."""
        return float(optimize.brentq(lambda x: self.below(x) - p, -10.0, 10.0, xtol=1e-14))

    def mean_below(self, x: float) -> float:
        """E[X; X < x]."""
        z = (x - self.mean) / self.std
        return float(self.weight @ (self.mean * ndtr(z) - self.std * _density(z)))

    def downside(self) -> float:
        """E[min(X, 0)^2]."""
        z = self.mean / self.std
        square = (self.mean**2 + self.std**2) * ndtr(-z) - self.mean * self.std * _density(z)
        return float(self.weight @ square)


def _density(z: Floats) -> Floats:
    return np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)


MEANS, SPREADS = np.array([0.01, -0.10]), np.array([0.03, 0.04])
"""Of returns, if not liquidated and if liquidated."""
WITH_LEG = 0.6
"""Correlation of a return with leg a's."""
LEGS, LEG_CORRELATION = (0.05, 0.06), 0.8
TRADES = ((2, 5), (1, 3))
"""Fewest and most trades of a path, any number between as likely, by its fate."""
TRADE_MEANS, TRADE_LUCK, TRADE_SPREAD = np.array([0.003, -0.010]), 0.01, 0.02
"""Of a trade: by the path's fate; what the path's trades share; and what they do not."""
RECOVERED, EXTRA, DEFICIT, COST = 0.4, (-4.0, 0.5), 0.01, 0.004
DRAWDOWN, UNDER_WATER, REBALANCES = 0.04, 1.0 / 3.0, 1e-3
GAINS = ((0.004, 0.02), (-0.002, 0.03))
STRESS_TIME, STRESS_DEATHS, STRESS_DEEPEST = 1.0 / 3.0, 0.8, 0.6
LOGNORMAL = {"fees": (0.002, 0.5), "turnover": (20.0, 0.3), "liquidation_cost": (COST, 0.2)}
"""Mean and the logarithm's standard deviation."""
NORMAL = {
    "funding": (1e-4, 1e-3), "pnl_a": (0.002, 0.05), "pnl_b": (-0.001, 0.05),
    "pnl_mispricing": (0.001, 0.01),
}  # fmt: skip
SLIPPAGE = 5e-4


def draw(
    rng: np.random.Generator, rows: int, paths: int, chance: float
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Outcomes [row, path] and the legs' returns [path]; `chance` of liquidation."""
    shape = (rows, paths)
    market = rng.standard_normal((2, paths))
    own = rng.standard_normal((3, *shape))
    even = rng.random((5, *shape))
    gone = even[0] < chance
    fate = gone.astype(np.intp)
    x = WITH_LEG * market[0] + np.sqrt(1.0 - WITH_LEG**2) * own[0]
    step = np.where(gone, np.ceil(STEPS * (1.0 - even[1])), 0.0)
    lived = np.where(gone, step, float(STEPS))
    made: dict[str, Floats] = dict.fromkeys(FIELDS, np.zeros(shape))
    made |= {
        "final_equity": 1.0 + MEANS[fate] + SPREADS[fate] * x,
        "liquidation_step": step,
        "recovered": 1.0 * (gone & (even[2] < RECOVERED)),
        "extra_margin": gone * np.exp(EXTRA[0] + EXTRA[1] * own[1]),
        "deficit": gone * DEFICIT * np.maximum(own[1], 0.0),
        "max_drawdown": DRAWDOWN * np.abs(own[1]),
        "under_water": STEPS * even[2] ** 2,
        "rebalances": rng.poisson(REBALANCES * lived).astype(np.float64),
        "slippage": -SLIPPAGE * np.log1p(-even[3]),
    }
    for name, (mean, spread) in LOGNORMAL.items():
        made[name] = mean * np.exp(spread * own[2] - 0.5 * spread**2)
    made["liquidation_cost"] = made["liquidation_cost"] * gone
    made |= {name: mean + spread * own[1] for name, (mean, spread) in NORMAL.items()}
    made |= _trades(rng, fate, own[2]) | _regimes(gone, lived, even, own)
    legs = LEG_CORRELATION * market[0] + np.sqrt(1.0 - LEG_CORRELATION**2) * market[1]
    return made, {"return_a": LEGS[0] * market[0], "return_b": LEGS[1] * legs}


def _trades(rng: np.random.Generator, fate: NDArray[np.intp], luck: Floats) -> dict[str, Floats]:
    low, high = np.array(TRADES).T
    number = rng.integers(low[fate], high[fate] + 1)
    made = {name: np.zeros(fate.shape) for name in ("wins", "trade_downside")}
    sums = [np.zeros(fate.shape) for _ in range(4)]
    for trade in range(int(high.max())):
        value = TRADE_MEANS[fate] + TRADE_LUCK * luck
        value += TRADE_SPREAD * rng.standard_normal(fate.shape)
        value = np.where(trade < number, value, 0.0)
        made["wins"] += value > 0.0
        made["trade_downside"] += np.minimum(value, 0.0) ** 2
        for power, total in enumerate(sums, 1):
            total += value**power
    named = {f"trade_sum_{power}": total for power, total in enumerate(sums, 1)}
    return made | named | {"trades": number.astype(np.float64)}


def _regimes(
    gone: NDArray[np.bool_], lived: Floats, even: Floats, own: Floats
) -> dict[str, Floats]:
    stress, died, deepest = lived * even[2] ** 2, even[3] < STRESS_DEATHS, even[4] < STRESS_DEEPEST
    books = ((lived - stress, ~died, ~deepest), (stress, died, deepest))
    made: dict[str, Floats] = {}
    for k, ((mean, spread), (time, dead, deep)) in enumerate(zip(GAINS, books, strict=True)):
        made[f"regimes_{k}_gain"] = mean + spread * own[2]
        made[f"regimes_{k}_lived"] = time
        made[f"regimes_{k}_liquidated"] = 1.0 * (gone & dead)
        made[f"regimes_{k}_deepest"] = 1.0 * deep
    return made


def truths(chance: float) -> dict[str, Any]:
    """What every metric estimates, scalars or along its dims; NaN where there is no truth."""
    weight = np.array([1.0 - chance, chance])
    found = _of_returns(Mixture(weight, MEANS, SPREADS), weight)
    found |= _of_trades(weight)
    survivors = Mixture(np.ones(1), MEANS[:1], SPREADS[:1])
    dead = np.floor(np.array(CONTEXT.times) / MINUTE + 1e-6) / STEPS
    quantiles = np.array(CONTEXT.quantiles)
    lived = STEPS * (1.0 - chance) + chance * (STEPS + 1) / 2.0
    found |= {
        "liquidation_probability": chance,
        "under_water_probability": survivors.below(0.0),
        "recovery_probability": RECOVERED,
        "survival": 1.0 - chance * dead,
        "liquidation_time_median": np.ceil(0.5 / chance * STEPS) / 60 if chance > 0.5 else np.nan,
        "extra_margin_quantile": np.exp(EXTRA[0] + EXTRA[1] * ndtri(quantiles)),
        "max_drawdown_mean": DRAWDOWN * np.sqrt(2.0 / np.pi),
        "max_drawdown_quantile": DRAWDOWN * ndtri(0.5 + 0.5 * quantiles),
        "time_under_water": UNDER_WATER,
        "rebalances_mean": REBALANCES * lived,
        "rebalances_per_day": REBALANCES * 1440.0,
        "slippage_mean": SLIPPAGE,
        "deficit_mean": chance * DEFICIT / np.sqrt(2.0 * np.pi),
    }
    found |= {f"{name}_mean": mean for name, (mean, _) in (LOGNORMAL | NORMAL).items()}
    found["liquidation_cost_mean"] = chance * COST
    return found | _of_regimes(chance, lived, found["max_drawdown_mean"])


def _of_returns(law: Mixture, weight: Floats) -> dict[str, Any]:
    mean, std, skew, kurtosis = law.moments()
    year = CONTEXT.horizon**0.5
    tails = [(law.quantile(1.0 - level), 1.0 - level) for level in CONTEXT.levels]
    slope = WITH_LEG * float(weight @ SPREADS)
    return {
        "return_mean": mean, "return_std": std, "return_skew": skew, "return_kurtosis": kurtosis,
        "return_quantile": np.array([law.quantile(p) for p in CONTEXT.quantiles]),
        "value_at_risk": np.array([-x for x, _ in tails]),
        "expected_shortfall": np.array([-law.mean_below(x) / p for x, p in tails]),
        "sharpe": mean / std / year,
        "sharpe_adjusted": _adjusted(mean / std, skew, kurtosis) / year,
        "sortino": mean / law.downside() ** 0.5 / year,
        "pnl_beta": np.array([slope / LEGS[0], slope * LEG_CORRELATION / LEGS[1]]),
    }  # fmt: skip


def _of_trades(weight: Floats) -> dict[str, Any]:
    number = weight * np.array([(low + high) / 2.0 for low, high in TRADES])
    each = float(number.sum())
    spread = np.full(2, np.hypot(TRADE_LUCK, TRADE_SPREAD))
    law = Mixture(number / each, TRADE_MEANS, spread)
    mean, std, skew, kurtosis = law.moments()
    year = (CONTEXT.horizon / each) ** 0.5
    return {
        "trade_return_mean": mean,
        "trade_sharpe": mean / std / year,
        "trade_sharpe_adjusted": _adjusted(mean / std, skew, kurtosis) / year,
        "trade_sortino": mean / law.downside() ** 0.5 / year,
        "win_rate": 1.0 - law.below(0.0),
        "trades_mean": each,
        "liquidation_probability_per_trade": float(weight[1]) / each,
    }


def _adjusted(ratio: float, skew: float, kurtosis: float) -> float:
    return ratio * (1.0 + skew * ratio / 6.0 - (kurtosis - 3.0) * ratio**2 / 24.0)


def _of_regimes(chance: float, lived: float, drawdown: float) -> dict[str, Any]:
    gain, spread = np.array(GAINS).T
    time = lived * np.array([1.0 - STRESS_TIME, STRESS_TIME])
    deaths = chance * np.array([1.0 - STRESS_DEATHS, STRESS_DEATHS])
    return {
        "regime_gain_mean": gain,
        "regime_gain_quantile": gain[:, None] + spread[:, None] * ndtri(CONTEXT.quantiles),
        "regime_gain_per_year": gain / (time * MINUTE),
        "regime_time": time / STEPS,
        "regime_liquidation_probability": deaths,
        "regime_liquidation_rate": deaths / (time * MINUTE),
        "regime_drawdown_probability": np.array([1.0 - STRESS_DEEPEST, STRESS_DEEPEST]),
        "regime_drawdown_mean": np.full(2, drawdown),
    }


def coverage(repetitions: int, paths: int, chance: float, seed: int) -> dict[str, Floats]:
    """The share of repetitions in which each 95% interval holds the truth, along a metric's dims.

    Where there is nothing to miss (no death before the first time; no truth) it is NaN.
    """
    rng, known = np.random.default_rng(seed), truths(chance)
    names = [it.name for it in metrics_of(CONTEXT) if it.error and it.name not in WITHOUT_TRUTH]
    held = {name: np.zeros(np.shape(known[name])) for name in names}
    rows = max(1, 2**18 // paths)
    for first in range(0, repetitions, rows):
        outcomes, market = draw(rng, min(rows, repetitions - first), paths, chance)
        found = summarise(outcomes, market, CONTEXT)
        for name in names:
            away = np.abs(found[name] - known[name])
            held[name] += (away <= REACH * found[f"{name}_se"]).sum(axis=0)
    empty = {"survival": np.asarray(known["survival"]) == 1.0}
    missing = {name: np.isnan(known[name]) for name in names} | empty
    return {name: np.where(missing[name], np.nan, held[name] / repetitions) for name in names}


def measure(repetitions: int, paths: int, seed: int) -> list[dict[str, Any]]:
    """A line for each chance of liquidation."""
    lines: list[dict[str, Any]] = []
    for chance in LIQUIDATIONS:
        found = coverage(repetitions, paths, chance, seed)
        shares = np.concatenate([np.ravel(it) for it in found.values()])
        lines.append({
            "benchmark": "coverage", "repetitions": repetitions, "paths": paths, "seed": seed,
            "liquidation_probability": chance, "intervals": int(np.isfinite(shares).sum()),
            "lowest": float(np.nanmin(shares)), "highest": float(np.nanmax(shares)),
            "coverage": {name: [None if np.isnan(x) else round(float(x), 4) for x in np.ravel(it)]
                         for name, it in found.items()},
        })  # fmt: skip
    return lines


def main() -> None:
    """Measure, print, and write the result in place of the last one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=2000)
    parser.add_argument("--paths", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--dry", action="store_true", help="print only")
    asked = parser.parse_args()
    lines = measure(asked.repetitions, asked.paths, asked.seed)
    for line in lines:
        print(json.dumps(line), flush=True)
    if not asked.dry:
        asked.output.unlink(missing_ok=True)
        record.append(lines, asked.output)


if __name__ == "__main__":
    main()
