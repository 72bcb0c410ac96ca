"""Steps of one's own on every backend: a policy and a market with memory and parameters.

They are those of examples/: a trailing stop, and a wave in volatility.
"""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from markets import compiled, of, random_job
from stresscube_kernels import oracle, philox, toolbox
from stresscube_kernels.compiled import numba_kernels, twin_kernels
from stresscube_kernels.contract import Draw
from stresscube_kernels.ops import NumpyOps
from stresscube_kernels.oracle import Outcomes
from stresscube_kernels.own import Own, market_rules, policy_rules
from stresscube_kernels.pack import feasible, job_shape
from stresscube_kernels.print_cpp import cuda_source
from stresscube_kernels.programs import programs
from stresscube_kernels.rules import register, register_market
from stresscube_kernels.spec import Job, ParameterSpec, PolicySpec

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
PATHS, STEPS = 40, 90
FILE = runpy.run_path(str(EXAMPLES / "trailing_stop.py"))
Memory, stop_step, START = FILE["Memory"], FILE["step"], FILE["START"]
WAVE = runpy.run_path(str(EXAMPLES / "volatility_by_hour.py"))["step"]


def stop_acts(
    ops: Any, features: Any, account: Any, now: Any, tick: Any, policy: Any, memory: Any = START,
    *, stop: Any,
) -> Any:  # fmt: skip
    """The account acts when the pair does, and until it has sold once it is out."""
    out = memory.out > 0.5
    would = toolbox.acts(ops, features, account, now, tick, policy)
    return (would & ~out) | (out & (account.until > 0.5))


def stop_idle(
    ops: Any, features: Any, account: Any, now: Any, tick: Any, policy: Any, memory: Any = START,
    *, stop: Any,
) -> Any:  # fmt: skip
    account = toolbox.policy_idle(ops, features, account, now, tick, policy)
    highest = ops.fmax(memory.highest, account.equity)
    fallen = account.equity < (1.0 - stop) * highest
    return account, Memory(highest, ops.where(fallen, 1.0, memory.out))


register(policy_rules(Own("test-stop", stop_step, START, ("stop",), stop_acts, stop_idle)))
register(policy_rules(Own("test-stop-whole", stop_step, START, ("stop",))))
register_market(market_rules(Own("test-wave", WAVE, 0.0, ("amplitude", "day", "peak"))))


def example(stops: tuple[float, float] = (0.02, 0.3), amplitude: float = 0.7) -> Job:
    """A random job with everything on, its policies given stops, its market a wave."""
    job = random_job(np.random.default_rng(11), steps=STEPS, policies=40, precision="float64")
    able = [p for p in job.policies if feasible(p, job.simulation)][:20]
    wave = (
        ParameterSpec("amplitude", amplitude),
        ParameterSpec("day", 24 * job.simulation.step, duration=True),
        ParameterSpec("peak", 14 * job.simulation.step, duration=True),
    )
    market = replace(job.market, rules="test-wave", parameters=wave)
    levels = np.linspace(*stops, len(able))
    return replace(job, market=market, policies=tuple(map(stopping, able, levels)))


def stopping(spec: PolicySpec, stop: float) -> PolicySpec:
    return replace(spec, rules="test-stop", parameters=(ParameterSpec("stop", float(stop)),))


def built_in(job: Job) -> Job:
    """The same job without any of that."""
    return replace(
        job,
        market=replace(job.market, rules="regimes", parameters=()),
        policies=tuple(replace(p, rules="pair", parameters=()) for p in job.policies),
    )


SHAPE = job_shape(example())


def check(found: Outcomes) -> None:
    """Float64 and per path, to 1e-9 of the scale: nothing flips."""
    exact = oracle.run(example(), 0, PATHS)
    scale = np.abs(exact.per_policy) + 1.0 + of(exact.per_policy, "turnover")
    assert (np.abs(found.per_policy - exact.per_policy) / scale).max() < 1e-9
    assert np.abs(found.market - exact.market).max() < 1e-9


