"""Paths of a scenario's market as labelled arrays, to look at."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from stresscube.scenario import Scenario, load
from stresscube.scenario.expand import any_market, simulation_spec
from stresscube.scenario.recorded import Tape, on_tape, recorded
from stresscube.scenario.trust import trusted
from stresscube_kernels import view
from stresscube_kernels.spec import ReplaySpec, believed

HOURS = 8760.0
START_PRICE = 100.0


def market(
    scenario: Scenario | str | os.PathLike[str],
    paths: int = 8,
    point: Mapping[str, float | str] | None = None,
    first_path: int = 0,
    *,
    trust: bool = False,
    tape: Tape | None = None,
) -> xr.Dataset:
    """Return the first paths of a market, the very ones that a run's policies live through.

    scenario: a Scenario or the path of its file. point: values of swept market keys, as in
    {"market.regimes.stress.correlation": 0.3}; the scenario's own otherwise. trust: whether Python
    code that the scenario names may run.

    `price` [leg, path, time] starts at 100; `regime` (number) and `correlation` [path, time]
    are those in force during the step that begins at `time`, the last time repeating the last
    step's. `time` is in hours. The regimes' names are in the attributes of `regime`. tape: recorded
    data in place of the scenario's market (`stresscube.tape_from`). Of windows of a history,
    `start` [path] is the time (UTC) at which each begins.
    """
    if not isinstance(scenario, Scenario):
        scenario = load(scenario)
    if tape is not None:
        scenario = on_tape(scenario, tape)
    scenario = trusted(scenario, trust)
    spec, simulation = any_market(scenario, point or {}), simulation_spec(scenario)
    found: dict[str, Any] = view.paths(spec, simulation, first_path, paths)
    price = np.asarray(found["price"], dtype=np.float64)
    known = believed(spec)
    names = ["history"] if isinstance(known, ReplaySpec) else [r.name for r in known.regimes]
    assets = [str(asset) for asset in scenario.market.assets]
    made = xr.Dataset(
        {
            "price": (
                ("leg", "path", "time"),
                price * (START_PRICE / price[:, :, :1]),
                {"units": "1", "long_name": "price, 100 at the start"},
            ),
            "regime": (
                ("path", "time"),
                _to_the_end(found["regime"]).astype(np.int64),
                {"units": "1", "long_name": "regime", "names": names},
            ),
            "correlation": (
                ("path", "time"),
                _to_the_end(found["correlation"]).astype(np.float64),
                {"units": "1", "long_name": "correlation of the legs' returns"},
            ),
        },
        coords={
            "leg": ("leg", ["a", "b"], {"long_name": "leg of the pair", "assets": assets}),
            "path": ("path", np.arange(first_path, first_path + paths), {"long_name": "path"}),
            "time": (
                "time",
                np.arange(simulation.steps + 1) * (simulation.step * HOURS),
                {"units": "h", "long_name": "time since the start"},
            ),
        },
        attrs={"name": scenario.name, "seed": str(simulation.seed), "point": dict(point or {})},
    )
    if not isinstance(spec, ReplaySpec) or spec.method == "bootstrap":
        return made
    bars = view.window_bars(spec, simulation, first_path, paths)
    starts = recorded(scenario).history.times[bars]
    return made.assign_coords(start=("path", starts, {"long_name": "when the window begins, UTC"}))


def _to_the_end(steps: Any) -> Any:
    """Return [path, step] with the last step repeated, to stand beside prices at its end."""
    values = np.asarray(steps)
    return np.concatenate([values, values[:, -1:]], axis=1)
