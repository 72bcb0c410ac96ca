"""What a strategy sees, and that it sees nothing of the step it is about to take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from markets import HOUR, two_state
from stresscube_kernels import decide
from stresscube_kernels.contract import Account, MarketState, Policy, Tick
from stresscube_kernels.market import market_start, market_step
from stresscube_kernels.ops import NumpyOps
from stresscube_kernels.oracle import _cast_market, _draw  # the random words of a step
from stresscube_kernels.pack_market import pack_market
from stresscube_kernels.programs import inputs, outputs
from stresscube_kernels.rules import pair_policy
from stresscube_kernels.spec import (
    JumpSpec,
    MarketSpec,
    MispricingSpec,
    SimulationSpec,
)
from stresscube_kernels.trace import trace
from whole import MINUTE, WHOLE, alone, calm, random_full_market, simulated

K = 4.5
KNOWN = {"z", "trend", "funding_a", "funding_b"}
"""The fields of a tick that stand for its step's start."""
RUN = SimulationSpec(60, MINUTE, 909, "float64")
PATHS = 4000


def run_until(market: MarketSpec, steps: int, turn: int) -> tuple[Tick, MarketState]:
    """The last of `steps` ticks of 50 paths whose random words change from step `turn` on."""
    run = SimulationSpec(steps, HOUR, 1, "float64")
    other = replace(run, seed=2)
    ops, features, path = NumpyOps(), WHOLE.features, np.arange(50, dtype=np.uint32)
    packed = _cast_market(pack_market(market, run, WHOLE), np.float64)
    state = market_start(ops, features, packed, _draw(run, path, 0))
    tick: Any = None
    for step in range(steps):
        draw = _draw(run if step < turn else other, path, step)
        state, tick = market_step(ops, features, packed, state, draw)
    return tick, state


@pytest.mark.parametrize("step", [0, 1, 9])
def test_a_step_shows_nothing_of_itself(step: int) -> None:
    """Other random words in the step: the same z, trend and funding; other returns.

    Other words one step before: other z, trend and funding.
    """
    market = random_full_market(np.random.default_rng(4), HOUR)
    (one, _), (two, _) = run_until(market, step + 1, 99), run_until(market, step + 1, step)
    for name in KNOWN:
        assert np.array_equal(getattr(one, name), getattr(two, name)), name
    for name in ("return_a", "return_b", "noise_a", "bridge"):
        assert np.all(getattr(one, name) != getattr(two, name)), name
    if step:
        earlier, _ = run_until(market, step + 1, step - 1)
        for name in ("z", "trend"):
            assert np.all(getattr(one, name) != getattr(earlier, name)), name


def test_decisions_read_nothing_else_of_a_tick() -> None:
    """The traced decision, with every feature on, has no other input of the step's tick."""

    def decision(ops: Any, declare: Any) -> dict[str, Any]:
        account = Account(*([0.0] * len(Account._fields)))
        tick = Tick(*([0.0] * len(Tick._fields)))
        policy: Policy = pair_policy(WHOLE)
        made, order = decide.decide(
            ops, WHOLE.features, inputs(declare, "account", account), declare("clock.now", "f"),
            inputs(declare, "tick", tick), inputs(declare, "policy", policy),
        )  # fmt: skip
        return outputs("account", made, account) | {
            f"order.{name}": value for name, value in order._asdict().items()
        }

    read = {i.name for i in trace(decision).inputs}
    assert {name.removeprefix("tick.") for name in read if name.startswith("tick.")} == KNOWN


JUMPY = JumpSpec(0.01 / MINUTE, (0.0, 0.0), (0.004, 0.004), 0.5)
OU = MispricingSpec(20 * MINUTE, 0.002, 0.01 / MINUTE, 0.004)


