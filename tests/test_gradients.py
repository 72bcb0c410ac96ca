"""Gradients: closed forms where the step is smooth, differences on the same paths where it is not.

All is in float64, where a derivative of arithmetic and a small difference of it agree to rounding.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stresscube.errors import StresscubeError
from stresscube.scenario import Scenario, load
from stresscube.scenario.expand import any_market, policy_spec, simulation_spec
from stresscube_kernels import oracle
from stresscube_kernels.contract import Outcome
from stresscube_kernels.spec import Job

pytest.importorskip("jax", reason="needs jax: jax")

from stresscube.gradients import Problem
from stresscube.gradients.measures import Sample, measure
from stresscube.metrics.context import LEVELS

PATHS = 1024
SCENARIO = """
name = "smooth"
simulation = { paths = 1024, horizon = "6h", step = "5min", seed = 11, precision = "float64" }
[market]
assets = ["BTC", "ETH"]
[[market.regimes]]
name = "only"
drift = [2.0, -1.0]
volatility = [0.9, 1.2]
correlation = 0.6
[[venues]]
name = "X"
taker_fee = 0.0005
slippage = 0.0002
max_leverage = 200
maintenance_tiers = [[0, 0.01]]
liquidation_fee = 0.005
[policy]
venue = "X"
hedge_ratio = 0.8
leverage = 2
"""
REBALANCED = {"rebalance_threshold": 0.01, "leverage": 40.0}
MARKET = "market.regimes.only."
BY = (
    "hedge_ratio", "leverage", "venue.slippage", MARKET + "correlation", MARKET + "volatility.ETH",
)  # fmt: skip


@lru_cache(maxsize=1)
def scenario() -> Scenario:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "smooth.toml"
        file.write_text(SCENARIO)
        return load(file)


def outcomes(point: dict[str, Any]) -> tuple[dict[str, NDArray[Any]], NDArray[Any]]:
    """The oracle's outcomes [path] by name, and the returns of the legs [2, path]."""
    simulation = simulation_spec(scenario())
    job = Job(any_market(scenario(), {}), (policy_spec(scenario(), point),), simulation)
    done = oracle.run(job, 0, PATHS)
    return dict(zip(Outcome._fields, done.per_policy[:, 0], strict=True)), done.market


METRICS = (
    "return_mean", "liquidation_probability", "max_drawdown_mean", "return_std", "sharpe",
    "expected_shortfall",
)  # fmt: skip
"""The first three are means. All tests ask for these, so that little is compiled."""
MEANS = slice(0, 3)


def test_closed_forms_where_nothing_is_decided() -> None:
    """One trade, never rebalanced: final equity is arithmetic on the legs' returns."""
    h, gross, cost = 0.8, 2.0, 0.0007
    a, b = outcomes({})[1]
    paid = 1.0 + ((1.0 + a) + h * (1.0 + b)) / (1.0 + h)  # opening and closing, of gross
    gain = gross * ((a - h * b) / (1.0 + h) - cost * paid)
    by_ratio = -gross * ((a + b) + cost * (b - a)) / (1.0 + h) ** 2
    slopes = np.array([by_ratio, gain / gross, -gross * paid])
    found = Problem(scenario(), BY).value_and_gradient([{}], METRICS)
    assert set(found.methods) == {"pathwise"}
    value, gradient = found.values[:, 0], found.gradients[:, :3, 0]
    np.testing.assert_allclose(value[0], gain.mean(), rtol=1e-10)
    np.testing.assert_allclose(gradient[0], slopes.mean(axis=1), rtol=1e-9)
    count = len(gain)
    turn = (slopes * (gain - gain.mean())).mean(axis=1) * (count / (count - 1))
    np.testing.assert_allclose(gradient[3], turn / gain.std(ddof=1), rtol=1e-8)
    worst = gain < np.quantile(gain, 0.05)
    np.testing.assert_allclose(gradient[5], -(slopes * worst).mean(axis=1) / 0.05, rtol=1e-8)
    batches = slopes.reshape(3, -1, 32).mean(axis=1)
    errors = batches.std(axis=1, ddof=1) / 32**0.5
    np.testing.assert_allclose(found.gradient_errors[0, :3, 0], errors, rtol=1e-8)


@pytest.mark.parametrize(("threshold", "moved"), [(float("inf"), "pathwise"), (0.01, "smoothed")])
def test_derivatives_are_those_of_the_step(threshold: float, moved: str) -> None:
    """Rebalanced or not, often liquidated: small differences of the same expected values.

    Those of the market move when the drift rule fires, so they are the soft step's.
    """
    policy = {"leverage": 60.0, "rebalance_threshold": threshold}
    found = Problem(scenario(), BY, temperature=0.5).value_and_gradient([policy], METRICS)
    assert found.methods == ("pathwise",) * 3 + (moved,) * 2
    assert 0.05 < found.values[1, 0] < 0.95
    for k, key in enumerate(BY):
        soft = 0.5 if found.methods[k] == "smoothed" else 0.0
        near = [_soft_value(key, side * 1e-6, policy, soft)[MEANS] for side in (-1.0, 1.0)]
        slope = (near[1] - near[0]) / 2e-6
        ours = found.gradients[MEANS, k, 0]
        assert np.all(np.abs(ours - slope) < 1e-5 * np.abs(slope).max()), (key, slope)


