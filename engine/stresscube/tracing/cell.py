"""One cell of a run again: the very market, policy and code, from what the run keeps of itself."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from stresscube.errors import NoRun, StresscubeError
from stresscube.folder import read_plan
from stresscube.plan import Block, Plan
from stresscube.recompute import as_planned
from stresscube.scenario import Scenario
from stresscube.scenario.dotted import BadKey, resolve
from stresscube.scenario.expand import Axis, axes, simulation_spec
from stresscube.scenario.faults import Fault, ScenarioError, toml
from stresscube.store.local import LocalObjects
from stresscube.store.objects import Place, objects_at
from stresscube.text import label, listing, suggest
from stresscube.where import index_of
from stresscube_kernels.contract import Shape
from stresscube_kernels.spec import AnyMarket, Job, PolicySpec

Value = float | str


@dataclass(frozen=True)
class Cell:
    """One policy on one market.

    folder: of the run. plan: that the cell stands in: the run's, or one made for a cell that the
    run has not. block: of the plan. words: {dim: value} as a file has it. index: {dim: place} in
    the run's cube, None for a cell that it has not.
    """

    folder: Place
    plan: Plan
    block: Block
    market: AnyMarket
    policy: PolicySpec
    words: dict[str, Value]
    index: dict[str, int] | None

    @property
    def job(self) -> Job:
        """What a backend is asked for it."""
        return Job(self.market, (self.policy,), self.plan.simulation)

    @property
    def code(self) -> Shape:
        """The code that serves it, compiled already where the run was made."""
        return self.plan.code(self.block)

    def __str__(self) -> str:
        return said(self.words)


def said(words: Mapping[str, Value]) -> str:
    """Return a cell's values in words."""
    return ", ".join(f"{name} = {label(value)}" for name, value in words.items()) or "the only cell"


def open_cell(run: Place, settings: Iterable[str] = (), *, trust: bool = False) -> Cell:
    """Return the cell of a run that "key=value" settings choose.

    An axis that they do not name takes [policy]'s value if that was swept, else its first. A value
    or key that was not swept makes a cell beside the cube. trust: whether code of the scenario's
    own may run. Raises RunError if there is no run, StresscubeError for a bad setting, for code
    that may not run, and for a cell whose position cannot be opened.
    """
    objects = objects_at(run)
    folder = objects.place
    if isinstance(objects, LocalObjects) and not objects.root.exists():
        raise NoRun(f"{folder}: no such run folder")
    document = read_plan(objects, folder)
    scenario = as_planned(document["scenario"], trust=trust)
    known = axes(scenario)
    chosen = {axis.key: _default(scenario, axis) for axis in known}
    beside: dict[str, str] = {}
    for key, text in _parsed(settings, scenario, known).items():
        axis = next((axis for axis in known if axis.key == key), None)
        place = None if axis is None else _place(axis, text)
        if axis is None or place is None:
            beside[key] = text
        else:
            chosen[key] = axis.values[place]
    if not beside:
        return _cell(folder, document, scenario, chosen, document["block_shape"], inside=True)
    plain = {key: _plain(scenario, key, value) for key, value in chosen.items()}
    plain |= {key: _literal(text) for key, text in beside.items()}
    # A key that is no axis is changed in the file itself, where the run may have changed it before.
    places = {f"sweep.{key}": key for key in chosen}
    places |= {resolve(scenario, key).at: key for key in beside if key not in chosen}
    texts = [
        f"{at}=[{toml(plain[key])}]" if key in chosen else f"{at}={toml(plain[key])}"
        for at, key in places.items()
    ]
    try:
        other = as_planned(document["scenario"], texts, trust=trust)
    except ScenarioError as error:
        lines = (_as_set(fault, places, beside) for fault in error.faults)
        raise StresscubeError("\n".join(lines)) from None
    point = {key: values[0] for key, values in other.sweep.items()}
    made = _cell(folder, document, other, point, [1] * len(point), inside=False)
    extra = {key: plain[key] for key in beside if key not in chosen}
    return replace(made, words=made.words | extra)


