"""Computing blocks of a run again, from what its plan.json says, to hold them against the cube."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from stresscube.backends import Backend, choose
from stresscube.block import Means, run_block
from stresscube.errors import RunError
from stresscube.folder import PLAN, plan_differences
from stresscube.interrupts import Stop
from stresscube.memory import Shares
from stresscube.plan import Plan, make_plan
from stresscube.receipts import Receipt
from stresscube.rounding import Gap, errors_of, gap, rounding, same
from stresscube.scenario import Scenario, ScenarioError, loads
from stresscube.scenario.trust import named, refusals
from stresscube.store.local import LocalObjects
from stresscube.store.objects import Objects
from stresscube.store.stored import Stored, stored_arrays
from stresscube.store.writer import CubeWriter

OURS = ("versions", "sources")
"""What an identity says of this program."""
IDENTICAL, ROUNDED, DIFFERENT = "identical", "equal to rounding", "different"


@dataclass(frozen=True, slots=True)
class Recomputed:
    """What computing a block again gave.

    verdict: one of the three words. largest: difference, in standard errors, and the array that
    has it. why: what is not the same as when the block was computed, so that rounding counts.
    """

    block: str
    verdict: str
    largest: float = 0.0
    array: str = ""
    why: str = ""

    def __str__(self) -> str:
        if self.verdict == IDENTICAL:
            return f"block {self.block}: identical when recomputed"
        by = f"largest difference {self.largest:.2g} standard errors, in {self.array}"
        return f"block {self.block}: {self.verdict} when recomputed ({by}); {self.why}"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A run's plan, made again here.

    changed: what is not as it was, in words, and changes digits only; empty if nothing is.
    """

    plan: Plan
    backend: Backend
    changed: tuple[str, ...]


def rebuild(
    there: dict[str, Any],
    scenario: Scenario | None = None,
    backend: str | Backend | None = None,
    *,
    trust: bool = False,
) -> Rebuilt:
    """Return the plan that a plan.json describes, made by this version.

    scenario: where it was made in Python; by default text, overrides and code in plan.json.
    trust: whether code of a user's own may run.

    Raises StresscubeError that says why it cannot be made here, RunError if it would be another.
    """
    chosen = choose(backend or there["identity"]["backend"])
    if scenario is None:
        plan = make_plan(as_planned(there["scenario"], trust=trust), chosen)
    else:
        plan = make_plan(scenario, chosen, trust=trust)
    if plan.hash == there["hash"]:
        return Rebuilt(plan, chosen, ())
    found = plan_differences(there, plan)
    here = json.loads(json.dumps(plan.document))
    here["identity"] |= _code_of(there, here)
    if any(here[key] != there[key] for key in ("identity", "block_shape", "chunk_paths")):
        raise RunError(
            f"this run cannot be computed again here: {'; '.join(found[:5])}. If its scenario was "
            "changed in Python, give it: stresscube.verify(run, scenario=...)"
        )
    return Rebuilt(plan, chosen, tuple(found))


def as_planned(
    words: Mapping[str, Any], overrides: Sequence[str] = (), *, trust: bool = False
) -> Scenario:
    """Return the scenario of a plan.json, with the code that the run was planned with.

    overrides: laid over it besides its own. trust: whether that code may run. Raises ScenarioError.
    """
    source = str(Path(words.get("folder", "")) / f"{words['name']}, as in plan.json")
    scenario = loads(words["text"], source, [*words["overrides"], *overrides])
    if not named(scenario):
        return scenario
    if not trust:
        raise ScenarioError(refusals(scenario, f"scenario.code in {PLAN}"))
    from stresscube.scenario.own import with_code

    return with_code(scenario, {key.partition(".")[0]: it for key, it in words["code"].items()})


def _code_of(there: dict[str, Any], here: dict[str, Any]) -> dict[str, Any]:
    """Return what of an identity tells by which code numbers were made, not which numbers.

    Another version may trace the same code of a user's otherwise, and then its digest is another.
    """
    before, now = ({key: it["identity"].get(key) for key in OURS} for it in (there, here))
    return {} if before == now else {**before, "code": there["identity"].get("code")}


def recompute(
    rebuilt: Rebuilt, share: Shares, objects: Objects, receipt: Receipt, stop: Stop
) -> Recomputed:
    """Compute a block again and compare it with what is stored.

    Bits must be the same if device, versions and code are; otherwise rounding may differ.

    Raises Stopped when asked to stop.
    """
    plan, backend = rebuilt.plan, rebuilt.backend
    block = plan.blocks[int(receipt.block)]
    with tempfile.TemporaryDirectory(prefix="stresscube-") as folder:
        again = LocalObjects(Path(folder))
        means = Means(plan, backend, share, again, CubeWriter(again, plan), stop, lambda _: None)
        found = run_block(means, block).arrays
        if found == receipt.arrays:
            return Recomputed(receipt.block, IDENTICAL)
        every = stored_arrays(objects, plan.dims)
        both = {array.name: array for array in every if array.name in found}
        gaps = list(_gaps(plan, block.grid, both, objects, again))
    moved = [f"computed on {receipt.device}, now on {backend.device}"]
    moved = (moved if receipt.device != backend.device else []) + list(rebuilt.changed)
    alike = bool(moved) and same(gaps, plan.simulation.steps)
    worst = max(gaps, key=lambda it: it.largest)
    why = "; ".join(moved) or "nothing has changed since, so every bit should be the same"
    verdict = ROUNDED if alike else DIFFERENT
    return Recomputed(receipt.block, verdict, worst.largest, worst.name, why)


def _gaps(
    plan: Plan,
    grid: tuple[int, ...],
    arrays: dict[str, Stored],
    objects: Objects,
    again: Objects,
) -> Iterator[Gap]:
    """Compare arrays of a block in two stores."""
    unit = rounding(plan.simulation.steps, plan.simulation.precision)
    summary = {
        name.removeprefix("summary/"): _whole(array, objects, grid)
        for name, array in arrays.items()
        if name.startswith("summary/")
    }
    gross = summary["leverage_effective"].reshape(-1)
    for name, there in summary.items():
        here = _whole(arrays[f"summary/{name}"], again, grid)
        cells = (gross.size, *there.shape[len(plan.dims) :])
        error = errors_of(name, {key: _cells(it, plan) for key, it in summary.items()})
        found = gap(name, there.reshape(cells), here.reshape(cells), gross, unit, error)
        yield Gap(f"summary/{name}", found.beyond, found.count, found.largest)
    for name, array in arrays.items():
        if name.startswith("paths/"):
            for key, place in array.keys(grid):
                there, here = (array.read(store, key, place) for store in (objects, again))
                yield gap(name, _cells(there, plan), _cells(here, plan), gross, unit)


def _whole(array: Stored, objects: Objects, grid: tuple[int, ...]) -> NDArray[Any]:
    """Return a block of an array that is not cut beyond the axes."""
    ((key, place),) = array.keys(grid)
    return array.read(objects, key, place)


def _cells(values: NDArray[Any], plan: Plan) -> NDArray[Any]:
    """Return [axes, further dims] as [cell, further dims]."""
    return values.reshape(-1, *values.shape[len(plan.dims) :])
