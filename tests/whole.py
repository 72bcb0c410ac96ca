"""Markets and policies with every feature of the model, and hand-made tapes for each of them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from markets import HOUR, driftless, slow_states, two_state, venue
from stresscube_kernels import oracle, pack, ticks
from stresscube_kernels.contract import Features, MarketState, Shape, Tick
from stresscube_kernels.pack import pack_policies
from stresscube_kernels.rules import outcome_fields
from stresscube_kernels.spec import (
    NEVER,
    ChainSpec,
    FundingRegimeSpec,
    Job,
    JumpSpec,
    LegJumpSpec,
    MarketSpec,
    MispricingSpec,
    PolicySpec,
    PremiumSpec,
    RegimeSpec,
    ShockSpec,
    SimulationSpec,
    VenueSpec,
    VolatilityRegimeSpec,
)

MINUTE = HOUR / 60
WHOLE = Shape(
    features=Features(*([True] * len(Features._fields)))._replace(
        isolated=False, intrabar=False, prints=False
    ),
    regimes=2,
    volatility_regimes=2,
    correlation_regimes=2,
    funding_regimes=2,
    jumps=1,
    leg_jumps=2,
    mispricing=2,
    shocks=1,
    venues=2,
    tiers=3,
)
"""The code of `random_full_job`."""
ISOLATED = WHOLE._replace(features=WHOLE.features._replace(isolated=True))
"""The same where each leg is margined alone."""


def alone(regime: RegimeSpec, **rest: Any) -> MarketSpec:
    """One regime for ever."""
    return MarketSpec((regime,), ChainSpec((NEVER,), ((0.0,),), initial=0), **rest)


def calm(volatility: tuple[float, float] = (0.6, 0.8), correlation: float = 0.8) -> RegimeSpec:
    """A regime without drift of its log-prices."""
    return driftless(volatility, correlation)


def shape_of(market: MarketSpec) -> Shape:
    """The code that fills every field of the tape that the market has numbers for."""
    shape = pack.market_shape(market)
    spread = shape.features.mispricing
    return shape._replace(features=shape.features._replace(signals=True, spread=spread))


def simulated(
    market: MarketSpec, run: SimulationSpec, paths: int, *, shape: Shape | None = None,
    dtype: str = "float64",
) -> tuple[Tick, ticks.Unpacked, MarketState]:  # fmt: skip
    """The tape's fields, each [paths, steps], what its states stand for, and the last state."""
    job = Job(market, (), run)
    tape, state = oracle.simulate(job, 0, paths, dtype, shape or shape_of(market))
    assert np.isfinite(tape).all()
    made = Tick(*np.moveaxis(tape, -1, 0))
    return made, ticks.unpack(made.state), state


def spread_of(made: Tick) -> NDArray[np.float64]:
    """What each step added to the mispricing in log units, [paths, steps]."""
    fair = made.return_b - made.mispricing
    return np.log1p(made.return_b) - np.log1p(fair)


def settle(
    tape: NDArray[np.float64], spec: PolicySpec, *, bridge: bool = False, capital: float = 1.0,
    **features: bool,
) -> dict[str, float]:  # fmt: skip
    """What one policy makes of a hand-made tape of one path whose market has these features.

    A step lasts one year here.
    """
    run = SimulationSpec(tape.shape[1], 1.0, 0, "float64", capital, bridge)
    shape = pack.job_shape(Job(alone(calm()), (spec,), run))
    shape = shape._replace(features=shape.features._replace(**features))
    outcomes = oracle.run_policies(tape, pack_policies((spec,), run, shape), shape)
    fields = outcome_fields(shape)
    assert outcomes.shape == (len(fields), 1, 1)
    return dict(zip(fields, outcomes[:, 0, 0].tolist(), strict=True))


def event(*, due: bool = False, jumped: bool = False) -> float:
    """A tick's `state` in the first state of every chain."""
    return float(ticks.pack(0.0, 0.0, 0.0, float(due), float(jumped)))


