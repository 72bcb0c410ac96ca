"""`stresscube check`: what a run would compute, how large it gets, how long it takes."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stresscube.backends import Backend, choose
from stresscube.cli import rates
from stresscube.cli.as_json import emit
from stresscube.cli.console import console
from stresscube.cli.scenario import load_scenario
from stresscube.memory import Shares, default_budget, parse_size, shares
from stresscube.plan import Plan, make_plan
from stresscube.runner import usable_cores
from stresscube.scenario.recorded import described, recorded
from stresscube.store.layout import cube_bytes
from stresscube.text import count, data_size, label, plural, time_span
from stresscube_kernels.pack_replay import stride_steps, window_count
from stresscube_kernels.spec import ReplaySpec

MEASURING = 0.5
"""Seconds that the short run should take."""
HOURS = 8760.0


def check(
    scenario: Path,
    *,
    backend: str,
    paths: int | None,
    seed: int | None,
    settings: Sequence[str],
    threads: int | None,
    memory: str | None,
    trust: bool,
    as_json: bool = False,
) -> None:
    """Print the plan of a run."""
    chosen = choose(backend)
    plan = make_plan(load_scenario(scenario, paths, seed, settings), chosen, trust=trust)
    cores = threads or usable_cores()
    budget = default_budget() if memory is None else parse_size(memory)
    share = shares(plan, chosen, budget, cores)
    if as_json:
        forecast = _forecast(plan, chosen, share, cores)
        emit({**_document(plan, share, budget), **asdict(forecast), "backend": chosen.name})
        return
    out = console()
    out.print(f"[bold]{escape(str(plan.scenario.name))}[/]: {escape(str(scenario))}")
    out.print()
    if plan.axes:
        out.print(_axes_table(plan, out))
        out.print()
    _print_facts(_data(plan) | _sizes(plan, share, budget), out)
    forecast = _forecast(plan, chosen, share, cores)
    _print_facts({"time": _in_words(forecast, plan, chosen, cores)}, out)
    _print_notes(plan, out)


def _document(plan: Plan, share: Shares, budget: int) -> dict[str, Any]:
    """Return the plan as JSON has it: sizes in bytes, times in seconds and hours."""
    return {
        "name": plan.scenario.name,
        "axes": [
            {"name": it.name, "of": it.kind, "units": it.units, "values": it.values}
            for it in plan.axes
        ],
        "cells": plan.cells,
        "infeasible": plan.cells - plan.feasible_cells,
        "market_points": plan.market_points,
        "policies": plan.policies,
        "paths": plan.paths,
        "paths_at_once": min(share.batch, plan.paths),
        "steps": plan.simulation.steps,
        "step_hours": plan.simulation.step * HOURS,
        "blocks": len(plan.blocks),
        "policy_steps": plan.policy_steps,
        "memory_bytes": budget,
        "outcome_bytes_a_block": _outcome_bytes(plan),
        "cube_bytes": cube_bytes(plan),
    }


def _outcome_bytes(plan: Plan) -> int:
    width = 8 if plan.simulation.precision == "float64" else 4
    return len(plan.outcomes) * plan.block_policies * plan.paths * width


def _axes_table(plan: Plan, out: Console) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1), collapse_padding=True
    )
    table.add_column("dim", no_wrap=True)
    table.add_column("of", no_wrap=True, style="dim")
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("values")
    for axis in plan.axes:
        units = "" if axis.units in ("", "1") else f" {axis.units}"
        words = [f"{label(value)}{units}" for value in axis.values]
        table.add_row(
            escape(axis.name), axis.kind, str(len(words)), escape(_shortened(words, out.width // 2))
        )
    return table


def _shortened(words: Sequence[str], width: int) -> str:
    """Return words with commas, the middle left out where they take more than two lines."""
    whole = ", ".join(words)
    if len(whole) <= 2 * width or len(words) < 6:
        return whole
    return ", ".join([*words[:3], "...", words[-1]])


def _data(plan: Plan) -> dict[str, str]:
    """Return what a replay is cut from, and how, or how draws are dealt, in words."""
    if plan.draws:
        each = plural(plan.paths // plan.draws, "path")
        return {"draws": f"{plan.draws} of the market's numbers, {each} each; errors are theirs"}
    if not plan.scenario.market.replayed:
        return {}
    market = plan.market(plan.blocks[0])
    assert isinstance(market, ReplaySpec)
    if market.method == "bootstrap":
        cut = f"blocks of {_hours(market.block_length * HOURS)} on average"
    else:
        stride = _hours(stride_steps(market, plan.simulation) * plan.simulation.step * HOURS)
        windows = window_count(market, plan.simulation)
        cut = f"{plural(windows, 'window')}, each {stride} after the other"
        if (shared := plan.overlap(plan.blocks[0]).paths) > 1.0:
            cut += f"; they overlap, so errors are {math.sqrt(shared):.3g} times wider"
    return {"data": described(recorded(plan.scenario)), "cut": cut}


def _print_notes(plan: Plan, out: Console) -> None:
    """Print what was found in recorded data."""
    notes = recorded(plan.scenario).tape.notes if plan.scenario.market.replayed else ()
    if notes:
        out.print()
        out.print("[bold]found in the data[/]:")
    for note in notes:
        out.print(f"  {escape(note)}", soft_wrap=True)


def _sizes(plan: Plan, share: Shares, budget: int) -> dict[str, str]:
    """Return what there is to compute and to keep, in words."""
    steps, step = plan.simulation.steps, plan.simulation.step * HOURS
    infeasible = plan.cells - plan.feasible_cells
    place = "in a scratch file" if share.spill else "in memory"
    place = "on the card" if share.on_device else place
    markets = plural(plan.market_points, "market")
    at_once = plural(min(share.batch, plan.paths), "path")
    policies = f"{plan.policies:,} {'policy' if plan.policies == 1 else 'policies'}"
    return {
        "cells": f"{plan.cells:,} = {markets} × {policies}; {infeasible:,} infeasible",
        "paths": f"{plan.paths:,} of {steps:,} steps ({_hours(step)} each, {_hours(step * steps)})",
        "blocks": f"{len(plan.blocks):,} of {plan.block_policies:,} cells at most",
        "work": f"{count(plan.policy_steps)} policy-steps",
        "memory": f"{data_size(budget)} at most; {at_once} at a time",
        "outcomes": f"{data_size(_outcome_bytes(plan))} a block, {place}",
        "cube": f"{data_size(cube_bytes(plan))} before compression",
    }


def _hours(hours: float) -> str:
    for size, unit in ((24.0, "d"), (1.0, "h"), (1 / 60, "min"), (1 / 3600, "s")):
        if hours >= size * (1 - 1e-9):
            return f"{hours / size:.4g} {unit}"
    return f"{hours * 3.6e6:.4g} ms"


@dataclass(frozen=True, slots=True)
class Forecast:
    """seconds: that a run would take. policy_steps_a_second: at this rate. source: of the rate."""

    seconds: float
    policy_steps_a_second: float | None
    source: str


def _forecast(plan: Plan, backend: Backend, share: Shares, threads: int) -> Forecast:
    if not plan.policy_steps:
        return Forecast(0.0, None, "no cell is feasible")
    known = rates.recall(plan, threads)
    if known is not None:
        rate, source = known.policy_steps, f"as its run of {known.day} went here"
    else:
        rate = _workers(plan, backend) * measure(plan, backend, threads, on_device=share.on_device)
        source = "measured just now, metrics not counted"
    return Forecast(plan.policy_steps / rate, rate, source)


def _workers(plan: Plan, backend: Backend) -> int:
    return min(len(backend.workers()), len(plan.blocks))


def _in_words(forecast: Forecast, plan: Plan, backend: Backend, threads: int) -> str:
    if forecast.policy_steps_a_second is None:
        return f"none: {forecast.source}"
    workers = _workers(plan, backend)
    several = f"{workers} × {backend.device}" if workers > 1 else backend.device
    where = plural(threads, "thread") if backend.name == "cpu" else several
    rate = f"{count(forecast.policy_steps_a_second)} policy-steps/s"
    return f"about {time_span(forecast.seconds)} on {where}: {rate}, {forecast.source}"


def measure(plan: Plan, backend: Backend, threads: int, *, on_device: bool = False) -> float:
    """Return policy-steps a second of a short run of the first block that has work."""
    block = next(block for block in plan.blocks if plan.policy_cells(block).feasible.any())
    job = plan.job(block)
    work = len(job.policies) * plan.simulation.steps
    prepared = backend.prepare(job, threads, plan.code(block), on_device=on_device)
    prepared.run(0, 1)  # compiles
    paths, seconds = 0, 0.0
    wanted = min(plan.paths, 8 * threads)
    while True:
        paths, seconds = wanted, _timed(prepared, wanted)
        if seconds >= MEASURING / 2 or wanted == plan.paths:
            return paths * work / seconds
        growth = min(MEASURING / max(seconds, 1e-3), 16.0)
        wanted = min(plan.paths, max(wanted + 1, int(wanted * growth)))


def _timed(prepared: Any, paths: int) -> float:
    start = time.perf_counter()
    prepared.run(0, paths)
    return max(time.perf_counter() - start, 1e-9)


def _print_facts(facts: dict[str, str], out: Console) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", min_width=8)
    table.add_column()
    for name, text in facts.items():
        table.add_row(name, escape(text))
    out.print(table)
