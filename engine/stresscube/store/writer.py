"""Writing blocks into a cube: whole chunks of the right extent and type, and their hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stresscube.plan import Block, Plan
from stresscube.seal import sealed, unsealed
from stresscube.store.encoding import encode
from stresscube.store.layout import ROOT, Variable, chunk_name, groups
from stresscube.store.metadata import metadata
from stresscube.store.objects import Objects

CUBE = "_control/cube.json"
"""Which plan the cube is of, and the sha256 of every object that is of no block."""


class CubeWriter:
    """Writes the arrays of a run's blocks."""

    def __init__(self, objects: Objects, plan: Plan) -> None:
        self._objects = objects
        self._plan = plan
        self.axes = len(plan.axes)
        self.groups = {
            group: {variable.name: variable for variable in variables}
            for group, variables in groups(plan).items()
        }

    def missing(self) -> dict[str, bytes]:
        """Return the objects of the empty cube, none if it is there."""
        known = (unsealed(self._objects.get(CUBE)) or {}).get("plan") == self._plan.hash
        return {} if known else metadata(self._plan)

    def create(self, missing: Mapping[str, bytes]) -> None:
        """Write the empty cube, if it is missing. What says that it is there comes last."""
        if not missing:
            return
        hashes: dict[str, str] = {}
        writes = self._objects.writes()
        for key, data in missing.items():
            writes.put(key, data)
            hashes[key] = hashlib.sha256(data).hexdigest()
        writes.wait()
        self._objects.sync()
        self._objects.put(CUBE, sealed({"plan": self._plan.hash, "objects": hashes}))
        self._objects.sync()

    def block(self, block: Block) -> BlockWriter:
        """Return the writer of one block."""
        return BlockWriter(self._objects, self.groups, block)


class BlockWriter:
    """Writes one block's arrays and hashes what it writes.

    The hash of an array is the sha256 of the block's decoded numbers in C order; of a
    per-path array, of its chunks along `path`, one after the other.
    """

    def __init__(
        self, objects: Objects, variables: dict[str, dict[str, Variable]], block: Block
    ) -> None:
        self._writes = objects.writes()
        self._variables = variables
        self._block = block
        self._hashes: dict[str, Any] = {}
        self._paths: dict[str, int] = {}

    def summary(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Write all summary arrays, each [cell, further dims].

        Raises ValueError if one is missing, unknown or of the wrong extent or type.
        """
        known = self._variables["summary"]
        if arrays.keys() != known.keys():
            odd = sorted(arrays.keys() ^ known.keys())
            raise ValueError(f"summary arrays missing or unknown: {', '.join(odd)}")
        for name, values in arrays.items():
            further = known[name].shape[len(self._block.shape) :]
            self._put("summary", known[name], values, further, ())

    def paths(self, name: str, first_path: int, values: NDArray[Any]) -> None:
        """Write the next chunk along `path` of one per-path array, [cell, path].

        Raises ValueError if it does not start where the last ended or is not a whole chunk.
        """
        variable = self._variables["paths"][name]
        chunk, total = variable.chunks[-1], variable.shape[-1]
        if first_path != self._paths.get(name, 0):
            raise ValueError(f"{name}: paths must be written in order, got {first_path}")
        extent = min(chunk, total - first_path)
        self._put("paths", variable, values, (extent,), (first_path // chunk,))
        self._paths[name] = first_path + extent

    def hashes(self) -> dict[str, str]:
        """Return {group/name: sha256} of what was written, when all of it is stored."""
        self._writes.wait()
        return {name: total.hexdigest() for name, total in self._hashes.items()}

    def _put(
        self,
        group: str,
        variable: Variable,
        values: NDArray[Any],
        further: tuple[int, ...],
        place: tuple[int, ...],
    ) -> None:
        block = self._block
        if values.shape != (block.cells, *further) or values.dtype != np.dtype(variable.dtype):
            expected = f"{variable.dtype} {(block.cells, *further)}"
            found = f"{values.dtype} {values.shape}"
            raise ValueError(f"{group}/{variable.name}: expected {expected}, got {found}")
        region = np.ascontiguousarray(values).reshape((*block.shape, *further))
        name = f"{group}/{variable.name}"
        self._hashes.setdefault(name, hashlib.sha256()).update(region.data)
        rest = place or (0,) * len(further)
        key = f"{ROOT}/{name}/{chunk_name((*block.grid, *rest))}"
        self._writes.put(key, encode(region, variable.chunks, variable.fill))


def plan_of_cube(objects: Objects) -> str | None:
    """Return the hash of the plan that a cube is of, or None if there is no cube."""
    sums = unsealed(objects.get(CUBE))
    if sums is not None:
        return sums["plan"]
    try:
        return json.loads(objects.get(f"{ROOT}/zarr.json") or b"")["attributes"]["plan"]
    except (ValueError, KeyError, TypeError):
        return None
