"""Stress cubes of market-neutral trading policies under regime-switching correlation.

>>> import stresscube as sc
>>> scenario = sc.load("scenarios/quickstart.toml")
>>> cube = sc.open(sc.run(scenario, "quickstart.run"))
>>> cube["summary"]["liquidation_probability"]
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from stresscube.when_loaded import when_loaded

if TYPE_CHECKING:
    from stresscube.gradients import sensitivities
    from stresscube.market_view import market
    from stresscube.runner import run
    from stresscube.scenario import load
    from stresscube.scenario.recorded import tape_from
    from stresscube.store.reader import open_run as open
    from stresscube.tracing import trace
    from stresscube.verdict import verify

__version__ = "0.1.0"
__all__ = [
    "__version__", "load", "market", "open", "run", "sensitivities", "tape_from", "trace", "verify",
]  # fmt: skip

_HOMES = {
    "load": ("stresscube.scenario", "load"),
    "market": ("stresscube.market_view", "market"),
    "open": ("stresscube.store.reader", "open_run"),
    "run": ("stresscube.runner", "run"),
    "sensitivities": ("stresscube.gradients", "sensitivities"),
    "tape_from": ("stresscube.scenario.recorded", "tape_from"),
    "trace": ("stresscube.tracing", "trace"),
    "verify": ("stresscube.verdict", "verify"),
}


def __getattr__(name: str) -> Any:
    """Import a public function when it is first asked for, so that importing stays fast."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


# `ds.stress` stands on every Dataset, but neither xarray nor the accessor is loaded before a
# Dataset is wanted.
when_loaded("xarray", lambda: importlib.import_module("stresscube.accessor"))