def _soft_value(key: str, away: float, policy: dict[str, Any], soft: float) -> NDArray[Any]:
    """Metrics at a temperature, with one number a little away."""
    from stresscube.gradients import directions
    from stresscube.gradients.parameters import (
        market_value,
        market_with,
        parameter,
        policy_at,
        value_of,
        with_value,
    )
    from stresscube_kernels import xla_derived
    from stresscube_kernels.pack import job_shape

    it = parameter(scenario(), key)
    market, spec = any_market(scenario(), {}), policy_at(scenario(), policy)
    if it.place == "market":
        market = market_with(scenario(), it, {}, market_value(scenario(), it, {}) + away)
    else:
        spec = with_value(it, spec, value_of(scenario(), it, spec, market) + away)
    base = Job(market, (), simulation_spec(scenario()))
    job = directions.jobs(market, [spec], base)
    measures = [measure(name) for name in METRICS]
    names = tuple(sorted({name for m in measures for name in m.statistics}))
    sums = xla_derived.Sums(job_shape(job), names, job.simulation.steps, job.simulation.seed)
    packed = xla_derived.pack(job, job_shape(job))
    made = sums.values(packed, np.full((2, 1), np.inf), temperature=soft, first_path=0, paths=PATHS)
    horizon = job.simulation.steps * job.simulation.step
    losses = dict.fromkeys(LEVELS, np.zeros(1))
    nothing = np.zeros((0, *made.shape))
    sample = Sample(names, made, nothing, np.full(32, PATHS / 32), losses, horizon)
    return np.array([sample.estimate(m)[0][0] for m in measures])


def test_expected_values_are_those_of_runs() -> None:
    """Means over the bridge's draws: within an error of what is drawn, for the same paths."""
    policy = REBALANCED | {"leverage": 60.0}
    done, _ = outcomes(policy)
    gain, lost = done["final_equity"] - 1.0, done["liquidation_step"] > 0
    found = Problem(scenario(), ()).values([policy], METRICS)
    for k, drawn in enumerate((gain, lost * 1.0, done["max_drawdown"])):
        error = drawn.std(ddof=1) / PATHS**0.5
        assert 0.0 < abs(found.values[k, 0] - drawn.mean()) < error, METRICS[k]


def test_ranges_of_paths_and_seeds() -> None:
    """Paths of two halves are those of the whole; another seed gives others."""
    problem = Problem(scenario(), ())
    whole = problem.values([{}], METRICS).values[MEANS]
    halves = [problem.values([{}], METRICS, first_path=at, paths=512).values for at in (0, 512)]
    np.testing.assert_allclose(np.mean(halves, axis=0)[MEANS], whole, rtol=1e-12)
    assert abs(problem.values([{}], METRICS, seed=12).values[0, 0] - whole[0]) > 1e-6


SHARDED = """
import sys
sys.path.insert(0, sys.argv[1])
import jax, numpy as np, test_gradients as it
assert len(jax.local_devices()) == 2
found = it.Problem(it.scenario(), it.BY[:3]).value_and_gradient([it.REBALANCED], it.METRICS)
np.savez(sys.argv[2], *[found.values, found.errors, found.gradients, found.gradient_errors])
"""
TWO = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"}


def test_the_same_numbers_on_two_devices(tmp_path: Path) -> None:
    """Sums over paths are taken on each, so in another order: to rounding."""
    file = tmp_path / "found.npz"
    given = [str(Path(__file__).parent), str(file)]
    subprocess.run([sys.executable, "-c", SHARDED, *given], env={**os.environ, **TWO}, check=True)
    here = Problem(scenario(), BY[:3]).value_and_gradient([REBALANCED], METRICS)
    there = np.load(file)
    parts = (here.values, here.errors, here.gradients, here.gradient_errors)
    for ours, name in zip(parts, there.files, strict=True):
        np.testing.assert_allclose(there[name], ours, rtol=1e-9, atol=1e-12)


def test_policies_that_cannot_open() -> None:
    found = Problem(scenario(), BY).value_and_gradient([{"leverage": 150.0}], METRICS)
    for part in (found.values, found.errors, found.gradients, found.gradient_errors):
        assert np.isnan(part).all()


def test_a_threshold_without_end_has_no_derivative() -> None:
    keys = ("leverage", "hedge_ratio", "rebalance_threshold")
    found = Problem(scenario(), keys).value_and_gradient([{}], METRICS)
    assert np.isfinite(found.gradients[:, :2]).all()
    assert np.isnan(found.gradients[:, 2]).all()


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("levrage", "by levrage: is no policy key; did you mean"),
        ("side", "by side: takes words"),
        ("venue.fee", "by venue.fee: no term of a venue"),
        ("sizing_correlation", "by sizing_correlation: is off in this policy"),
        ("market.regimes.none.correlation", 'there is no regime "none"'),
    ],
)
def test_what_cannot_be_differentiated(key: str, words: str) -> None:
    with pytest.raises(StresscubeError) as caught:
        Problem(scenario(), (key,)).value_and_gradient([{}], METRICS)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("win_rate", "of win_rate: has no smooth estimate"),
        ("sharp", "of sharp: no such metric; did you mean sharpe?"),
        ("expected_shortfall[0.5]", "the levels are 0.95, 0.99"),
        ("sharpe[0.95]", "sharpe takes no value in brackets"),
    ],
)
def test_metrics_without_a_derivative(label: str, words: str) -> None:
    with pytest.raises(StresscubeError) as caught:
        measure(label)
    assert words in str(caught.value)


def test_few_paths_and_bad_temperatures_are_refused() -> None:
    faulty: tuple[dict[str, Any], ...] = (
        {"temperature": 1.0},
        {"temperature": 0.0},
        {"apart": 0.0},
    )
    for bad in faulty:
        with pytest.raises(StresscubeError, match="must be in \\(0, 1\\)"):
            Problem(scenario(), (), **bad)
    with pytest.raises(StresscubeError, match="be 64 or more"):
        Problem(scenario(), ()).values([{}], METRICS, paths=63)
    with pytest.raises(StresscubeError, match="begin at a multiple of 32"):
        Problem(scenario(), ()).values([{}], METRICS, first_path=5)