def test_the_example_exercises_both() -> None:
    """Some accounts are stopped and some are not; the wave moves prices."""
    stopped = oracle.run(example(), 0, PATHS).per_policy
    never = oracle.run(example(stops=(1e30, 1e30)), 0, PATHS).per_policy
    assert 0.1 < (of(stopped, "turnover") != of(never, "turnover")).mean() < 1.0
    assert of(stopped, "max_drawdown").mean() < of(never, "max_drawdown").mean()
    still = oracle.run(example(amplitude=0.0), 0, PATHS)
    assert (oracle.run(example(), 0, PATHS).market != still.market).all()


@pytest.mark.parametrize("mode", ["cross", "isolated"])
def test_what_does_nothing_changes_nothing(mode: str) -> None:
    """A stop that is never reached on a market without a wave is the built-in, bit for bit."""
    job = example(stops=(1e30, 1e30), amplitude=0.0)
    policies = [
        replace(p, venues=tuple(replace(v, margin_mode=mode) for v in p.venues))
        for p in job.policies
    ]
    job = replace(job, policies=tuple(policies))
    assert job_shape(job).features.isolated is (mode == "isolated")
    own, plain = oracle.run(job, 0, PATHS), oracle.run(built_in(job), 0, PATHS)
    assert np.array_equal(own.per_policy, plain.per_policy)
    assert np.array_equal(own.market, plain.market)


def test_through_numba() -> None:
    check(compiled(example(), PATHS, kernels=numba_kernels(SHAPE, "float64")))


def test_idle_steps_are_whole_steps_bit_for_bit() -> None:
    job = example()
    whole = tuple(replace(policy, rules="test-stop-whole") for policy in job.policies)
    found = [compiled(j, PATHS).per_policy for j in (job, replace(job, policies=whole))]
    assert programs(SHAPE).policy_idle is not None
    assert programs(SHAPE._replace(rules="test-stop-whole")).policy_idle is None
    assert np.array_equal(found[0], found[1])


@pytest.mark.needs("compiler")
def test_through_the_host_compiler() -> None:
    check(compiled(example(), PATHS, kernels=twin_kernels(SHAPE, "float64")))


@pytest.mark.needs("compiler")
def test_through_the_cuda_source(monkeypatch: pytest.MonkeyPatch) -> None:
    from emulator.fake_cupy import Machine, install
    from stresscube_kernels import cuda

    install(Machine(), monkeypatch)
    found = cuda.prepare(example(), shape=SHAPE).run(0, PATHS)
    gathered = cuda.cupy().asnumpy
    check(Outcomes(gathered(found.per_policy), gathered(found.market)))


@pytest.mark.needs("nvrtc")
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_nvidias_compiler_takes_it(precision: str) -> None:
    """And keeps accounts with a memory in registers."""
    import importlib
    import sys

    sys.path.append(str(EXAMPLES.parent))
    sass = importlib.import_module("benchmarks.sass")
    kernels = sass.measure(cuda_source(programs(SHAPE), precision, 128, 1), "sm_90")
    assert kernels["policy_run"].stack == 0
    assert kernels["market_run"].stack == 0


def test_the_source_shows_whose_lines_they_are() -> None:
    source = cuda_source(programs(SHAPE), "float32")
    assert "trailing_stop.py:" in source
    assert "volatility_by_hour.py:" in source
    assert "account.memory_highest" in source
    assert "policy.parameters_stop" in source
    assert "state.memory = " in source


def test_a_step_may_close_a_trade_whatever_the_holding() -> None:
    """Trades that the stop closes are booked, where policies hold to the horizon."""
    job = example(stops=(0.0, 0.0))
    held = tuple(replace(p, holding=np.inf) for p in job.policies)
    outcomes = oracle.run(replace(job, policies=held), 0, PATHS).per_policy
    assert (of(outcomes, "trades") == 1).all()


def test_signals_are_filled_where_a_step_reads_them() -> None:
    def reads(ops: Any, features: Any, account: Any, now: Any, tick: Any, policy: Any) -> Any:
        account = toolbox.policy_step(ops, features, account, now, tick, policy)
        return account._replace(extra_margin=account.extra_margin + tick.z * tick.trend)

    register(policy_rules(Own("test-reads", reads)))
    job = example()
    policies = tuple(replace(p, rules="test-reads", parameters=()) for p in job.policies)
    features = job_shape(replace(job, policies=policies)).features
    assert (features.spread, features.signals) == (True, True)
    assert (SHAPE.features.spread, SHAPE.features.signals) == (False, False)


