"""Rules written outside of the package: a trailing stop on top of the pair, on every backend.

The stop has a parameter and a memory of its own; both nest what the built-in rules have.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from markets import BRIDGED, compiled, of, random_job
from stresscube_kernels import oracle
from stresscube_kernels.compiled import numba_kernels, twin_kernels
from stresscube_kernels.contract import Account, Features, Outcome, Policy, Shape, Tick
from stresscube_kernels.decide import decide
from stresscube_kernels.ops import Ops
from stresscube_kernels.pack import feasible, job_shape, pack_policies, pack_policy
from stresscube_kernels.policy import carry, policy_close, policy_open, policy_step
from stresscube_kernels.print_cpp import cuda_source
from stresscube_kernels.programs import programs
from stresscube_kernels.rules import NO_ACCOUNT, Rules, pair_policy, register, rules_of
from stresscube_kernels.spec import Job, PolicySpec, SimulationSpec

PATHS, STEPS = 40, 90


class StopPolicy(NamedTuple):
    pair: Policy
    stop: Any  # the fall from the highest equity that ends all trading


class StopAccount(NamedTuple):
    pair: Account
    highest: Any
    stopped: Any


@dataclass(frozen=True, slots=True)
class StopSpec(PolicySpec):
    rules: str = "trailing-stop"
    stop: float = 0.1


def stop_open(ops: Ops, features: Features, policy: StopPolicy) -> StopAccount:
    pair = policy_open(ops, features, policy.pair)
    return StopAccount(pair, highest=pair.equity, stopped=pair.equity * 0.0)


def stop_step(
    ops: Ops, features: Features, account: StopAccount, now: Any, tick: Tick, policy: StopPolicy
) -> StopAccount:
    """The pair's step; once equity has fallen too far, everything is sold and nothing is bought."""
    out = account.stopped > 0.5
    before = account.pair
    pair, order = decide(ops, features, before, now, tick, policy.pair)
    pair = pair._replace(until=ops.where(out, 0.0, pair.until))
    order = order._replace(
        leg_a=ops.where(out, -before.notional_a, order.leg_a),
        leg_b=ops.where(out, -before.notional_b, order.leg_b),
        opens=order.opens & ~out,
        closes=(order.closes & ~out) | (out & (before.until > 0.5)),
        rebalances=order.rebalances & ~out,
    )
    pair = carry(ops, features, pair, order, now, tick, policy.pair)
    highest = ops.fmax(account.highest, pair.equity)
    fallen = pair.equity < highest * (1.0 - policy.stop)
    return StopAccount(pair, highest, ops.where(fallen, 1.0, account.stopped))


def stop_close(
    ops: Ops, features: Features, account: StopAccount, tick: Tick, policy: StopPolicy
) -> Outcome:
    return policy_close(ops, features, account.pair, tick, policy.pair)


def stop_pack(spec: Any, simulation: SimulationSpec, shape: Shape) -> StopPolicy:
    return StopPolicy(pack_policy(spec, simulation, shape), spec.stop)


STOP = register(
    Rules(
        "trailing-stop",
        open=stop_open,
        step=stop_step,
        close=stop_close,
        account=StopAccount(NO_ACCOUNT, 0.0, 0.0),
        policy=lambda shape: StopPolicy(pair_policy(shape), 0.0),
        pack=stop_pack,
    )
)
SHAPE = BRIDGED._replace(rules="trailing-stop")


def example(precision: str, stop: float | None = None) -> Job:
    """A random job of the shape BRIDGED, its policies given stops from 2% to 30%."""
    job = random_job(
        np.random.default_rng(7), plain=True, steps=STEPS, policies=40, precision=precision
    )
    able = [p for p in job.policies if feasible(p, job.simulation)][:20]
    stops = np.linspace(0.02, 0.3, len(able)) if stop is None else [stop] * len(able)
    return replace(job, policies=tuple(map(stopping, able, stops)))


def stopping(spec: PolicySpec, stop: float) -> StopSpec:
    known: dict[str, Any] = {field.name: getattr(spec, field.name) for field in fields(spec)}
    known["rules"] = "trailing-stop"
    return StopSpec(**known, stop=float(stop))


