"""Markets whose numbers are drawn: which path has which, on every backend, and what theory says."""

from __future__ import annotations

import importlib
import math
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from emulator.fake_cupy import Machine, install
from markets import COUNTS, DAY, HOUR, compiled, policy, two_state, venue
from stresscube_kernels import oracle
from stresscube_kernels.compiled import Kernels, numba_kernels, twin_kernels
from stresscube_kernels.contract import Outcome, Shape
from stresscube_kernels.draws import PATHS_A_DRAW, draw_of, groups
from stresscube_kernels.moments import resolved
from stresscube_kernels.pack import effective_leverage, job_shape, market_shape
from stresscube_kernels.print_cpp import cuda_source
from stresscube_kernels.programs import programs
from stresscube_kernels.spec import (
    CorrelationRegimeSpec,
    DrawnSpec,
    Job,
    MarketSpec,
    PremiumSpec,
    RegimeSpec,
    SimulationSpec,
)
from stresscube_kernels.view import bars, paths

sys.path.append(str(Path(__file__).resolve().parents[1]))  # benchmarks/ is not installed
sass = importlib.import_module("benchmarks.sass")

DRAWS, PATHS, STEPS = 3, 4 * PATHS_A_DRAW, 96


def market(k: int) -> MarketSpec:
    """A draw with tails, chains and funding; each differs in every one of them."""
    premium = PremiumSpec((1e-4 * k, 2e-4), (1e-4, 2e-4), DAY)
    regimes = tuple(
        RegimeSpec(
            name, (0.0, 0.1), (0.3 * (k + scale), 0.5 * (k + scale)), None, tail_dof=3.0 + k,
            premium=premium,
        )
        for name, scale in (("calm", 1.0), ("wild", 2.0))
    )  # fmt: skip
    rhos = (0.9 - 0.1 * k, 0.5 - 0.1 * k)
    states = tuple(CorrelationRegimeSpec(f"c{j}", rho) for j, rho in enumerate(rhos))
    return MarketSpec(
        regimes, two_state((6 * HOUR, (1 + k) * HOUR)), states, two_state((DAY, (1 + k) * DAY))
    )


def example(precision: str = "float64") -> Job:
    spec = DrawnSpec(market(0), tuple(map(market, range(DRAWS))))
    rates = venue(taker_fee=5e-4, slippage=1e-4, latency=0.1 * HOUR / 4, liquidation_fee=0.01)
    policies = tuple(
        policy(h, leverage, venues=(rates,), rebalance_threshold=0.02)
        for h in (0.5, 1.0) for leverage in (2.0, 8.0, 20.0)
    )  # fmt: skip
    return Job(spec, policies, SimulationSpec(STEPS, HOUR / 4, 20261122, precision))


@lru_cache(maxsize=1)
def exact() -> oracle.Outcomes:
    return oracle.run(example(), 0, PATHS)


def assert_close(found: NDArray[Any], theirs: NDArray[Any], job: Job) -> None:
    """Counts equal; all else to the rounding of float64 over the steps."""
    assert np.isfinite(found).all()
    size = 1.0 + np.array([effective_leverage(p) for p in job.policies])[:, None]
    for k, name in enumerate(Outcome._fields):
        if name in COUNTS:
            assert np.array_equal(found[k], theirs[k]), name
        else:
            error = np.abs(found[k] - theirs[k]) / (np.abs(theirs[k]) + size)
            assert error.max() < 1e-11, name


def test_which_path_has_which_draw() -> None:
    path = np.arange(10 * PATHS_A_DRAW)
    assert np.array_equal(draw_of(path, DRAWS), np.repeat([0, 1, 2, 0, 1, 2, 0, 1, 2, 0], 64))
    parts = list(groups(37, 200, 64, DRAWS))
    assert [at for at, _ in parts] == [0, 27, 91, 155]
    assert sum(size for _, size in parts) == 200
    for at, size in parts:
        assert len(np.unique(draw_of(37 + at + np.arange(size), DRAWS))) == 1
    assert list(groups(37, 200, 64, 1)) == [(0, 64), (64, 64), (128, 64), (192, 8)]


def test_a_path_is_that_of_its_draw_alone() -> None:
    """The oracle gives each path, to the bit, what the draw's market gives it by itself."""
    job, found = example(), exact()
    for k in range(DRAWS):
        own = draw_of(np.arange(PATHS), DRAWS) == k
        alone = Job(market(k), job.policies, job.simulation)
        theirs = oracle.run(alone, 0, PATHS)
        assert np.array_equal(found.per_policy[..., own], theirs.per_policy[..., own])
        assert np.array_equal(found.market[:, own], theirs.market[:, own])


@pytest.mark.parametrize(
    "make",
    [numba_kernels, pytest.param(twin_kernels, marks=pytest.mark.needs("compiler"))],
    ids=["numba", "twin"],
)
def test_compiled_to_rounding(make: Any) -> None:
    job = example()
    kernels: Kernels = make(job_shape(job), "float64")
    assert_close(compiled(job, PATHS, kernels=kernels).per_policy, exact().per_policy, job)


