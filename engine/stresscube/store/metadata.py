"""The metadata of an empty cube: every array's `zarr.json`, and all of them in the root's.

Zarr itself makes the groups and the coordinates. What it would say of the hundred arrays that
blocks write is written here, as the Zarr v3 specification has it: through Zarr's interface, which
reads each again for the root, it took as long as storing five blocks. A test holds the two equal.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stresscube.plan import FORMAT, Plan
from stresscube.scenario.recorded import described, recorded
from stresscube.store.encoding import codecs
from stresscube.store.layout import ROOT, Coordinate, Variable, coordinates, groups
from stresscube.text import label

DOCUMENT = "zarr.json"
KEYS: Any = {"name": "default", "configuration": {"separator": "."}}
"""Chunks lie side by side in their array's folder: no folder is made for each."""
HOURS = 8760.0


def metadata(plan: Plan) -> dict[str, bytes]:
    """Return the objects {key: bytes} of an empty cube: metadata and coordinates, root last.

    They depend on the plan alone, so writing them twice changes nothing.
    """
    from zarr.core.sync import sync

    objects = sync(_scaffold(plan))
    root = json.loads(objects.pop(DOCUMENT))
    for group, variables in groups(plan).items():
        for variable in variables:
            document = _document(variable)
            objects[f"{group}/{variable.name}/{DOCUMENT}"] = json.dumps(document).encode()
    objects[DOCUMENT] = json.dumps(_consolidated(root, objects)).encode()
    return {f"{ROOT}/{key}": data for key, data in objects.items()}


async def _scaffold(plan: Plan) -> dict[str, bytes]:
    """Return the objects of the groups and their coordinates by their names in the cube."""
    from zarr.api import asynchronous as zarr
    from zarr.core.buffer import Buffer
    from zarr.storage import MemoryStore

    objects: dict[str, Buffer] = {}
    store = MemoryStore(store_dict=objects)
    about = _attributes(plan)
    root = await zarr.create_group(store=store, zarr_format=3, attributes=about)
    for group in groups(plan):
        node = await root.create_group(group, attributes=about)
        for coordinate in coordinates(plan, group):
            await _create_coordinate(node, coordinate)
    return {key: data.to_bytes() for key, data in objects.items()}


async def _create_coordinate(node: Any, coordinate: Coordinate) -> None:
    labels = _labels(coordinate.values)
    await node.create_array(
        coordinate.name,
        data=labels,
        chunks=labels.shape,
        compressors=codecs(labels.shape, labels.dtype),
        chunk_key_encoding=KEYS,
        dimension_names=(coordinate.name,),
        attributes=coordinate.attrs,
        config={"write_empty_chunks": True},
    )


def _labels(values: tuple[Any, ...]) -> NDArray[Any]:
    if any(isinstance(value, str) for value in values):
        words = [label(value, digits=12) for value in values]
        return np.array(words, dtype=np.dtypes.StringDType())
    return np.asarray(values)


def _document(variable: Variable) -> dict[str, Any]:
    """Return the metadata of an array.

    Source: Zarr core specification v3, "Array metadata".
    """
    numbers: dict[str, Any] = {"name": "bytes"}
    if np.dtype(variable.dtype).itemsize > 1:
        numbers["configuration"] = {"endian": "little"}
    hollow = isinstance(variable.fill, float) and math.isnan(variable.fill)
    return {
        "shape": variable.shape,
        "data_type": variable.dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": variable.chunks}},
        "chunk_key_encoding": KEYS,
        "fill_value": "NaN" if hollow else variable.fill,
        "codecs": [numbers, *(it.to_dict() for it in codecs(variable.chunks, variable.dtype))],
        "attributes": {"units": variable.units, "long_name": variable.long_name},
        "dimension_names": variable.dims,
        "zarr_format": 3,
        "node_type": "array",
        "storage_transformers": [],
    }


def _consolidated(root: dict[str, Any], objects: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the root's metadata with those of all nodes in it, as Zarr consolidates them.

    Groups stand before what is in them, which stands together, and say that they hold nobody
    else's metadata.
    """

    def inline(nodes: dict[str, Any]) -> dict[str, Any]:
        return {"kind": "inline", "must_understand": False, "metadata": nodes}

    nodes: dict[str, Any] = {}
    for key in sorted(objects, key=lambda key: (key.count("/"), key)):
        name, _, file = key.rpartition("/")
        if file == DOCUMENT:
            node = json.loads(objects[key])
            within = {"consolidated_metadata": inline({})} if node["node_type"] == "group" else {}
            nodes[name] = {**node, **within}
    return {**root, "consolidated_metadata": inline(nodes)}


def _attributes(plan: Plan) -> dict[str, Any]:
    words = plan.document["scenario"]
    return {
        "convention": f"stresscube {FORMAT}",
        "name": plan.scenario.name,
        "description": plan.scenario.description or "",
        "scenario": words["text"],
        "overrides": words["overrides"],
        "code": words["code"],
        "assets": [str(asset) for asset in plan.scenario.market.assets],
        "seed": str(plan.simulation.seed),
        "paths": plan.paths,
        "steps": plan.simulation.steps,
        "step_hours": plan.simulation.step * HOURS,
        "precision": plan.simulation.precision,
        "backend": plan.backend,
        "versions": plan.identity["versions"],
        "plan": plan.hash,
        **_data(plan),
    }


def _data(plan: Plan) -> dict[str, Any]:
    """Return what is to be said of recorded data, or draws."""
    if asked := plan.scenario.market.uncertainty:
        words = f"{asked.draws} draws of the market's numbers, from {asked.file}"
        return {"draws": words, "data_hash": plan.identity["data"]}
    if not plan.scenario.market.replayed:
        return {}
    found = recorded(plan.scenario)
    words = {"data": described(found), "data_notes": list(found.tape.notes)}
    return {**words, "data_hash": plan.identity["data"]}
