"""The plan of a run: which cells there are, and how they are divided into blocks.

The division depends on the scenario and the backend only, never on memory, threads or what
is already there, so that any process on any machine divides the same run alike.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stresscube.backends import Backend, choose
from stresscube.blocks import Block, blocks_of, divide
from stresscube.cells import Cells, Expansion, Region, code_for
from stresscube.identity import canonical, digest, identity
from stresscube.overlap import Overlap, overlap_of
from stresscube.plan_checks import look_into_files, named_apart
from stresscube.scenario import Scenario
from stresscube.scenario.expand import DRAW, Axis, any_market, axes, simulation_spec
from stresscube.scenario.recorded import recorded
from stresscube.scenario.trust import trusted
from stresscube_kernels.contract import BAR_STRIDE, Features, Shape
from stresscube_kernels.rules import outcome_fields
from stresscube_kernels.spec import AnyMarket, Job, ReplaySpec, SimulationSpec

FORMAT = 1
"""Version of plan.json, receipts and cube layout."""

BLOCK_VALUES = 2**30
"""Per-path numbers of a block beyond which it takes fewer policies."""
FEWEST_POLICIES = 64
"""A block is not cut below this for the sake of its size: the market is shared by its policies."""
CHUNK_VALUES = 2**17
"""(policy, path) pairs of one outcome that the metrics see at a time, and their most policies:"""
CHUNK_POLICIES = 64
PATH_CHUNK_VALUES = 2**18
"""Numbers of one chunk of a per-path array."""
PATH_STEP = 1024


@dataclass(frozen=True)
class Plan:
    """What a run computes and in which pieces.

    scenario: as loaded. axes: in cube order. simulation: in plain numbers. paths: of every
    cell. backend: its name. block_shape: cells of a full block along each axis.
    identity: what determines the numbers.
    """

    scenario: Scenario
    axes: tuple[Axis, ...]
    simulation: SimulationSpec
    paths: int
    backend: str
    block_shape: tuple[int, ...]
    identity: dict[str, Any] = field(repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells along each axis."""
        return tuple(len(axis.values) for axis in self.axes)

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the axes."""
        return tuple(axis.name for axis in self.axes)

    @property
    def cells(self) -> int:
        """Cells of the cube."""
        return math.prod(self.shape)

    @property
    def grid(self) -> tuple[int, ...]:
        """Blocks along each axis."""
        pairs = zip(self.shape, self.block_shape, strict=True)
        return tuple(-(-size // chunk) for size, chunk in pairs)

    @property
    def block_policies(self) -> int:
        """Cells of a full block."""
        return math.prod(self.block_shape)

    @property
    def market_points(self) -> int:
        """How many different markets there are."""
        return math.prod(len(axis.values) for axis in self.axes if axis.kind == "market")

    @property
    def policies(self) -> int:
        """Policies at each market point."""
        return self.cells // self.market_points

    @property
    def regimes(self) -> tuple[str, ...]:
        """The regimes that metrics are kept by; none where that was not asked for."""
        return _regimes(self.scenario)

    @cached_property
    def outcomes(self) -> tuple[str, ...]:
        """What a policy leaves on a path, number by number."""
        return _outcomes(self.scenario)

    @property
    def codes(self) -> tuple[Shape, ...]:
        """The code of all blocks."""
        return tuple(self._codes.values())

    @property
    def draws(self) -> int:
        """How many draws of the market's numbers paths have in turn; 0 where none has any."""
        asked = self.scenario.market.uncertainty
        swept = any(axis.key == DRAW for axis in self.axes)
        if asked is None or asked.per != "path" or asked.draw is not None or swept:
            return 0
        return asked.draws

    @property
    def save_paths(self) -> bool:
        """Whether outcomes of single paths are kept."""
        return bool(self.scenario.simulation.save_paths)

    @property
    def chunk_policies(self) -> int:
        """Policies whose metrics are computed at a time, whatever memory there is."""
        return max(1, min(CHUNK_POLICIES, CHUNK_VALUES // self.paths))

    @property
    def chunk_paths(self) -> int:
        """Paths of one stored chunk of a per-path array."""
        steps = PATH_CHUNK_VALUES // (PATH_STEP * self.block_policies)
        return PATH_STEP * max(1, min(steps, -(-self.paths // PATH_STEP)))

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Every block, in C order of the cube."""
        return tuple(blocks_of(self.shape, self.block_shape))

    @cached_property
    def feasible_cells(self) -> int:
        """Cells that can be run."""
        return sum(int(self.policy_cells(block).feasible.sum()) for block in self.blocks)

    @property
    def policy_steps(self) -> int:
        """Steps of feasible policies over all paths: the work of the whole run."""
        return self.feasible_cells * self.paths * self.simulation.steps

    @cached_property
    def document(self) -> dict[str, Any]:
        """plan.json. Its hash covers what determines the numbers and where they are stored."""
        hashed = {
            "format": FORMAT,
            "identity": self.identity,
            "axes": [{"name": axis.name, "key": axis.key, "kind": axis.kind,
                      "values": canonical(list(axis.values))} for axis in self.axes],
            "block_shape": list(self.block_shape),
            "chunk_policies": self.chunk_policies,
            "chunk_paths": self.chunk_paths,
        }  # fmt: skip
        words: dict[str, Any] = {
            "name": self.scenario.name,
            "text": self.scenario.text,
            "overrides": [str(item) for item in self.scenario.overrides],
            "code": {code.key: code.text for code in self.scenario.code},
        }
        if self.scenario.market.reads_files:  # their names are seen from where the scenario was
            words["folder"] = str(Path(self.scenario.source).absolute().parent)
        return {"hash": digest(hashed), **hashed, "blocks": math.prod(self.grid), "scenario": words}

    @property
    def hash(self) -> str:
        """The sha256 that receipts name."""
        return self.document["hash"]

    def code(self, block: Block) -> Shape:
        """Return the code of a block, one for all blocks of its kind, so that it compiles once.

        Raises KeyError if no policy of the kind can be run.
        """
        return self._codes[self._kind(block)]

    def market(self, block: Block) -> AnyMarket:
        """Return the market that a block runs on, in plain numbers."""
        return self._market_at(tuple(self.market_point(block).items()))

    def market_point(self, block: Block) -> dict[str, Any]:
        """Return {axis key: value} of the market that a block runs on."""
        pairs = zip(self.axes, block.start, strict=True)
        return {axis.key: axis.values[at] for axis, at in pairs if axis.kind == "market"}

    def policy_cells(self, block: Block) -> Cells:
        """Return a block's policies at its market, and which of them can be run.

        Blocks that differ in nothing but the market share them, unless a policy takes a number
        from the market (its minimum-variance ratio, or its size).
        """
        region = self._policies_of(block)
        taken = self._expansion.takes_from_market(region)
        return self._expansion.cells(region, self.market(block) if taken else None)

    def job(self, block: Block) -> Job:
        """Return what a backend is asked for a block: its market and its feasible policies."""
        return Job(self.market(block), self.policy_cells(block).feasible_specs, self.simulation)

    def overlap(self, block: Block) -> Overlap:
        """Return how much wider errors are because a block's paths share stretches of history."""
        market = self.market(block)
        if not isinstance(market, ReplaySpec):
            return Overlap()
        return overlap_of(market, self.simulation, self.paths)

    @property
    def data_bytes(self) -> int:
        """What the recorded history takes while the run goes on, as read and as kernels want it."""
        if not self.scenario.market.replayed:
            return 0
        history = recorded(self.scenario).history
        return len(history) * (BAR_STRIDE * (8 + 8) + 20 * 8)

    def _kind(self, block: Block) -> str:
        """Return what sets a block's policies apart from those that need other code."""
        return self._expansion.policies(self._policies_of(block))[0].venues[0].margin_mode

    def _policies_of(self, block: Block) -> Region:
        """Return the cells of a block at the first market."""
        parts = zip(self.axes, block.region, strict=True)
        return tuple((0, 1) if axis.kind == "market" else (part.start, part.stop)
                     for axis, part in parts)  # fmt: skip

    @cached_property
    def _codes(self) -> dict[str, Shape]:
        possible: dict[str, dict[Region, NDArray[np.bool_]]] = {}
        first: dict[tuple[int, ...], Block] = {}
        markets = sum(axis.kind == "market" for axis in self.axes)
        for block in self.blocks:
            region, masks = self._policies_of(block), possible.setdefault(self._kind(block), {})
            masks[region] = masks.get(region, np.False_) | self.policy_cells(block).feasible
            first.setdefault(block.start[:markets], block)
        found: dict[str, Shape] = {}
        for kind, masks in possible.items():
            policies = self._expansion.policies
            specs = [spec for region, mask in masks.items()
                     for spec in itertools.compress(policies(region), mask)]  # fmt: skip
            if specs:
                found[kind] = code_for(map(self.market, first.values()), specs, self.simulation)
        return found

    @cached_property
    def _market_at(self) -> Callable[[tuple[tuple[str, Any], ...]], AnyMarket]:
        """The market at a point; many draws of its numbers take time to read."""

        def made(point: tuple[tuple[str, Any], ...]) -> AnyMarket:
            return any_market(self.scenario, dict(point))

        return lru_cache(maxsize=8)(made)

    @cached_property
    def _expansion(self) -> Expansion:
        return Expansion(self.scenario, self.axes, self.simulation)


def make_plan(scenario: Scenario, backend: str | Backend = "auto", *, trust: bool = False) -> Plan:
    """Return the plan of a scenario on a backend, given by name or itself.

    trust: whether Python code that the scenario names may run. Raises StresscubeError for an
    unknown backend, ScenarioError for code that may not run or cannot, and for recorded data that
    cannot be used.
    """
    chosen = choose(backend)
    scenario = trusted(scenario, trust)
    found = axes(scenario)
    named_apart(scenario, found)
    if scenario.market.reads_files:
        look_into_files(scenario, found)
    paths = int(scenario.simulation.paths)
    fitting = max(FEWEST_POLICIES, BLOCK_VALUES // (len(_outcomes(scenario)) * paths))
    limit = min(chosen.block_policies, fitting)
    single = [axis for axis in found if axis.kind == "market" or _mixes_modes(scenario, axis)]
    policy_sizes = [len(axis.values) for axis in found[len(single) :]]
    return Plan(
        scenario=scenario,
        axes=found,
        simulation=simulation_spec(scenario),
        paths=paths,
        backend=chosen.name,
        block_shape=(1,) * len(single) + divide(policy_sizes, limit),
        identity=identity(scenario, chosen),
    )


def _regimes(scenario: Scenario) -> tuple[str, ...]:
    found = scenario.market.regimes if scenario.simulation.by_regime else ()
    return tuple(regime.name for regime in found)


def _outcomes(scenario: Scenario) -> tuple[str, ...]:
    count = len(_regimes(scenario))
    features = Features(by_regime=count > 0)
    return outcome_fields(Shape(features=features, regimes=max(1, count)))


def _mixes_modes(scenario: Scenario, axis: Axis) -> bool:
    """Whether an axis of venues has several margin modes: a block's policies share one."""
    modes = {venue.name: venue.margin_mode for venue in scenario.venues}
    found = {modes[str(value).split("/")[0]] for value in axis.values if axis.kind == "venue"}
    return len(found) > 1