def by_oracle(job: Job) -> NDArray[Any]:
    tape, _ = oracle.simulate(job, 0, PATHS, np.float64, SHAPE)
    return oracle.run_policies(tape, pack_policies(job.policies, job.simulation, SHAPE), SHAPE)


def test_the_stop_stops() -> None:
    """It rebalances and loses less; a stop that is never reached is the pair, bit for bit."""
    found = by_oracle(example("float64"))
    never = by_oracle(example("float64", stop=1e30))
    pair = example("float64")
    pair = replace(pair, policies=tuple(as_pair(spec) for spec in pair.policies))
    assert job_shape(pair).rules == "pair"
    assert np.array_equal(never, oracle.run(pair, 0, PATHS).per_policy)
    stopped = of(found, "turnover") != of(never, "turnover")
    assert 0.1 < stopped.mean() < 1.0
    assert of(found, "rebalances").sum() < of(never, "rebalances").sum()
    assert of(found, "max_drawdown").mean() < of(never, "max_drawdown").mean()


def as_pair(spec: PolicySpec) -> PolicySpec:
    known: dict[str, Any] = {field.name: getattr(spec, field.name) for field in fields(PolicySpec)}
    known["rules"] = "pair"
    return PolicySpec(**known)


def check(found: NDArray[Any], job: Job) -> None:
    """Float64 and per path, to 1e-9 of the scale: nothing flips."""
    exact = by_oracle(job)
    error = np.abs(found - exact) / (np.abs(exact) + 1.0 + of(exact, "turnover"))
    assert error.max() < 1e-9


def test_through_numba() -> None:
    job = example("float64")
    kernels = numba_kernels(SHAPE, "float64")
    check(compiled(job, PATHS, shape=SHAPE, kernels=kernels).per_policy, job)


@pytest.mark.needs("compiler")
def test_through_the_host_compiler() -> None:
    job = example("float64")
    kernels = twin_kernels(SHAPE, "float64")
    check(compiled(job, PATHS, shape=SHAPE, kernels=kernels).per_policy, job)


@pytest.mark.needs("compiler")
def test_through_the_cuda_source(monkeypatch: pytest.MonkeyPatch) -> None:
    from emulator.fake_cupy import Machine, install
    from stresscube_kernels import cuda

    install(Machine(), monkeypatch)
    job = example("float64")
    found = cuda.prepare(job, shape=SHAPE).run(0, PATHS).per_policy
    check(cuda.cupy().asnumpy(found), job)


def test_the_source_shows_whose_lines_they_are() -> None:
    source = cuda_source(programs(SHAPE), "float32")
    assert "test_user_policy.py:" in source
    assert "highest = ops.fmax(account.highest, pair.equity)" in source
    assert "account.highest" in source
    assert "account.pair_notional_a" in source


def test_a_job_names_its_rules() -> None:
    job = example("float64")
    assert job_shape(job).rules == "trailing-stop"
    mixed = replace(job, policies=(job.policies[0], as_pair(job.policies[0])))
    with pytest.raises(ValueError, match=r"one set of rules, not \['pair', 'trailing-stop'\]"):
        job_shape(mixed)


def test_names_are_unique_and_known() -> None:
    assert register(STOP) is STOP
    with pytest.raises(ValueError, match="'pair' are registered already"):
        register(Rules("pair", step=lambda ops, features, account, now, tick, policy: account))
    with pytest.raises(
        KeyError, match=r"no rules named 'stop'; registered: (.*, )?pair, .*trailing-stop"
    ):
        rules_of(SHAPE._replace(rules="stop"))


def test_a_step_that_returns_another_record_is_refused() -> None:
    def forgetful(
        ops: Ops, features: Features, account: Any, now: Any, tick: Tick, policy: Any
    ) -> Any:
        return policy_step(ops, features, account.pair, now, tick, policy.pair)

    register(replace(STOP, name="forgetful", step=forgetful))
    with pytest.raises(TypeError, match="account as a record like StopAccount, not Account"):
        programs(SHAPE._replace(rules="forgetful"))
