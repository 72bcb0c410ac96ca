"""How many paths, how long, how fine: [simulation] of the scenario file."""

from __future__ import annotations

from typing import Annotated

from stresscube.scenario.leaves import Choice, Duration, Real, Switch, Whole
from stresscube.scenario.tables import Table, key


class Simulation(Table):
    """How many paths, how long, how fine, and the random stream."""

    paths: Annotated[int, Whole(1, 2**32, "1 to 2**32")] = key(
        ..., "Market paths; every policy runs on the same ones.", 20000
    )
    horizon: Annotated[float, Duration()] = key(
        ..., "Length of every path, a whole number of steps.", "7d"
    )
    step: Annotated[float, Duration()] = key(..., "Length of one time step.", "1min")
    seed: Annotated[int, Whole(0, 2**63 - 1, "0 to 2**63 - 1")] = key(
        ..., "Key of the random streams: the same seed gives the same paths.", 42
    )
    precision: Annotated[str, Choice(("float32", "float64"))] = key(
        "float32", "Arithmetic of the simulation.", "float32"
    )
    capital: Annotated[float, Real(0, 1e15, "quote currency", low_open=True)] = key(
        100_000.0, "Starting equity; it only says where margin tiers bite.", 100_000
    )
    bridge: Annotated[bool, Switch()] = key(
        True, "Liquidation between step ends, by the Brownian bridge.", True
    )
    by_regime: Annotated[bool, Switch()] = key(
        False, "Keep metrics by regime too: what was earned and lost in each.", True
    )
    save_paths: Annotated[bool, Switch()] = key(
        False, "Keep the outcomes of every path in the group /paths.", False
    )