def random_full_market(rng: np.random.Generator, step: float) -> MarketSpec:
    """A rough market in which everything happens often: it fits the shape WHOLE."""

    def number(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    def pair(low: float, high: float) -> tuple[float, float]:
        return number(low, high), number(low, high)

    def often() -> float:
        return number(0.005, 0.05) / step

    def component() -> MispricingSpec:
        return MispricingSpec(number(1, 30) * step, number(0.0, 0.004), often(), number(0.0, 0.01))

    def premium(correlation: float) -> PremiumSpec:
        level, spread = pair(-0.002, 0.002), pair(0.0, 0.002)
        return PremiumSpec(level, spread, number(1, 20) * step, correlation)

    def leg_jump() -> LegJumpSpec:
        return LegJumpSpec(often(), number(-0.03, 0.03), number(0.0, 0.03))

    def regime(k: int) -> RegimeSpec:
        own = number(-0.5, 1.0) if rng.random() < 0.5 else None
        jumps = JumpSpec(often(), pair(-0.05, 0.05), pair(0.0, 0.05), number(-1.0, 1.0))
        return RegimeSpec(
            f"r{k}", (float(rng.normal()), float(rng.normal())), pair(0.3, 2.0), own,
            slippage_multiplier=number(1.0, 5.0),
            tail_dof=float(rng.choice([NEVER, number(2.5, 10.0)])),
            jumps=jumps,
            leg_jumps=(leg_jump(), leg_jump()),
            mispricing=(component(), component()),
        )  # fmt: skip

    def durations() -> tuple[float, float]:
        return pair(2 * step, 60 * step)

    shock = ShockSpec(
        number(5, 40) * step, number(1, 8) * step, pair(-0.1, 0.1),
        regime=[None, 0, 1][int(rng.integers(3))],
    )  # fmt: skip
    return MarketSpec(
        (regime(0), regime(1)), two_state(durations()),
        slow_states(*rng.uniform(-1.0, 1.0, 2)), two_state(durations()),
        tuple(FundingRegimeSpec(f"f{k}", premium((0.8, -0.5)[k])) for k in range(2)),
        two_state(durations()),
        tail_interval=number(1, 12) * step,
        funding_interval=number(1, 12) * step,
        signal_half_life=number(2, 20) * step,
        signal_noise=number(0.0, 1.0),
        mark_smoothing=float(rng.choice([0.0, number(1, 20) * step])),
        shocks=(shock,),
        volatility_regimes=tuple(
            VolatilityRegimeSpec(f"v{k}", pair(0.3, 2.0)) for k in range(2)
        ),
        volatility_chain=two_state(durations()),
    )  # fmt: skip


def random_full_venue(
    rng: np.random.Generator, name: str, step: float, margin_mode: str = "cross"
) -> VenueSpec:
    """A venue with its own costs, latency, cap of funding, and tiers for each asset."""

    def tiers() -> tuple[tuple[float, float], ...]:
        first, second = np.sort(rng.uniform(20_000.0, 3e6, 2))
        rates = np.sort(rng.uniform(0.002, 0.03, 3))
        return ((0.0, rates[0]), (first, rates[1]), (second, rates[2]))

    return VenueSpec(
        name,
        taker_fee=float(rng.uniform(0.0, 0.001)),
        slippage=float(rng.uniform(0.0, 0.001)),
        latency=float(rng.choice([0.0, rng.random(), 1.0]) * step),
        max_leverage=float(rng.uniform(20, 60)),
        maintenance_tiers=tiers(),
        liquidation_fee=float(rng.uniform(0.0, 0.02)),
        maintenance_tiers_b=tiers() if rng.random() < 0.5 else None,
        funding_cap=float(rng.choice([NEVER, 0.001])),
        margin_mode=margin_mode,
        after_leg_death=str(rng.choice(["close", "hold"]))
        if margin_mode == "isolated"
        else "close",
    )


def random_full_policy(
    rng: np.random.Generator, venues: tuple[VenueSpec, ...], step: float
) -> PolicySpec:
    """A policy with a random choice for everything."""
    start = int(rng.integers(2))
    return PolicySpec(
        venues=venues[start : start + 1] if rng.random() < 0.5 else venues,
        hedge_ratio=float(rng.choice([0.0, 1.0, rng.uniform(0.3, 2.0)])),
        leverage=float(np.exp(rng.uniform(math.log(0.5), math.log(30)))),
        rebalance_threshold=float(rng.choice([NEVER, rng.uniform(0.0, 0.05)])),
        rebalance_interval=float(rng.choice([NEVER, 7 * step])),
        holding=float(rng.choice([NEVER, step, 5 * step])),
        side=str(rng.choice(["fixed", "spread", "funding"])),
        entry_z=float(rng.uniform(0.0, 2.0)),
        exit_z=float(rng.uniform(-0.5, 0.5)),
        directional_bias=float(rng.choice([0.0, rng.uniform(0.0, 0.6)])),
        bias_trigger=float(rng.uniform(0.8, 1.5)),
        roll=str(rng.choice(["close", "net"])),
        rebalance_to=str(rng.choice(["ratio", "leverage"])),
        drift_measure=str(rng.choice(["ratio", "equity"])),
    )


def random_full_job(rng: np.random.Generator, **run: Any) -> Job:
    """A job with a random number for everything, rough enough that some accounts die.

    It fits the shape WHOLE, or with margin_mode "isolated" the shape ISOLATED.
    """
    step = run.pop("step", HOUR)
    mode = run.pop("margin_mode", "cross")
    policies, steps = int(run.pop("policies", 20)), int(run.pop("steps", 60))
    market = random_full_market(rng, step)
    venues = tuple(random_full_venue(rng, name, step, mode) for name in ("v0", "v1"))
    made = tuple(random_full_policy(rng, venues, step) for _ in range(policies))
    return Job(
        market, made, SimulationSpec(steps, step, int(rng.integers(2**63)), by_regime=True, **run)
    )


def free(**rest: Any) -> VenueSpec:
    """A venue that costs nothing and never liquidates."""
    return replace(venue(maintenance_tiers=((0.0, 0.0),)), **rest)