def test_any_range_of_paths_has_the_same_bits() -> None:
    job = example("float32")
    whole = compiled(job, PATHS)
    for first, count, threads in ((0, 37, 2), (37, 150, 1), (255, 1, 1)):
        part = compiled(job, count, first=first, threads=threads)
        assert np.array_equal(part.per_policy, whole.per_policy[..., first : first + count])
        assert np.array_equal(part.market, whole.market[:, first : first + count])


@pytest.mark.needs("compiler")
def test_the_cuda_source_to_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    install(Machine(cards=1, memory=2**28), monkeypatch)
    from stresscube_kernels import cuda

    job = example()
    for first, count, batch in ((0, PATHS, 128), (37, 150, 64)):
        made: Any = cuda.prepare(job, paths_at_once=batch).run(first, count).per_policy
        assert_close(made.get(), exact().per_policy[..., first : first + count], job)


@pytest.mark.needs("jax")
def test_jax_to_rounding() -> None:
    from stresscube_kernels import xla

    job = example()
    for first, count in ((0, PATHS), (37, 100)):
        found = xla.prepare(job).run(first, count).per_policy
        assert_close(found, exact().per_policy[..., first : first + count], job)


def test_what_a_policy_takes_from_the_market_is_the_centres() -> None:
    job, wanted = example(), replace(policy(), hedge_ratio=None, sizing_correlation=0.2)
    assert resolved(wanted, job.market) == resolved(wanted, market(0))
    assert resolved(wanted, job.market) != resolved(wanted, market(1))


def test_views_are_of_the_same_paths() -> None:
    job = example()
    seen = paths(job.market, job.simulation, 30, 100)["price"][:, :, -1] - 1.0
    assert np.allclose(seen, exact().market[:, 30:130], rtol=0, atol=1e-12)
    coarse = bars(job.market, job.simulation, 8, 30, 100)
    whole = np.expm1(coarse.returns.sum(axis=1)).T
    assert np.allclose(whole, seen, rtol=0, atol=1e-12)


def test_variance_is_what_the_draws_say() -> None:
    """Var[log price] = E[variance] + Var[mean], over the draws (the law of total variance)."""
    drifts, sigmas, count = (-30.0, 5.0, 20.0, 40.0), (0.2, 0.5, 0.8, 1.1), 4096
    markets = tuple(
        MarketSpec(
            (RegimeSpec("r", (mu + s * s / 2, 0.0), (s, 0.3), 0.5),) * 2,
            two_state((DAY, DAY)),
        )
        for mu, s in zip(drifts, sigmas, strict=True)
    )
    simulation = SimulationSpec(24, HOUR, 7)
    job = Job(DrawnSpec(markets[0], markets), (policy(leverage=0.1),), simulation)
    log_price = np.log1p(compiled(job, 4 * count).market[0])
    year = 24 * HOUR
    means = np.array(drifts) * year
    variances = np.array(sigmas) ** 2 * year
    expected = variances.mean() + means.var()
    assert means.var() > 0.05 * expected
    # the error of a mixture's variance: its fourth moment less the square of the second
    apart = means - means.mean()
    fourth = (3 * variances**2 + 6 * variances * apart**2 + apart**4).mean()
    error = math.sqrt((fourth - expected**2) / (4 * count))
    assert abs(log_price.var() - expected) < 4 * error
    own = draw_of(np.arange(4 * count), 4)
    for k in range(4):
        part = log_price[own == k]
        assert abs(part.mean() - means[k]) < 4 * math.sqrt(variances[k] / count)


def test_the_code_serves_every_draw() -> None:
    """A feature that one draw has is in the code of all."""
    plain = replace(market(0), regimes=tuple(replace(r, premium=None, tail_dof=math.inf)
                                             for r in market(0).regimes))  # fmt: skip
    spec = DrawnSpec(plain, (plain, market(1)))
    found = market_shape(spec)
    assert found.features.funding
    assert found.features.tails
    assert found == market_shape(market(1))._replace(drawn=1)
    assert isinstance(found, Shape)


@pytest.mark.needs("nvrtc")
def test_the_market_kernel_takes_no_more_instructions() -> None:
    """Loads stand in place of operands from constant memory; nothing is kept, nothing spills."""
    shape = market_shape(example().market)._replace(drawn=0)
    plain, drawn = (
        sass.measure(cuda_source(programs(each), "float32"), "sm_90")["market_run"]
        for each in (shape, shape._replace(drawn=1))
    )
    assert drawn.stack == 0
    assert drawn.spills == 0
    assert drawn.instructions < 1.03 * plain.instructions
    assert drawn.opcodes["LDG"] > plain.opcodes["LDG"] + 20
    assert drawn.warps(128) >= 16
