"""The idle step is a fast path: it skips work where nobody acts, and the numbers stay the same.

The same rules are registered again under another name without `acts` and `idle`, so that every
step is a whole one, and once more with an idle step that leaves a mark, so that idle steps can be
counted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from markets import (
    FULL,
    HOUR,
    PLAIN,
    compiled,
    driftless,
    job,
    of,
    policy,
    random_job,
    simulation,
    steady,
    venue,
)
from stresscube_kernels import cpu, decide, oracle
from stresscube_kernels.compiled import Kernels, numba_kernels, twin_kernels
from stresscube_kernels.contract import Account, Features, Outcome, Policy, Shape, Tick
from stresscube_kernels.cpu import LANES
from stresscube_kernels.ops import NumpyOps, Ops
from stresscube_kernels.pack import effective_leverage, feasible, job_shape, pack_policies
from stresscube_kernels.policy import policy_idle, policy_open, policy_step
from stresscube_kernels.print_cpp import host_source
from stresscube_kernels.print_numba import numba_source
from stresscube_kernels.programs import programs
from stresscube_kernels.rules import Rules, register
from stresscube_kernels.spec import (
    NEVER,
    ChainSpec,
    Job,
    JumpSpec,
    MarketSpec,
    MispricingSpec,
    PolicySpec,
    PremiumSpec,
    ShockSpec,
)
from stresscube_kernels.tree import rebuild, values

WHOLE = register(Rules("whole-steps"))
assert WHOLE.acts is None
assert WHOLE.idle is None

PATHS, STEPS = 64, 240
COMPILERS: dict[str, Callable[[Shape, str], Kernels]] = {
    "numba": numba_kernels,
    "twin": twin_kernels,
}
TWIN: Any = pytest.param("twin", marks=pytest.mark.needs("compiler"))
BACKENDS: Sequence[Any] = ["numba", TWIN]


MARK = 1024.0  # more than there are steps


def marking_idle(
    ops: Ops, features: Features, account: Account, now: Any, tick: Tick, policy: Policy
) -> Account:
    """The idle step, which also counts itself in multiples of MARK where rebalances are counted."""
    account = policy_idle(ops, features, account, now, tick, policy)
    return account._replace(rebalances=account.rebalances + MARK)


MARKED = register(Rules("marked-idle", acts=decide.acts, idle=marking_idle))


# --- jobs ----------------------------------------------------------------------------------


def random_example(shape: Shape, precision: str, seed: int) -> Job:
    """Three tiles of random policies: the first acts often, the second at times, the third rarely.

    Few act in the second and third: an interval or a holding keeps a whole tile awake.
    """
    plain = shape is PLAIN
    made = random_job(
        np.random.default_rng(seed), plain=plain, steps=STEPS, policies=5 * LANES,
        precision=precision, bridge=not plain,
    )  # fmt: skip
    able = [p for p in made.policies if feasible(p, made.simulation)][: 2 * LANES + 9]
    assert len(able) == 2 * LANES + 9
    step = made.simulation.step

    def calmed(k: int, spec: PolicySpec) -> PolicySpec:
        if k < LANES:
            return spec
        if k >= 2 * LANES:
            return dataclasses.replace(
                spec, rebalance_threshold=0.5, rebalance_interval=NEVER, holding=NEVER
            )
        return dataclasses.replace(
            spec,
            rebalance_threshold=NEVER if k % 4 else 0.1 + 0.02 * (k % 7),
            rebalance_interval=NEVER if plain or k % 5 else 13 * step,
            holding=NEVER if plain or k % 3 else 29 * step,
        )

    policies = tuple(calmed(k, spec) for k, spec in enumerate(able))
    return Job(made.market, policies, made.simulation)


def eventful_example(precision: str, seed: int) -> Job:
    """As above, on a market of jumps, mispricing and funding, with policies that look at them."""
    plain = random_example(FULL, precision, seed)
    rng = np.random.default_rng(seed + 1)
    step = plain.simulation.step
    year = 1 / step  # events a year that make one a step

    # one regime: the code of the market is long enough as it is
    regime = dataclasses.replace(
        plain.simulated.regimes[0],
        correlation=0.7,
        tail_dof=4.0,
        jumps=JumpSpec(0.02 * year, (-0.01, -0.012), (0.02, 0.02), 0.8),
        mispricing=(MispricingSpec(20 * step, 0.004, 0.01 * year, 0.01),),
        premium=PremiumSpec((0.0003, -0.0002), (0.0005, 0.0008), 8 * step, 0.85),
    )

    def watchful(k: int, spec: PolicySpec) -> PolicySpec:
        # the third tile looks at nothing, so that it has idle steps
        return dataclasses.replace(
            spec,
            side=("fixed", "spread", "funding")[k % 3] if k < 2 * LANES else "fixed",
            entry_z=float(rng.uniform(0.5, 2.0)),
            exit_z=float(rng.uniform(-0.5, 0.4)),
            directional_bias=0.2 if k % 5 == 0 else 0.0,
            bias_trigger=float(rng.uniform(1.0, 2.5)),
            roll=("close", "net")[k % 2],
            rebalance_to=("ratio", "leverage")[k // 2 % 2],
            drift_measure=("ratio", "equity")[k // 4 % 2],
        )

    market = MarketSpec(
        (regime,),
        ChainSpec((NEVER,), ((0.0,),)),
        funding_interval=8 * step,
        tail_interval=2 * step,
        signal_half_life=5 * step,
        signal_noise=0.2,
        mark_smoothing=3 * step,
        shocks=(ShockSpec(100 * step, 5 * step, (-0.1, -0.15)),),
    )
    policies = tuple(watchful(k, spec) for k, spec in enumerate(plain.policies))
    return Job(market, policies, dataclasses.replace(plain.simulation, by_regime=True))


def isolated_example(precision: str, seed: int) -> Job:
    """As the first, each leg margined alone; some of the first two tiles hold a leg left over."""
    made = random_example(FULL, precision, seed)

    def alone(k: int, spec: PolicySpec) -> PolicySpec:
        rule = "hold" if k % 2 and k < 2 * LANES else "close"
        venues = tuple(
            dataclasses.replace(v, margin_mode="isolated", after_leg_death=rule)
            for v in spec.venues
        )
        return dataclasses.replace(spec, venues=venues)

    policies = (alone(k, spec) for k, spec in enumerate(made.policies))
    return Job(made.market, tuple(policies), made.simulation)


def example(name: str, precision: str, seed: int) -> tuple[Job, Shape]:
    """A job, and the code that every job of this name shares."""
    if name == "isolated":
        alone = FULL._replace(features=FULL.features._replace(isolated=True))
        return isolated_example(precision, seed), alone
    if name == "eventful":
        made = eventful_example(precision, seed)
        return made, job_shape(made)._replace(tiers=3, venues=2)
    shape = PLAIN if name == "plain" else FULL
    return random_example(shape, precision, seed), shape


def outcomes(made: Job, shape: Shape, backend: str, rules: str | None = None) -> NDArray[Any]:
    """[fields, policies, paths] of PATHS paths, by the built-in rules or those named."""
    shape = shape._replace(rules=rules or shape.rules)
    kernels = COMPILERS[backend](shape, made.simulation.precision)
    return compiled(made, PATHS, shape=shape, kernels=kernels).per_policy


NAMES = ("plain", "full", "eventful", "isolated")


# --- equal to whole steps ------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_numba_gives_the_bits_of_whole_steps(name: str, precision: str) -> None:
    """Every outcome of every policy and path, over several random markets."""
    word = np.uint32 if precision == "float32" else np.uint64
    for seed in (11, 12, 13):
        made, shape = example(name, precision, seed)
        whole = outcomes(made, shape, "numba", WHOLE.name)
        found = outcomes(made, shape, "numba")
        assert np.array_equal(found.view(word), whole.view(word)), seed


@pytest.mark.needs("compiler")
@pytest.mark.parametrize("name", NAMES)
def test_twin_agrees_with_whole_steps(name: str) -> None:
    """The C++ compiler may reorder sums, and orders those of the two steps differently.

    So to rounding: 1e-11 after 240 steps in float64, as in the comparison with the oracle.
    """
    made, shape = example(name, "float64", 11)
    whole = outcomes(made, shape, "twin", WHOLE.name)
    found = outcomes(made, shape, "twin")
    size = 1.0 + np.array([effective_leverage(policy) for policy in made.policies])[:, None]
    error = np.abs(found - whole) / (np.abs(whole) + size)
    assert error.max() < 1e-11


@pytest.mark.parametrize("name", NAMES)
def test_the_idle_step_is_the_whole_step_of_who_does_not_act(name: str) -> None:
    """On the oracle, account by account and step by step: equal numbers, field by field."""
    made, shape = example(name, "float64", 14)
    found = 0
    for _, ready, idle, whole in walk(made, shape, paths=8):
        found += int((~ready).sum())
        for field, ours, theirs in zip(Account._fields, idle, whole, strict=True):
            same = (ours == theirs) | ready
            assert same.all(), field
    assert found > 1000


def walk(made: Job, shape: Shape, paths: int = PATHS) -> Any:
    """Step after step: number, who acts [policies, paths], and both steps' accounts."""
    features, ops = shape.features, NumpyOps()
    tape, _ = oracle.simulate(made, 0, paths, shape=shape)
    packed = pack_policies(made.policies, made.simulation, shape)
    policies = rebuild(packed, iter(leaf[:, None] for leaf in values(packed)))
    grid = (len(made.policies), paths)
    account = Account(*(np.broadcast_to(f, grid) for f in policy_open(ops, features, policies)))
    for step in range(made.simulation.steps):
        tick = Tick(*(tape[None, :, step, field] for field in range(len(Tick._fields))))
        here = (ops, features, account, float(step), tick, policies)
        ready = np.broadcast_to(decide.acts(*here), grid)
        whole = Account(*(np.broadcast_to(f, grid) for f in policy_step(*here)))
        yield step, ready, policy_idle(*here), whole
        account = whole


