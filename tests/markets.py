"""Builders of small jobs with plain defaults, and runs of them whose outputs are poisoned first.

The exact laws in the tests want markets of one regime. They are given a second one that is never
reached, so that one piece of compiled code (`BRIDGED` or `PLAIN`) serves all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stresscube_kernels import cpu
from stresscube_kernels.compiled import Kernels, numba_kernels
from stresscube_kernels.contract import Features, Outcome, Shape, Tick
from stresscube_kernels.cpu import CpuJob
from stresscube_kernels.oracle import Outcomes, run_policies
from stresscube_kernels.pack import job_shape, pack_policies
from stresscube_kernels.spec import (
    NEVER,
    ChainSpec,
    CorrelationRegimeSpec,
    Job,
    MarketSpec,
    PolicySpec,
    RegimeSpec,
    SimulationSpec,
    VenueSpec,
)

DAY = 1 / 365
HOUR = DAY / 24
NO_FEATURES = Features(bridge=False, latency=False, interval=False, rolls=False)
PLAIN = Shape(features=NO_FEATURES, regimes=2)
BRIDGED = Shape(features=NO_FEATURES._replace(bridge=True), regimes=2)
FULL = Shape(features=Features(), regimes=2, correlation_regimes=2, venues=2, tiers=3)


def venue(
    name: str = "V",
    *,
    taker_fee: float = 0.0,
    slippage: float = 0.0,
    latency: float = 0.0,
    max_leverage: float = 1e9,
    maintenance_tiers: tuple[tuple[float, float], ...] = ((0.0, 0.004),),
    liquidation_fee: float = 0.0,
) -> VenueSpec:
    """A venue that costs nothing, with a maintenance margin of 0.4%."""
    return VenueSpec(
        name, taker_fee, slippage, latency, max_leverage, maintenance_tiers, liquidation_fee
    )


def policy(hedge_ratio: float = 1.0, leverage: float = 2.0, **rest: Any) -> PolicySpec:
    """One trade to the horizon, never rebalanced, on a free venue."""
    venues = rest.pop("venues", (venue(),))
    return PolicySpec(venues, hedge_ratio, leverage, **rest)


def driftless(volatility: tuple[float, float], correlation: float, name: str = "r") -> RegimeSpec:
    """A regime whose log-prices have no drift: mu = sigma^2 / 2."""
    a, b = volatility
    return RegimeSpec(name, (a * a / 2, b * b / 2), volatility, correlation)


def steady(regime: RegimeSpec) -> MarketSpec:
    """One regime for ever (and a second that is never reached)."""
    nowhere = ChainSpec((NEVER, NEVER), ((0.0, 0.0), (0.0, 0.0)), initial=0)
    return MarketSpec((regime, regime), nowhere)


def two_state(durations: tuple[float, float], initial: int | None = None) -> ChainSpec:
    """A chain that goes to and fro."""
    return ChainSpec(durations, ((0.0, 1.0), (1.0, 0.0)), initial)


def slow_states(*correlations: float) -> tuple[CorrelationRegimeSpec, ...]:
    return tuple(CorrelationRegimeSpec(f"c{k}", rho) for k, rho in enumerate(correlations))


def market_shape(market: MarketSpec) -> Shape:
    """The code of a market that fills every field of the tape, with no policy to read it."""
    return Shape(regimes=len(market.regimes), correlation_regimes=len(market.correlation_regimes))


class Poisoned(CpuJob):
    """A CPU job whose buffers hold NaN whenever the kernels get them."""

    def _buffers(self) -> tuple[NDArray[Any], ...]:
        made = super()._buffers()
        for array in made:
            array.fill(np.nan)
        return made


def compiled(
    job: Job, paths: int, *, first: int = 0, shape: Shape | None = None,
    kernels: Kernels | None = None, threads: int | None = None,
) -> Outcomes:  # fmt: skip
    """Outcomes by compiled kernels (numba's by default); everything returned is finite."""
    shape = shape or job_shape(job)
    kernels = kernels or numba_kernels(shape, job.simulation.precision)
    threads = threads or cpu.available_threads()
    outcomes = Poisoned(job, shape, kernels, threads).run(first, paths)
    assert np.isfinite(outcomes.per_policy).all()
    assert np.isfinite(outcomes.market).all()
    return outcomes


COUNTS = ("liquidation_step", "recovered", "rebalances", "trades", "wins", "under_water")
IN_REGIMES = ("lived", "liquidated", "deepest")


def is_count(name: str) -> bool:
    """Whether an outcome is a count or a flag: exact unless a threshold falls the other way."""
    return name in COUNTS or (name.startswith("regimes_") and name.split("_")[-1] in IN_REGIMES)


def magnitude(name: str, size: Any, outcomes: NDArray[Any], error: float) -> Any:
    """What rounding makes errors of an outcome proportional to, besides itself.

    size: equity and gross notional, [policies, 1]. error: relative to that, of equity. A trade's
    return r is a change of equity over the equity that it opened with, which is at least 1 less the
    deepest drawdown; its k-th power errs by k r^(k-1) as much, and no r is above the fourth root of
    the sum of fourth powers.
    """
    if not name.startswith("trade_"):
        return size
    power = 2 if name == "trade_downside" else int(name[-1])
    opened = np.clip(1.0 - of(outcomes, "max_drawdown"), 1e-6, None)
    largest = of(outcomes, "trade_sum_4") ** 0.25 + error * size / opened
    return power * largest ** (power - 1) * size / opened


def of(outcomes: NDArray[Any], name: str) -> NDArray[Any]:
    """One outcome, [policies, paths]."""
    return outcomes[Outcome._fields.index(name)]


def hit_share(outcomes: Outcomes) -> NDArray[np.float64]:
    """The share of paths liquidated, per policy."""
    return (of(outcomes.per_policy, "liquidation_step") > 0).mean(axis=1)


def share_error(probability: Any, paths: int) -> Any:
    """The standard error of a share of paths, from the exact probability."""
    return np.sqrt(probability * (1.0 - probability) / paths)


def tape_of(*steps: dict[str, float]) -> NDArray[np.float64]:
    """A hand-made tape of one path, [1, steps, tick fields]: nothing moves unless said."""
    still = {"bridge": 0.0, "slippage_multiplier": 1.0}
    ticks = [Tick(**{**dict.fromkeys(Tick._fields, 0.0), **still, **step}) for step in steps]
    return np.array(ticks, np.float64)[None]


def ledger(
    tape: NDArray[np.float64], spec: PolicySpec, *, bridge: bool = True, capital: float = 1.0
) -> dict[str, float]:
    """What one policy makes of a tape of one path, on the oracle. A step lasts one year here."""
    simulation = SimulationSpec(tape.shape[1], 1.0, 0, "float64", capital, bridge)
    nothing = MarketSpec((driftless((0.0, 0.0), 0.0),), ChainSpec((NEVER,), ((0.0,),)))
    shape = job_shape(Job(nothing, (spec,), simulation))
    outcomes = run_policies(tape, pack_policies((spec,), simulation, shape), shape)
    assert outcomes.shape == (len(Outcome._fields), 1, 1)
    return dict(zip(Outcome._fields, outcomes[:, 0, 0].tolist(), strict=True))


def simulation(steps: int, step: float, seed: int, **rest: Any) -> SimulationSpec:
    return SimulationSpec(steps, step, seed, **rest)


def job(market: MarketSpec, policies: Sequence[PolicySpec], run: SimulationSpec) -> Job:
    return Job(market, tuple(policies), run)


def random_job(rng: np.random.Generator, *, plain: bool = False, **run: Any) -> Job:
    """A job with a random number for everything, rough enough that some accounts die.

    It fits the shape FULL, or with `plain` the shapes PLAIN and BRIDGED.
    """
    step = run.pop("step", HOUR)

    def regime(k: int) -> RegimeSpec:
        a, b = rng.uniform(0.3, 3.0, 2)
        own = float(rng.uniform(-0.5, 1.0)) if plain or rng.random() < 0.5 else None
        return RegimeSpec(
            f"r{k}", (float(rng.normal()), float(rng.normal())), (float(a), float(b)), own,
            slippage_multiplier=float(rng.uniform(1.0, 5.0)),
        )  # fmt: skip

    def durations() -> tuple[float, float]:
        return float(rng.uniform(2, 60) * step), float(rng.uniform(2, 60) * step)

    def exchange(k: int) -> VenueSpec:
        first, second = np.sort(rng.uniform(20_000.0, 3e6, 2))
        rates = np.sort(rng.uniform(0.002, 0.03, 3))
        tiers = ((0.0, rates[0]), (first, rates[1]), (second, rates[2]))
        return venue(
            f"v{k}",
            taker_fee=float(rng.uniform(0.0, 0.001)),
            slippage=float(rng.uniform(0.0, 0.001)),
            latency=0.0 if plain else float(rng.choice([0.0, rng.random(), 1.0]) * step),
            max_leverage=float(rng.uniform(20, 60)),
            maintenance_tiers=tiers[:1] if plain else tiers,
            liquidation_fee=float(rng.uniform(0.0, 0.02)),
        )

    venues = (exchange(0), exchange(1))

    def one() -> PolicySpec:
        start = int(rng.integers(2))
        threshold = float(rng.choice([NEVER, rng.uniform(0.0, 0.05)]))
        return PolicySpec(
            venues=venues[start : start + 1] if plain or rng.random() < 0.5 else venues,
            hedge_ratio=float(rng.choice([0.0, 1.0, rng.uniform(0.3, 2.0)])),
            leverage=float(np.exp(rng.uniform(math.log(0.5), math.log(40)))),
            rebalance_threshold=threshold,
            rebalance_interval=NEVER if plain else float(rng.choice([NEVER, 7 * step])),
            holding=NEVER if plain else float(rng.choice([NEVER, step, 5 * step])),
        )

    market = MarketSpec((regime(0), regime(1)), two_state(durations()))
    if not plain:
        market = MarketSpec(
            market.regimes, market.chain, slow_states(*rng.uniform(-1.0, 1.0, 2)),
            two_state(durations()),
        )  # fmt: skip
    return Job(market, tuple(one() for _ in range(int(run.pop("policies", 20)))), SimulationSpec(
        int(run.pop("steps", 60)), step, int(rng.integers(2**63)), **run,
    ))  # fmt: skip
