"""The ledger of a path: it adds up to what the compiled code makes of the path, and row by row."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import test_replay
from markets import compiled
from stresscube_kernels import oracle
from stresscube_kernels.contract import Account, Outcome
from stresscube_kernels.ledger import COLUMNS, Ledger, ledger, totals
from stresscube_kernels.ledger.parts import CAUSES
from stresscube_kernels.own import Own, policy_rules
from stresscube_kernels.pack import effective_leverage, pack_policies
from stresscube_kernels.rules import outcome_fields, register
from stresscube_kernels.spec import Job
from stresscube_kernels.toolbox import carry_out, decide, leave, policy_step
from stresscube_kernels.tree import leaves
from test_whole_model import MODES, STEPS, example, found, mode
from whole import random_full_job

__all__ = ["mode"]
PRECISIONS = ("float32", "float64")
SEEDS, KINDS, PATHS = (0, 1, 5), range(0, 60, 9), (0, 3)
"""Random jobs, and of each these policies on these paths."""
DOUBLE = np.finfo(np.float64).eps


@cache
def made(mode: str, precision: str, seed: int, policy: int, path: int) -> Ledger:
    """The ledger of one policy of a random job, every leaf of the whole model's code used."""
    job = example(mode, seed, precision)
    return ledger(one(job, policy), path, MODES[mode])


def one(job: Job, policy: int) -> Job:
    return Job(job.market, job.policies[policy : policy + 1], job.simulation)


def everything(mode: str, precision: str) -> list[tuple[Ledger, Job, NDArray[Any]]]:
    """Ledgers, their jobs, and what numba made of the paths among many: [outcome field]."""
    many: list[tuple[Ledger, Job, NDArray[Any]]] = []
    for seed in SEEDS:
        job = example(mode, seed, precision)
        theirs = found(mode, "numba", job)
        for policy in KINDS:
            for path in PATHS:
                its = made(mode, precision, seed, policy, path)
                many.append((its, one(job, policy), theirs[:, policy, path]))
    return many


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_totals_are_the_outcomes_of_the_path(mode: str, precision: str) -> None:
    """Differences of float32 books are exact in float64; adding n of them rounds n times."""
    for its, _, theirs in everything(mode, precision):
        outcome = dict(zip(outcome_fields(MODES[mode]), theirs.tolist(), strict=True))
        assert its.outcome == outcome
        for name, total in totals(its.columns).items():
            size = np.nansum(np.abs(its.columns.get(name, 0.0))) + abs(outcome[name])
            assert abs(total - outcome[name]) <= STEPS * DOUBLE * size, name


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_legs_add_up_to_the_books(mode: str, precision: str) -> None:
    """A book rounds once at every step, and so does what is added to it."""
    for its, _, _ in everything(mode, precision):
        for name in ("fees", "slippage", "funding", "turnover"):
            legs = its.columns[f"{name}_a"].astype(np.float64) + its.columns[f"{name}_b"]
            flow = its.columns[name]
            size = np.abs(np.cumsum(flow)).max() + np.abs(flow).max() + np.abs(legs).max()
            assert np.isfinite(legs).all()
            assert np.abs(legs - flow).max() <= 2 * np.finfo(precision).eps * size, name
        assert np.abs(its.columns["fees"]).sum() > 0 or not its.columns["turnover"].any()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_row_balances(mode: str, precision: str) -> None:
    """Equity moves by what flowed. One rounding of everything there is for a dozen sums."""
    for its, job, _ in everything(mode, precision):
        rows = its.columns
        flows = rows["pnl_a"] + rows["pnl_b"] - rows["fees"] - rows["slippage"]
        flows = flows - rows["funding"] - rows["liquidation_cost"] + rows["deficit"]
        equity = np.r_[1.0, rows["equity"].astype(np.float64)]
        books = sum(np.abs(np.cumsum(rows[name])) for name in ("pnl_a", "pnl_b", "fees", "funding"))
        size = 1.0 + effective_leverage(job.policies[0]) + np.max(books) + np.abs(flows).max()
        assert np.abs(np.diff(equity) - flows).max() <= 12 * np.finfo(precision).eps * size


def test_margin_ratios_tell_who_is_liquidated(mode: str) -> None:
    """Who lives has margin in hand; who dies otherwise than inside the step has none.

    An account in debt, whose ratio is infinite, may live where a mark is smoothed.
    """
    below = above = 0
    for its, _, _ in everything(mode, "float64"):
        rows = {name: column[:-1] for name, column in its.columns.items()}
        living = (rows["alive"] == 1) & np.isfinite(rows["margin_ratio"])
        assert np.all(rows["margin_ratio"][living] < 1.0)
        below += int(living.sum())
        died = np.r_[False, np.diff(rows["alive"]) < 0] | (np.arange(STEPS) == 0) & (
            rows["alive"] == 0
        )
        seen = np.array(["liquidated" in word and "inside" not in word for word in rows["event"]])
        assert np.all(rows["margin_ratio"][died & seen] >= 1.0)
        above += int((died & seen).sum())
    assert below > 100
    assert above >= 3