def test_own_random_words_are_nobody_elses() -> None:
    named = [value for name, value in vars(philox).items() if name.startswith("BLOCK_")]
    taken = {int(block) for value in named for block in np.atleast_1d(value)}
    assert max(taken) == philox.BLOCK_OWN
    assert len(taken) > 10
    ops, zero = NumpyOps(), np.zeros(1, np.uint32)
    draw = Draw(path=zero, step=zero, key_0=zero, key_1=zero)
    own = [int(word[0]) for block in range(64) for word in toolbox.words(ops, draw, block)]
    others = [
        int(word[0])
        for block in range(philox.BLOCK_OWN)
        for word in toolbox.built_in_words(ops, draw, block)
    ]
    assert len({*own, *others}) == len(own) + len(others)
    with pytest.raises(ValueError, match="numbered from 0, not -1"):
        toolbox.words(ops, draw, -1)


def test_a_market_by_hand_is_the_built_in_bit_for_bit() -> None:
    """Geometric Brownian motion from the same words: `diffusion` with a regime's numbers."""

    def by_hand(
        ops: Any, features: Any, market: Any, state: Any, draw: Any, *, half: Any
    ) -> tuple[Any, Any]:
        regime = market.regimes[0]
        drifts = (regime.drift_a, regime.drift_b)
        deviations = (regime.deviation_a, (half + half) * regime.deviation_b)
        tick = toolbox.diffusion(
            ops, features, market, draw,
            drifts=drifts, deviations=deviations, correlation=regime.correlation,
            slippage_multiplier=regime.slippage_multiplier,
        )  # fmt: skip
        word_a, word_b, *_ = toolbox.built_in_words(ops, draw, philox.BLOCK_DIFFUSION)
        z_a, z_2 = toolbox.normal(ops, word_a), toolbox.normal(ops, word_b)
        root = ops.sqrt(1.0 - regime.correlation * regime.correlation)
        log_a = drifts[0] + deviations[0] * z_a
        log_b = drifts[1] + deviations[1] * (regime.correlation * z_a + root * z_2)
        returns = toolbox.expm1(ops, log_a), toolbox.expm1(ops, log_b)
        return state, tick._replace(return_a=returns[0], return_b=returns[1])

    register_market(market_rules(Own("test-by-hand", by_hand, parameters=("half",))))
    job = built_in(example())
    one = replace(job.simulated.regimes[0], correlation=0.4)
    chain = replace(job.simulated.chain, mean_durations=(np.inf,), jump_probabilities=((0.0,),))
    job = replace(job, market=replace(job.market, regimes=(one,), chain=chain,
                                      correlation_regimes=(), correlation_chain=None))  # fmt: skip
    market = replace(job.market, rules="test-by-hand", parameters=(ParameterSpec("half", 0.5),))
    own, plain = compiled(replace(job, market=market), PATHS), compiled(job, PATHS)
    assert of(plain.per_policy, "liquidation_step").any()
    assert np.array_equal(own.market, plain.market)
    assert np.array_equal(own.per_policy, plain.per_policy)


def test_durations_are_steps() -> None:
    assert ParameterSpec("x", 3.5).number(0.001) == 3.5
    assert ParameterSpec("x", 24 / 8760, duration=True).number(1 / 8760 / 60) == 1440.0
    assert ParameterSpec("x", 1.5 / 8760, duration=True).number(1 / 8760) == pytest.approx(1.5)
    assert ParameterSpec("x", 0.0, duration=True).number(1 / 8760) == 0.0


def test_the_shape_of_a_job_names_its_rules() -> None:
    """And a market of one's own may have jumps of its own, which policies must ask for."""
    assert (SHAPE.rules, SHAPE.market) == ("test-stop", "test-wave")
    plain = job_shape(built_in(example()))
    assert (plain.rules, plain.market) == ("pair", "regimes")
    assert (SHAPE.features.events, plain.features.events) == (True, False)