# --- and really taken ----------------------------------------------------------------------


def idle_steps(made: Job, shape: Shape, chunk: int) -> NDArray[np.int64]:
    """In how many steps nobody of a tile acts, [tiles, paths]; none that begins a chunk."""
    tiles = -(-len(made.policies) // LANES)
    counts = np.zeros((tiles, PATHS), np.int64)
    for step, ready, _, _ in walk(made, shape):
        if step % chunk:
            still = [~ready[at : at + LANES].any(axis=0) for at in range(0, len(ready), LANES)]
            counts += np.array(still)
    return counts


@pytest.mark.parametrize("chunk", [1024, 100, 1])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_idle_steps_are_taken_where_nobody_of_a_tile_acts(
    backend: str, name: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the count of marks that they leave: in these steps, in no others, in no other tile."""
    monkeypatch.setattr(cpu, "STEPS_AT_ONCE", chunk)
    made, shape = example(name, "float64", 11)
    marks, _ = np.divmod(of(outcomes(made, shape, backend, MARKED.name), "rebalances"), MARK)
    expected = idle_steps(made, shape, chunk)
    for tile, counts in enumerate(expected):
        here = marks[tile * LANES : (tile + 1) * LANES]
        assert np.array_equal(here, np.broadcast_to(counts, here.shape)), tile
    shares = expected.mean(axis=1) / STEPS
    if chunk == 1:
        assert np.all(expected == 0)
    else:
        assert shares[0] < 0.1  # a busy tile
        assert 0.02 < shares[1] < 0.98  # one that changes between the two
        assert shares[2] > 0.5  # an idle one


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_tape_on_which_nothing_acts(backend: str) -> None:
    """Bought in the first step and held: all steps but the first are idle, and it is the oracle's.

    Two tiles, volatile enough that some accounts die.
    """
    steps = 300
    spec = [policy(0.0 if k % 2 else 0.8, 1.0 + 0.1 * k, venues=(venue(),)) for k in range(80)]
    run = simulation(steps, HOUR, 5, precision="float64")
    made = job(steady(driftless((0.9, 0.7), 0.6)), spec, run)
    found = outcomes(made, PLAIN, backend, MARKED.name)
    died = of(found, "liquidation_step") > 0
    assert 0.0 < died.mean() < 0.9
    assert np.all(of(found, "rebalances") == (steps - 1) * MARK)
    usual = outcomes(made, PLAIN, backend)
    tape, _ = oracle.simulate(made, 0, PATHS, shape=PLAIN)
    exact = oracle.run_policies(tape, pack_policies(spec, run, PLAIN), PLAIN)
    error = np.abs(usual - exact) / (np.abs(exact) + 10.0)
    assert error.max() < 1e-11
    for k, field in enumerate(Outcome._fields):
        if field != "rebalances":
            np.testing.assert_allclose(found[k], usual[k], rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", NAMES)
def test_the_idle_step_is_shorter(name: str) -> None:
    """Fewer lines than the whole step, which then is the only one in the code without it."""
    _, shape = example(name, "float32", 11)
    made = programs(shape)
    assert made.policy_idle is not None
    assert len(made.policy_idle.lines) < 0.9 * len(made.policy_step.lines)
    bare = programs(shape._replace(rules=WHOLE.name))
    assert bare.policy_idle is None
    assert all(target != "acts" for target, _ in bare.policy_step.outputs)
    assert "acting" in numba_source(made, "float32")
    assert "acting" not in numba_source(bare, "float32")
    assert "MAY_IDLE = true" in host_source(made, "float32")
    assert "MAY_IDLE = false" in host_source(bare, "float32")


def test_the_examples_do_what_they_should() -> None:
    """Rebalances, closed trades, both directions, deaths and survivors: none of this is idle."""
    for name in NAMES:
        made, shape = example(name, "float64", 11)
        found = outcomes(made, shape, "numba")
        assert 0.05 < (of(found, "liquidation_step") > 0).mean() < 0.95
        assert of(found, "rebalances")[LANES : 2 * LANES].max() > 3
        assert name == "plain" or of(found, "trades")[LANES : 2 * LANES].max() > 3
        if name == "eventful":
            features = shape.features._asdict()
            assert {feature for feature, on in features.items() if not on} <= {
                "isolated",
                "intrabar",
                "prints",
            }
            assert np.abs(of(found, "funding")).max() > 0