def test_events_count_what_the_books_count(mode: str) -> None:
    for its, _, _ in everything(mode, "float32"):
        rows = its.columns
        words = [str(event).split("; ") for event in rows["event"]]
        said = np.array([[any(p.startswith(w) for p in parts) for w in ("rebalance", "funding")]
                         for parts in words])  # fmt: skip
        assert np.array_equal(said[:, 0], rows["rebalances"] == 1)
        paid = (rows["funding_a"] != 0.0) | (rows["funding_b"] != 0.0)
        assert np.array_equal(said[:, 1], paid)
        dead = [any("liquidated" in part for part in parts) for parts in words]
        step = int(its.outcome["liquidation_step"])
        assert dead.index(True) + 1 == step if step else not any(dead)
        closes = np.array([{"roll", "close"} & {*parts} != set() for parts in words])
        assert closes[:-1].sum() <= rows["trades"][:-1].sum()


def test_the_random_jobs_reach_every_event() -> None:
    seen: Counter[str] = Counter()
    for margin_mode in MODES:
        for seed in range(6):
            for policy in range(0, 60, 2):
                for path in (1, 4):
                    its = made(margin_mode, "float32", seed, policy, path)
                    events = its.columns["event"].tolist()
                    seen.update(part for event in events for part in event.split("; "))
    wanted = {"open", "close", "roll", "bias on", "bias off", "funding", "close at the horizon"}
    wanted |= {f"rebalance ({why})" for why in ("drift", "interval", "bias")}
    wanted |= {"leg a closed", "leg b closed"}
    assert wanted <= set(seen)
    for cause in CAUSES[:3]:
        assert any("liquidated" in word and word.endswith(cause) for word in seen), cause


def test_the_columns_are_those_that_are_described(mode: str) -> None:
    rows = made(mode, "float32", 0, 0, 0).columns
    assert list(rows) == [column.name for column in COLUMNS]
    assert {len(column) for column in rows.values()} == {STEPS + 1}
    own = np.isfinite(rows["equity_a"]).any()
    assert own == (mode == "isolated")


def test_drift_is_what_the_threshold_is_held_against(mode: str) -> None:
    """Where drift alone was due it is above the threshold, and elsewhere it is not."""
    checked = 0
    for its, _, _ in everything(mode, "float64"):
        rows = its.columns
        for event, drift, threshold in zip(
            rows["event"], rows["drift"], rows["threshold"], strict=True
        ):
            parts = str(event).split("; ")
            if "rebalance (drift)" in parts:
                assert drift > threshold
                checked += 1
            elif parts == [""] and np.isfinite(drift):
                assert drift <= threshold * (1 + 4 * DOUBLE)
    assert checked > 5


def stop(ops: Any, features: Any, account: Any, now: Any, tick: Any, policy: Any,
         memory: Any = 0.0, *, level: Any) -> Any:  # fmt: skip
    out = memory > 0.5
    decided, order = decide(ops, features, account, now, tick, policy)
    decided, order = leave(ops, account, decided, order, out)
    account = carry_out(ops, features, decided, order, now, tick, policy)
    return account, ops.where(account.equity < level, 1.0, memory)


def torn(ops: Any, features: Any, account: Any, now: Any, tick: Any, policy: Any) -> Any:
    """Both legs of a choice are carried out, and one of them is taken."""
    first = policy_step(ops, features, account, now, tick, policy)
    other = policy_step(ops, features, account, now, tick, policy._replace(leverage=0.5))
    calm = tick.slippage_multiplier < 2.0
    return Account(*(ops.where(calm, x, y) for x, y in zip(first, other, strict=True)))


def by_hand(ops: Any, features: Any, account: Any, now: Any, tick: Any, policy: Any) -> Any:
    """Nothing is carried out: the account gains by decree."""
    gain = account.equity * 0.001
    return account._replace(
        equity=account.equity + gain, equity_a=account.equity_a + gain, pnl_a=account.pnl_a + gain
    )