@pytest.mark.parametrize(
    "regimes",
    [
        (calm(), calm()),
        (calm((0.4, 0.5)), calm((1.5, 1.2))),
        (replace(calm(), jumps=JUMPY), replace(calm(), jumps=JUMPY)),
        (replace(calm(), mispricing=(OU,)), replace(calm(), mispricing=(OU,))),
    ],
    ids=["plain", "regimes", "jumps", "mispricing"],
)
def test_vol_ratio_has_mean_square_1(regimes: Any) -> None:
    """In the long run: the average starts there, and stays, at every step; K standard errors.

    The second hour with a half-life of 10 minutes.
    """
    market = MarketSpec(
        regimes, two_state((30 * MINUTE, 10 * MINUTE)), signal_half_life=10 * MINUTE
    )
    made, _, _ = simulated(market, replace(RUN, steps=120), PATHS)
    squares = (made.trend[:, 60:] ** 2).mean(axis=1)
    error = squares.std() / PATHS**0.5
    assert error < 0.02
    assert abs(squares.mean() - 1) < K * error
    assert np.all(np.abs(made.trend[:, 0]) == 1)


def test_the_moving_averages_by_hand() -> None:
    """EWMA of squares and of the mean return itself, with the stated half-life: the sign of the
    second and the root of the first, one step late."""
    market = alone(calm(), signal_half_life=5 * MINUTE)
    made, _, _ = simulated(market, RUN, 20)
    keep = 0.5 ** (1 / 5)
    long_run = (0.36 + 2 * 0.8 * 0.48 + 0.64) / 4 * RUN.step
    mean_return = (made.return_a + made.return_b) / 2
    variance, drift = np.full(20, long_run), np.zeros(20)
    for k in range(RUN.steps):
        expected = np.sqrt(variance / long_run) * np.where(drift < 0, -1, 1)
        np.testing.assert_allclose(made.trend[:, k], expected, rtol=1e-10)
        variance = keep * variance + (1 - keep) * mean_return[:, k] ** 2
        drift = keep * drift + (1 - keep) * mean_return[:, k]


@pytest.mark.parametrize("noise", [0.0, 0.5, 2.0])
def test_z_has_variance_1_plus_noise(noise: float) -> None:
    """x over its sd, plus OU noise of `noise` with x's half-life, independent of x.

    Errors of a normal's variance, covariance and correlation.
    """
    ou = MispricingSpec(20 * MINUTE, 0.002)
    market = alone(replace(calm(), mispricing=(ou,)), signal_noise=noise)
    made, _, _ = simulated(market, RUN, PATHS)
    clean, _, _ = simulated(replace(market, signal_noise=0.0), RUN, PATHS)
    assert np.array_equal(made.return_b, clean.return_b)
    for k in (0, 20, 59):
        assert abs(made.z[:, k].mean()) < K * np.sqrt((1 + noise**2) / PATHS)
        error = (1 + noise**2) * (2 / PATHS) ** 0.5
        assert abs(made.z[:, k].var() - 1 - noise**2) < K * error
        extra = made.z[:, k] - clean.z[:, k]
        covariance = np.mean(extra * clean.z[:, k])
        assert abs(covariance) <= K * noise / PATHS**0.5
    if noise:
        extra = made.z - clean.z
        rho = np.corrcoef(extra[:, 0], extra[:, 20])[0, 1]
        assert abs(rho - 0.5) < K * 0.75 / PATHS**0.5
    rho = np.corrcoef(made.z[:, 0], made.z[:, 20])[0, 1]
    assert abs(rho - 0.5) < K * 0.75 / PATHS**0.5


def test_z_is_in_long_run_units_over_regimes() -> None:
    """Regimes of sd 1 and 3 for shares .75 and .25: sd(x)^2 = .75 + .25 * 9 = 3."""
    parts = [replace(calm(), mispricing=(MispricingSpec(HOUR, sd),)) for sd in (0.001, 0.003)]
    market = MarketSpec((parts[0], parts[1]), two_state((30.0, 10.0)))
    made, states, _ = simulated(market, RUN, PATHS)
    for k, sd in enumerate((1.0, 3.0)):
        z = made.z[states.regime[:, 0] == k, 0]
        assert abs(z.var() / (sd**2 / 3) - 1) < K * (2 / len(z)) ** 0.5