def _default(scenario: Scenario, axis: Axis) -> Value:
    """[policy]'s value of an axis if that was swept, else the first."""
    own: Any = getattr(scenario.policy, axis.key, None)
    section, _, name = axis.key.partition(".parameters.")
    if section == "policy" and name:
        own = scenario.policy.parameters[name].value
    return own if axis.kind != "market" and own in axis.values else axis.values[0]


def _parsed(settings: Iterable[str], scenario: Scenario, known: Sequence[Axis]) -> dict[str, str]:
    """{key of the sweep: value as text}; a key may be a dim, or policy.KEY."""
    names = {name: axis.key for axis in known for name in (axis.name, axis.key)}
    found: dict[str, str] = {}
    for setting in settings:
        key, equals, text = (part.strip() for part in setting.partition("="))
        if not equals or not key or not text:
            raise StresscubeError(f"--set {setting}: expected key=value, as in leverage=10")
        bare = key.removeprefix("policy.")
        word = names.get(key) or names.get(bare)
        if word is None:
            word = key if key.startswith(("market.", "policy.parameters.")) else bare
            try:
                resolve(scenario, word)
            except BadKey as bad:
                near = suggest(key, names)
                swept = f"swept: {listing([axis.name for axis in known]) or 'nothing'}"
                raise StresscubeError(f"--set {key}={text}: {near[2:] or bad} ({swept})") from None
        if word in found:
            raise StresscubeError(f"--set {key}={text}: {key} was set before; each key once")
        found[word] = text
    return found


def _place(axis: Axis, text: str) -> int | None:
    """Where a value stands on an axis, None if it does not."""
    words = any(isinstance(value, str) for value in axis.values)
    values: list[Any] = [label(v, digits=12) if words else v for v in axis.values]
    coordinate = xr.DataArray(np.array(values), dims=["at"], attrs={"units": axis.units})
    try:
        return index_of(coordinate, text.strip("\"'"))
    except StresscubeError:
        return None


def _as_set(fault: Fault, places: Mapping[str, str], beside: Mapping[str, str]) -> str:
    """A fault of a cell's scenario; of a value that was set, as it was set."""
    key = places.get(fault.key) or places.get(fault.key.removesuffix("[0]"), "")
    return f"--set {key}={beside[key]}: {fault.sentence}" if key in beside else str(fault)


def _plain(scenario: Scenario, key: str, value: Value) -> Any:
    """A value as a file has it."""
    return resolve(scenario, key).leaf.plain(value)


def _literal(text: str) -> Any:
    """A value as TOML reads it, words without quotes too."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def _cell(
    folder: Place,
    document: Mapping[str, Any],
    scenario: Scenario,
    point: Mapping[str, Value],
    block_shape: Sequence[int],
    *,
    inside: bool,
) -> Cell:
    found = axes(scenario)
    plan = Plan(
        scenario=scenario,
        axes=found,
        simulation=simulation_spec(scenario),
        paths=int(scenario.simulation.paths),
        backend=str(document["identity"]["backend"]),
        block_shape=tuple(block_shape),
        identity=document["identity"],
    )
    at = [axis.values.index(point[axis.key]) if inside else 0 for axis in found]
    block = next(
        block
        for block in plan.blocks
        if all(part.start <= k < part.stop for k, part in zip(at, block.region, strict=True))
    )
    cells = plan.policy_cells(block)
    offsets = tuple(k - first for k, first in zip(at, block.start, strict=True))
    number = int(np.ravel_multi_index(offsets, block.shape)) if offsets else 0
    policy = cells.specs[number]
    shown = {axis.name: _plain(scenario, axis.key, point[axis.key]) for axis in found}
    if policy is None:
        raise StresscubeError(
            f"{said(shown)}: this policy cannot open a position, because its maintenance margin "
            "exceeds its equity; choose another with --set"
        )
    index = {axis.name: k for axis, k in zip(found, at, strict=True)} if inside else None
    return Cell(folder, plan, block, plan.market(block), policy, shown, index)
