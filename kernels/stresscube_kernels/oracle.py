"""The oracle: the steps run as they are written, in numpy, one array operation at a time.

Slow and plain. Every backend is compared with it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .contract import Draw, MarketState, Policy, Shape, Tick
from .draws import draw_of
from .ops import NumpyOps
from .pack import job_shape, pack_policies, seed_words
from .pack_market import pack_markets
from .rules import market_rules_of, outcome_fields, rules_of
from .spec import Job, SimulationSpec
from .tree import combine, rebuild, values


class Outcomes(NamedTuple):
    """What a backend returns for a range of paths.

    per_policy: [outcome field, n_policies, n_paths]; market: [2, n_paths], the simple
    returns of the legs over the whole path.
    """

    per_policy: NDArray[Any]
    market: NDArray[Any]


def run(job: Job, first_path: int, n_paths: int, dtype: Any = np.float64) -> Outcomes:
    """Outcomes of paths first_path ... first_path + n_paths - 1."""
    shape = job_shape(job)
    tape, state = simulate(job, first_path, n_paths, dtype, shape)
    outcome = run_policies(tape, pack_policies(job.policies, job.simulation, shape), shape, dtype)
    market = np.stack([state.price_a, state.price_b]) - 1.0
    return Outcomes(outcome, market)


def simulate(
    job: Job, first_path: int, n_paths: int, dtype: Any = np.float64, shape: Shape | None = None
) -> tuple[NDArray[Any], MarketState]:
    """Tapes of shape [n_paths, steps, len(Tick._fields)], and the market's last state."""
    shape = shape or job_shape(job)
    path = np.arange(first_path, first_path + n_paths, dtype=np.uint64).astype(np.uint32)
    markets = pack_markets(job.market, job.simulation, shape)
    own = draw_of(path, len(markets))
    tape = np.full((n_paths, job.simulation.steps, len(Tick._fields)), np.nan, dtype)
    states: list[Any] = []
    for draw in np.unique(own):
        market = _cast_market(markets[draw], dtype)
        mine = path[own == draw]
        tape[own == draw], state = _simulate(market, job.simulation, mine, shape, dtype)
        states.append(rebuild(state, (np.broadcast_to(v, len(mine)) for v in values(state))))
    place = np.argsort(np.argsort(own, kind="stable"))  # of each path among those of all draws
    return tape, combine(lambda *parts: np.concatenate(parts)[place], *states)


def _simulate(
    market: Any, simulation: SimulationSpec, path: NDArray[np.uint32], shape: Shape, dtype: Any
) -> tuple[NDArray[Any], Any]:
    """The same for paths of these numbers on one packed market."""
    ops, rules = NumpyOps(dtype), market_rules_of(shape)
    tape = np.full((len(path), simulation.steps, len(Tick._fields)), np.nan, dtype)
    state = rules.start(ops, shape.features, market, _draw(simulation, path, 0))
    for step in range(simulation.steps):
        draw = _draw(simulation, path, step)
        state, tick = rules.step(ops, shape.features, market, state, draw)
        for field, value in enumerate(tick):
            tape[:, step, field] = value
    return tape, state


def run_policies(
    tape: NDArray[Any], policies: Policy, shape: Shape, dtype: Any = np.float64
) -> NDArray[Any]:
    """Outcomes of every policy on every tape, shape [outcome field, policies, paths]."""
    ops, rules = NumpyOps(dtype), rules_of(shape)
    policy = cast_policies(policies, dtype)
    n_paths, n_steps, _ = tape.shape
    account = rules.open(ops, shape.features, policy)
    account = rebuild(account, (np.repeat(field, n_paths, axis=1) for field in values(account)))
    for step in range(n_steps):
        tick = Tick(*(tape[None, :, step, field] for field in range(len(Tick._fields))))
        account = rules.step(ops, shape.features, account, ops.dtype.type(step), tick, policy)
    last = Tick(*(tape[None, :, -1, field] for field in range(len(Tick._fields))))
    outcome = rules.close(ops, shape.features, account, last, policy)
    grid = (len(outcome_fields(shape)), len(values(policies)[0]), n_paths)
    result = np.full(grid, np.nan, dtype)
    for field, value in enumerate(values(outcome)):
        result[field] = value
    return result


def cast_policies(policies: Any, dtype: Any) -> Any:
    """Packed policies in a precision, their leaves [policies, 1]."""
    return rebuild(policies, iter(p.astype(dtype)[:, None] for p in values(policies)))


def _draw(simulation: SimulationSpec, path: NDArray[np.uint32], step: int) -> Draw:
    key_0, key_1 = seed_words(simulation.seed)
    return Draw(
        path=path,
        step=np.full(len(path), step, np.uint32),
        key_0=np.full(len(path), key_0, np.uint32),
        key_1=np.full(len(path), key_1, np.uint32),
    )


def _cast_market(market: Any, dtype: Any) -> Any:
    cast = (v if v.dtype == np.uint32 else v.astype(dtype) for v in values(market))
    return rebuild(market, cast)
