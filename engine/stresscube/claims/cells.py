"""Reading figures out of a claim's cube."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from stresscube.claims.estimate import Estimate, from_batches
from stresscube.errors import StresscubeError
from stresscube.scenario import Scenario
from stresscube.where import index_of

if TYPE_CHECKING:
    from stresscube.claims.claim import Market

Cell = dict[str, object]
"""Dim -> value, for the dims that tell a cell from others."""


@dataclass(frozen=True, slots=True)
class Cube:
    """The summary of one run, with the scenario that made it and the market it is of.

    variants: what else was run for the same claim and market, by name.
    """

    data: xr.Dataset
    scenario: Scenario
    market: Market
    variants: Mapping[str, Cube] = field(default_factory=dict[str, "Cube"])

    def at(self, metric: str, **where: object) -> Estimate:
        """Return a metric of one cell.

        where: dim -> value, for every dim of more than one value. Raises StresscubeError for a
        metric, dim or value that is not there, and where a dim is left open.
        """
        if metric not in self.data:
            raise StresscubeError(f"{metric}: no such metric in the cube of {self.scenario.name}")
        values = self.data[metric]
        place = {dim: index_of(self.data[dim], str(value)) for dim, value in where.items()}
        place |= {str(dim): 0 for dim in values.dims if dim not in place and values.sizes[dim] == 1}
        cell = values.isel({dim: it for dim, it in place.items() if dim in values.dims})
        if cell.ndim:
            raise StresscubeError(f"{metric}: {', '.join(map(str, cell.dims))} left open")
        error = self._number(f"{metric}_se", place)
        batches = np.empty(0)
        if f"{metric}_batch" in self.data:
            found = self.data[f"{metric}_batch"]
            found = found.isel({dim: it for dim, it in place.items() if dim in found.dims})
            batches = found.values.astype(np.float64)
        return from_batches(float(cell), error, batches)

    def family(self) -> Iterator[Cube]:
        """Yield this cube and its variants, in the order of `Study.runs`."""
        yield self
        for variant in self.variants.values():
            yield from variant.family()

    def axis(self, dim: str) -> list[float]:
        """Return the values of an axis of numbers, as swept."""
        return [float(it) for it in self.data[dim].values.tolist()]

    def _number(self, name: str, place: dict[str, int]) -> float:
        if name not in self.data:
            return 0.0
        found = self.data[name]
        return float(found.isel({dim: it for dim, it in place.items() if dim in found.dims}))


@dataclass(frozen=True, slots=True)
class Place:
    """A cell but for its leverage, in words too, and whether it is in an altered market."""

    words: str
    cube: Cube
    cell: Cell
    altered: bool = False
