"""Scenarios to start from: commented files that run as they are."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources

TEMPLATES = {
    "two-coins": "long one coin, short another, at a usual and at a broken correlation",
    "two-venues": "one coin at two exchanges, a trade on the basis",
    "crash": "a crash on a named hour",
    "replay": "recorded prices, with a file of made-up ones beside it",
}
"""Each with what it is about."""
PLACEHOLDER = "NAME"
PRICES_OF = {"replay": "two-coins"}
"""Templates that read prices, and the template whose market these are drawn from."""
DAYS, STEP = 14, "15min"
"""How long the made-up prices are, and how far apart."""
BEGIN = "2025-01-01"


def text(template: str, name: str) -> str:
    """Return a template's file, called `name`."""
    raw = resources.files(__name__).joinpath(f"{template}.toml").read_text("utf-8")
    return raw.replace(PLACEHOLDER, name)


def prices(template: str) -> Iterator[str]:
    """Yield the lines of a CSV of closes for a template that reads prices.

    One path of the simulated market of another template, the same each time. The prices of both
    coins are rounded to cents, and only their returns mean anything.
    """
    from stresscube.market_view import market
    from stresscube.scenario import loads

    settings = [f"simulation.horizon={DAYS}d", f"simulation.step={STEP}"]
    scenario = loads(text(PRICES_OF[template], "prices"), "prices", settings)
    path = market(scenario, paths=1)["price"].isel(path=0)
    yield "timestamp,btc_close,eth_close\n"
    import numpy as np

    times = np.datetime64(BEGIN, "m") + np.round(path["time"].values * 60).astype(int)
    for time, btc, eth in zip(times, *path.transpose("leg", "time").values, strict=True):
        yield f"{time}Z,{900 * btc:.2f},{30 * eth:.2f}\n"
