"""Faults of a replayed market that show before any data are read."""

from __future__ import annotations

from collections.abc import Iterator

from stresscube.scenario.dotted import Target
from stresscube.scenario.faults import Problem
from stresscube.scenario.market import Market

ACTING = ("replay", "signal_half_life")
"""Keys of the market that act when recorded history makes it."""


def problems(market: Market) -> Iterator[Problem]:
    """What contradicts something else in a market that is a replay."""
    replay = market.replay
    if market.step is not None:
        sentence = 'would never run, because market.source is "replay"; leave it out'
        yield Problem("market.step", sentence, ("market.source",))
    if market.uncertainty is not None:
        sentence = 'would change nothing, because market.source is "replay"; leave it out'
        yield Problem("market.uncertainty", sentence, ("market.source",))
    if replay is None:
        yield Problem("market.replay", "is missing; add [market.replay] with files")
        return
    if replay.start is not None and replay.end is not None and replay.end <= replay.start:
        sentence = f"must be later than market.replay.start ({replay.start})"
        yield Problem("market.replay.end", sentence, ("market.replay.start",))


def idle(market: Market, target: Target) -> str | None:
    """Why sweeping a key would change nothing, or None."""
    if not target.market:
        return None
    word = str(target.path[1])
    if word == "source":
        return "is one for the whole cube; run again with --set instead"
    if market.replayed and word not in ACTING:
        return 'would change nothing, because market.source is "replay"'
    if word == "uncertainty" and target.path[-1] != "draw":
        return "is one for the whole cube; run again with --set instead"
    if not market.replayed and word == "replay":
        return 'would change nothing, because market.source is "simulated"'
    return None
