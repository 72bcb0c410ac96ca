"""The policy table and the whole document: what a file holds at its top level."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import Field

from stresscube.scenario.code import Code, Parameter, Parameters, Place
from stresscube.scenario.leaves import Choice, Duration, Real, Text
from stresscube.scenario.market import Market
from stresscube.scenario.simulation import Simulation
from stresscube.scenario.tables import FILE_NAME, Table, Tables, key
from stresscube.scenario.venue import Venue

VENUES = Text(
    r"[A-Za-z0-9][A-Za-z0-9_-]*(/[A-Za-z0-9][A-Za-z0-9_-]*)?", 'a venue, or "X/Y" for two'
)


class Policy(Table):
    """How the pair is sized, held and rebalanced; every key but `step` may be swept."""

    venue: Annotated[str, VENUES] = key(
        ..., 'Where both legs trade; "X/Y" is leg a on X and leg b on Y.', "C", "venue"
    )
    hedge_ratio: Annotated[float | str, Real(0, 1000, words=("min-variance",))] = key(
        ..., "Notional of leg b over leg a; 0 is leg a alone.", 1.0, "hedge ratio"
    )
    leverage: Annotated[float, Real(0, 1000, low_open=True)] = key(
        ..., "Gross notional over equity, before the venue's cap.", 10, "gross leverage"
    )
    rebalance_threshold: Annotated[float, Real(0, infinite=True)] = key(
        math.inf,
        "Relative drift of leg b from its target that starts a rebalance; inf is never.",
        0.008,
        "rebalance threshold",
    )
    rebalance_interval: Annotated[float, Duration(off="off")] = key(
        math.inf, "Rebalance by the clock, a whole number of steps.", "15min", "rebalance interval"
    )
    rebalance_to: Annotated[str, Choice(("ratio", "leverage"))] = key(
        "ratio", "Rebalance to the ratio at the same gross, or to the full leverage.", "ratio"
    )
    holding: Annotated[float, Duration(off="horizon")] = key(
        math.inf, "Length of a trade, a whole number of steps.", "1h", "holding time"
    )
    roll: Annotated[str, Choice(("close", "net"))] = key(
        "close", "A new trade pays both turns, or only the difference.", "close"
    )
    side: Annotated[str, Choice(("fixed", "spread", "funding"))] = key(
        "fixed", "Long leg a, or as the spread or funding says.", "fixed"
    )
    entry_z: Annotated[float, Real(0, 1000)] = key(0.0, "Spread at which to enter.", 0.0)
    exit_z: Annotated[float, Real(-1000, 1000)] = key(0.0, "Spread at which to leave.", 0.0)
    directional_bias: Annotated[float, Real(0, 1, high_open=True)] = key(
        0.0, "Tilt toward the trend while volatility is high.", 0.1
    )
    bias_trigger: Annotated[float, Real(0, 1000)] = key(
        2.0, "Volatility ratio above which the tilt is on.", 2.0
    )
    sizing_correlation: Annotated[float | str, Real(-1, 1, words=("off",))] = key(
        "off", "Size for this correlation instead of the usual one.", "off"
    )
    drift_measure: Annotated[str, Choice(("ratio", "equity"))] = key(
        "ratio", "Drift relative to the hedge ratio, or net exposure over equity.", "ratio"
    )
    step: Annotated[str | None, Place()] = key(
        None,
        "A policy step of one's own (docs/own_rules.md); it runs only with --trust.",
        "my_rules.py:step",
    )
    parameters: Annotated[dict[str, Parameter], Parameters()] = key(
        {}, "What policy.step takes; each may be swept.", {"stop": 0.1, "wait": "2h"}
    )


class Document(Table):
    """A scenario file without what reading it adds."""

    name: Annotated[str, FILE_NAME] = key(..., "Names the run's folder.", "btc-eth-hourly")
    description: Annotated[str, Text()] = key("", "Free text.", "What is asked here.")
    simulation: Simulation = key(..., Simulation.__doc__ or "", None)
    market: Market = key(..., Market.__doc__ or "", None)
    venues: Annotated[tuple[Venue, ...], Tables(Venue, 64, least=1)] = key(
        ..., "The exchanges policies may use, 1 to 64.", None
    )
    policy: Policy = key(..., Policy.__doc__ or "", None)


class Scenario(Document):
    """A valid scenario. Durations in hours; "off", "horizon" and "forever" are infinity.

    sweep: key of [sweep] -> its values, in file order. source: path of the file, or
    "<text>". text: the TOML as read. overrides: "key=value" texts applied on top of it.
    code: what it names, once that is trusted (`trust.py`). tape: data given in memory
    (`recorded.Tape`) in place of the files of a replay.
    """

    sweep: dict[str, tuple[float | str, ...]] = Field(default_factory=dict)
    source: str = "<text>"
    text: str = ""
    overrides: tuple[str, ...] = ()
    code: tuple[Code, ...] = ()
    tape: Any = Field(default=None, exclude=True, repr=False)
