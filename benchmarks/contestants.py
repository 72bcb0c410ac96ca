"""Who is measured: each takes a tape and runs every policy of a case on it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stresscube_kernels import oracle
from stresscube_kernels.compiled import Kernels
from stresscube_kernels.contract import Account, Outcome
from stresscube_kernels.cpu import lanes, unlaned
from stresscube_kernels.print_numba import LANES
from stresscube_kernels.tree import names, values

from .case import Case, prices
from .timing import seconds

Tape = NDArray[np.float32]
Outcomes = NDArray[Any]


class Contestant(NamedTuple):
    """One row of the comparison.

    threads: 0 where the library decides. paths, steps: the part of the tape that it runs on;
    slower ones take less, so that a round stays short. measure: seconds that one run takes.
    outcomes: [len(Outcome._fields), policies, paths] of a tape, or None where it has none.
    """

    name: str
    threads: int
    paths: int
    steps: int
    measure: Callable[[], float]
    outcomes: Callable[[Tape], Outcomes] | None = None
    note: str = ""
    versions: dict[str, str] = {}  # noqa: RUF012, of what only it needs


def compiled(case: Case, kernels: Kernels, name: str, threads: int) -> Contestant:
    """A compiled backend: open, run and close every account, paths divided among threads."""
    policies = lanes(case.packed, np.float32)
    tiles = len(policies)
    pool = ThreadPoolExecutor(threads)

    def records(tape: Tape, fields: int) -> NDArray[Any]:
        return np.empty((len(tape), tiles, fields * LANES), np.float32)

    def run(tape: Tape, accounts: NDArray[Any], results: NDArray[Any]) -> None:
        def part(rows: NDArray[Any]) -> None:
            at = slice(rows[0], rows[-1] + 1)
            steps = tape.shape[1]
            kernels.policy_open(policies, accounts[at])
            kernels.policy_run(tape[at], 0, steps, policies, accounts[at])
            kernels.policy_close(tape[at], steps - 1, policies, accounts[at], results[at])

        list(pool.map(part, np.array_split(np.arange(len(tape)), min(threads, len(tape)))))

    def outcomes(tape: Tape) -> Outcomes:
        results = records(tape, len(Outcome._fields))
        run(tape, records(tape, len(Account._fields)), results)
        return unlaned(results, len(Outcome._fields))[:, : len(case.job.policies)]

    tape = case.tape
    accounts, results = records(tape, len(Account._fields)), records(tape, len(Outcome._fields))
    paths, steps, _ = tape.shape
    measure = seconds(lambda: run(tape, accounts, results))
    return Contestant(name, threads, paths, steps, measure, outcomes)


def numpy_oracle(case: Case) -> Contestant:
    """The steps as written, in numpy and float64, at the better of some batch sizes."""

    def outcomes(tape: Tape) -> Outcomes:
        return oracle.run_policies(tape.astype(np.float64), case.packed, case.shape)

    steps = max(1, case.tape.shape[1] // 16)
    sizes = [n for n in (1, 2, 4) if n <= len(case.tape)]
    tapes = {n: np.ascontiguousarray(case.tape[:n, :steps]) for n in sizes}
    measures = {n: seconds(lambda n=n: outcomes(tapes[n])) for n in sizes}
    best = min(sizes, key=lambda n: measures[n]() / n)
    note = f"{best} paths at once"
    return Contestant("numpy oracle, float64", 1, best, steps, measures[best], outcomes, note)


def jax_scan(case: Case) -> Contestant:
    """The steps under lax.scan, jitted, float32, at the better of some batch sizes.

    Raises ImportError without JAX.
    """
    import jax.numpy as jnp

    from . import jax_ops

    simulate = jax_ops.prepare(case.packed, case.shape)

    def turned(tape: Tape) -> Any:
        return jnp.asarray(np.ascontiguousarray(tape.transpose(1, 2, 0)))

    def outcomes(tape: Tape) -> Outcomes:
        return np.asarray(simulate(turned(tape)))

    paths, steps, _ = case.tape.shape
    sizes = [n for n in (8, 16, 32) if n <= paths] or [paths]
    tapes = {n: turned(case.tape[:n]) for n in sizes}
    measures = {n: seconds(lambda n=n: simulate(tapes[n])) for n in sizes}
    for measure in measures.values():
        measure()  # compiles
    best = min(sizes, key=lambda n: min(measures[n]() for _ in range(2)) / n)
    note = f"{best} paths at once"
    return Contestant("JAX, lax.scan", 0, best, steps, measures[best], outcomes, note)


def vectorbt(case: Case, python: str) -> list[Contestant]:
    """vectorbt's from_order_func in a process of its own, on one path; [] where it has none.

    Two rows: the orders alone, and with the final value and largest drawdown of each policy
    read from them, which every other contestant's outcomes hold too.
    """
    folder = tempfile.TemporaryDirectory()
    place = Path(folder.name) / "case.npz"
    pairs = zip(names(case.packed), values(case.packed), strict=True)
    fields = {name: np.asarray(leaf, np.float64) for name, leaf in pairs}
    np.savez(
        place,
        prices=prices(case.tape, 0),
        hedge_ratio=fields["hedge_ratio"],
        leverage=fields["leverage"],
        rebalance_threshold=fields["rebalance_threshold"],
        fee=fields["venues_0_taker_fee"],
        slippage=fields["venues_0_slippage"],
    )
    script = Path(__file__).with_name("vectorbt_rule.py")
    process = subprocess.Popen(
        [python, str(script), str(place)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    sent, answered = process.stdin, process.stdout
    first = answered.readline()
    if not first:
        why = process.communicate()[1].strip().splitlines()
        print(f"vectorbt is left out: {why[-1] if why else 'it ended'}", file=sys.stderr)
        return []
    about = json.loads(first)

    def measure(what: str) -> float:
        assert folder  # lives as long as the process
        sent.write(f"{what}\n")
        sent.flush()
        return float(json.loads(answered.readline())["seconds"])

    def row(name: str, what: str) -> Contestant:
        note = f"{about['orders']} orders"
        bars = case.tape.shape[1] + 1
        own = {"vectorbt": about["versions"]["vectorbt"]}
        return Contestant(name, 1, 1, bars, lambda: measure(what), note=note, versions=own)

    return [
        row("vectorbt, from_order_func", "orders"),
        row("vectorbt, with value and drawdown", "outcomes"),
    ]