def owned(name: str, step: Any, memory: Any = (), parameters: tuple[str, ...] = ()) -> Job:
    """A random job whose only policy follows a step of one's own."""
    from dataclasses import replace

    from stresscube_kernels.spec import ParameterSpec

    register(policy_rules(Own(name, step, memory, parameters)))
    job = random_full_job(np.random.default_rng(3), steps=STEPS, policies=1)
    spec = replace(
        job.policies[0], rules=name, holding=np.inf, side="fixed", leverage=4.0, hedge_ratio=1.0,
        parameters=tuple(ParameterSpec(name, 0.97) for name in parameters),
    )  # fmt: skip
    return Job(job.market, (spec,), job.simulation)


def test_a_policy_that_remembers() -> None:
    """A stop: the sale comes in the step after equity fell below its level."""
    job = owned("a ledger's stop", stop, 0.0, ("level",))
    many = (ledger(job, path) for path in range(30))
    its = next(its for its in many if its.columns["memory"][-9] and its.columns["alive"].all())
    rows = its.columns
    assert list(rows)[-1] == "memory"
    sold = [k for k, event in enumerate(rows["event"]) if "close" in str(event).split("; ")]
    assert len(sold) == 1
    assert rows["memory"][sold[0] - 1] == 1.0
    assert rows["equity"][sold[0] - 1] < 0.97
    assert np.all(rows["memory"][: sold[0] - 1] == 0.0)
    held = rows["notional_a"][sold[0] - 1]
    assert rows["order_a"][sold[0]] == -held
    assert np.all(rows["notional_a"][sold[0] :] == 0.0)
    assert totals(rows)["final_equity"] == its.outcome["final_equity"]


def test_of_two_orders_the_one_that_was_taken_counts() -> None:
    job = owned("a ledger's torn step", torn)
    its = ledger(job, 0)
    rows = its.columns
    size = np.abs(rows["order_a"][0]) + np.abs(rows["order_b"][0])
    calm = rows["turnover"][0] > 3.0
    assert size == pytest.approx(4.0 if calm else 0.5, rel=1e-6)
    legs = rows["fees_a"].astype(np.float64) + rows["fees_b"]
    assert np.isfinite(legs).all()
    np.testing.assert_allclose(legs, rows["fees"], rtol=1e-4, atol=1e-8)


def test_a_policy_that_carries_nothing_out() -> None:
    """Its books are there, its orders are not."""
    its = ledger(owned("a ledger's decree", by_hand), 0)
    rows = its.columns
    assert np.isnan(rows["order_a"][:-1]).all()
    assert np.isnan(rows["margin_ratio"]).all()
    assert rows["pnl_a"].sum() == pytest.approx(1.001**STEPS - 1.0, rel=1e-4)
    assert totals(rows)["pnl_a"] == pytest.approx(its.outcome["pnl_a"], rel=1e-12)


def test_the_oracle_of_float32_is_of_float32(mode: str) -> None:
    """Every leaf, and so every outcome, to the bit that numba has."""
    job, shape = example(mode, 1, "float32"), MODES[mode]
    tape, state = oracle.simulate(job, 0, 8, "float32", shape)
    assert {np.asarray(leaf).dtype.name for _, leaf in leaves(state)} <= {"float32", "uint32"}
    packed = pack_policies(job.policies, job.simulation, shape)
    ours = oracle.run_policies(tape, packed, shape, "float32")
    assert np.array_equal(ours, found(mode, "numba", job)[:, :, :8])
    assert len(ours) > len(Outcome._fields)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", test_replay.KINDS)
def test_recorded_history(kind: str, precision: str) -> None:
    """Totals and legs on windows of history, where lows and highs may decide."""
    shape, inside = test_replay.SHAPES[kind], 0
    job = test_replay.example(kind, 1, precision)
    theirs = compiled(job, 8, shape=shape).per_policy
    for policy in range(len(job.policies)):
        its = ledger(one(job, policy), 5, shape)
        outcome = dict(zip(outcome_fields(shape), theirs[:, policy, 5].tolist(), strict=True))
        assert its.outcome == outcome
        for name, total in totals(its.columns).items():
            size = np.nansum(np.abs(its.columns.get(name, 0.0))) + abs(outcome[name])
            assert abs(total - outcome[name]) <= len(its.columns["step"]) * DOUBLE * size, name
        for name in ("fees", "slippage", "funding", "turnover"):
            legs = its.columns[f"{name}_a"].astype(np.float64) + its.columns[f"{name}_b"]
            size = np.abs(np.cumsum(its.columns[name])).max() + np.abs(legs).max()
            assert np.abs(legs - its.columns[name]).max() <= 3 * np.finfo(precision).eps * size
        inside += sum("inside the step" in str(event) for event in its.columns["event"])
        assert not its.columns["jump"].any()
    assert inside > 0
